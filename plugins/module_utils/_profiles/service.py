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

freeze() {
    [ "$(show LoadState)" = loaded ] || fail "there is no unit $unit"
    if [ "$(show ActiveState)" != active ]; then
        printf '%s\n' "$unit does not run, so there is nothing to $mode"
        show InvocationID >"$AC_STATE/idle"
        exit 0
    fi
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/acted" || fail "cannot write to $AC_STATE"
    case $mode in
        pause) act freeze || fail "$unit was not paused: $SAID. It takes systemd 246 and control groups of version 2" ;;
        stop) act stop || fail "$unit was not stopped: $SAID" ;;
    esac
    show InvocationID >"$AC_STATE/invocation"
}

status() {
    if [ -f "$AC_STATE/idle" ]; then
        [ "$(show ActiveState)" != active ] && [ "$(show InvocationID)" = "$(cat "$AC_STATE/idle")" ] && exit 0
        fail "$unit was started during the hold"
    fi
    [ "$(show InvocationID)" = "$(cat "$AC_STATE/invocation")" ] || fail "$unit was started anew during the hold"
    case $mode in
        pause) [ "$(show FreezerState)" = frozen ] || fail "$unit is not paused any more" ;;
        stop) [ "$(show ActiveState)" != active ] || fail "$unit was started during the hold" ;;
    esac
}

thaw() {
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
