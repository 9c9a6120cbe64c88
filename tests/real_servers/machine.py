"""The tree as a machine: servers and scripts run in it, and see the kernel's processes as they are."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.deployment import DeploymentGuest, run

from tests.system.linux_scripts.deploy_here import DEFAULTS, run_command

PRE = "/etc/azure/appconsistent/pre.sh"
POST = "/etc/azure/appconsistent/post.sh"
LOG = "run/appconsistent/log"
# Long enough for a busy machine, and a statement of seconds is waited for.
TIMEOUT = 20


@dataclass
class Machine:
    """A chroot with what a program expects of one; the mounts go with `stop`."""

    root: Path
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        for kind, place in (("proc", "proc"), ("devtmpfs", "dev"), ("tmpfs", "run"), ("tmpfs", "tmp")):
            subprocess.run(["mount", "-t", kind, kind, str(self.root / place)], check=True)

    def stop(self) -> None:
        # Whatever still runs in it: its root says so.
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "root").resolve() == self.root.resolve():
                    subprocess.run(["kill", "-KILL", process.name], check=False)
            except OSError:
                continue
        for child in self.children:
            child.wait(30)
        self.children.clear()
        for place in ("tmp", "run", "dev", "proc"):
            subprocess.run(["umount", "--lazy", str(self.root / place)], check=False)

    def execute(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["chroot", str(self.root), *command], capture_output=True, text=True, timeout=timeout, check=False
        )

    def begin(self, *command: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        child = subprocess.Popen(["chroot", str(self.root), *command], stdout=quiet, stderr=quiet)
        self.children.append(child)
        return child

    def deploy(self, *profiles: dict[str, object]) -> None:
        wanted = {**DEFAULTS, "timeout": TIMEOUT, "profiles": list(profiles)}
        run(wanted, DeploymentGuest(run_command, root=str(self.root)), check_mode=False)

    def pre(self) -> int:
        return self.execute("sh", PRE).returncode

    def post(self) -> int:
        return self.execute("sh", POST).returncode

    @property
    def log(self) -> str:
        return (self.root / LOG).read_text()

    def wait_for(self, *command: str, seconds: float = 60) -> None:
        """Until a command in it succeeds."""
        end = time.monotonic() + seconds
        while (done := self.execute(*command)).returncode:
            assert time.monotonic() < end, f"{command}: {done.stdout}{done.stderr}"
            # One that has ended is there until its parent has looked.
            for child in self.children:
                child.poll()
            time.sleep(0.2)
