# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Real ansible-playbook runs against the simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from azure.identity import ClientSecretCredential

from tests.azure_simulator import Simulator

ROOT = Path(__file__).parents[2]
# Simulated seconds to a real one. The client is told to poll every second of its own.
SPEED = 100.0
Json = dict[str, t.Any]


@dataclass(frozen=True)
class TaskResult:
    outcome: str
    host: str
    task: str
    result: Json


@dataclass(frozen=True)
class Run:
    """What one run of ansible-playbook left behind."""

    status: int
    output: str
    results: tuple[TaskResult, ...]

    def of(self, task: str, host: str = "") -> TaskResult:
        """Return the only result of a task (whose name ends so) on a host, or on any."""
        found = [r for r in self.results if r.task.endswith(task) and (not host or r.host == host)]
        assert len(found) == 1, f"{task} on {host}: {len(found)} results\n{self.output}"
        return found[0]

    @property
    def changed(self) -> list[str]:
        return [f"{r.host}: {r.task}" for r in self.results if r.result.get("changed")]


class Controller:
    """A machine that runs ansible-playbook, with the credentials that AWX would inject."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        self.results = folder / "results.jsonl"
        self.variables: dict[str, Json] = {}
        # In the environment that ansible-core runs in.
        self.python = Path(sys.executable)
        self.environment = {
            "AZURE_CLOUD_ENVIRONMENT": simulator.arm_url,
            "AZURE_CLIENT_ID": simulator.client_id,
            "AZURE_SECRET": simulator.client_secret,
            "AZURE_TENANT": simulator.tenant_id,
            "SSL_CERT_FILE": simulator.ca_file,
        }

    def fleet(self, *vms: Json, **fleet: t.Any) -> None:
        self.simulator.reset({"vms": list(vms), "rules": {"retry_after": 1}, **fleet})

    def token(self) -> str:
        """Return a token as somebody else would have got it."""
        credential = ClientSecretCredential(
            self.simulator.tenant_id,
            self.simulator.client_id,
            self.simulator.client_secret,
            authority=self.simulator.authority_url,
            disable_instance_discovery=True,
            connection_verify=self.simulator.ca_file,
        )
        with credential:
            return credential.get_token(f"{self.simulator.arm_url}/.default").token

    def play(self, *tasks: Json, hosts: str = "all", arguments: t.Sequence[str] = (), **play: t.Any) -> Run:
        """Run tasks as a play on the whole fleet."""
        return self.run(self.write_play(tasks, hosts=hosts, **play), *arguments)

    def write_play(self, tasks: t.Sequence[Json], hosts: str = "all", **play: t.Any) -> str:
        path = self.folder / "play.yml"
        path.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **play}]))
        return str(path)

    def prepare(self, playbook: str, *arguments: str) -> tuple[list[str], Json]:
        """Return the command that runs a playbook on the fleet, and the folder and environment for it."""
        hosts = {
            vm_id.rsplit("/", 1)[-1]: {"azure_vm_id": vm_id, **self.variables.get(vm_id.rsplit("/", 1)[-1], {})}
            for vm_id in self.simulator.vm_ids
        }
        inventory = self.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        self.results.unlink(missing_ok=True)
        program = str(self.python.with_name("ansible-playbook"))
        return [program, "-i", str(inventory), playbook, *arguments], {
            "cwd": self.folder,
            "env": {
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
                "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins")),
                "ANSIBLE_CALLBACKS_ENABLED": "task_results",
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "TASK_RESULTS": str(self.results),
                **self.environment,
            },
        }

    def run(self, playbook: str, *arguments: str) -> Run:
        command, settings = self.prepare(playbook, *arguments)
        done = subprocess.run(command, **settings, capture_output=True, text=True, timeout=120, check=False)
        lines = self.results.read_text().splitlines() if self.results.exists() else []
        output = done.stdout + done.stderr
        assert "Traceback" not in output, output
        return Run(done.returncode, output, tuple(TaskResult(**json.loads(line)) for line in lines))


@pytest.fixture(scope="session")
def _simulator() -> t.Iterator[Simulator]:
    with Simulator({"vms": []}, speed=SPEED) as simulator:
        yield simulator


@pytest.fixture
def controller(_simulator: Simulator, tmp_path: Path) -> Controller:
    _simulator.clear_faults()
    return Controller(_simulator, tmp_path)
