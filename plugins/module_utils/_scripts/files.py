# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files as they are in a guest, and files as they shall be: looked at, compared, written in one step each."""

import errno
import os
import stat
from typing import Dict, List, NamedTuple, Optional

# Ours are a few kilobytes. Whatever is larger is not worth reading as root.
LARGEST = 1 << 20

MISSING = "missing"
FILE = "file"
FOLDER = "folder"
OTHER = "other"
UNREADABLE = "unreadable"


class FoundFile(NamedTuple):
    """What was found at a path, links followed."""

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    data: Optional[bytes] = None
    reason: str = ""
    link: bool = False


class Wanted(NamedTuple):
    """A file as it shall be. ``shown`` stands for ``text`` wherever people look."""

    path: str
    text: str
    mode: int
    shown: str


class CannotWrite(Exception):
    """The guest does not let us. The text names the path and what to do."""


def look(path: str) -> FoundFile:
    """What is at a path. Never waits, never reads a device, never raises OSError."""
    try:
        link = stat.S_ISLNK(os.lstat(path).st_mode)
        about = os.stat(path)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return FoundFile(MISSING if missing else UNREADABLE, reason=os.strerror(error.errno or 0))
    plain = FoundFile(OTHER, stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid, link=link)
    if stat.S_ISDIR(about.st_mode):
        return plain._replace(kind=FOLDER)
    if not stat.S_ISREG(about.st_mode):
        return plain
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as source:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return plain
            data = source.read(LARGEST + 1)
    except OSError as error:
        return plain._replace(kind=UNREADABLE, reason=os.strerror(error.errno or 0))
    if len(data) > LARGEST:
        return plain._replace(kind=UNREADABLE, reason="it is larger than 1 MiB")
    return plain._replace(kind=FILE, data=data)


def parents(path: str) -> List[str]:
    """The folders above a path, the highest first."""
    found = []
    while path not in ("/", ""):
        path = os.path.dirname(path)
        found.append(path)
    return found[::-1]


def _say(path: str, error: OSError) -> CannotWrite:
    advice = {
        "EROFS": "Remount the file system read-write, or deploy the scripts with the machine's image.",
        "ENOSPC": "Make room on that file system.",
        "EDQUOT": "Make room on that file system.",
        "EACCES": "Run the task as root (become: true).",
        "EPERM": "Run the task as root (become: true), and see whether lsattr shows the file as immutable.",
    }
    name = errno.errorcode.get(error.errno or 0, "")
    return CannotWrite(
        "Cannot write {0}: {1}. {2}".format(
            path, os.strerror(error.errno or 0), advice.get(name, "See what is in the way there.")
        )
    )


def make_folder(path: str, mode: int, uid: int) -> None:
    try:
        os.mkdir(path, mode)
        os.chown(path, uid, -1)
        os.chmod(path, mode)
    except FileExistsError:
        pass
    except OSError as error:
        raise _say(path, error) from error


def set_mode(path: str, mode: int, uid: int) -> None:
    try:
        os.chown(path, uid, -1)
        os.chmod(path, mode)
    except OSError as error:
        raise _say(path, error) from error


def write(path: str, text: str, mode: int, uid: int) -> None:
    """Put a whole file in place in one step: whoever reads finds the old one or the new one."""
    # In the same folder, so that it is a rename, and so that SELinux gives it the label that belongs there.
    draft = "{0}.{1}.new".format(path, os.getpid())
    try:
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(opened, "wb") as target:
                os.fchown(target.fileno(), uid, -1)
                os.fchmod(target.fileno(), mode)
                target.write(text.encode("utf-8"))
                target.flush()
                os.fsync(target.fileno())
            os.rename(draft, path)
        except OSError:
            os.unlink(draft)
            raise
        _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise _say(path, error) from error


def remove(path: str) -> None:
    try:
        os.unlink(path)
        _sync_folder(os.path.dirname(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _say(path, error) from error


def link(path: str, target: str) -> None:
    draft = "{0}.{1}.new".format(path, os.getpid())
    try:
        os.symlink(target, draft)
        os.rename(draft, path)
    except OSError as error:
        raise _say(path, error) from error


def _sync_folder(path: str) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def differs(file: FoundFile, wanted: Wanted, uid: int) -> bool:
    same_rights = file.mode == wanted.mode and file.uid == uid and not file.link
    return file.kind != FILE or not same_rights or file.data != wanted.text.encode("utf-8")


def survey(paths: List[str], root: str = "") -> Dict[str, FoundFile]:
    """What is at each of the paths, and at each folder above them."""
    found: Dict[str, FoundFile] = {}
    for path in paths:
        for step in [*parents(path), path]:
            if step not in found:
                found[step] = look(root + step)
    return found


def names_in(folder: str) -> List[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
