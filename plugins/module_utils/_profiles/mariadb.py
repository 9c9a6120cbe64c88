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
client='' mode='' option_file='' other_engines='' probe_schema='' profile='' socket='' user=''
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
            running
            case $STEP$RUNNING in
                tables*)
                    fail "a statement that came last kept its tables: $RUNNING. What asks for them waits until it ends"
                    ;;
                begin[!c]*) fail "another backup, or locked tables, kept the backup lock away: $RUNNING" ;;
            esac
            fail "a statement kept the backup lock away: $RUNNING. Wait until it is done, or end it"
            ;;
        *"ERROR 2002"* | *"ERROR 2003"*) fail "no server answers: $FAULT. Start it, or set socket" ;;
        *) fail "$1: $FAULT" ;;
    esac
}

# The oldest statement that has been running for at least this long: its connection, its seconds, its text.
statement_since() {
    printf '%s' "SELECT CONCAT(ID, ', ', TIME, ' s, ', LEFT(INFO, 60)) FROM information_schema.PROCESSLIST \
WHERE COMMAND IN ('Query', 'Execute') AND INFO IS NOT NULL AND ID <> CONNECTION_ID() AND TIME >= $1 \
ORDER BY TIME DESC LIMIT 1"
}

# running: RUNNING names that statement to a person.
running() {
    RUNNING=$(with_client once "--execute=$(statement_since 1)")
    case $RUNNING in
        [0-9]*) RUNNING="connection ${RUNNING%%
*}" ;;
        *) RUNNING="see SHOW FULL PROCESSLIST" ;;
    esac
}

# no_long_statement: whoever waits behind FLUSH TABLES waits for the oldest statement, and goes on waiting after the
# flush was given up, until that statement ends. So a long one is looked for before anything is asked for.
no_long_statement() {
    look=0
    now
    end=$((NOW + AC_SECONDS * 100 - 800))
    while :; do
        look=$((look + 1))
        session_ask "SELECT CONCAT('long$$.$look ', IFNULL(($(statement_since 2)), ''));" "long$$.$look" 5 ||
            explain "the server did not say which statements run"
        [ -n "$ANSWER" ] || return 0
        now
        [ "$NOW" -lt "$end" ] ||
            fail "a statement runs too long to hold the tables: connection $ANSWER. Wait until it is done, or end it"
        sleep 0.5
    done
}

# unprotected: UNPROTECTED is a table without a log of its own, whose copy is damaged if somebody writes to it. Looked
# for as files, for an account with few rights is shown few tables.
unprotected() {
    session_ask "SELECT CONCAT('data$$ ', @@datadir);" "data$$" 5 || explain "the server did not name its folder"
    UNPROTECTED=
    if cd "$ANSWER" 2>/dev/null; then
        UNPROTECTED=$(find . -mindepth 2 -maxdepth 2 ! -path './mysql/*' \
            '(' -name '*.MYI' -o -name '*.ARZ' -o -name '*.CSV' ')' | head -n 1)
        UNPROTECTED=${UNPROTECTED%.*}
        cd /
    else
        # The server runs elsewhere, as in a container; its folder cannot be seen from here.
        session_ask "SELECT CONCAT('table$$ ', IFNULL((SELECT CONCAT(TABLE_SCHEMA, '/', TABLE_NAME) \
FROM information_schema.TABLES WHERE ENGINE IN ('MyISAM', 'ARCHIVE', 'CSV') \
AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') LIMIT 1), ''));" "table$$" 5 ||
            explain "the server did not say which tables it has"
        UNPROTECTED=$ANSWER
    fi
    UNPROTECTED=${UNPROTECTED#./}
}

freeze() {
    STEP=begin
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
            begin="BACKUP STAGE START;" take="BACKUP STAGE BLOCK_COMMIT;"
            ;;
        *)
            [ "$profile" = mysql ] || fail "the server is MySQL ($version); use the profile mysql"
            [ "$major" -ge 8 ] || fail "MySQL $version has no LOCK INSTANCE FOR BACKUP; it came with 8.0"
            begin="LOCK INSTANCE FOR BACKUP;" take=
            STEP=changes
            if [ "$mode" != global ] && [ "$other_engines" != accept ]; then
                unprotected
                [ -z "$UNPROTECTED" ] || [ "$other_engines" = global ] ||
                    fail "mode instance does not stop writes to $UNPROTECTED, which is not InnoDB. Set mode to global, \
or other_engines to global or accept"
                [ -z "$UNPROTECTED" ] || mode=global
            fi
            # MyISAM tables and an exact position in the binary log need writes to stop, not only changes of tables.
            [ "$mode" = global ] && take="FLUSH TABLES WITH READ LOCK;"
            ;;
    esac
    # One second less than we may take: then the server's own words reach the log. An idle session is ended by the
    # server after wait_timeout.
    wait=$((AC_SECONDS > 2 ? AC_SECONDS - 1 : 1))
    session_ask "SET SESSION lock_wait_timeout=$wait, SESSION wait_timeout=$LIMIT, @appconsistent='$AC_ID'; $begin
SELECT 'begun';" begun "$AC_SECONDS" || explain "the backup lock was not given"
    STEP=commits
    if [ "$take" = "FLUSH TABLES WITH READ LOCK;" ]; then
        no_long_statement
        STEP=tables
        # A statement that came since then holds up others for no longer than this.
        take="SET SESSION lock_wait_timeout=$((wait < 5 ? wait : 5)); $take"
    fi
    session_ask "$take
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
    (
        _CLIENT,
        Option("mode", "instance", ("global", "instance")),
        _OPTION_FILE,
        Option("other_engines", "refuse", ("refuse", "global", "accept")),
        _PROBE_SCHEMA,
        _SOCKET,
        _USER,
    ),
    _HOOK,
)
