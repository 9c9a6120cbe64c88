"""Linux calls that Python 3.11 has no function for."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1

# linux/fs.h: _IOWR('X', 119, int), _IOWR('X', 120, int), _IOW(0x94, 9, int)
_FIFREEZE = 0xC0045877
_FITHAW = 0xC0045878
_FICLONE = 0x40049409

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what: str, result: int) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _call("unshare", _libc.unshare(flags))


def mount(source: str | Path, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    _call(
        f"mount {source} on {target}",
        _libc.mount(
            str(source).encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode() or None
        ),
    )


def detach(target: Path) -> None:
    _call(f"unmount {target}", _libc.umount2(str(target).encode(), _MNT_DETACH))


def die_with_parent(signal_number: int) -> None:
    """Have this process killed when the thread that forked it ends."""
    _call("prctl", _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))


def freeze(mount_point: int) -> None:
    """Hold every write to the file system of an open file; those under way are finished first."""
    fcntl.ioctl(mount_point, _FIFREEZE, 0)


def thaw(mount_point: int) -> bool:
    """Release a frozen file system. False when it was not frozen."""
    try:
        fcntl.ioctl(mount_point, _FITHAW, 0)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True


def clone(source: int, target: int) -> bool:
    """Copy a file by sharing its blocks. False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY}:
            return False
        raise
    return True
