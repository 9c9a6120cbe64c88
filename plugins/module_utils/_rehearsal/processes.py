# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes of a rehearsal, arranged so that the application is released whichever of them is killed.

The module waits. A child of it, in a session of its own as the extension's daemon is, runs the scripts; when the
module dies it sees the end of a pipe and goes straight to post. A guardian, a plain shell in a third session, reads
from a pipe that only that child writes to; when the child dies it ends pre and runs post. When both are gone without a
word, the module runs post.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import termios
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .._guest.extension_environment import AgentEnvironment
from .course import Child, World

_SLICE = 0.05
_LARGEST_REPORT = 1 << 20
_NAME = "appconsistent-rehearsal-guardian"

# Arguments: sh, post and its parameters. Standard input: "pre PID START", "post PID START", "done". Standard output:
# what became of it. START is when the process began: numbers are used again.
_GUARDIAN = r"""
script='' pid='' start=''
while read -r word number began; do
    case $word in
        pre | post) script=$word pid=$number start=$began ;;
        done) exit 0 ;;
    esac
done
# is_alive PID START: START "any" takes any. PARENT and START_SEEN are what was found.
is_alive() {
    read -r about 2>/dev/null <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086
    set -- "$2" ${about##*) }
    PARENT=$3 START_SEEN=${21}
    case $2 in Z | X) return 1 ;; esac
    [ "$1" = any ] || [ "$1" = "$START_SEEN" ]
}
# family PID: "number:start" of it and of all that it started, as far as they are still below it.
family() {
    is_alive "$1" any || return 0
    echo "$1:$START_SEEN"
    for entry in /proc/[0-9]*/stat; do
        entry=${entry#/proc/}
        if is_alive "${entry%/stat}" any && [ "$PARENT" = "$1" ]; then
            (family "${entry%/stat}")
        fi
    done
}
# any_left: whether one of the victims is still alive.
any_left() {
    for victim in $victims; do
        is_alive "${victim%:*}" "${victim#*:}" && return 0
    done
    return 1
}
send() {
    for victim in $victims; do
        is_alive "${victim%:*}" "${victim#*:}" && kill "-$1" "${victim%:*}"
    done
}
settle() {
    tries=0
    while [ "$tries" -lt "$1" ] && any_left; do
        tries=$((tries + 1))
        sleep 0.1
    done
}
victims="$pid:$start"
if [ "$script" = pre ] && is_alive "$pid" "$start"; then
    # The script first, alone: it may have a trap that cleans up, and would die of what the shell says when a child
    # is ended, because nobody holds the other end of its pipes any more.
    everybody=$(family "$pid")
    send TERM
    settle 20
    victims=$everybody
    send TERM
    settle 30
    send KILL
    settle 50
elif [ "$script" = post ]; then
    settle 600
fi
"$@" </dev/null >/dev/null 2>&1
status=$?
# Whoever started the rehearsal may be gone too.
trap '' PIPE
echo "guardian $status"
exec >/dev/null 2>&1
logger -t appconsistent -p daemon.warning "a rehearsal was killed; its guardian ran $2, exit status $status"
"""


class CourseOutcome(NamedTuple):
    result: Optional[Dict[str, Any]]
    guardian_status: Optional[int]  # of post, when the guardian had to run it
    fault: str = ""


class _Script(Child):
    def __init__(self, argv: List[str], environment: Dict[str, str], announce: Callable[[], None]) -> None:
        # The same call as the extension's; what it inherits was arranged before.
        self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function,subprocess-popen-preexec-fn
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, preexec_fn=announce
        )
        self._ended_at: Optional[float] = None
        self.pid = self._process.pid

    def poll(self) -> Optional[int]:
        status = self._process.poll()
        if status is not None and self._ended_at is None:
            self._ended_at = time.monotonic()
        return status

    def ended_at(self) -> Optional[float]:
        return self._ended_at

    def unread(self) -> int:
        count = 0
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                count += int(struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0\0\0\0"))[0])
        return count

    def close_pipes(self) -> None:
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def end(self) -> None:
        # A client that waits for a lock would get it later, so what the script started is ended with it. The script
        # comes first: it may have a trap that cleans up.
        family = _family(self.pid)
        for victims, number, patience in (
            (family[:1], signal.SIGTERM, 2.0),
            (family, signal.SIGTERM, 3.0),
            (family, signal.SIGKILL, 5.0),
        ):
            for pid, began in victims:
                if _began(pid) == began:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(_began(pid) == began for pid, began in victims):
                self.poll()
                time.sleep(_SLICE)


def _stat(pid: int) -> List[str]:
    """The fields of proc(5), from the third on; none for a process that has ended."""
    try:
        with open("/proc/{0}/stat".format(pid)) as source:
            fields = source.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []
    return [] if fields[0] in "ZX" else fields


def _began(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else "none"


def _family(pid: int) -> List[Tuple[int, str]]:
    """A process and all that it started, as far as they are still below it, with the times at which they began."""
    parents: Dict[int, List[int]] = {}
    for name in os.listdir("/proc"):
        fields = _stat(int(name)) if name.isdigit() else []
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(name))
    found, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        found.append((member, _began(member)))
        waiting.extend(parents.get(member, []))
    return [(member, began) for member, began in found if began != "none"]


class _RealWorld(World):
    def __init__(self, around: AgentEnvironment, control: int, report: int) -> None:
        self._around = around
        self._control = control
        self._report = report
        self._guardian: Optional["subprocess.Popen[bytes]"] = None
        self._told_to_end = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        self._told_to_end = True

    def now(self) -> float:
        return time.monotonic()

    def wall_clock(self) -> float:
        return time.time()

    def sleep(self, seconds: float, watched: Optional[Child] = None) -> None:
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(_SLICE, left))
            if watched is not None:
                watched.poll()

    def cancelled(self) -> bool:
        # Nothing is ever written there: it becomes readable when the module is gone.
        return self._told_to_end or bool(select.select([self._control], [], [], 0)[0])

    def start(self, argv: List[str], which: str) -> Child:
        def announce() -> None:
            # In the script's own process, before it becomes the script: so the guardian knows of it even when we are
            # killed this very moment. A guardian that was killed must not end the script.
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            self._tell("{0} {1} {2}\n".format(which, os.getpid(), _began(os.getpid())))
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)

        return _Script(argv, self._around.environment, announce)

    def guard(self, post: List[str]) -> None:
        self._guardian = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["sh", "-c", _GUARDIAN, _NAME, *post],
            stdin=subprocess.PIPE,
            stdout=self._report,
            stderr=subprocess.DEVNULL,
            env=self._around.environment,
            start_new_session=True,
        )

    def all_clear(self) -> None:
        self._tell("done\n")
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            self._guardian.wait()

    def _tell(self, line: str) -> None:
        if self._guardian is not None and self._guardian.stdin is not None:
            # Without an error when the guardian was killed: we are still here.
            with contextlib.suppress(OSError):
                os.write(self._guardian.stdin.fileno(), line.encode("ascii"))


def _close_all_but(kept: List[int]) -> None:
    """What Ansible left open must not stay open in here: a connection would wait for it."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue


def _become_a_daemon(around: AgentEnvironment, kept: List[int]) -> None:
    os.setsid()
    _close_all_but(kept)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        # The new descriptor may be one of the three, and then dup2 leaves it closed to children.
        os.dup2(null, number)
        os.set_inheritable(number, True)
    os.umask(around.umask)
    try:
        os.chdir(around.folder)
    except OSError:
        os.chdir("/")


def _read_all(source: int) -> bytes:
    pieces: List[bytes] = []
    while sum(map(len, pieces)) < _LARGEST_REPORT:
        piece = os.read(source, 1 << 16)
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def in_own_processes(
    work: Callable[[World], Dict[str, Any]], around: AgentEnvironment, kept: List[int]
) -> CourseOutcome:
    """Do the work as the extension's daemon would, and wait for what it says. ``kept``: descriptors that it shares."""
    control_read, control_write = os.pipe()
    report_read, report_write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _become_a_daemon(around, [control_read, report_write, *kept])
            result = work(_RealWorld(around, control_read, report_write))
            os.write(report_write, json.dumps(result).encode("ascii") + b"\n")
            status = 0
        except Exception as error:
            # Nobody above would ever see it.
            os.write(report_write, "fault {0}: {1}\n".format(type(error).__name__, error).encode("ascii", "replace"))
        finally:
            # Never back into the module: it would answer a second time.
            os._exit(status)
    os.close(control_read)
    os.close(report_write)
    said = _read_all(report_read)
    os.close(report_read)
    os.waitpid(child, 0)
    os.close(control_write)
    outcome = CourseOutcome(None, None)
    for line in said.decode("ascii", "replace").splitlines():
        if line.startswith("{"):
            outcome = outcome._replace(result=json.loads(line))
        elif line.startswith("guardian "):
            outcome = outcome._replace(guardian_status=int(line.split()[1]))
        elif line.startswith("fault "):
            outcome = outcome._replace(fault=line[6:300])
    return outcome


def run_here(argv: List[str], around: AgentEnvironment, seconds: float) -> None:
    """Run post in the module itself, when nobody else is left to do it. It is never ended."""
    post = subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=around.environment,
        cwd=around.folder if os.path.isdir(around.folder) else "/",
        start_new_session=True,
    )
    try:
        post.wait(max(10.0, seconds))
    except subprocess.TimeoutExpired:
        return
