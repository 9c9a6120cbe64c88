# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether file systems stand still, as far as that can be told without writing to them.

Linux does not say which file systems are frozen. What can be seen: the extension's freeze program with the mount points
in its arguments, the lock that the extension holds meanwhile, and writers that sleep until a thaw.
"""

import os
import stat
from typing import List, NamedTuple, Optional

from .files import read_head
from .processes import Process, blocked_writers

# fsfreezer.py in Azure/azure-linux-extensions
LOCK_FOLDER = "MicrosoftRecoverySvcsSafeFreezeLock"
LOCK_FILE = "SafeFreezeLockFile"


class FreezeLock(NamedTuple):
    present: bool
    holder: Optional[int]  # the process that holds it


class Freezing(NamedTuple):
    programs: List[Process]
    mounts: List[str]
    lock: FreezeLock
    writers: List[int]


def _lock(azure_folder: str, proc: str) -> FreezeLock:
    path = os.path.join(azure_folder, LOCK_FOLDER, LOCK_FILE)
    try:
        about = os.lstat(path)
    except OSError:
        return FreezeLock(False, None)
    if not stat.S_ISREG(about.st_mode):
        return FreezeLock(True, None)
    # proc(5): "1: POSIX  ADVISORY  WRITE 568 fd:00:2531452 0 EOF"; the device is hexadecimal, the inode decimal.
    wanted = "{0:02x}:{1:02x}:{2}".format(os.major(about.st_dev), os.minor(about.st_dev), about.st_ino)
    for line in read_head(proc, "locks", 1 << 20).data.decode("ascii", "replace").splitlines():
        fields = line.split()
        if "->" not in fields and len(fields) > 5 and fields[5] == wanted and fields[4].lstrip("-").isdigit():
            return FreezeLock(True, int(fields[4]))
    return FreezeLock(True, None)


def see_freezing(processes: List[Process], azure_folder: str = "/etc/azure", proc: str = "/proc") -> Freezing:
    """What is seen of a freeze right now."""
    programs = [process for process in processes if process.command[0].endswith("/safefreeze")]
    # argv: the program, the seconds until it thaws by itself, the mount points
    mounts = [mount for program in programs for mount in program.command[2:]]
    return Freezing(programs, sorted(set(mounts)), _lock(azure_folder, proc), blocked_writers(proc))
