# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes of a rehearsal, arranged so that the application is released whichever of them is killed.

The module waits. A child of it, in a session of its own as the extension's daemon is, runs the scripts; when the
module dies it sees the end of a pipe and goes straight to post. A guardian, a plain shell in a third session, reads
from a pipe that only that child writes to; when the child dies it ends pre and runs post. When both are gone without a
word, the module runs post.
"""

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import termios
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ._extension_environment import Surroundings
from ._rehearsal import Child, World

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
alive() {
    read -r about 2>/dev/null <"/proc/$pid/stat" || return 1
    set -- ${about##*) }
    case $1 in Z | X) return 1 ;; esac
    shift 19
    [ "$1" = "$start" ]
}
settle() {
    tries=0
    while [ "$tries" -lt "$1" ] && alive; do
        tries=$((tries + 1))
        sleep 0.1
    done
}
case $script in
    pre)
        alive && kill -TERM "$pid" && settle 50
        alive && kill -KILL "$pid" && settle 50
        ;;
    post) settle 600 ;;
esac
"$@" </dev/null >/dev/null 2>&1
status=$?
# Whoever started the rehearsal may be gone too.
trap '' PIPE
echo "guardian $status"
exec >/dev/null 2>&1
logger -t appconsistent -p daemon.warning "a rehearsal was killed; its guardian ran $2, exit status $status"
"""


class Outcome(NamedTuple):
    result: Optional[Dict[str, Any]]
    guardian_status: Optional[int]  # of post, when the guardian had to run it
    fault: str = ""


class _Script(Child):
    def __init__(self, argv: List[str], environment: Dict[str, str]) -> None:
        # The same call as the extension's; what it inherits was arranged before.
        self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
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
        for ending in (self._process.terminate, self._process.kill):
            ending()
            try:
                self._process.wait(5.0)
                break
            except subprocess.TimeoutExpired:
                continue
        self.poll()


def _began(pid: int) -> str:
    """Field 22 of proc(5), as the guardian reads it."""
    try:
        with open("/proc/{0}/stat".format(pid)) as source:
            return source.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return "none"


class _RealWorld(World):
    def __init__(self, around: Surroundings, control: int, report: int) -> None:
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
        child = _Script(argv, self._around.environment)
        self._tell("{0} {1} {2}\n".format(which, child.pid, _began(child.pid)))
        return child

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
            try:
                self._guardian.stdin.write(line.encode("ascii"))
                self._guardian.stdin.flush()
            except OSError:
                # The guardian was killed. We are still here.
                self._guardian = None


def _close_all_but(kept: List[int]) -> None:
    """What Ansible left open must not stay open in here: a connection would wait for it."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue


def _become_a_daemon(around: Surroundings, kept: List[int]) -> None:
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


def in_own_processes(work: Callable[[World], Dict[str, Any]], around: Surroundings, kept: List[int]) -> Outcome:
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
    outcome = Outcome(None, None)
    for line in said.decode("ascii", "replace").splitlines():
        if line.startswith("{"):
            outcome = outcome._replace(result=json.loads(line))
        elif line.startswith("guardian "):
            outcome = outcome._replace(guardian_status=int(line.split()[1]))
        elif line.startswith("fault "):
            outcome = outcome._replace(fault=line[6:300])
    return outcome


def run_here(argv: List[str], around: Surroundings, seconds: float) -> None:
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
