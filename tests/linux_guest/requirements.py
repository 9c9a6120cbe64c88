"""What a machine must have to run guests, and what of it is missing here, each in a sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .engines import ENGINES
from .images import MAKE_FILE_SYSTEM

_PROGRAMS = {
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mount": "mount",
    "losetup": "mount",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "pivot_root": "util-linux",
}
_SSHD = Path("/usr/sbin/sshd")


def requirements(engine: str | None = None, filesystem: str = "ext4") -> list[str]:
    """What is missing on this machine for a guest with this engine. Empty: all is there."""
    if not sys.platform.startswith("linux"):
        return [f"Linux guests need a Linux machine; this is {sys.platform}."]
    missing: list[str] = []
    if os.geteuid() != 0:
        missing.append("Linux guests need root, for namespaces, loop devices and freezing a file system.")
    if not _SSHD.exists():
        missing.append(f"{_SSHD} is missing: install openssh-server.")
    missing += [_lacks(name, package) for name, package in _PROGRAMS.items() if shutil.which(name) is None]
    make = MAKE_FILE_SYSTEM[filesystem][0]
    if shutil.which(make) is None:
        missing.append(_lacks(make, "e2fsprogs" if filesystem == "ext4" else "xfsprogs"))
    missing += [
        f"The kernel does not offer the file system {kind} (see /proc/filesystems); load its module."
        for kind in ("overlay", filesystem)
        if not _kernel_offers(kind)
    ]
    if engine is not None:
        programs = ENGINES[engine].missing_programs()
        missing += [_lacks(name, ENGINES[engine].package) for name in programs]
    if not missing:
        missing += _try_loop_device() + _try_namespaces()
    return missing


def _lacks(program: str, package: str) -> str:
    return f"The program {program} is missing: install {package}."


def _kernel_offers(kind: str) -> bool:
    """A module that is not loaded yet counts, when it can be."""
    if kind not in _loaded_file_systems() and shutil.which("modprobe") is not None:
        subprocess.run(["modprobe", "--quiet", kind], timeout=30, check=False)
    return kind in _loaded_file_systems()


def _loaded_file_systems() -> set[str]:
    return {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}


def _try_loop_device() -> list[str]:
    found = subprocess.run(["losetup", "--find"], capture_output=True, text=True, timeout=10, check=False)
    if found.returncode == 0:
        return []
    return [f"No loop device can be had ({found.stderr.strip()}): the container needs --privileged and /dev/loop*."]


def _try_namespaces() -> list[str]:
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    if tried.returncode == 0:
        return []
    return [f"Namespaces with mounts of their own are refused ({tried.stderr.strip()}): run with CAP_SYS_ADMIN."]
