"""Puts an empty database on a fresh disk image. Run as a program: IMAGE ENGINE FILESYSTEM."""

from __future__ import annotations

import sys
from pathlib import Path

from . import kernel
from .engines import ENGINES
from .images import mount_image


def _main(image: Path, engine: str, filesystem: str) -> None:
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
    # A database account must be able to reach the folder; /mnt is covered for us alone.
    covered = Path("/mnt")
    kernel.mount("tmpfs", covered, "tmpfs", options="mode=755")
    mount_image(image, covered / "disk", filesystem)
    ENGINES[engine].initialise(covered / "disk")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
