# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands of the user's own. Each is a list of words; no shell looks at them."""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Runs commands of your own. Verbs: freeze, status, thaw, probe, boot.
boot_command='' freeze_command='' probe_command='' status_command='' thaw_command=''
# shellcheck source=/dev/null
. "$AC_CONF"

# words TEXT: run a command of which each line is a word. What it says is cut short, and whatever it leaves running may
# go on writing without ever filling a disk or being stopped by a closed pipe.
words() {
    set -f
    IFS='
'
    # shellcheck disable=SC2086
    set -- $1
    unset IFS
    # One that was ended may have left its pipe behind. And /run may have filled up: run the command all the same.
    rm -f "$AC_STATE/pipe"
    if ! mkfifo "$AC_STATE/pipe" 2>/dev/null; then
        "$@" </dev/null >/dev/null 2>&1
        return
    fi
    # shellcheck disable=SC2016
    setsid sh -c 'head -c 4000 >"$1"; exec cat >/dev/null' - "$AC_STATE/words" <"$AC_STATE/pipe" >/dev/null 2>&1 &
    "$@" </dev/null >"$AC_STATE/pipe" 2>&1
    result=$?
    rm -f "$AC_STATE/pipe"
    sleep 0.05
    [ -s "$AC_STATE/words" ] && cat "$AC_STATE/words"
    return "$result"
}

case ${1:-} in
    freeze)
        true >"$AC_STATE/asked" || exit 1
        words "$freeze_command"
        ;;
    status)
        [ -z "$status_command" ] || words "$status_command"
        ;;
    thaw)
        [ -f "$AC_STATE/asked" ] || exit 0
        words "$thaw_command" || exit 1
        rm -f "$AC_STATE/asked"
        ;;
    probe)
        if [ -z "$probe_command" ]; then
            printf '%s\n' "cannot tell: there is no probe_command"
            exit 3
        fi
        words "$probe_command"
        ;;
    boot) words "${boot_command:-$thaw_command}" ;;
    *)
        printf '%s\n' "usage: $0 freeze|status|thaw|probe|boot"
        exit 1
        ;;
esac
"""

COMMAND = Profile(
    "command",
    "Commands of your own",
    10,
    (
        Option("boot_command"),
        Option("freeze_command", required=True),
        Option("probe_command"),
        Option("status_command"),
        Option("thaw_command", required=True),
    ),
    _HOOK,
)
