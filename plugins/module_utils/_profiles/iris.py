# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""InterSystems IRIS and Caché: the write daemon is suspended, and resumes by itself after a limit.

Exit status 5 means yes and 3 means no. Sources: InterSystems, "External Backup" and the class Backup.General, arguments
ExternalFreezeTimeOut (7) and WDSuspendLimit (10). Tested with a stand-in for the client only.
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds an InterSystems IRIS or Cache instance. Verbs: freeze, status, thaw, probe, boot.
client='' instance='' server_limit='' system_user=''
# shellcheck source=/dev/null
. "$AC_CONF"

fail() {
    printf '%s\n' "$1"
    exit 1
}

# ask METHOD: RESULT is 5 for yes, 3 for no.
ask() {
    command -v "${client:-iris}" >/dev/null ||
        fail "the client ${client:-iris} is not installed; install it or set the option client"
    # csession is Cache's client and takes no word before the instance.
    case $client in
        */csession) set -- "$client" "$instance" -U %SYS "##Class(Backup.General).$1" ;;
        *) set -- "${client:-iris}" session "$instance" -U %SYS "##Class(Backup.General).$1" ;;
    esac
    [ -z "$system_user" ] || set -- runuser -u "$system_user" -- "$@"
    SAID=$(timeout -k 2 "$AC_SECONDS" "$@" 2>&1 </dev/null)
    RESULT=$?
    # shellcheck disable=SC2086
    set -- $SAID
    SAID=$*
}

explain() {
    case $RESULT in
        124 | 137) fail "$1: no answer within $AC_SECONDS s; the client may be asking for a password. Allow \
operating-system authentication for the account" ;;
        *) fail "$1: exit status $RESULT${SAID:+, $SAID}" ;;
    esac
}

freeze() {
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/asked" || fail "cannot write to $AC_STATE"
    limit=$((AC_HOLD_LEFT + 5))
    if [ "$server_limit" = yes ]; then
        # The 7th: how long users go on in memory, at most 1200. The 10th: when the write daemon resumes by itself.
        users=$((limit < 540 ? 600 : limit < 1140 ? limit + 60 : 1200))
        ask "ExternalFreeze(\"\",\"appconsistent $AC_ID\",1,10,0,0,$users,\"\",\"\",$limit)"
    else
        ask "ExternalFreeze()"
    fi
    [ "$RESULT" = 5 ] || explain "the instance was not frozen"
}

status() {
    ask "IsWDSuspendedExt()"
    [ "$RESULT" = 5 ] || explain "the write daemon is not suspended any more"
}

thaw() {
    [ -f "$AC_STATE/asked" ] || exit 0
    ask "ExternalThaw()"
    if [ "$RESULT" != 5 ]; then
        said=$RESULT${SAID:+, $SAID}
        ask "IsWDSuspendedExt()"
        [ "$RESULT" = 3 ] || fail "the write daemon may still be suspended: ExternalThaw gave $said"
    fi
    rm -f "$AC_STATE/asked"
}

probe() {
    AC_SECONDS=8
    ask "IsWDSuspendedExt()"
    case $RESULT in
        3)
            printf '%s\n' "the write daemon writes"
            exit 0
            ;;
        5) fail "the write daemon is suspended" ;;
        *) explain "the instance gave no answer" ;;
    esac
}

case ${1:-} in
    freeze | status | thaw | probe) "$1" ;;
    # The suspension went with the instance.
    boot) ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

IRIS = Profile(
    "iris",
    "InterSystems IRIS and Caché",
    20,
    (
        Option("client", pattern=r"/.+", expects="an absolute path"),
        Option("instance", required=True, pattern=r"[A-Za-z][A-Za-z0-9_-]{0,63}", expects="the name of an instance"),
        Option("server_limit", True),
        Option("system_user", pattern=r"[a-z_][a-z0-9_.-]*\$?", expects="the name of an account"),
    ),
    _HOOK,
)
