"""Disk images: made once per engine and file system, then copied, holes staying holes."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import kernel

_PROJECT = Path(__file__).resolve().parents[2]
_CHUNK = 1 << 20
MEGABYTE = 1 << 20
# mkfs.xfs refuses less than 300 MB.
DEFAULT_MEGABYTES = 512

MAKE_FILE_SYSTEM = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=8", "-E", "nodiscard"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
}
# nouuid: copies of one xfs carry the same identity. noinit_itable: nobody but the application writes in the background.
MOUNT_OPTIONS = {"ext4": "loop,discard,noinit_itable", "xfs": "loop,discard,nouuid"}


def copy(source: int, target: int, halfway: Callable[[], None] | None = None) -> None:
    """Copy the file `source` into the empty file `target`: by sharing blocks, else block by block without the holes.

    `halfway` is called when half has been copied; blocks are not shared then, as that would copy all at one instant.
    """
    size = os.fstat(source).st_size
    half = os.fstat(source).st_blocks * 512 // 2
    os.ftruncate(target, size)
    if halfway is None and kernel.clone(source, target):
        return
    position = copied = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        position = os.lseek(source, start, os.SEEK_HOLE)
        while start < position:
            chunk = os.pread(source, min(_CHUNK, position - start), start)
            if not chunk:
                return
            if chunk.count(0) != len(chunk):
                os.pwrite(target, chunk, start)
            start += len(chunk)
            copied += len(chunk)
            if halfway is not None and copied >= half:
                halfway()
                halfway = None


def copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        copy(reading.fileno(), writing.fileno())


def template(folder: Path, engine: str | None, filesystem: str, megabytes: int) -> Path:
    """The image to copy for a new guest, made now if `folder` lacks it. Several callers may ask at once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    image = folder / f"{engine or 'empty'}-{filesystem}-{megabytes}.img"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            unfinished = image.with_suffix(".new")
            with unfinished.open("wb") as file:
                file.truncate(megabytes * MEGABYTE)
            subprocess.run([*MAKE_FILE_SYSTEM[filesystem], str(unfinished)], check=True, timeout=60)
            if engine is not None:
                _fill(unfinished, engine, filesystem)
            unfinished.rename(image)
    return image


def _fill(image: Path, engine: str, filesystem: str) -> None:
    command = [sys.executable, "-m", "tests.linux_guest.template_disk", str(image), engine, filesystem]
    made = subprocess.run(command, cwd=_PROJECT, capture_output=True, text=True, timeout=120, check=False)
    if made.returncode:
        raise RuntimeError(f"An empty {engine} data folder could not be made: {(made.stderr or made.stdout)[-2000:]}")


def mount_image(image: Path, mount_point: Path, filesystem: str) -> None:
    """Mount an image; the loop device goes when the last user of the mount does."""
    mount_point.mkdir(parents=True, exist_ok=True, mode=0o755)
    subprocess.run(
        ["mount", "-t", filesystem, "-o", MOUNT_OPTIONS[filesystem], str(image), str(mount_point)],
        check=True,
        timeout=60,
    )
