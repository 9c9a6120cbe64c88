# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``session.sh``: an idle database session that holds a lock between two scripts. The hooks that need one read it."""

SESSION = r"""# shellcheck shell=sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# A client that waits for statements from a FIFO, in a process session of its own. It ends, and so does what it holds,
# when nobody has the FIFO open for writing any more: a sleeping process keeps it open, and no longer than it may.
# An idle session is let go by the server at once when its client dies; one inside SLEEP() is not.
# shellcheck source=hold.sh
. "$AC_HOME/hold.sh"
# A client that died must not take us with it.
trap '' PIPE
S=$AC_STATE/session
# Seconds after which the hold ends without us: by the server where it can, by the client otherwise. The watchdog comes
# first, as long as it lives.
LIMIT=$((AC_HOLD_LEFT + 5))

# session_open COMMAND...
session_open() {
    rm -rf "$S"
    mkdir "$S" && mkfifo "$S/in" || return 1
    setsid "$@" <"$S/in" >"$S/out" 2>&1 &
    started $! && printf '%s\n' "$! $STARTED" >"$S/client"
    # This waits for the reader, whose shell opens its end before the client starts: no statement can get lost.
    exec 3>"$S/in"
    setsid sleep "$LIMIT" </dev/null >/dev/null 2>&1 &
    started $! && printf '%s\n' "$! $STARTED" >"$S/keeper"
}

# session_attach: the session that another verb of this hook opened.
session_attach() {
    [ -p "$S/in" ] || return 1
    # For reading too: so it neither waits for a reader nor fails without one.
    exec 3<>"$S/in"
}

# session_process NAME: PID of the client or the keeper, if it still lives.
session_process() {
    PID=
    read -r ac_pid ac_began 2>/dev/null <"$S/$1" && alive "$ac_pid" "$ac_began" && PID=$ac_pid
}

# session_answer MARK SECONDS: ANSWER is the rest of the first line that begins with MARK.
session_answer() {
    now
    ac_end=$((NOW + $2 * 100))
    while :; do
        session_process client
        while read -r ac_line; do
            case $ac_line in
                "$1" | "$1 "*)
                    ANSWER=${ac_line#"$1"}
                    ANSWER=${ANSWER# }
                    return 0
                    ;;
            esac
        done 2>/dev/null <"$S/out"
        [ -n "$PID" ] || return 1
        now
        [ "$NOW" -lt "$ac_end" ] || return 1
        sleep 0.02
    done
}

# session_ask STATEMENTS MARK SECONDS
session_ask() {
    printf '%s\n' "$1" >&3 && session_answer "$2" "$3"
}

# session_fault: FAULT is the last error that the client told, or else its last words.
session_fault() {
    FAULT=
    ac_last=
    while read -r ac_line; do
        case $ac_line in
            *rror* | *ERROR* | *FATAL*) FAULT=$ac_line ;;
            ?*) ac_last=$ac_line ;;
        esac
    done 2>/dev/null <"$S/out"
    [ -n "$FAULT" ] || FAULT=${ac_last:-the client gave no answer}
}

# session_close: fails when the client cannot be ended.
session_close() {
    session_process keeper && kill -KILL "$PID"
    exec 3>&-
    ac_tries=0
    while session_process client; do
        ac_tries=$((ac_tries + 1))
        case $ac_tries in
            100) kill -TERM "$PID" ;;
            150) kill -KILL "$PID" ;;
            200) return 1 ;;
        esac
        sleep 0.02
    done
}
"""
