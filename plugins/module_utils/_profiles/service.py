# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A systemd service that is paused with its control group's freezer, or stopped. Source: systemctl(1)."""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Pauses or stops a systemd service. Verbs: freeze, status, thaw, probe, boot.
mode='' unit=''
# shellcheck source=/dev/null
. "$AC_CONF"

fail() {
    printf '%s\n' "$1"
    exit 1
}

# show PROPERTY
show() {
    timeout -k 1 5 systemctl show "--property=$1" --value "$unit" </dev/null 2>/dev/null
}

act() {
    SAID=$(timeout -k 2 "$AC_SECONDS" systemctl "$1" "$unit" 2>&1 </dev/null) && return
    [ -n "$SAID" ] || SAID="no answer within $AC_SECONDS s"
    return 1
}

# systemd forgets a stopped unit that nothing refers to, and with it whether the unit ran meanwhile. A unit of ours that
# is ordered after it keeps it in memory.
keeper=appconsistent-keeps-$unit

keep() {
    true >"$AC_STATE/kept" || fail "cannot write to $AC_STATE"
    timeout -k 1 5 systemctl stop "$keeper" </dev/null >/dev/null 2>&1
    timeout -k 1 5 systemd-run --quiet --collect --unit="$keeper" --property="After=$unit" \
        sleep "$((AC_HOLD_LEFT + 600))" </dev/null >/dev/null 2>&1
}

is_kept() {
    timeout -k 1 5 systemctl is-active --quiet "$keeper" </dev/null >/dev/null 2>&1
}

# remember FILE: the number of the unit's last start, empty when it had none that systemd knows of.
remember() {
    invocation=$(show InvocationID)
    [ -n "$invocation" ] || is_kept ||
        fail "systemd forgets whether $unit runs during the hold, and systemd-run cannot help it; enable $unit"
    printf '%s\n' "$invocation" >"$AC_STATE/$1" || fail "cannot write to $AC_STATE"
}

# same_start FILE: whether it is proved that the unit was not started since. An empty answer proves it only where
# systemd was kept from forgetting.
same_start() {
    read -r before <"$AC_STATE/$1" || return 1
    [ "$(show InvocationID)" = "$before" ] || return 1
    [ -n "$before" ] || is_kept
}

is_down() {
    case $(show ActiveState) in inactive | failed) ;; *) return 1 ;; esac
}

freeze() {
    [ "$(show LoadState)" = loaded ] || fail "there is no unit $unit"
    state=$(show ActiveState)
    case $state in
        active | reloading | refreshing) ;;
        inactive | failed)
            printf '%s\n' "$unit does not run, so there is nothing to $mode"
            keep
            is_down || fail "$unit was started just now"
            remember idle
            exit 0
            ;;
        *) fail "$unit is ${state:-in a state that systemd does not tell}, so it can be neither held nor left out" ;;
    esac
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/acted" || fail "cannot write to $AC_STATE"
    case $mode in
        pause) act freeze || fail "$unit was not paused: $SAID. It takes systemd 246 and control groups of version 2" ;;
        stop)
            keep
            act stop || fail "$unit was not stopped: $SAID"
            ;;
    esac
    remember invocation
}

status() {
    if [ -f "$AC_STATE/idle" ]; then
        is_down && same_start idle && exit 0
        fail "$unit was started during the hold, or systemd does not prove that it was not"
    fi
    same_start invocation || fail "$unit was started anew during the hold, or systemd does not prove that it was not"
    case $mode in
        pause) [ "$(show FreezerState)" = frozen ] || fail "$unit is not paused any more" ;;
        stop) is_down || fail "$unit was started during the hold" ;;
    esac
}

thaw() {
    if [ -f "$AC_STATE/kept" ]; then
        timeout -k 1 5 systemctl stop "$keeper" </dev/null >/dev/null 2>&1
        rm -f "$AC_STATE/kept"
    fi
    [ -f "$AC_STATE/acted" ] || exit 0
    case $mode in
        pause)
            if [ "$(show FreezerState)" != running ]; then
                act thaw || fail "$unit may still be paused: $SAID"
            fi
            ;;
        stop)
            act start || fail "$unit was not started: $SAID"
            [ "$(show ActiveState)" = active ] || fail "$unit did not come up"
            ;;
    esac
    rm -f "$AC_STATE/acted"
}

probe() {
    [ "$(show ActiveState)" = active ] || fail "$unit does not run"
    [ "$(show FreezerState)" != frozen ] || fail "$unit is paused"
    printf '%s\n' "$unit runs and is not paused; whether it writes cannot be told"
    exit 3
}

case ${1:-} in
    freeze | status | thaw | probe) "$1" ;;
    # systemd starts what is enabled, and nothing is paused after a start.
    boot) ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

SERVICE = Profile(
    "service",
    "A systemd service",
    10,
    (
        Option("mode", "pause", ("pause", "stop")),
        Option(
            "unit", required=True, pattern=r"[A-Za-z0-9:_.\\@-]+\.service", expects="the full name of a service unit"
        ),
    ),
    _HOOK,
)
