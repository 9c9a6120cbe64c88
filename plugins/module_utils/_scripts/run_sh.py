# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixed pair that Azure runs, and what goes with it: watchdog, record and boot. Each begins by reading hold.sh."""

PRE = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Azure runs this with sh before it freezes the file systems. It runs each hook in /etc/azure/appconsistent.d with
# "freeze", in order. Exit status 0: every application is held, until post.sh or the watchdog releases it.
# Anything else: nothing is held any more.
#
# Azure reads no output: a pipe that fills up would block us.
exec </dev/null >/dev/null 2>&1
# shellcheck source=hold.sh
. /etc/azure/appconsistent/hold.sh
AC_ROLE=pre
AC_PURPOSE=snapshot

now
BEGUN=$NOW
DEADLINE=$((NOW + AC_FREEZE_SECONDS * 100))
END=$((NOW + AC_SCRIPT_SECONDS * 100))
mkdir -p "$AC_RUN" || exit 1
my_owner

refuse() {
    log "refused: $1"
    exit 1
}

# give_up REASON: undo what was done so far.
give_up() {
    trap : TERM INT HUP
    lock_release 10 || exit 1
    recall_state
    if [ "$VALUE" = freezing ]; then
        AC_PURPOSE=failed
        release no "$END" failed "$1"
        log "failed: $1"
        [ "$STATE" = stuck ] || stop_watchdog
        record
    fi
    exit 1
}

# settle_last_run: two runs never mix. One that is under way is left alone; what a dead one left behind is released.
settle_last_run() {
    if ! load_run; then
        [ -f "$AC_KEPT/held" ] || return 0
        log "the machine went down in the middle of a hold, and what that left behind is not undone yet"
        clean_up "$DEADLINE" || refuse "what an interrupted hold left behind cannot be undone; see boot.sh"
        return 0
    fi
    case $STATE in freezing | held | releasing | stuck) ;; *) return 0 ;; esac
    owner_lives && refuse "another run, started by process ${OWNER%% *}, still holds the applications"
    log "the process that started the last run is gone; what that run left behind is released first"
    lock_release 10 || refuse "the last run is being released right now"
    # shellcheck disable=SC2086
    if recall pre && alive $VALUE; then kill -KILL "${VALUE%% *}"; fi
    AC_PURPOSE=abandoned
    release no "$DEADLINE" broken "the process that started the run went away before post.sh"
    AC_PURPOSE=snapshot
    [ "$STATE" = stuck ] && refuse "what the last run left behind cannot be released: $FAULT"
    stop_watchdog
    unlock_release
    record
}

settle_last_run
# Whoever has this lock makes the state. The watchdog inherits it and keeps it until everything is released.
exec 9>>"$AC_RUN/lock"
flock -w 3 9 || refuse "another process holds $AC_RUN/lock"
settle_last_run

[ -f "$AC_RUN/log" ] && mv -f "$AC_RUN/log" "$AC_RUN/log.old"
rm -rf "$AC_RUN/current"
mkdir "$AC_RUN/current" || exit 1
UNTIL=$((BEGUN + AC_HOLD_SECONDS * 100))
read -r AC_ID </proc/sys/kernel/random/uuid
started $$
trap 'stop_hook; give_up "ended by a signal"' TERM INT HUP
# The state comes last: whoever finds it finds the rest too.
true >"$AC_RUN/current/hooks" && true >>"$AC_RUN/release.lock" &&
    put owner "$ME" && put pre "$$ $STARTED" && put begun "$BEGUN" && put until "$UNTIL" && put id "$AC_ID" &&
    put state freezing || exit 1
log "run $AC_ID, started by process $PPID"
start_watchdog || give_up "the watchdog did not start"

# A machine that is restored from the point wakes up with this file and without /run: boot.sh cleans up there.
{ mkdir -p "$AC_KEPT" && printf '%s\n' "$AC_ID" >"$AC_KEPT/held" && exec sync "$AC_KEPT/held"; } 8>&- 9>&- &
now
if ! await $! "$((NOW + 1000 < DEADLINE ? NOW + 1000 : DEADLINE))"; then
    kill -KILL $!
    give_up "cannot write $AC_KEPT/held; see whether the disk is full, read-only or frozen"
fi

HOOKS=
for path in "$AC_HOOKS"/[0-9][0-9]-*; do
    name=${path##*/}
    case $name in *[!A-Za-z0-9_-]*) continue ;; esac
    [ -f "$path" ] || continue
    hook_fault "$path"
    [ -z "$FAULT" ] || give_up "$FAULT"
    HOOKS="$HOOKS$name "
done
[ -n "$HOOKS" ] || give_up "there is no hook in $AC_HOOKS, so no application would be held"

for name in $HOOKS; do
    now
    [ "$NOW" -lt "$DEADLINE" ] || give_up "$name: its turn did not come within $AC_FREEZE_SECONDS s"
    # Written down first: a freeze that ends half-way is thawed too.
    printf '%s\n' "$name" >>"$AC_RUN/current/hooks" || give_up "cannot write to $AC_RUN"
    seconds_left "$DEADLINE"
    log "$name: freeze"
    run_hook "$name" freeze "$LEFT" || give_up "$name: $SAID"
done

# Where no file system is frozen nobody writes out what lies in memory. Whatever is held does not write any more.
if [ "$AC_SYNC" = yes ]; then
    sync 8>&- 9>&- &
    await $! "$DEADLINE" || give_up "the disks did not take in what was written within $AC_FREEZE_SECONDS s"
fi

lock_release 5 || give_up "the state is locked by another process"
recall_state
[ "$VALUE" = freezing ] || exit 1
now
put held_after "$((NOW - BEGUN))"
# What is called held stays so: from here on no signal makes this script fail.
trap : TERM INT HUP
put state held || give_up "cannot write to $AC_RUN"
unlock_release
log "held after $(((NOW - BEGUN) * 10)) ms"
exit 0
"""

POST = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Azure runs this with sh after the snapshot, whatever became of pre.sh. It asks each hook for its "status" and then to
# "thaw", in reverse order. It may be run at any time and as often as one likes.
# Exit status 0: whatever pre.sh held was held without a break until now, and is free; or pre.sh held nothing.
# Anything else: do not take the snapshot for application-consistent. Only this status can tell Azure so.
#
# Azure reads no output: a pipe that fills up would block us.
exec </dev/null >/dev/null 2>&1
# shellcheck source=hold.sh
. /etc/azure/appconsistent/hold.sh
AC_ROLE=post
AC_PURPOSE=snapshot
now
END=$((NOW + AC_SCRIPT_SECONDS * 100))
mkdir -p "$AC_RUN" || exit 1
my_owner

if ! load_run; then
    [ -f "$AC_KEPT/held" ] || exit 0
    log "the state of the run is gone, so nothing proves that the hold lasted"
    clean_up "$END"
    exit 1
fi

case $STATE in
    freezing | held | releasing | stuck)
        if [ "$OWNER" != "$ME" ] && owner_lives; then
            log "left alone: the applications are held by a run that process ${OWNER%% *} started, not $PPID"
            exit 1
        fi
        ;;
esac

# A pre.sh that Azure gave up waiting for still runs: Azure kills nothing. What it got later would stay held.
if [ "$STATE" = freezing ]; then
    # shellcheck disable=SC2086
    if recall pre && alive $VALUE; then
        log "pre.sh still runs and is ended"
        kill -KILL "${VALUE%% *}"
    fi
fi

seconds_left "$END"
if ! lock_release "$LEFT"; then
    log "the watchdog has been releasing for $AC_SCRIPT_SECONDS s; it goes on"
    exit 1
fi
recall_state
case $VALUE in
    held)
        release verify "$END" released ""
        recall_number begun
        now
        [ "$STATE" = stuck ] || log "free again $(((NOW - VALUE) * 10)) ms after pre.sh began"
        ;;
    freezing | releasing)
        AC_PURPOSE=failed
        release no "$END" broken "pre.sh had not finished when post.sh came"
        ;;
    stuck)
        AC_PURPOSE=failed
        recall ended
        release no "$END" "${VALUE:-broken}" ""
        ;;
    *) STATE=$VALUE ;;
esac
if [ "$STATE" = stuck ]; then
    # shellcheck disable=SC2086
    if ! { recall watchdog && alive $VALUE; }; then
        start_watchdog
    fi
else
    stop_watchdog
fi
unlock_release

case $STATE in
    released) log "released; the hold was whole" ;;
    failed) log "nothing was held: pre.sh had failed and undone its work" ;;
    *)
        recall reason
        log "NOT application-consistent: $VALUE"
        ;;
esac
record
case $STATE in
    released | failed) exit 0 ;;
    *) exit 1 ;;
esac
"""

WATCHDOG = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Started by pre.sh before the first hook. Releases everything when pre.sh dies half-way, when the hold lasts longer
# than it may, and again and again when a hook could not be released. Releases first, writes to disk later.
# shellcheck source=hold.sh
. /etc/azure/appconsistent/hold.sh
AC_ROLE=watchdog
AC_PURPOSE=watchdog
load_run || exit 1
# The kernel shall take anything else first when memory runs out. Only in the shell itself is `self` the watchdog.
read -r AC_OOM </proc/self/oom_score_adj
printf '%s\n' -1000 2>/dev/null >/proc/self/oom_score_adj
# In a scope of our own no signal tells us that the caller is gone: we look.
apart=${1:-}
nap=
ending=
# From post.sh: there is nothing left to do. From anybody else: release, then go.
trap 'kill "$nap" 2>/dev/null; exit 0' USR1
trap 'ending=yes; kill "$nap" 2>/dev/null' TERM
started $$
put watchdog "$$ $STARTED"

# let_go REASON
let_go() {
    now
    if lock_release 5; then
        recall_state
        case $VALUE in
            freezing | held | releasing)
                release no "$((NOW + 6000))" broken "$1"
                [ "$STATE" = stuck ] || log "released: $1"
                record
                ;;
            stuck)
                recall ended
                release no "$((NOW + 6000))" "${VALUE:-broken}" ""
                if [ "$STATE" != stuck ]; then
                    log "released at last"
                    record
                fi
                ;;
        esac
        unlock_release
    fi
}

patience=0
while recall id && [ "$VALUE" = "$AC_ID" ]; do
    sleep 0.5 8>&- 9>&- &
    nap=$!
    wait "$nap"
    nap=
    now
    recall_state
    case $VALUE in
        freezing | held | releasing)
            if [ -n "$ending" ]; then
                let_go "watchdog.sh was asked to end"
            elif [ "$NOW" -ge "$UNTIL" ]; then
                let_go "post.sh did not come within $AC_HOLD_SECONDS s"
            elif [ "$VALUE" = freezing ]; then
                # shellcheck disable=SC2086
                if recall pre && ! alive $VALUE && recall_state && [ "$VALUE" = freezing ]; then
                    let_go "pre.sh was killed before it had finished"
                fi
            elif [ -n "$apart" ] && ! owner_lives; then
                let_go "the process that started pre.sh is gone, and nobody else would start post.sh"
            fi
            ;;
        stuck)
            # Soon at first, then every 5 s for an hour; after that somebody has to look at it anyway.
            patience=$((patience + 1))
            [ "$patience" -le 730 ] || exit 1
            if [ "$patience" -gt 10 ] && [ -z "$ending" ]; then
                # Where it can be woken: who has released the hold by other means does not wait for us to go.
                sleep 4.5 8>&- 9>&- &
                nap=$!
                wait "$nap"
                nap=
            fi
            let_go ""
            [ -z "$ending" ] || exit 1
            ;;
        *) exit 0 ;;
    esac
done
# Another run has taken over, or somebody has removed the folder; then only boot.sh knows how to undo the hold.
recall id && exit 0
read -r VALUE 2>/dev/null <"$AC_KEPT/held" && [ "$VALUE" = "$AC_ID" ] || exit 0
exec 9>&-
mkdir -p "$AC_RUN" && log "the state of the run is gone; what it held is undone as after a restart"
now
clean_up "$((NOW + 60000))"
"""

RECORD = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Copies the log of one run, standard input, from memory to disk and to syslog once everything is released.
# It may wait for a file system that stands still; nobody waits for it.
# shellcheck source=hold.sh
. /etc/azure/appconsistent/hold.sh
lines=$(cat)
file=${AC_LOG:-/var/log/azure/appconsistent.log}
# First, and for good: after a power cut the mark alone says whether a hold was interrupted.
# Still ours, and not of a run that has begun since.
if read -r held <"$AC_KEPT/held" && [ "$held" = "$1" ]; then
    if read -r state <"$AC_RUN/current/state" && [ "$state" != stuck ]; then
        rm -f "$AC_KEPT/held" && sync "$AC_KEPT"
    fi
fi
mkdir -p "${file%/*}"
if [ -f "$file" ] && [ "$(wc -c <"$file")" -gt 1048576 ]; then
    mv -f "$file" "$file.1"
fi
printf '%s\n' "$lines" >>"$file" && sync "$file"
printf '%s\n' "$lines" | logger -t appconsistent -p daemon.notice
"""

BOOT = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# Run at boot when the machine went down, or was restored, in the middle of a hold. What a hold leaves on disk is undone
# by each hook's "boot". Exit status 1: not yet; the unit tries again, for the application may still be coming up.
# shellcheck source=hold.sh
. /etc/azure/appconsistent/hold.sh
AC_ROLE=boot
AC_PURPOSE=boot
mkdir -p "$AC_RUN/current" || exit 1
[ -f "$AC_KEPT/held" ] || exit 0
recall_state
case $VALUE in
    # A run of this very boot: post.sh and the watchdog look after it.
    freezing | held | releasing | stuck) exit 0 ;;
esac
# No run begins before this has ended.
exec 9>>"$AC_RUN/lock"
flock -w 3 9 || exit 1
read -r AC_ID <"$AC_KEPT/held" || exit 0
log "the machine went down, or was restored, while run $AC_ID held its applications"
failed=
for path in "$AC_HOOKS"/[0-9][0-9]-*; do
    name=${path##*/}
    case $name in *[!A-Za-z0-9_-]*) continue ;; esac
    [ -x "$path" ] || continue
    hook_fault "$path"
    if [ -n "$FAULT" ]; then
        log "$name boot: $FAULT"
        failed="$failed$name "
        continue
    fi
    run_hook "$name" boot 600 || failed="$failed$name "
done
if [ -n "$failed" ]; then
    log "NOT cleaned up: $failed"
else
    log "cleaned up"
    rm -f "$AC_KEPT/held" && sync "$AC_KEPT"
fi
# To the end: systemd would kill what a service leaves behind.
record
await $! "$((NOW + 3000))"
[ -z "$failed" ]
"""

PROBE = r"""#!/bin/sh
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# For people and for rehearsals; Azure does not run it. Each hook proves by a real write that its application is free.
# One line per hook: its name, 0 (free), 3 (cannot tell) or another number (not free), and what it said.
# Exit status 0: none is known to be held.
# shellcheck source=hold.sh
. /etc/azure/appconsistent/hold.sh
AC_PURPOSE=probe
AC_CONF=
AC_ID=
read -r AC_ID </proc/sys/kernel/random/uuid
mkdir -p "$AC_RUN" && AC_STATE=$(mktemp -d "$AC_RUN/probe.XXXXXX") || exit 1
AC_SECONDS=8
AC_HOLD_LEFT=8
export AC_STATE AC_CONF AC_ID AC_SECONDS AC_HOLD_LEFT AC_PURPOSE
result=0
for path in "$AC_HOOKS"/[0-9][0-9]-*; do
    name=${path##*/}
    case $name in *[!A-Za-z0-9_-]*) continue ;; esac
    [ -x "$path" ] || continue
    AC_CONF=$path.conf
    hook_fault "$path"
    if [ -n "$FAULT" ]; then
        printf '%s 1 %s\n' "$name" "$FAULT"
        result=1
        continue
    fi
    timeout -k 2 10 "$path" probe >"$AC_STATE/probe.out" 2>&1 </dev/null
    status=$?
    said=$(head -c 1000 "$AC_STATE/probe.out" | tr '\n' ' ' | tr -cd '\40-\176')
    printf '%s %s %s\n' "$name" "$status" "$said"
    case $status in 0 | 3) ;; *) result=1 ;; esac
done
rm -rf "$AC_STATE"
exit "$result"
"""

# A simple service: nothing at boot waits for a hook, the agent least of all. `layout` adds the applications.
UNIT = r"""# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
[Unit]
Description=Undo what an interrupted snapshot hold left behind
Documentation=file:///etc/azure/appconsistent/boot.sh
ConditionPathExists=/var/lib/appconsistent/held
After=local-fs.target

[Service]
Type=simple
ExecStart=/bin/sh /etc/azure/appconsistent/boot.sh
Restart=on-failure
RestartSec=15
UMask=0077

[Install]
WantedBy=multi-user.target
"""
