# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SAP HANA: a data snapshot that is prepared before and closed after, as SAP prescribes for storage snapshots.

Source: SAP HANA Administration Guide, "Create a Data Snapshot", and M_BACKUP_CATALOG in the SQL reference. Tested with
a stand-in for hdbsql only.
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds a SAP HANA system. Verbs: freeze, status, thaw, probe, boot.
client='' sid='' system_user='' user_store_key=''
# shellcheck source=/dev/null
. "$AC_CONF"
# shellcheck source=hold.sh
. "$AC_HOME/hold.sh"
lower=$(printf '%s' "$sid" | tr '[:upper:]' '[:lower:]')
: "${system_user:=${lower}adm}"
: "${client:=/usr/sap/$sid/hdbclient/hdbsql}"

fail() {
    printf '%s\n' "$1"
    exit 1
}

# ask SQL: ANSWER is what hdbsql printed. The account's store of users knows host, name and password.
ask() {
    [ -x "$client" ] || fail "the client $client is not there; set the option client"
    home=$(getent passwd "$system_user" | cut -d: -f6)
    [ -n "$home" ] || fail "there is no account $system_user; set system_user"
    ANSWER=$(timeout -k 2 "$AC_SECONDS" runuser -u "$system_user" -- env "HOME=$home" "USER=$system_user" \
        "$client" -U "$user_store_key" -j -a -x "$1" 2>&1 </dev/null)
    RESULT=$?
}

explain() {
    case $ANSWER in
        *"authentication failed"* | *"invalid KEY"* | *"Invalid key"*)
            fail "the server refused the account: $ANSWER. Make $user_store_key with hdbuserstore as $system_user"
            ;;
        *"insufficient privilege"*) fail "the account lacks a right: $ANSWER. It needs BACKUP ADMIN" ;;
        *"onnection failed"*) fail "no system database answers: $ANSWER" ;;
        *) fail "$1: ${ANSWER:-no answer within $AC_SECONDS s}" ;;
    esac
}

# find_snapshot: NUMBER is the identifier of this run's snapshot while it is prepared, and empty otherwise.
find_snapshot() {
    ask "SELECT BACKUP_ID FROM M_BACKUP_CATALOG WHERE ENTRY_TYPE_NAME = 'data snapshot' AND STATE_NAME = 'prepared'
 AND COMMENT = 'appconsistent $AC_ID'"
    NUMBER=
    [ "$RESULT" = 0 ] || return 1
    case $ANSWER in
        '' | *[!0-9]*) ;;
        *) NUMBER=$ANSWER ;;
    esac
}

freeze() {
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/asked" || fail "cannot write to $AC_STATE"
    ask "BACKUP DATA FOR FULL SYSTEM CREATE SNAPSHOT COMMENT 'appconsistent $AC_ID'"
    [ "$RESULT" = 0 ] || explain "no snapshot was prepared (one that another tool left behind must be closed first)"
    find_snapshot || explain "the catalogue gave no answer"
    [ -n "$NUMBER" ] || fail "the snapshot is not in the catalogue"
    printf '%s\n' "$NUMBER" >"$AC_STATE/number"
}

status() {
    read -r before <"$AC_STATE/number"
    find_snapshot || explain "the catalogue gave no answer"
    [ "$NUMBER" = "$before" ] || fail "the snapshot $before is not prepared any more"
}

# close WORD TEXT
close() {
    find_snapshot || explain "the snapshot may still be open"
    [ -n "$NUMBER" ] || return 0
    ask "BACKUP DATA FOR FULL SYSTEM CLOSE SNAPSHOT BACKUP_ID $NUMBER $1 '$2'"
    [ "$RESULT" = 0 ] || explain "the snapshot $NUMBER was not closed"
}

thaw() {
    [ -f "$AC_STATE/asked" ] || exit 0
    # Nobody tells a post-script whether the snapshot of the disks came about; it is closed by what we know.
    if [ "$AC_PURPOSE" = snapshot ]; then
        close SUCCESSFUL "appconsistent $AC_ID"
    else
        close UNSUCCESSFUL "appconsistent: $AC_PURPOSE"
    fi
    rm -f "$AC_STATE/asked"
}

# A prepared snapshot holds no writes back. What would hurt is that it stays open.
probe() {
    AC_SECONDS=8
    ask "SELECT COUNT(*) FROM M_BACKUP_CATALOG WHERE ENTRY_TYPE_NAME = 'data snapshot' AND STATE_NAME = 'prepared'"
    case $ANSWER in
        0)
            printf '%s\n' "no data snapshot is open"
            exit 0
            ;;
        *) explain "a data snapshot is open" ;;
    esac
}

# A machine restored from a point wakes up with the snapshot prepared, and the next one would be refused.
boot() {
    now
    end=$((NOW + AC_SECONDS * 100 - 1500))
    limit=$AC_SECONDS
    AC_SECONDS=10
    # The system takes its time to start.
    until find_snapshot; do
        now
        [ "$NOW" -lt "$end" ] ||
            fail "the system did not answer within $limit s; close the snapshot 'appconsistent $AC_ID'"
        sleep 5
    done
    close UNSUCCESSFUL "appconsistent: the machine was started anew"
}

case ${1:-} in
    freeze | status | thaw | probe | boot) "$1" ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

SAPHANA = Profile(
    "saphana",
    "SAP HANA 2.0",
    20,
    (
        Option("client", pattern=r"/.+", expects="an absolute path"),
        Option("sid", required=True, pattern=r"[A-Z][A-Z0-9]{2}", expects="three capital letters or digits"),
        Option("system_user", pattern=r"[a-z_][a-z0-9_.-]*\$?", expects="the name of an account"),
        Option("user_store_key", "SYSTEMDB", pattern=r"[A-Za-z0-9_.@-]{1,64}", expects="the name of a key"),
    ),
    _HOOK,
)
