"""The guest's own view of the machine: the host's files below, its own writes above, in memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import kernel
from .engines import DISK, ENGINES
from .images import mount_image
from .spec import GuestSpec

# Folders of the host that a guest must not see: it starts with empty ones of its own. An opaque folder in the
# upper layer hides the lower one without anything being deleted.
_OWN_FOLDERS = {
    "etc/azure": 0o755,
    # A shell set-up of the host's root would reach into every SSH command.
    "root": 0o700,
    "var/lib/waagent": 0o700,
    "var/log/azure": 0o755,
    "var/lib/mysql": 0o755,
    "var/lib/postgresql": 0o755,
    "var/lib/redis": 0o755,
}
_SSHD_CONFIGURATION = """\
AuthorizedKeysFile /etc/ssh/guest_authorized_keys
HostKey /etc/ssh/guest_host_key
LogLevel INFO
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
Subsystem sftp internal-sftp
UsePAM no
AcceptEnv LANG LC_*
"""
SSHD_CONFIGURATION_FILE = Path("/etc/ssh/guest_sshd_config")


def enter(spec: GuestSpec) -> None:
    """Become the guest: from here on `/` is its own. The caller is alone in a mount namespace of its own."""
    kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
    root = _overlay(Path(spec.folder))
    for source in ("/dev", "/sys"):
        kernel.mount(source, root / source[1:], flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount("proc", root / "proc", "proc")
    kernel.mount("tmpfs", root / "run", "tmpfs", options="mode=755")
    kernel.mount("tmpfs", root / "tmp", "tmpfs", options="mode=1777")
    kernel.mount("tmpfs", root / "dev/shm", "tmpfs", options="mode=1777")
    (root / "run/sshd").mkdir(mode=0o755)
    (root / "run/lock").mkdir(mode=0o1777)
    # Outer folders first: an interpreter within the checkout comes along with it, and would hide the rest of it.
    for path in sorted({spec.project, sys.prefix, sys.base_prefix}):
        _keep_visible(root, Path(path))
    disk = root / DISK.relative_to("/")
    mount_image(spec.image, disk, spec.filesystem)
    _write_files(spec, root)
    for folder in spec.frozen_folders:
        _put_on_disk(root, disk, folder)
    old = root / ".host"
    old.mkdir()
    os.chdir(root)
    subprocess.run(["pivot_root", ".", ".host"], check=True, timeout=10)
    os.chdir("/")
    kernel.detach(Path("/.host"))
    Path("/.host").rmdir()
    os.umask(0o022)


def _overlay(folder: Path) -> Path:
    layers, root = folder / "layers", folder / "root"
    for path in (layers, root):
        path.mkdir()
    kernel.mount("tmpfs", layers, "tmpfs", options="mode=755,size=4g")
    upper, work = layers / "upper", layers / "work"
    upper.mkdir(mode=0o755)
    work.mkdir()
    for name, mode in _OWN_FOLDERS.items():
        own = upper / name
        own.mkdir(parents=True)
        own.chmod(mode)
        os.setxattr(own, "trusted.overlay.opaque", b"y")
    for name in ("etc", "var", "var/lib", "var/log"):
        shutil.copymode(Path("/") / name, upper / name)
    kernel.mount("overlay", root, "overlay", options=f"lowerdir=/,upperdir={upper},workdir={work}")
    return root


def _keep_visible(root: Path, path: Path) -> None:
    """The checkout and the interpreter may lie in a folder that the guest hides, or on another file system."""
    inside = root / path.relative_to("/")
    if inside.is_dir() and any(inside.iterdir()):
        return
    inside.mkdir(parents=True, exist_ok=True)
    kernel.mount(path, inside, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount(path, inside, flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY)


def _write_files(spec: GuestSpec, root: Path) -> None:
    folder = Path(spec.folder)
    ssh = root / "etc/ssh"
    ssh.mkdir(exist_ok=True)
    for source, name, mode in (
        ("host_key", "guest_host_key", 0o600),
        ("client_key.pub", "guest_authorized_keys", 0o644),
    ):
        shutil.copyfile(folder / source, ssh / name)
        (ssh / name).chmod(mode)
    (root / SSHD_CONFIGURATION_FILE.relative_to("/")).write_text(_SSHD_CONFIGURATION)
    (root / "etc/hostname").write_text(f"{spec.name}\n")
    (root / "etc/nologin").unlink(missing_ok=True)
    # Without PAM sshd refuses an account whose password field starts with "!", as root's does on some images.
    shadow = root / "etc/shadow"
    shadow.write_text(re.sub(r"^root:!", "root:*", shadow.read_text(), flags=re.MULTILINE))
    if spec.engine is None:
        return
    engine = ENGINES[spec.engine]
    for path, text in engine.configuration(spec.server_options):
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    run_folder = root / engine.run_folder.relative_to("/")
    run_folder.mkdir(mode=0o755)
    shutil.chown(spec.run_folder, engine.user, engine.user)
    kernel.mount(spec.run_folder, run_folder, flags=kernel.MS_BIND)


def _put_on_disk(root: Path, disk: Path, folder: str) -> None:
    inside = root / folder.lstrip("/")
    inside.mkdir(parents=True, exist_ok=True)
    on_disk = disk / "folders" / folder.lstrip("/")
    on_disk.mkdir(parents=True, exist_ok=True)
    shutil.copystat(inside, on_disk)
    kernel.mount(on_disk, inside, flags=kernel.MS_BIND)
