# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real writes into the applications: the deployed hooks' own probes, and a command that the user names."""

import contextlib
import os
import re
import select
import signal
import stat
import subprocess
import time
from typing import Dict, List, NamedTuple, Optional

from .._printable import decoded, printable
from .._scripts.layout import SCRIPTS
from .course import CANNOT_TELL, REFUSED, TIMED_OUT, WRITTEN, ProbeResult

# Runs the verb "probe" of every deployed hook and prints a line for each: its name, 0, 1 or 3, and what it said.
DEPLOYED = SCRIPTS + "/probe.sh"
_LINE = re.compile(r"([0-9]{2}-[A-Za-z0-9_-]{1,100}) ([0-9]{1,3})(?: (.*))?$")
_LARGEST_OUTPUT = 1 << 16
_LOOK_AGAIN = 0.1
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C",
}
_STATES = {0: WRITTEN, 3: CANNOT_TELL}


class _Ended(NamedTuple):
    status: Optional[int]  # None: it took too long
    output: str


def _run(argv: List[str], seconds: float) -> _Ended:
    """Run a command to its end or to the limit. A writer to a held application may not be waited for any longer."""
    child = subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    if child.stdout is None:
        raise OSError("no pipe")
    deadline = time.monotonic() + seconds
    output = b""
    with child.stdout as pipe:
        while child.poll() is None and time.monotonic() < deadline:
            if select.select([pipe], [], [], _LOOK_AGAIN)[0]:
                output = (output + os.read(pipe.fileno(), _LARGEST_OUTPUT))[-_LARGEST_OUTPUT:]
        while select.select([pipe], [], [], 0)[0] and time.monotonic() < deadline:
            piece = os.read(pipe.fileno(), _LARGEST_OUTPUT)
            output = (output + piece)[-_LARGEST_OUTPUT:]
            if not piece:
                break
    if child.returncode is None:
        os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            # In vain when it sleeps uninterruptibly, because a file system is frozen. The caller learns enough.
            child.wait(2.0)
        return _Ended(None, output.decode("utf-8", "replace"))
    return _Ended(child.returncode, output.decode("utf-8", "replace"))


def is_trusted(path: str) -> bool:
    """A regular file that root alone can write: nothing else is run as root."""
    try:
        about = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_uid == 0 and not about.st_mode & 0o022


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return printable(lines[-1], 200) if lines else ""


def _result(name: str, status: Optional[int], said: str) -> ProbeResult:
    if status is None:
        return ProbeResult(name, TIMED_OUT, said or "no answer in time")
    state = _STATES.get(status, REFUSED)
    return ProbeResult(name, state, said or ("" if state == WRITTEN else "exit status {0}".format(status)))


def command(argv: List[str], seconds: float) -> ProbeResult:
    """The user's own probe: 0 is a write that went through, 3 is cannot tell, anything else is no."""
    try:
        ended = _run(argv, seconds)
    except OSError as error:
        return ProbeResult("probe", REFUSED, "{0}: {1}".format(argv[0], os.strerror(error.errno or 0)))
    return _result("probe", ended.status, _last_line(ended.output))


def deployed(seconds: float, path: str = DEPLOYED) -> List[ProbeResult]:
    """The probes of the deployed profiles, one result for each hook; none when nothing of ours is deployed."""
    if not is_trusted(path):
        return []
    try:
        ended = _run(["sh", path], seconds)
    except OSError as error:
        return [ProbeResult("probe.sh", CANNOT_TELL, os.strerror(error.errno or 0))]
    found: Dict[str, ProbeResult] = {}
    for line in ended.output.splitlines()[:1000]:
        match = _LINE.match(line)
        if match:
            name, status, said = match.groups()
            found[name] = _result(name, int(status), decoded((said or "").encode("utf-8", "replace"), 200))
    if ended.status is None:
        found["probe.sh"] = ProbeResult("probe.sh", TIMED_OUT, "no answer within {0:g} s".format(seconds))
    return list(found.values())
