# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files below a folder of the guest, read by root without being led astray.

The folder itself may be reached through symbolic links (an administrator may have moved /var/log); below it none is
followed, nothing but regular files is opened, and never more than a stated number of bytes is read.
"""

import errno
import os
import stat
from typing import List, NamedTuple, Optional

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO must not wait for a writer. O_NOCTTY: nor may a terminal become ours.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

FOUND = "found"
MISSING = "missing"
REFUSED = "refused"


class FileText(NamedTuple):
    """What was read of a file; ``data`` is empty unless ``state`` is ``found``."""

    state: str
    data: bytes = b""
    size: int = 0
    modified: Optional[float] = None
    whole: bool = True
    reason: str = ""


class Names(NamedTuple):
    state: str
    names: List[str]
    reason: str = ""


def _refusal(error: OSError) -> FileText:
    if error.errno == errno.ENOENT:
        return FileText(MISSING)
    if error.errno == errno.ENOTDIR:
        # What the kernel says when O_DIRECTORY and O_NOFOLLOW meet a link.
        return FileText(REFUSED, reason="a part of its path is a symbolic link or no folder")
    if error.errno == errno.ELOOP:
        return FileText(REFUSED, reason="it is a symbolic link")
    return FileText(REFUSED, reason=os.strerror(error.errno or 0))


def _open_folder(folder: str, inner: List[str]) -> int:
    """A descriptor of a folder below ``folder``; the caller closes it. OSError when there is none."""
    here = os.open(folder, _FOLDER_FLAGS)
    for name in inner:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            os.close(here)
            raise OSError(errno.EINVAL, "not a plain name")
        try:
            below = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def _read(folder: str, path: str, limit: int, from_end: bool) -> FileText:
    parts = path.split("/")
    try:
        parent = _open_folder(folder, parts[:-1])
        try:
            if parts[-1] in ("", ".", "..") or "\0" in path:
                raise OSError(errno.EINVAL, "not a plain name")
            opened = os.open(parts[-1], _FILE_FLAGS, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError as error:
        return _refusal(error)
    try:
        about = os.fstat(opened)
        if not stat.S_ISREG(about.st_mode):
            return FileText(REFUSED, reason="it is not a regular file")
        if from_end and about.st_size > limit:
            os.lseek(opened, about.st_size - limit, os.SEEK_SET)
        pieces = []
        left = limit
        while left > 0:
            piece = os.read(opened, min(left, 1 << 18))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return FileText(FOUND, b"".join(pieces), about.st_size, about.st_mtime, about.st_size <= limit)
    except OSError as error:
        return _refusal(error)
    finally:
        os.close(opened)


def read_head(folder: str, path: str, limit: int) -> FileText:
    """The first ``limit`` bytes of a file below a folder."""
    return _read(folder, path, limit, from_end=False)


def read_tail(folder: str, path: str, limit: int) -> FileText:
    """The last ``limit`` bytes of a file below a folder."""
    return _read(folder, path, limit, from_end=True)


def list_names(folder: str, path: str = "", limit: int = 10000) -> Names:
    """The names in a folder, sorted; not more than ``limit`` of them are looked at."""
    try:
        opened = _open_folder(folder, path.split("/") if path else [])
    except OSError as error:
        about = _refusal(error)
        return Names(about.state, [], about.reason)
    try:
        names = []
        # os.scandir of a descriptor needs Python 3.7; the proc link names the very folder that is open.
        with os.scandir("/proc/self/fd/{0}".format(opened)) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) >= limit:
                    break
        return Names(FOUND, sorted(names))
    except OSError as error:
        about = _refusal(error)
        return Names(about.state, [], about.reason)
    finally:
        os.close(opened)
