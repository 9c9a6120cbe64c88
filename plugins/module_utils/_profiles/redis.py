# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis and Valkey: what was acknowledged is on disk, in the append-only file or a dump, and stays so until the thaw.

Writes are paused first, so that the dump or the file holds all that was acknowledged, and nothing comes after it. The
server ends a pause by itself. Source: redis.io, commands CLIENT PAUSE, BGSAVE, INFO, and "Redis persistence".
"""

from .profile import Option, Profile

_HOOK = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Holds a Redis or Valkey server. Verbs: freeze, status, thaw, probe, boot.
client='' mode='' password='' port='' profile='' socket='' user=''
# shellcheck source=/dev/null
. "$AC_CONF"
# shellcheck source=hold.sh
. "$AC_HOME/hold.sh"

fail() {
    printf '%s\n' "$1"
    exit 1
}

PATIENCE=5
# ask COMMAND...: ANSWER is what the server said within PATIENCE seconds, without carriage returns. redis-cli ends with
# 0 after an error, too.
ask() {
    asked=$1
    [ -z "$user" ] || set -- --user "$user" "$@"
    if [ -n "$socket" ]; then
        set -- -s "$socket" "$@"
    elif [ -n "$port" ]; then
        set -- -p "$port" "$@"
    fi
    set -- "${client:-$profile-cli}" --no-auth-warning "$@"
    command -v "$1" >/dev/null || fail "the client $1 is not installed; install it or set the option client"
    # In the environment, which nobody but root can read; arguments can be read by anybody.
    [ -z "$password" ] || export REDISCLI_AUTH="$password"
    ANSWER=$(timeout -k 1 "$PATIENCE" "$@" 2>&1 </dev/null | tr -d '\r')
}

# must COMMAND...: as ask, but anything that looks like an error ends the hook.
must() {
    ask "$@"
    first=${ANSWER%%
*}
    case $first in
        *NOAUTH* | *WRONGPASS*) fail "the server refused the account: $first. Set password, and user if it has one" ;;
        NOPERM* | *"unknown command"*) fail "the account lacks a right: $first. The guide tells which" ;;
        "Could not connect"*) fail "no server answers: $first. Start it, or set socket or port" ;;
        LOADING*) fail "the server still loads its data: $first" ;;
        ERR* | Error:*) fail "$asked: $first" ;;
        '') fail "$asked: no answer within 5 s" ;;
    esac
}

# field NAME: VALUE is that field of the last answer to INFO.
field() {
    VALUE=
    printf '%s\n' "$ANSWER" >"$AC_STATE/info"
    while IFS=: read -r ac_key ac_value; do
        [ "$ac_key" = "$1" ] && VALUE=$ac_value
    done <"$AC_STATE/info"
}

# wait_for FIELD WANTED: poll INFO until a field has the value.
wait_for() {
    now
    ac_end=$((NOW + AC_SECONDS * 100 - 100))
    while :; do
        must INFO persistence
        field "$1"
        [ "$VALUE" = "$2" ] && return
        now
        [ "$NOW" -lt "$ac_end" ] ||
            fail "$1 stayed at $VALUE for $AC_SECONDS s; saving takes longer than timeout allows"
        sleep 0.1
    done
}

# be_lenient: a dump that fails makes the server refuse all writes until one goes well, which may be long after the
# hold. Not for a dump of ours: writes that were accepted before it are accepted after it.
be_lenient() {
    must INFO persistence
    field rdb_last_bgsave_status
    # Nothing that we have brought about.
    [ "$VALUE" = ok ] || return 0
    ask CONFIG GET stop-writes-on-bgsave-error
    case $ANSWER in
        *yes) ;;
        # Off already; or the account may not ask, and then the guide's words about it hold.
        *) return 0 ;;
    esac
    # Before the command: a freeze that is killed here is undone all the same.
    true >"$AC_STATE/lenient" || fail "cannot write to $AC_STATE"
    ask CONFIG SET stop-writes-on-bgsave-error no
    [ "$ANSWER" = OK ] || rm -f "$AC_STATE/lenient"
}

# be_strict: the setting as it was.
be_strict() {
    [ -f "$AC_STATE/lenient" ] || return 0
    ask CONFIG SET stop-writes-on-bgsave-error yes
    [ "$ANSWER" = OK ] && rm -f "$AC_STATE/lenient"
}

# settle: be strict again, but only once the last dump is a good one; FAILED says why not yet.
settle() {
    ask INFO persistence
    field rdb_last_bgsave_status
    # Refused where one is being written already.
    [ "$VALUE" = ok ] || ask BGSAVE
    # Most end at once. The watchdog comes back for the others.
    ac_looks=0
    while [ "$ac_looks" -lt 20 ]; do
        ask INFO persistence
        field rdb_bgsave_in_progress
        [ "$VALUE" = 1 ] || break
        ac_looks=$((ac_looks + 1))
        sleep 0.1
    done
    dumping=$VALUE
    field rdb_last_bgsave_status
    if [ "$dumping" = 0 ] && [ "$VALUE" = ok ]; then
        be_strict || FAILED="stop-writes-on-bgsave-error could not be set to yes again: $ANSWER"
    elif [ "$dumping" = 1 ]; then
        FAILED="writes are free; a dump is still being written, and stop-writes-on-bgsave-error is off until it is good"
    elif [ -n "$VALUE" ]; then
        FAILED="writes are free, but the dump failed; stop-writes-on-bgsave-error is off until one goes well: make room"
    else
        FAILED=$ANSWER
    fi
}

save() {
    be_lenient
    now
    ac_until=$((NOW + AC_SECONDS * 100 - 100))
    while :; do
        ask BGSAVE
        case $ANSWER in
            *"saving started"*) break ;;
            # That one began before writes were paused.
            *"in progress"*) ;;
            *) must BGSAVE ;;
        esac
        now
        [ "$NOW" -lt "$ac_until" ] || fail "another dump or rewrite kept the dump away: $ANSWER"
        sleep 0.2
    done
    # The server forks before it answers. The time of the last dump is no proof: it counts whole seconds.
    wait_for rdb_bgsave_in_progress 0
    field rdb_last_bgsave_status
    [ "$VALUE" = ok ] || fail "the dump failed: rdb_last_bgsave_status is $VALUE; see the server's log and its disk"
    be_strict || fail "stop-writes-on-bgsave-error could not be set to yes again: $ANSWER"
}

# older THAN: whether VERSION is older than that one, which has three numbers.
older() {
    ac_mine=$version.0.0
    ac_other=$1
    for _ in 1 2 3; do
        [ "${ac_mine%%.*}" -eq "${ac_other%%.*}" ] || {
            [ "${ac_mine%%.*}" -lt "${ac_other%%.*}" ]
            return
        }
        ac_mine=${ac_mine#*.}
        ac_other=${ac_other#*.}
    done
    return 1
}

# tell_of_hang: while writes are paused, RANDOMKEY over keys that have all expired never ends in older versions
# (github.com/redis/redis pull request 13863, github.com/valkey-io/valkey pull request 1850).
tell_of_hang() {
    case "$server $version" in
        "redis 7.2."*) mended=7.2.8 ;;
        "redis 7.4."*) mended=7.4.3 ;;
        redis*) mended=8.0.0 ;;
        "valkey 7.2."*) mended=7.2.9 ;;
        "valkey 8.0."*) mended=8.0.3 ;;
        *) mended=8.1.0 ;;
    esac
    ! older "$mended" || printf '%s\n' "note: $server $version hangs for good if a client asks for RANDOMKEY while all \
keys have expired and writes are paused; set mode to save, or update to $mended"
}

freeze() {
    must INFO server
    # Valkey says 7.2.4 for the Redis that it came from, whatever its own version is.
    server=valkey
    field valkey_version
    if [ -z "$VALUE" ]; then
        server=redis
        field redis_version
    fi
    version=$VALUE
    field run_id
    printf '%s\n' "$VALUE" >"$AC_STATE/run_id"
    if [ "$mode" = pause ]; then
        major=${version%%.*}
        minor=${version#*.}
        minor=${minor%%.*}
        [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 2 ]; } ||
            fail "Redis $version cannot pause writes alone; that came with 6.2. Set mode to save"
        tell_of_hang
        # Before the command: a freeze that is killed here is undone all the same.
        true >"$AC_STATE/paused" || fail "cannot write to $AC_STATE"
        must CLIENT PAUSE "$(((AC_HOLD_LEFT + 5) * 1000))" WRITE
    fi
    must INFO persistence
    field aof_enabled
    if [ "$VALUE" = 1 ]; then
        must CONFIG GET auto-aof-rewrite-percentage
        printf '%s\n' "${ANSWER##*[!0-9]}" >"$AC_STATE/rewrite"
        must CONFIG SET auto-aof-rewrite-percentage 0
        wait_for aof_rewrite_in_progress 0
        # A write that waits for a sync in the background was acknowledged and is not in the file yet.
        [ "$mode" = pause ] && wait_for aof_pending_bio_fsync 0
        field aof_last_write_status
        [ "$VALUE" = ok ] || fail "the append-only file cannot be written: aof_last_write_status is $VALUE"
    else
        save
    fi
    count
    printf '%s\n' "$CHANGES" >"$AC_STATE/changes"
    printf '%s\n' "$DUMPS" >"$AC_STATE/dumps"
}

# count: CHANGES since the last dump, and DUMPS, which is another after each dump. The time counts whole seconds, so the
# number that came with 7.0 goes with it.
count() {
    must INFO persistence
    field rdb_changes_since_last_save
    CHANGES=$VALUE
    field rdb_last_save_time
    DUMPS=$VALUE
    field rdb_saves
    DUMPS="$DUMPS $VALUE"
}

# The server counts changes. If the pause held, there were none.
status() {
    must INFO server
    field run_id
    read -r before <"$AC_STATE/run_id"
    [ "$VALUE" = "$before" ] || fail "the server was started anew during the hold"
    [ "$mode" = pause ] || exit 0
    count
    read -r before <"$AC_STATE/changes"
    IFS= read -r dumps <"$AC_STATE/dumps"
    if [ "$DUMPS" = "$dumps" ]; then
        [ "$CHANGES" = "$before" ] && exit 0
    elif [ "$CHANGES" = 0 ]; then
        # A dump that the server made by itself sets the count to nought, whatever went through before it. But then a
        # write of ours still has to wait; it is forgotten when its client goes.
        PATIENCE=0.5
        ask SET appconsistent:probe "$AC_ID" EX 10
        [ -n "$ANSWER" ] || exit 0
    fi
    fail "the pause ended early: the server counted $before changes since its last dump, and now $CHANGES"
}

thaw() {
    FAILED=
    if [ -f "$AC_STATE/rewrite" ]; then
        read -r percentage <"$AC_STATE/rewrite"
        ask CONFIG SET auto-aof-rewrite-percentage "${percentage:-100}"
        [ "$ANSWER" = OK ] || FAILED="auto-aof-rewrite-percentage could not be set back: $ANSWER"
    fi
    if [ -f "$AC_STATE/paused" ]; then
        ask CLIENT UNPAUSE
        [ "$ANSWER" = OK ] || FAILED="writes may still be paused: $ANSWER"
    fi
    if [ -z "$FAILED" ]; then
        rm -f "$AC_STATE/rewrite" "$AC_STATE/paused"
        [ ! -f "$AC_STATE/lenient" ] || settle
    fi
    case $FAILED in
        '') ;;
        # A server that is gone took the pause and the settings with it.
        *"Could not connect"* | *LOADING*) rm -f "$AC_STATE/rewrite" "$AC_STATE/paused" "$AC_STATE/lenient" ;;
        *) fail "$FAILED" ;;
    esac
}

probe() {
    ask SET appconsistent:probe "$AC_ID" EX 10
    case $ANSWER in
        OK) exit 0 ;;
        READONLY* | NOPERM*)
            printf '%s\n' "cannot tell: $ANSWER"
            exit 3
            ;;
        *) fail "a write was not accepted: ${ANSWER:-no answer within 5 s}" ;;
    esac
}

case ${1:-} in
    freeze | status | thaw | probe) "$1" ;;
    # Pause and setting went with the server.
    boot) ;;
    *) fail "usage: $0 freeze|status|thaw|probe|boot" ;;
esac
"""

_OPTIONS = (
    Option("client", pattern=r"/.+", expects="an absolute path"),
    Option("mode", "pause", ("pause", "save")),
    Option("password", secret=True),
    Option("port"),
    Option("socket", pattern=r"/.+", expects="an absolute path"),
    Option("user"),
)

REDIS = Profile("redis", "Redis 6.2 and newer", 20, _OPTIONS, _HOOK)
VALKEY = Profile("valkey", "Valkey 7.2 and newer", 20, _OPTIONS, _HOOK)
