# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MariaDB 10.4 and newer, and MySQL 8.0 and newer: one idle session that holds the server's own backup lock.

MariaDB knows BACKUP STAGE and not LOCK INSTANCE FOR BACKUP, MySQL the other way round. A lock ends with its session.
Sources: MariaDB, "Storage Snapshots and BACKUP STAGE Statements"; MySQL Reference Manual, "LOCK INSTANCE FOR BACKUP".
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds a MariaDB or MySQL server through its backup lock. Verbs: freeze, status, thaw, probe, boot.
client='' mode='' option_file='' probe_schema='' profile='' socket='' user=''
# shellcheck source=/dev/null
. "$AC_CONF"
# shellcheck source=session.sh
. "$AC_HOME/session.sh"

# run_client COMMAND...: with the client and its options put before it; COMMAND "" is the client itself.
with_client() {
    how=$1
    shift
    [ -z "$user" ] || set -- "--user=$user" "$@"
    [ -z "$socket" ] || set -- "--socket=$socket" "$@"
    # A session that connects anew by itself would have lost the lock and look as if it had it.
    set -- --batch --skip-column-names --unbuffered --skip-reconnect --connect-timeout=5 "$@"
    [ -z "$option_file" ] || set -- "--defaults-file=$option_file" "$@"
    if [ -n "$client" ]; then
        set -- "$client" "$@"
    elif [ "$profile" = mariadb ] && command -v mariadb >/dev/null; then
        set -- mariadb "$@"
    else
        set -- mysql "$@"
    fi
    command -v "$1" >/dev/null || fail "the client $1 is not installed; install it or set the option client"
    case $how in
        session) session_open "$@" ;;
        once) timeout -k 1 5 "$@" 2>&1 </dev/null ;;
    esac
}

fail() {
    printf '%s\n' "$1"
    exit 1
}

# explain: what went wrong, from what the client said, and what to do about it.
explain() {
    session_fault
    case $FAULT in
        *"ERROR 1045"* | *"ERROR 1698"*)
            fail "the server refused the account: $FAULT. Set option_file or user"
            ;;
        *"ERROR 1227"* | *"ERROR 1044"*)
            fail "the account lacks a right: $FAULT. The guide tells which"
            ;;
        *"ERROR 1205"*)
            fail "a statement kept the backup lock away: $FAULT. Look for long writes in SHOW FULL PROCESSLIST"
            ;;
        *"ERROR 2002"* | *"ERROR 2003"*) fail "no server answers: $FAULT. Start it, or set socket" ;;
        *) fail "$1: $FAULT" ;;
    esac
}

freeze() {
    with_client session || fail "cannot write to $AC_STATE"
    session_ask "SELECT CONCAT('hello ', CONNECTION_ID(), ' ', VERSION());" hello "$AC_SECONDS" ||
        explain "the server did not answer"
    printf '%s\n' "${ANSWER%% *}" >"$S/connection"
    version=${ANSWER#* }
    major=${version%%.*}
    minor=${version#*.}
    minor=${minor%%.*}
    case $version in
        *MariaDB*)
            [ "$profile" = mariadb ] || fail "the server is MariaDB ($version); use the profile mariadb"
            [ "$major" -gt 10 ] || { [ "$major" -eq 10 ] && [ "$minor" -ge 4 ]; } ||
                fail "MariaDB $version has no BACKUP STAGE; it came with 10.4"
            take="BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT;"
            ;;
        *)
            [ "$profile" = mysql ] || fail "the server is MySQL ($version); use the profile mysql"
            [ "$major" -ge 8 ] || fail "MySQL $version has no LOCK INSTANCE FOR BACKUP; it came with 8.0"
            take="LOCK INSTANCE FOR BACKUP;"
            # MyISAM tables and an exact position in the binary log need writes to stop, not only changes of tables.
            [ "$mode" = global ] && take="$take FLUSH TABLES WITH READ LOCK;"
            ;;
    esac
    # One second less than we may take: then the server's own words reach the log. An idle session is ended by the
    # server after wait_timeout.
    wait=$((AC_SECONDS > 2 ? AC_SECONDS - 1 : 1))
    session_ask "SET SESSION lock_wait_timeout=$wait, SESSION wait_timeout=$LIMIT, @appconsistent='$AC_ID'; $take
SELECT CONCAT('held ', @appconsistent);" held "$AC_SECONDS" || explain "the backup lock was not given"
    [ "$ANSWER" = "$AC_ID" ] || fail "the session was lost while it took the lock"
    true >"$S/held" || fail "cannot write to $AC_STATE"
}

# A variable of the session is the proof: another session does not have it.
status() {
    session_attach || fail "no session was opened"
    session_process client || explain "the session that held the lock is gone"
    session_ask "SELECT CONCAT('still$$ ', @appconsistent);" "still$$" 5 ||
        explain "the session that held the lock does not answer"
    [ "$ANSWER" = "$AC_ID" ] || fail "the session that held the lock was replaced by another"
}

thaw() {
    session_attach || exit 0
    if [ -f "$S/held" ]; then
        case $profile in
            mariadb) give="BACKUP STAGE END;" ;;
            *) give="UNLOCK TABLES; UNLOCK INSTANCE;" ;;
        esac
        session_ask "$give SELECT 'free$$';" "free$$" 3 && given=yes
    fi
    session_close || fail "the client, process $PID, cannot be ended"
    if [ -z "${given:-}" ] && read -r connection 2>/dev/null <"$S/connection"; then
        # The server may still wait for the lock on behalf of a client that is gone.
        answer=$(with_client once "--execute=KILL $connection")
        case $answer in
            # Gone already; or no server, so no lock.
            '' | *"ERROR 1094"* | *"ERROR 2002"* | *"ERROR 2003"* | *"ERROR 2013"*) ;;
            *) fail "connection $connection may still hold the lock: $answer" ;;
        esac
    fi
    rm -rf "$S"
}

# write_once FIRST: a real write, seen by the engine as one: it waits as long as anything holds commits back.
write_once() {
    answer=$(with_client once "--execute=SET SESSION lock_wait_timeout=4; $1
CREATE SCHEMA IF NOT EXISTS \`$probe_schema\`;
CREATE TABLE IF NOT EXISTS \`$probe_schema\`.probe (run CHAR(36) PRIMARY KEY);
REPLACE INTO \`$probe_schema\`.probe VALUES ('$AC_ID');
DELETE FROM \`$probe_schema\`.probe;
SELECT 'written';")
    # The client repeats the statement that failed; the error stands on a line of its own.
    case $answer in *ERROR*) answer="ERROR${answer##*ERROR}" ;; esac
}

probe() {
    # Nothing of this is for replicas; but not every account may keep it from them.
    write_once "SET SESSION sql_log_bin=0;"
    case $answer in *"ERROR 1227"*) write_once "" ;; esac
    case $answer in
        *written*) exit 0 ;;
        *"ERROR 1044"* | *"ERROR 1142"* | *"ERROR 1227"* | *"ERROR 1290"*)
            printf '%s\n' "cannot tell: the account may not write to the schema $probe_schema: $answer"
            exit 3
            ;;
        *) fail "a write was not accepted: ${answer:-no answer within 5 s}" ;;
    esac
}

case ${1:-} in
    freeze | status | thaw | probe) "$1" ;;
    # The lock went with the server.
    boot) ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

_CLIENT = Option("client", pattern=r"/.+", expects="an absolute path")
_OPTION_FILE = Option("option_file", pattern=r"/.+", expects="an absolute path")
_SOCKET = Option("socket", pattern=r"/.+", expects="an absolute path")
_USER = Option("user")
_PROBE_SCHEMA = Option("probe_schema", "appconsistent", pattern=r"[A-Za-z0-9_$]{1,64}", expects="a plain schema name")

MARIADB = Profile(
    "mariadb", "MariaDB 10.4 and newer", 20, (_CLIENT, _OPTION_FILE, _PROBE_SCHEMA, _SOCKET, _USER), _HOOK
)
MYSQL = Profile(
    "mysql",
    "MySQL 8.0 and newer",
    20,
    (_CLIENT, Option("mode", "instance", ("global", "instance")), _OPTION_FILE, _PROBE_SCHEMA, _SOCKET, _USER),
    _HOOK,
)
