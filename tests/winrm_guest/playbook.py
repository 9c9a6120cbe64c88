# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs the real ansible-playbook, with its own winrm connection, against guests on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from .machine import Machine
from .server import WinRMServer

ROOT = Path(__file__).parents[2]
Json = dict[str, t.Any]


@dataclass(frozen=True)
class Run:
    """What a run left behind: results by the end of the task's name and by host."""

    status: int
    output: str
    results: tuple[Json, ...]

    def of(self, task: str, host: str = "win1") -> Json:
        """The only result of a task on a host, with its outcome."""
        found = [result for result in self.results if result["task"].endswith(task) and result["host"] == host]
        assert len(found) == 1, f"{task} on {host}: {len(found)} results\n{self.output}"
        return {**found[0]["result"], "outcome": found[0]["outcome"]}

    def hosts(self, outcome: str, task: str) -> set[str]:
        """The hosts on which a task had an outcome."""
        return {
            result["host"] for result in self.results if result["outcome"] == outcome and result["task"].endswith(task)
        }


def environment(folder: Path) -> dict[str, str]:
    """A controller's environment without proxies, certificates or settings of this machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
    }


def play(
    folder: Path,
    machines: t.Sequence[Machine],
    playbook: Path | t.Sequence[Json],
    *arguments: str,
    variables: t.Mapping[str, Json] | None = None,
) -> Run:
    """Run a playbook, or tasks on all guests, and check that the guests understood everything."""
    path = playbook
    if not isinstance(path, Path):
        path = folder / "play.yml"
        path.write_text(
            yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": list(t.cast("t.Any", playbook))}])
        )
    with WinRMServer(machines) as server:
        hosts = {machine.name: server.host_vars(machine) for machine in machines}
        for name, more in (variables or {}).items():
            hosts.setdefault(name, {}).update(more)
        (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        results = folder / "results.jsonl"
        results.unlink(missing_ok=True)
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "inventory.json", path, *arguments],
            cwd=folder,
            env={
                **environment(folder),
                "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "playbooks" / "callback_plugins"),
                "ANSIBLE_CALLBACKS_ENABLED": "task_results",
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "TASK_RESULTS": str(results),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        shells = server.open_shells
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    for machine in machines:
        assert (machine.unknown, machine.trouble) == ([], []), machine.name
    assert shells == [], "shells were left open"
    lines = results.read_text().splitlines() if results.exists() else []
    return Run(done.returncode, output, tuple(json.loads(line) for line in lines))
