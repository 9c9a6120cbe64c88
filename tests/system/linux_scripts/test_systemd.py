# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pair under a real systemd: a killed agent leaves nothing held, and no hold is called whole unproved."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.deployment import DeploymentGuest, run

from .scripted import until

# systemctl freezes a unit by way of the bus.
_PACKAGES = "systemd,systemd-sysv,dbus,util-linux"
_ORDERS = """[Service]
ExecStart=/bin/sh -c 'while :; do echo >>/run/orders; sleep 0.05; done'
"""
# As Azure's agent: it starts pre.sh, waits for the snapshot, and starts post.sh when it is told to.
_AGENT = """[Service]
ExecStart=/bin/sh -c 'sh /etc/azure/appconsistent/pre.sh; echo $? >/run/pre; \
until [ -e /run/taken ]; do sleep 0.1; done; \
sh /etc/azure/appconsistent/post.sh; echo $? >/run/post; sleep 1000'
KillMode=process
"""


def _need() -> None:
    missing = [name for name in ("systemd-nspawn", "debootstrap", "nsenter") if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("REQUIRE_SYSTEM") == "1":
        pytest.fail("A machine with systemd needs " + ", ".join(missing), pytrace=False)
    if missing:
        pytest.skip("A machine with systemd needs " + ", ".join(missing))


class Machine:
    """A Debian tree whose first process is systemd."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self._nspawn = subprocess.Popen(
            [
                *("systemd-nspawn", "--register=no", "--keep-unit", "--quiet", "--console=pipe", "--link-journal=no"),
                *(f"--directory={tree}", "--boot"),
            ],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        self._init = ""
        if not until(self._is_up, 60):
            self.stop()
            raise RuntimeError("systemd did not come up.")

    def _is_up(self) -> bool:
        self._init = self._children.read_text().strip()
        return bool(self._init) and self.said("systemctl", "is-system-running") in ("running", "degraded")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        entered = ["nsenter", f"--target={self._init}", "--all", "--wd=/"]
        return subprocess.run([*entered, *command], capture_output=True, text=True, timeout=60, check=False)

    def said(self, *command: str) -> str:
        return self.run(*command).stdout.strip()

    def read(self, path: str) -> str:
        return self.said("cat", path)

    def state(self) -> str:
        return self.read("/run/appconsistent/current/state")

    def works(self) -> bool:
        """Whether the service gets on with its work."""
        before = self.said("wc", "--bytes", "/run/orders")
        return until(lambda: self.said("wc", "--bytes", "/run/orders") != before, 10)

    def stop(self) -> None:
        """As a power cut."""
        if self._init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self._init), signal.SIGKILL)
        self._nspawn.kill()
        self._nspawn.wait()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    _need()
    kept = os.environ.get("APPCONSISTENT_SYSTEMD_TREE")
    folder = Path(kept or tempfile.mkdtemp(prefix="appconsistent-systemd-"))
    tree = folder / "tree"
    try:
        if not (tree / "lib/systemd/systemd").exists():
            subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(tree)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        for name, text in (("orders", _ORDERS), ("agent", _AGENT)):
            (tree / f"etc/systemd/system/{name}.service").write_text(text)
        started = Machine(tree)
        try:
            yield started
        finally:
            started.stop()
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _command(argv: list[str], text: str) -> tuple[int, str]:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr or done.stdout


def _deploy(machine: Machine, *profiles: dict[str, Any]) -> None:
    machine.run("systemctl", "kill", "--signal=KILL", "agent.service")
    machine.run("systemctl", "stop", "agent.service")
    assert until(lambda: machine.state() not in ("freezing", "held", "releasing", "stuck"), 30)
    machine.run("rm", "-rf", "/run/appconsistent", "/run/pre", "/run/post", "/run/taken", "/etc/azure")
    params = {"state": "present", "profiles": list(profiles), "timeout": 60, "hold_seconds": 120, "poll_seconds": 1}
    params.update(continue_backup_on_failure=True, fs_freeze_enabled=True, force=False)
    run({**params, "log_file": "/var/log/azure/appconsistent.log"}, DeploymentGuest(_command, str(machine.tree)), False)
    machine.run("systemctl", "daemon-reload")


def _hold(machine: Machine) -> None:
    machine.run("systemctl", "start", "agent.service")
    assert until(lambda: machine.read("/run/pre") != "")
    assert machine.read("/run/pre") == "0", machine.read("/run/appconsistent/log")


def _release(machine: Machine) -> str:
    machine.run("touch", "/run/taken")
    assert until(lambda: machine.read("/run/post") != "")
    return machine.read("/run/post")


@pytest.mark.parametrize("mode", ["pause", "stop"])
def test_a_hold_is_whole_and_the_service_works_on(machine: Machine, mode: str) -> None:
    _deploy(machine, {"name": "service", "unit": "orders.service", "mode": mode})
    machine.run("systemctl", "start", "orders.service")
    _hold(machine)
    before = machine.read("/run/orders")
    assert _release(machine) == "0", machine.read("/run/appconsistent/log")
    assert machine.works()
    assert machine.read("/run/orders").startswith(before)
    assert machine.said("systemctl", "list-units", "--no-legend", "appconsistent-keeps-*") == ""


@pytest.mark.parametrize("mode", ["pause", "stop"])
def test_the_agents_whole_group_is_killed_and_the_service_is_released_at_once(machine: Machine, mode: str) -> None:
    _deploy(machine, {"name": "service", "unit": "orders.service", "mode": mode})
    machine.run("systemctl", "start", "orders.service")
    _hold(machine)
    machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=all", "agent.service")
    assert until(lambda: machine.state() == "broken"), machine.read("/run/appconsistent/log")
    assert "the process that started pre.sh is gone" in machine.read("/run/appconsistent/current/reason")
    assert machine.works()


@pytest.mark.parametrize("runs_before", [True, False])
def test_a_unit_that_is_not_enabled_was_started_and_stopped_meanwhile(machine: Machine, runs_before: bool) -> None:
    _deploy(machine, {"name": "service", "unit": "orders.service", "mode": "stop"})
    machine.run("systemctl", "start" if runs_before else "stop", "orders.service")
    _hold(machine)
    machine.run("systemctl", "start", "orders.service")
    machine.run("systemctl", "stop", "orders.service")
    assert _release(machine) == "1"
    assert "does not prove that it was not" in machine.read("/run/appconsistent/current/reason")


def test_a_service_that_does_not_run_is_left_out_and_proved_to_stay_so(machine: Machine) -> None:
    _deploy(machine, {"name": "service", "unit": "orders.service", "mode": "pause"})
    machine.run("systemctl", "stop", "orders.service")
    _hold(machine)
    assert _release(machine) == "0"
    assert machine.said("systemctl", "is-active", "orders.service") == "inactive"


def test_the_boot_unit_tries_again_and_delays_nothing(machine: Machine) -> None:
    ready = ["test", "-e", "/run/ready"]
    _deploy(machine, {"name": "command", "freeze_command": ["true"], "thaw_command": ["true"], "boot_command": ready})
    machine.run("mkdir", "-p", "/var/lib/appconsistent")
    (machine.tree / "var/lib/appconsistent/held").write_text("some-run\n")
    assert machine.run("systemctl", "start", "appconsistent-boot.service").returncode == 0
    assert until(lambda: "NOT cleaned up: 10-command" in machine.read("/run/appconsistent/log"))
    machine.run("touch", "/run/ready")
    assert until(lambda: not (machine.tree / "var/lib/appconsistent/held").exists(), 40)
    assert until(lambda: machine.said("systemctl", "is-active", "appconsistent-boot.service") == "inactive")
    assert "cleaned up" in machine.read("/var/log/azure/appconsistent.log")
    assert "cleaned up" in machine.said("journalctl", "--identifier=appconsistent", "--output=cat")
