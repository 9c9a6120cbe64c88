# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL: a checkpoint where the file systems are frozen, an open backup session where they are not.

Frozen together, all volumes are one moment, and the server recovers from its log as after a power cut: a checkpoint
makes that short. Not frozen, or spread over what cannot be frozen together, only a backup between pg_backup_start and
pg_backup_stop can be restored, together with the label that the stop returns and the log of the time between.
Source: PostgreSQL manual, "Making a Base Backup Using the Low Level API".
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds a PostgreSQL server. Verbs: freeze, status, thaw, probe, boot.
client='' database='' label_folder='' mode='' port='' socket='' system_user='' user='' wal_kept_elsewhere=''
# shellcheck source=/dev/null
. "$AC_CONF"
# shellcheck source=session.sh
. "$AC_HOME/session.sh"

fail() {
    printf '%s\n' "$1"
    exit 1
}

with_client() {
    how=$1
    shift
    # Neither a start-up file nor a question for a password may come between.
    set -- -X -q -A -t -w -v ON_ERROR_STOP=1 -v VERBOSITY=terse -d "${database:-postgres}" "$@"
    [ -z "$user" ] || set -- -U "$user" "$@"
    [ -z "$port" ] || set -- -p "$port" "$@"
    [ -z "$socket" ] || set -- -h "$socket" "$@"
    set -- "${client:-psql}" "$@"
    command -v "$1" >/dev/null || fail "the client $1 is not installed; install it or set the option client"
    [ -z "$system_user" ] || set -- runuser -u "$system_user" -- "$@"
    case $how in
        session) session_open "$@" ;;
        once) timeout -k 1 "$AC_SECONDS" "$@" 2>&1 </dev/null ;;
    esac
}

# explain TEXT SAID: the cause before the connection, for psql tells any refusal as a connection that failed.
explain() {
    case $2 in
        "runuser: user "*) fail "the account that runs the client is not there: $2. Set system_user" ;;
        *'database "'*'" does not exist'* | *"not currently accepting connections"*)
            fail "the database cannot be opened: $2. Set database"
            ;;
        *"uthentication failed"* | *"no password supplied"* | *pg_hba.conf* | *'role "'*'" does not exist'* | \
            *"not permitted to log in"*)
            fail "the server refused the account: $2. Set system_user and user"
            ;;
        *"onnection slots are reserved"* | *"too many clients"* | *"too many connections"*)
            fail "the server has no free connection: $2. Raise max_connections, or end idle sessions"
            ;;
        *"starting up"* | *"shutting down"* | *"not yet accepting connections"* | *"in recovery mode"*)
            fail "the server is not ready: $2. Wait until it is up"
            ;;
        *"onnection to server"*"failed: Permission denied"*)
            fail "the account may not use the server's socket: $2. Set system_user and socket"
            ;;
        *"could not connect"* | *"onnection to server"*"failed"*)
            fail "no server answers: $2. Start it, or set socket and port"
            ;;
        *"permission denied"* | *"must be superuser"*)
            fail "the account lacks a right: $2. The guide tells which"
            ;;
        *"statement timeout"*) fail "$1: the checkpoint takes longer than timeout allows: $2" ;;
        *) fail "$1: ${2:-no answer within $AC_SECONDS s}" ;;
    esac
}

explain_session() {
    session_fault
    explain "$1" "$FAULT"
}

freeze_checkpoint() {
    answer=$(with_client once -c "CHECKPOINT" -c "SELECT 'done'")
    case $answer in
        *done*) ;;
        *) explain "no checkpoint was made" "$answer" ;;
    esac
}

freeze_backup() {
    with_client session || fail "cannot write to $AC_STATE"
    session_ask "SELECT 'hello ' || current_setting('server_version_num') || ' ' || current_setting('archive_mode')
 || ' ' || pg_is_in_recovery();" hello "$AC_SECONDS" || explain_session "the server did not answer"
    # shellcheck disable=SC2086
    set -- $ANSWER
    [ "$1" -ge 90600 ] || fail "server version $1 has no backups beside each other; 9.6 brought them"
    if [ "$2" = off ] && [ "$wal_kept_elsewhere" != yes ]; then
        fail "archive_mode is off, so the log of the backup's time would be lost and the point could not be restored. \
Archive the log, use mode checkpoint with file systems frozen, or set wal_kept_elsewhere"
    fi
    if [ "$1" -ge 150000 ]; then
        start="pg_backup_start('appconsistent $AC_ID', true)"
    else
        start="pg_start_backup('appconsistent $AC_ID', true, false)"
    fi
    # The server itself ends the backup when the session idles for too long.
    limit=
    [ "$1" -ge 140000 ] && limit="SET idle_session_timeout = '${LIMIT}s';"
    printf '%s\n' "$1" >"$S/version"
    session_ask "$limit SET statement_timeout = '${AC_SECONDS}s';
SELECT 'held ' || $start;" held "$AC_SECONDS" || explain_session "the backup was not begun"
    printf '%s\n' "$ANSWER" >"$S/held"
}

# The session cannot be exchanged for another: psql ends when it loses the server, and a backup ends with its session.
status() {
    # A checkpoint holds nothing, so nothing can be broken.
    [ "$mode" = backup ] || exit 0
    session_attach || fail "no session was opened"
    session_process client || explain_session "the session that kept the backup open is gone"
    session_ask "SELECT 'still$$';" "still$$" 5 ||
        explain_session "the session that kept the backup open does not answer"
}

thaw() {
    session_attach || exit 0
    if [ "$AC_PURPOSE" = snapshot ] && read -r first 2>/dev/null <"$S/held" && read -r version <"$S/version"; then
        if [ "$version" -ge 150000 ]; then stop="pg_backup_stop(false)"; else stop="pg_stop_backup(false, false)"; fi
        # In base64: the label and the map of table spaces have several lines.
        session_ask "SELECT 'stopped ' || lsn || ' ' || translate(encode(labelfile::bytea, 'base64'), E'\n', '')
 || ' ' || translate(encode(spcmapfile::bytea, 'base64'), E'\n', '') FROM $stop;" stopped 8 && stopped=$ANSWER
    fi
    # Whatever was not stopped is given up by the server when the session ends. Nothing waits for it.
    session_fault
    session_close || fail "the client, process $PID, cannot be ended"
    rm -rf "$S"
    [ -n "${first:-}" ] || exit 0
    if [ -z "${stopped:-}" ]; then
        printf '%s\n' "the backup was not stopped as it should be: $FAULT"
        exit 2
    fi
    # shellcheck disable=SC2086
    set -- $stopped
    keep "$1" "$2" "${3:-}" && exit 0
    printf '%s\n' "the backup label could not be kept in $label_folder; without it the point cannot be restored"
    exit 2
}

# keep LAST LABEL MAP: what a restore needs beside the disks.
keep() {
    place=$label_folder/$(date -u +%Y%m%dT%H%M%SZ)-$AC_ID
    mkdir -p "$place" && printf '%s' "$2" | base64 -d >"$place/backup_label" && [ -s "$place/backup_label" ] &&
        printf '%s' "$3" | base64 -d >"$place/tablespace_map" &&
        printf 'first=%s\nlast=%s\n' "$first" "$1" >"$place/wal" || return 1
    [ -s "$place/tablespace_map" ] || rm -f "$place/tablespace_map"
    printf '%s\n' "label kept in $place; a restore needs the log from $first to $1"
    # A label is a few hundred bytes, but for ever is long.
    # shellcheck disable=SC2012
    ls -1d "$label_folder"/[0-9]*T*Z-* | head -n -500 | while read -r old; do
        rm -rf "$old"
    done
}

# A transaction of its own number, written to the log and flushed.
probe() {
    AC_SECONDS=5
    answer=$(with_client once -c "SELECT 'written' WHERE NOT pg_is_in_recovery()
 AND pg_logical_emit_message(true, 'appconsistent', 'probe') IS NOT NULL")
    case $answer in
        *written*) exit 0 ;;
        '')
            printf '%s\n' "cannot tell: this server is a standby, or gave no answer"
            exit 3
            ;;
        *) fail "a write was not accepted: $answer" ;;
    esac
}

case ${1:-} in
    freeze) "freeze_${mode:-checkpoint}" ;;
    status | thaw | probe) "$1" ;;
    # The backup went with the server.
    boot) ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

POSTGRESQL = Profile(
    "postgresql",
    "PostgreSQL 9.6 and newer",
    20,
    (
        Option("client", pattern=r"/.+", expects="an absolute path"),
        Option("database", "postgres"),
        Option("label_folder", "/var/lib/appconsistent/postgresql", pattern=r"/.+", expects="an absolute path"),
        Option("mode", "checkpoint", ("checkpoint", "backup")),
        Option("port"),
        Option("socket", pattern=r"/.+", expects="an absolute path"),
        Option("system_user", "postgres", pattern=r"[a-z_][a-z0-9_.-]*\$?", expects="the name of an account"),
        Option("user"),
        Option("wal_kept_elsewhere", False),
    ),
    _HOOK,
)
