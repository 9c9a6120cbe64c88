"""The tree: made once by debootstrap, kept between runs, entered with mounts and processes of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

# Kept outside of the checkout: it takes three minutes and a gigabyte.
FOLDER = Path(os.environ.get("REAL_SERVERS_TREE", "/var/tmp/appconsistent-sid"))
_PACKAGES = ("mysql-server", "redis-server", "valkey-server", "postgresql", "procps")
# The packages' own services must not start: there is no machine around them.
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
_MARK = "ready"


def missing() -> list[str]:
    """What this machine lacks, each in a sentence."""
    found = [f"The program {name} is missing." for name in ("debootstrap", "unshare") if shutil.which(name) is None]
    return found if os.geteuid() == 0 else ["Real servers need root, for debootstrap and chroot.", *found]


def build() -> Path:
    """Return the tree, making it first where it is not whole."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / _MARK).exists():
            shutil.rmtree(FOLDER, ignore_errors=True)
            _run(["debootstrap", "--variant=minbase", "sid", str(FOLDER), _mirror()])
            policy = FOLDER / "usr/sbin/policy-rc.d"
            policy.write_text(_NO_SERVICES)
            policy.chmod(0o755)
            for name in Path("/etc/apt/apt.conf.d").glob("99*"):
                shutil.copy(name, FOLDER / "etc/apt/apt.conf.d" / name.name)
            shutil.copy("/etc/resolv.conf", FOLDER / "etc/resolv.conf")
            install = "apt-get install -yq --no-install-recommends " + " ".join(_PACKAGES)
            inside = f"mount -t proc proc {FOLDER}/proc && DEBIAN_FRONTEND=noninteractive chroot {FOLDER} {install}"
            _run(["unshare", "--mount", "--fork", "sh", "-c", inside])
            (FOLDER / _MARK).touch()
    return FOLDER


def _mirror() -> str:
    """Return the mirror that this machine uses itself."""
    for source in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if source.is_file():
            for line in source.read_text().splitlines():
                word = line.removeprefix("URIs:").removeprefix("deb ").split()
                if line.startswith(("URIs:", "deb ")) and word and "security" not in word[0]:
                    return next(part for part in word if "://" in part)
    return "http://deb.debian.org/debian"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
