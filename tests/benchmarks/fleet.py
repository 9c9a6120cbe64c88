# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The fleet task: controller CPU per VM without throttling, beside what a user would pick instead.

The simulator runs in a process of its own with its rate limits off, so what is left is the controller's work. Each way
gets the same fleet: one application-consistent point per VM, waited for. The bare start of ansible-playbook with one
empty task is taken off where a figure says "per VM".
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import yaml

from .measure import ROOT, Result, median, run

SIZES = (200,)
# The size for the ways that would take minutes on more.
SMALL = 200
ANSIBLE = str(Path(sys.executable).with_name("ansible-playbook"))


class Stage(t.NamedTuple):
    folder: Path
    inventory: Path
    environment: dict[str, str]
    vm_ids: list[str]


@contextlib.contextmanager
def stage(count: int) -> t.Iterator[Stage]:
    """A simulator with that many ready VMs, and an inventory of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vms = [{"name": "vm{n}", "count": count, "snapshot_extension": "present", "linux_scripts": "ok"}]
        fleet = {"limits": "off", "durations": {"create": 2}, "rules": {"retry_after": 3}, "vms": vms}
        (folder / "fleet.yml").write_text(yaml.safe_dump(fleet))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.azure_simulator", "--fleet", str(folder / "fleet.yml")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            facts = json.loads(process.stdout.readline() if process.stdout else "")
            hosts = {vm_id.rsplit("/", 1)[-1]: {"azure_vm_id": vm_id} for vm_id in facts["vm_ids"]}
            inventory = folder / "inventory.json"
            inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
            environment = {
                "AZURE_CLOUD_ENVIRONMENT": facts["arm_url"],
                "AZURE_CLIENT_ID": facts["client_id"],
                "AZURE_SECRET": facts["client_secret"],
                "AZURE_TENANT": facts["tenant_id"],
                "SSL_CERT_FILE": facts["ca_file"],
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "SIMULATOR_FACTS": json.dumps({key: value for key, value in facts.items() if key != "vm_ids"}),
            }
            yield Stage(folder, inventory, environment, facts["vm_ids"])
        finally:
            process.terminate()
            process.wait(30)


def playbook(folder: Path, *tasks: dict[str, t.Any], forks: int = 10) -> list[str]:
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
    return [ANSIBLE, "-f", str(forks), "-i", str(folder / "inventory.json"), str(path)]


def empty(folder: Path) -> list[str]:
    """One task that does nothing, once: what ansible-playbook costs with this inventory before any work."""
    return playbook(folder, {"ansible.builtin.debug": {"msg": ""}, "run_once": True})


def ours(folder: Path, number: int) -> list[str]:
    task = {"appconsistent.azure.restore_points": {"schedule_key": f"run{number}", "min_interval": "0s"}}
    return playbook(folder, {**task, "run_once": True})


def floor(folder: Path) -> list[str]:
    """An empty module on each host: the least that any collection with a module per host can cost."""
    python = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return playbook(folder, {"ansible.builtin.ping": {}, "vars": python})


def measure(runs: int, say: t.Callable[[str], None]) -> list[tuple[int, Result, Result]]:
    """Return for each size the bare start and our task, run in turn."""
    found = []
    for size in SIZES:
        with stage(size) as set_up:
            bare, full = [], []
            # The first pair warms up caches and is not counted. The largest size is slow and runs three times.
            for number in range((3 if size > 1000 else runs) + 1):
                bare.append(run(empty(set_up.folder), set_up.environment))
                full.append(run(ours(set_up.folder, number), set_up.environment))
            found.append((size, median("bare start", bare[1:]), median("restore_points", full[1:])))
            say(f"{size} VMs: {1000 * (found[-1][2].cpu - found[-1][1].cpu) / size:.2f} ms CPU per VM")
    return found


def measure_alternatives(runs: int, say: t.Callable[[str], None]) -> tuple[dict[str, Result], list[str]]:
    """Return, for SMALL VMs, our task beside the others, and a sentence for each way that could not be tried."""
    results: dict[str, Result] = {}
    left_out = []
    with stage(SMALL) as set_up:
        ways: dict[str, t.Callable[[int], list[str]]] = {
            "restore_points, one task": lambda number: ours(set_up.folder, number),
            "an empty module per host": lambda _number: floor(set_up.folder),
            "a thread pool over azure-mgmt-compute": lambda number: [
                sys.executable,
                "-m",
                "tests.benchmarks.sdk_pool",
                str(set_up.inventory),
                f"pool{number}",
            ],
        }
        samples: dict[str, list[t.Any]] = {name: [] for name in ways}
        for number in range(runs + 1):
            for name, command in ways.items():
                samples[name].append(run(command(number + 1000), set_up.environment))
        for name, taken in samples.items():
            results[name] = median(name, taken[1:])
            say(f"{name}: {results[name].cpu:.2f} CPU s for {SMALL} VMs")
    left_out.append(
        "A shell loop of `az restore-point create` is not run: azure-cli installs in minutes and takes a second of CPU "
        "per call, so it cannot come first here."
    )
    return results, left_out
