# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes of root, as ``/proc`` shows them."""

import os
import re
import time
from typing import List, NamedTuple, Optional

from .files import list_names, read_head

_LONGEST_COMMAND = 8192
# A writer that waits for a frozen file system sleeps uninterruptibly in one of these.
_WAITS_FOR_THAW = re.compile(r"__sb_start_write|percpu_rwsem_wait|__percpu_down_read|mnt_want_write")


class Process(NamedTuple):
    pid: int
    command: List[str]
    started: Optional[float]  # seconds since 1970

    def has(self, *words: str) -> bool:
        """Whether each of the words is an argument, or the end of the path that an argument holds."""
        return all(any(arg == word or arg.endswith("/" + word) for arg in self.command) for word in words)


def _stat_fields(proc: str, pid: str) -> List[str]:
    text = read_head(proc, pid + "/stat", 4096).data.decode("ascii", "replace")
    # The name stands in brackets and may hold anything, brackets and spaces too.
    return text[text.rfind(")") + 1 :].split()


def _started(proc: str, pid: str, now: float) -> Optional[float]:
    fields = _stat_fields(proc, pid)
    uptime = read_head(proc, "uptime", 100).data.split()
    try:
        # Field 22 of proc(5); the first two were cut off.
        return now - (float(uptime[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (IndexError, ValueError):
        return None


def processes_of_root(proc: str = "/proc", now: Optional[float] = None, root: int = 0) -> List[Process]:
    """Every process of root that has a command line. Anybody may call a process by any name; only root's count."""
    found = []
    for name in list_names(proc, limit=100000).names:
        if not name.isdigit():
            continue
        try:
            if os.stat(os.path.join(proc, name)).st_uid != root:
                continue
        except OSError:
            continue
        command = read_head(proc, name + "/cmdline", _LONGEST_COMMAND).data
        if command:
            words = [word.decode("utf-8", "replace") for word in command.rstrip(b"\0").split(b"\0")]
            found.append(Process(int(name), words, _started(proc, name, time.time() if now is None else now)))
    return found


def blocked_writers(proc: str = "/proc") -> List[int]:
    """Processes that seem to wait until a file system is thawed. Nothing is written to find out."""
    blocked = []
    for name in list_names(proc, limit=100000).names:
        if not name.isdigit():
            continue
        fields = _stat_fields(proc, name)
        if fields[:1] != ["D"]:
            continue
        stack = read_head(proc, name + "/stack", 4096).data or read_head(proc, name + "/wchan", 200).data
        if _WAITS_FOR_THAW.search(stack.decode("ascii", "replace")):
            blocked.append(int(name))
    return blocked
