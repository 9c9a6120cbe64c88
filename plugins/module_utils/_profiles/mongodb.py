# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MongoDB: a flush where the file systems are frozen, fsyncLock where they are not.

The lock outlives its client, so it is counted and given back by whoever releases; nothing in the server ends it.
Source: MongoDB manual, "fsync", "fsyncUnlock", "Back Up and Restore with Filesystem Snapshots". Tested with a stand-in
for mongosh only.
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds a MongoDB server. Verbs: freeze, status, thaw, probe, boot.
client='' mode='' uri=''
# shellcheck source=/dev/null
. "$AC_CONF"

fail() {
    printf '%s\n' "$1"
    exit 1
}

# ask SECONDS JAVASCRIPT: with `admin`, the server's database of that name. ANSWER is the last line printed. The address
# holds the password and goes through the environment; arguments can be read by anybody.
ask() {
    command -v "${client:-mongosh}" >/dev/null ||
        fail "the client ${client:-mongosh} is not installed; install it or set the option client"
    SAID=$(AC_URI=$uri timeout -k 1 "$1" "${client:-mongosh}" --quiet --norc --nodb \
        --eval "const admin = connect(process.env.AC_URI).getSiblingDB('admin'); $2" 2>&1 </dev/null)
    ANSWER=${SAID##*
}
    case $SAID in
        *"Authentication failed"* | *"requires authentication"*)
            fail "the server refused the account: $ANSWER. Set uri"
            ;;
        *"not authorized"*) fail "the account lacks a right: $ANSWER. It needs the role hostManager, or root" ;;
        *ECONNREFUSED* | *"Server selection timed out"* | *ENOENT*) DOWN=yes ;;
        *) DOWN= ;;
    esac
}

freeze() {
    if [ "$mode" = flush ]; then
        ask "$AC_SECONDS" "print('flushed ' + admin.runCommand({fsync: 1}).ok);"
        [ "$ANSWER" = "flushed 1" ] && exit 0
        fail "nothing was flushed: ${ANSWER:-no answer within $AC_SECONDS s}"
    fi
    # Locks are counted and nobody's own: from here on any lock that is found is ours to give back.
    ask "$AC_SECONDS" "print('locked ' + admin.runCommand({currentOp: 1}).fsyncLock);"
    case $ANSWER in
        "locked true") fail "somebody else has locked the server already; end that first" ;;
        "locked "*) ;;
        *) fail "the server gave no answer: ${ANSWER:-nothing within $AC_SECONDS s}" ;;
    esac
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/locked" || fail "cannot write to $AC_STATE"
    ask "$AC_SECONDS" "const r = admin.runCommand({fsync: 1, lock: true}); print('locked ' + r.ok + ' ' + r.lockCount);"
    case $ANSWER in
        "locked 1 "*) ;;
        *) fail "the server was not locked: ${ANSWER:-no answer within $AC_SECONDS s}" ;;
    esac
}

status() {
    [ "$mode" = lock ] || exit 0
    # The command and not the helper: the helper leaves the field out.
    ask 8 "print('locked ' + admin.runCommand({currentOp: 1}).fsyncLock);"
    [ "$ANSWER" = "locked true" ] || fail "the server is not locked any more: ${ANSWER:-no answer within 8 s}"
}

thaw() {
    [ -f "$AC_STATE/locked" ] || exit 0
    ask "$AC_SECONDS" "let left = 0; while (admin.runCommand({currentOp: 1}).fsyncLock === true) {
 left = admin.runCommand({fsyncUnlock: 1}).lockCount; } print('left ' + left);"
    # A server that is gone took its lock along.
    [ -z "$DOWN" ] || ANSWER="left 0"
    case $ANSWER in
        "left 0") rm -f "$AC_STATE/locked" ;;
        *) fail "the server may still be locked: ${ANSWER:-no answer within $AC_SECONDS s}" ;;
    esac
}

probe() {
    ask 6 "const c = admin.getSiblingDB('appconsistent').probe; c.insertOne({run: '$AC_ID'});
 c.deleteMany({run: '$AC_ID'}); print('written');"
    case $SAID in
        *written*) exit 0 ;;
        *"not primary"* | *NotWritablePrimary*)
            printf '%s\n' "cannot tell: this server is a secondary"
            exit 3
            ;;
        *) fail "a write was not accepted: ${ANSWER:-no answer within 6 s}" ;;
    esac
}

case ${1:-} in
    freeze | status | thaw | probe) "$1" ;;
    # The lock went with the server.
    boot) ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

MONGODB = Profile(
    "mongodb",
    "MongoDB 5.0 and newer",
    20,
    (
        Option("client", pattern=r"/.+", expects="an absolute path"),
        Option("mode", "flush", ("flush", "lock")),
        Option(
            "uri",
            "mongodb://localhost:27017/?directConnection=true",
            pattern=r"mongodb(\+srv)?://.+",
            expects="an address that begins with mongodb://",
            secret=True,
        ),
    ),
    _HOOK,
)
