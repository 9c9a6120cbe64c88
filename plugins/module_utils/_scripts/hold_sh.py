# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``hold.sh``: what the scripts share. A test reads it through shellcheck, dash and bash."""

HOLD = r"""# shellcheck shell=sh disable=SC2034
# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten.
#
# What pre.sh, post.sh, watchdog.sh and boot.sh share: the state of a run, its hooks, its locks and its log.
# - Any file system but /run may stand still while this runs. So nothing waits for a write elsewhere before everything
#   is released, and there are no here-documents, which some shells keep in files.
# - Time is what /proc/uptime says: the clock may be set at any moment.
# - A process is named by its number and its start time: numbers are used again.

AC_HOME=/etc/azure/appconsistent
AC_HOOKS=/etc/azure/appconsistent.d
AC_RUN=/run/appconsistent
AC_KEPT=/var/lib/appconsistent
# The agent's service has a short PATH and no HOME.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
LC_ALL=C
TMPDIR=$AC_RUN
export AC_HOME AC_RUN AC_KEPT PATH HOME LC_ALL TMPDIR
unset IFS CDPATH ENV BASH_ENV
umask 077

# The module writes these; see there. Azure waits 60 s for a script unless told otherwise.
AC_FREEZE_SECONDS=40
AC_SCRIPT_SECONDS=54
AC_HOLD_SECONDS=120
AC_THAW_SECONDS=20
AC_SYNC=no
AC_OOM=
# shellcheck source=/dev/null
[ -r "$AC_HOME/settings" ] && . "$AC_HOME/settings"

# now: NOW is hundredths of a second since boot.
now() {
    read -r ac_up _ </proc/uptime
    NOW=${ac_up%.*}${ac_up#*.}
}

# started PID: STARTED is when the process began. Fails when there is none, or only what is left of one.
started() {
    STARTED=
    read -r ac_stat 2>/dev/null <"/proc/$1/stat" || return 1
    # The program's name stands in brackets and may hold anything. Field 22 of proc(5); the first two are cut off.
    # shellcheck disable=SC2086
    set -- ${ac_stat##*) }
    case $1 in Z | X) return 1 ;; esac
    STARTED=${20}
}

# alive PID START
alive() {
    [ $# = 2 ] && started "$1" && [ "$STARTED" = "$2" ]
}

# await PID END: the exit status of a process in the background; 137 when it still runs at END. What waits for a file
# system that stands still cannot even be killed, and must not keep the rest from being released. And other than `wait`
# it is not cut short by a signal.
await() {
    started "$1"
    ac_began=$STARTED
    now
    ac_since=$NOW
    ac_nap=0.01
    while alive "$1" "$ac_began"; do
        now
        [ "$NOW" -lt "$2" ] || return 137
        [ "$NOW" -lt "$((ac_since + 100))" ] || ac_nap=0.1
        sleep "$ac_nap" 8>&- 9>&-
    done
    wait "$1"
}

log() {
    printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$AC_ROLE" "$*" >>"$AC_RUN/log"
}

# put NAME TEXT: remember something about the run, in one step.
put() {
    printf '%s\n' "$2" >"$AC_RUN/current/$1.new" && mv -f "$AC_RUN/current/$1.new" "$AC_RUN/current/$1"
}

# recall NAME: VALUE is what was remembered.
recall() {
    VALUE=
    read -r VALUE 2>/dev/null <"$AC_RUN/current/$1"
}

# recall_number NAME: fails, with VALUE 0, when it is none. Arithmetic with anything else would end the script.
recall_number() {
    recall "$1"
    case $VALUE in
        '' | 0?* | *[!0-9]* | ????????????????*)
            VALUE=0
            return 1
            ;;
    esac
}

# recall_state: VALUE is the run's state. A word that nobody wrote there is no proof that everything is free.
recall_state() {
    recall state || return 1
    case $VALUE in
        freezing | held | releasing | stuck | released | failed | broken) ;;
        *) VALUE=releasing ;;
    esac
}

# load_run: the run that left its state in /run, if one did.
load_run() {
    recall id || return 1
    AC_ID=$VALUE
    recall_number until
    UNTIL=$VALUE
    recall owner && OWNER=$VALUE
    recall_state && STATE=$VALUE
}

# owner_lives: whether the process that started the run's pre.sh is still there, and so may yet start post.sh.
owner_lives() {
    # shellcheck disable=SC2086
    alive ${OWNER:-0 none}
}

# my_owner: ME is the process that started this script. The extension starts pre.sh and post.sh from one process.
my_owner() {
    started "$PPID"
    ME="$PPID ${STARTED:-none}"
}

# seconds_left END: LEFT is how many whole seconds remain until END, at least 1.
seconds_left() {
    now
    LEFT=$((($1 - NOW) / 100))
    [ "$LEFT" -ge 1 ] || LEFT=1
}

# at_most SECONDS END: LEFT as above, but not above SECONDS.
at_most() {
    seconds_left "$2"
    [ "$LEFT" -le "$1" ] || LEFT=$1
}

# lock_release SECONDS: from here to unlock_release nobody else changes the run's state. pre.sh made the file, so that
# it can be opened even when /run is full: a failing exec would end the script.
lock_release() {
    exec 8>>"$AC_RUN/release.lock"
    flock -w "$1" 8
}

unlock_release() {
    exec 8>&-
}

# hook_fault PATH: FAULT says why the hook must not be run as root, or is empty.
hook_fault() {
    FAULT=
    # shellcheck disable=SC2012
    ac_about=$(ls -ldnL "$1" 2>/dev/null) || FAULT="$1 cannot be looked at"
    # shellcheck disable=SC2086
    set -- "$1" $ac_about
    case ${2:-} in
        ?????w* | ????????w*) FAULT="$1 can be written by others; set its mode to 0700" ;;
        ???x*) [ "$4" = 0 ] || FAULT="$1 is not owned by root" ;;
        ?*) FAULT="$1 is not executable; set its mode to 0700" ;;
    esac
}

# run_hook NAME VERB SECONDS: its exit status. SAID is the last line that it said.
# A hook learns: AC_STATE, a folder of its own in memory; AC_CONF, its settings; AC_ID, the run; AC_SECONDS, how long it
# may take; AC_HOLD_LEFT, seconds until the watchdog releases; AC_PURPOSE: snapshot while all is well, otherwise a word
# for why the point is no good.
run_hook() {
    AC_STATE=$AC_RUN/current/$1
    AC_CONF=$AC_HOOKS/$1.conf
    AC_SECONDS=$3
    seconds_left "${UNTIL:-0}"
    AC_HOLD_LEFT=$LEFT
    export AC_STATE AC_CONF AC_ID AC_SECONDS AC_HOLD_LEFT AC_PURPOSE
    ac_out=$AC_STATE/$2.out
    # /run may have filled up since the freeze: release all the same.
    { [ -d "$AC_STATE" ] || mkdir "$AC_STATE"; } && true 2>/dev/null >"$ac_out" || ac_out=/dev/null
    {
        # By itself: whoever kills this script at any moment leaves no hook that nobody knows of.
        read -r ac_pid _ </proc/self/stat
        started self
        put hook "$ac_pid $STARTED" 2>/dev/null
        # What protects the watchdog is not for what a hook may start.
        [ -z "$AC_OOM" ] || printf '%s\n' "$AC_OOM" 2>/dev/null >/proc/self/oom_score_adj
        exec timeout -k 2 "$3" "$AC_HOOKS/$1" "$2"
    } </dev/null >"$ac_out" 2>&1 8>&- 9>&- &
    ac_pid=$!
    now
    await "$ac_pid" "$((NOW + $3 * 100 + 300))"
    ac_status=$?
    SAID=
    if [ -s "$ac_out" ]; then
        head -c 4000 "$ac_out" | tr -cd '\11\12\40-\176' >"$AC_STATE/said"
        while read -r ac_line || [ -n "$ac_line" ]; do
            SAID=$ac_line
            log "$1 $2: $ac_line"
        done <"$AC_STATE/said"
    fi
    case $ac_status in
        0) ;;
        124 | 137)
            SAID="no answer within $3 s"
            log "$1 $2: $SAID"
            ;;
        *) [ -n "$SAID" ] || SAID="exit status $ac_status" ;;
    esac
    return "$ac_status"
}

# clean_up END: boot.sh, which goes on by itself when it has not undone everything by END.
clean_up() {
    setsid sh "$AC_HOME/boot.sh" </dev/null >/dev/null 2>&1 8>&- 9>&- &
    await $! "$1"
}

# stop_hook: end a hook that an ended script left running. Each runs in a process group of its own.
stop_hook() {
    # shellcheck disable=SC2086
    if recall hook && alive $VALUE; then
        kill -KILL "-${VALUE%% *}" 2>/dev/null
        kill -KILL "${VALUE%% *}" 2>/dev/null
    fi
}

# thaw_all VERIFY END: release in reverse order. BROKEN names the hooks whose hold was not whole, STUCK those that could
# not be released; FAULT is what the first of either said. The caller holds the release lock.
thaw_all() {
    BROKEN=
    STUCK=
    FAULT=
    ac_purpose=$AC_PURPOSE
    stop_hook
    ac_order=
    [ -f "$AC_RUN/current/hooks" ] && while read -r ac_name; do
        ac_order="$ac_name $ac_order"
    done <"$AC_RUN/current/hooks"
    for ac_name in $ac_order; do
        if [ "$1" = verify ]; then
            at_most 10 "$2"
            if ! run_hook "$ac_name" status "$LEFT"; then
                BROKEN="$BROKEN$ac_name "
                [ -n "$FAULT" ] || FAULT="$ac_name: ${SAID}"
                AC_PURPOSE=broken
            fi
        fi
        at_most "$AC_THAW_SECONDS" "$2"
        run_hook "$ac_name" thaw "$LEFT"
        ac_status=$?
        AC_PURPOSE=$ac_purpose
        case $ac_status in
            0) continue ;;
            # Released, but the hook knows that the point cannot be used.
            2) BROKEN="$BROKEN$ac_name " ;;
            *) STUCK="$ac_name $STUCK" ;;
        esac
        [ -n "$FAULT" ] || FAULT="$ac_name: ${SAID}"
    done
    for ac_name in $STUCK; do
        printf '%s\n' "$ac_name"
    done >"$AC_RUN/current/hooks.new" && mv -f "$AC_RUN/current/hooks.new" "$AC_RUN/current/hooks"
}

# release VERIFY END STATE REASON: thaw everything. The run's state is then STATE with REASON, unless it turned out
# worse.
release() {
    put state releasing
    thaw_all "$1" "$2"
    STATE=$3
    REASON=$4
    if [ -n "$BROKEN" ] && [ "$STATE" = released ]; then
        STATE=broken
        REASON="the hold was broken before post.sh: $FAULT"
    fi
    if [ -n "$STUCK" ]; then
        # What broke the hold is still the reason; that something is not released yet is the state.
        put ended "$STATE"
        STATE=stuck
        [ -n "$REASON" ] || REASON="it cannot be released: $FAULT"
        log "NOT RELEASED: $STUCK- $FAULT; watchdog.sh goes on trying. Release it by hand"
    fi
    [ -n "$REASON" ] && put reason "$REASON"
    put state "$STATE"
}

# watchdog_is_up PID TRIES: it is when it has said so itself.
watchdog_is_up() {
    ac_tries=0
    until recall watchdog; do
        ac_tries=$((ac_tries + 1))
        [ "$ac_tries" -le "$2" ] && started "$1" || return 1
        sleep 0.02
    done
}

# start_watchdog: in a scope of its own where systemd answers. Whoever kills the control group of our caller, and with
# it every holder that a hook has left there, then leaves one who releases.
start_watchdog() {
    rm -f "$AC_RUN/current/watchdog"
    if [ -d /run/systemd/system ]; then
        # --collect came with systemd 236.
        for ac_option in --collect --quiet; do
            setsid systemd-run --scope --quiet "$ac_option" --description="Watchdog of snapshot run $AC_ID" \
                sh "$AC_HOME/watchdog.sh" apart </dev/null >/dev/null 2>&1 8>&- &
            watchdog_is_up $! 100 && return
            started $! || continue
            kill -KILL $!
            rm -f "$AC_RUN/current/watchdog"
            break
        done
    fi
    setsid sh "$AC_HOME/watchdog.sh" </dev/null >/dev/null 2>&1 8>&- &
    watchdog_is_up $! 250
}

stop_watchdog() {
    # shellcheck disable=SC2086
    if recall watchdog && alive $VALUE; then
        kill -USR1 "${VALUE%% *}" 2>/dev/null
    fi
}

# record: copy what this run has logged since the last time to disk and to syslog. In the background: the disk may still
# stand still. The name goes with the file: another run may have begun by then.
record() {
    ac_from=0
    recall_number recorded && ac_from=$VALUE
    ac_to=$(wc -c <"$AC_RUN/log")
    put recorded "$ac_to"
    tail -c "+$((ac_from + 1))" "$AC_RUN/log" | setsid sh "$AC_HOME/record.sh" "$AC_ID" >/dev/null 2>&1 8>&- 9>&- &
}
"""
