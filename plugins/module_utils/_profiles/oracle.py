# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Oracle Database: hot backup mode, or for 12c and newer a log switch where the file systems are frozen.

Source: Oracle Database Backup and Recovery User's Guide, "Making User-Managed Backups" and "Storage Snapshot
Optimization". Tested with a stand-in for sqlplus only.
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds an Oracle database. Verbs: freeze, status, thaw, probe, boot.
mode='' oracle_home='' sid='' system_user=''
# shellcheck source=/dev/null
. "$AC_CONF"

fail() {
    printf '%s\n' "$1"
    exit 1
}

# ask SQL: ANSWER is what sqlplus printed, on one line. Signs in through the operating system: no password.
ask() {
    [ -x "$oracle_home/bin/sqlplus" ] || fail "$oracle_home/bin/sqlplus is not there; set oracle_home"
    ANSWER=$(printf 'WHENEVER SQLERROR EXIT 1\nSET HEADING OFF FEEDBACK OFF PAGESIZE 0 LINESIZE 200\n%s\nEXIT\n' "$1" |
        timeout -k 2 "$AC_SECONDS" runuser -u "$system_user" -- env "ORACLE_HOME=$oracle_home" "ORACLE_SID=$sid" \
            "LD_LIBRARY_PATH=$oracle_home/lib" "$oracle_home/bin/sqlplus" -S -L "/ as sysbackup" 2>&1)
    RESULT=$?
    # shellcheck disable=SC2086
    set -- $ANSWER
    ANSWER=$*
}

explain() {
    case $ANSWER in
        *ORA-01017* | *ORA-01031*)
            fail "the server refused the account: $ANSWER. $system_user must be in the group of SYSBACKUP"
            ;;
        *ORA-01034*) fail "no instance $sid runs: $ANSWER" ;;
        *) fail "$1: ${ANSWER:-no answer within $AC_SECONDS s}" ;;
    esac
}

# COUNT(b.file#) counts files, not the row that the join keeps when there is none.
ACTIVE="SELECT 'active ' || COUNT(b.file#) || ' ' || TO_CHAR(MAX(i.startup_time), 'YYYYMMDDHH24MISS')
 FROM v\$instance i LEFT JOIN v\$backup b ON b.status = 'ACTIVE';"

freeze() {
    ask "SELECT 'is ' || i.status || ' ' || d.log_mode || ' ' || REPLACE(d.database_role, ' ', '_')
 FROM v\$instance i, v\$database d;"
    case $ANSWER in
        "is OPEN ARCHIVELOG PRIMARY"*) ;;
        "is "*STANDBY*)
            printf '%s\n' "a standby takes no part: nothing is held"
            exit 0
            ;;
        "is OPEN NOARCHIVELOG"*) fail "the database is in NOARCHIVELOG mode, so no copy of it can be made consistent" ;;
        "is "*) fail "the database is not open: ${ANSWER#is }" ;;
        *) explain "the database gave no answer" ;;
    esac
    if [ "$mode" = archive ]; then
        ask "ALTER SYSTEM ARCHIVE LOG CURRENT;"
        [ "$RESULT" = 0 ] || explain "the log was not archived"
        exit 0
    fi
    ask "$ACTIVE"
    case $ANSWER in
        "active 0 "*) ;;
        "active "*) fail "files are in backup mode already; end the other backup with ALTER DATABASE END BACKUP" ;;
        *) explain "the database gave no answer" ;;
    esac
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/begun" || fail "cannot write to $AC_STATE"
    ask "ALTER SYSTEM ARCHIVE LOG CURRENT;
ALTER DATABASE BEGIN BACKUP;
$ACTIVE"
    case $ANSWER in
        "active 0 "*) fail "no file went into backup mode" ;;
        "active "*) printf '%s\n' "$ANSWER" >"$AC_STATE/active" ;;
        *) explain "backup mode was not begun" ;;
    esac
}

status() {
    [ -f "$AC_STATE/begun" ] || exit 0
    read -r before <"$AC_STATE/active"
    ask "$ACTIVE"
    [ "$ANSWER" = "$before" ] || explain "backup mode was ended, or the instance was started anew (before: $before)"
}

thaw() {
    [ -f "$AC_STATE/begun" ] || exit 0
    ask "ALTER DATABASE END BACKUP;"
    case $ANSWER in
        '' | *ORA-01142*) [ "$RESULT" = 124 ] && fail "no answer within $AC_SECONDS s" ;;
        *ORA-01034*) fail "the instance went down in backup mode: mount it, ALTER DATABASE END BACKUP, open it" ;;
        *) fail "backup mode was not ended: $ANSWER" ;;
    esac
    rm -f "$AC_STATE/begun"
    ask "ALTER SYSTEM ARCHIVE LOG CURRENT;"
    [ "$RESULT" = 0 ] && exit 0
    printf '%s\n' "the log of the backup was not archived: $ANSWER"
    exit 2
}

# Backup mode holds nothing back. What would hurt is that it stays on.
probe() {
    AC_SECONDS=8
    ask "$ACTIVE"
    case $ANSWER in
        "active 0 "*)
            printf '%s\n' "no file is in backup mode"
            exit 0
            ;;
        *) explain "files are in backup mode" ;;
    esac
}

# A machine restored from a point wakes up with its files in backup mode, and then the database does not open.
boot() {
    [ "$mode" = backup ] || exit 0
    ask "SELECT 'is ' || status FROM v\$instance;"
    case $ANSWER in
        "is OPEN"*)
            ask "ALTER DATABASE END BACKUP;"
            case $ANSWER in '' | *ORA-01142*) exit 0 ;; esac
            fail "backup mode was not ended: $ANSWER"
            ;;
        "is MOUNTED"*)
            ask "ALTER DATABASE END BACKUP;"
            ask "ALTER DATABASE OPEN;"
            [ "$RESULT" = 0 ] || fail "the database was not opened: $ANSWER"
            printf '%s\n' "backup mode ended, database opened"
            ;;
        *) fail "the instance $sid does not run: mount it, ALTER DATABASE END BACKUP, open it" ;;
    esac
}

case ${1:-} in
    freeze | status | thaw | probe | boot) "$1" ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

ORACLE = Profile(
    "oracle",
    "Oracle Database 12c and newer",
    20,
    (
        Option("mode", "backup", ("archive", "backup")),
        Option("oracle_home", required=True, pattern=r"/.+", expects="an absolute path"),
        Option("sid", required=True, pattern=r"[A-Za-z][A-Za-z0-9_#$]{0,29}", expects="a system identifier"),
        Option("system_user", "oracle", pattern=r"[a-z_][a-z0-9_.-]*\$?", expects="the name of an account"),
    ),
    _HOOK,
)
