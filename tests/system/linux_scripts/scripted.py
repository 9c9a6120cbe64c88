"""A guest with our scripts in it, as tests handle it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.linux_guest import LinuxGuest

_PROJECT = Path(__file__).resolve().parents[3]
PRE = "/etc/azure/appconsistent/pre.sh"
POST = "/etc/azure/appconsistent/post.sh"
RUN = Path("/run/appconsistent")
HOOKS = Path("/etc/azure/appconsistent.d")
CONFIG = Path("/etc/azure/VMSnapshotScriptPluginConfig.json")
SETTINGS = Path("/etc/azure/appconsistent/settings")
DISK_LOG = Path("/var/log/azure/appconsistent.log")
HELD = Path("/var/lib/appconsistent/held")
# Where made-up hooks tell what was asked of them.
STORY = Path("/run/story")


def deploy(guest: LinuxGuest, *profiles: dict[str, object], **options: object) -> dict[str, Any]:
    """Deploy with the module's core, run by the guest."""
    path = f"{_PROJECT / '.tree'}:{_PROJECT}"
    done = guest.run(
        ["env", f"PYTHONPATH={path}", sys.executable, "-m", "tests.system.linux_scripts.deploy_here"],
        text_input=json.dumps({"profiles": list(profiles), **options}),
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def clean(guest: LinuxGuest) -> None:
    """Nothing of ours is left in the guest, nothing runs."""
    guest.run(["pkill", "-KILL", "-f", "/etc/azure/appconsistent"], check=False)
    for folder in ("/etc/azure", "/run/appconsistent", "/var/lib/appconsistent"):
        shutil.rmtree(guest.path(folder), ignore_errors=True)
    guest.path("/etc/azure").mkdir(mode=0o755)
    for file in (STORY, DISK_LOG):
        guest.path(file).unlink(missing_ok=True)


def write(guest: LinuxGuest, path: Path, text: str, mode: int = 0o600) -> None:
    target = guest.path(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


def hook(guest: LinuxGuest, name: str, **verbs: str) -> None:
    """A made-up hook: tells what it was asked for, then does what is said here for the verb."""
    cases = "\n".join(f"    {verb}) {command} ;;" for verb, command in verbs.items())
    text = f'#!/bin/sh\necho "$1 {name}" >>{STORY}\ncase $1 in\n{cases}\nesac\n'
    write(guest, HOOKS / name, text, 0o700)


def limit(
    guest: LinuxGuest, *, freeze: int = 20, script: int = 30, hold: int = 60, thaw: int = 20, sync: str = "no"
) -> None:
    """Other times than the module allows, so that tests need not wait."""
    text = f"AC_FREEZE_SECONDS={freeze}\nAC_SCRIPT_SECONDS={script}\nAC_HOLD_SECONDS={hold}\n"
    text += f"AC_THAW_SECONDS={thaw}\nAC_SYNC={sync}\n"
    write(guest, SETTINGS, text)


def story(guest: LinuxGuest) -> list[str]:
    path = guest.path(STORY)
    return path.read_text().splitlines() if path.exists() else []


def state(guest: LinuxGuest, name: str = "state") -> str:
    path = guest.path(RUN / "current" / name)
    return path.read_text().strip() if path.exists() else ""


def log(guest: LinuxGuest) -> str:
    path = guest.path(RUN / "log")
    return path.read_text() if path.exists() else ""


def until(claim: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether the claim comes true in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Starter:
    """A process in the guest that starts scripts one after the other, as the extension's daemon does.

    A daemon's pipes: what a script says is read by nobody. The environment is that of the agent's service.
    """

    def __init__(self, guest: LinuxGuest, shell: str = "sh") -> None:
        self._shell = shell
        self._process = subprocess.Popen(
            guest.command(["env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "sh"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # At the end of its input the shell ends, and nsenter with it: then the starter is gone for sure.
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def run(self, script: str) -> int:
        """The exit status of a script."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("The starter has no pipes.")
        self._process.stdin.write(f"{self._shell} {script} </dev/null; echo $?\n")
        return int(self._process.stdout.readline())

    def begin_script(self, script: str) -> None:
        """Start a script and go on; `wait_script` tells its exit status."""
        if self._process.stdin is None:
            raise RuntimeError("The starter has no pipe.")
        self._process.stdin.write(f"{self._shell} {script} </dev/null & began=$!\n")

    def wait_script(self) -> int:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("The starter has no pipes.")
        self._process.stdin.write("wait $began; echo $?\n")
        return int(self._process.stdout.readline())
