# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The fleet task: controller CPU per VM without throttling, from 200 to 10,000 VMs.

The simulator runs in a process of its own with its rate limits off, so what is left is the controller's work: one
application-consistent point per VM, waited for. The bare start of ansible-playbook with one empty task is taken off
where a figure says "per VM".
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import typing as t
import urllib.request
from pathlib import Path

import yaml

from .measure import ROOT, Result, median, run

SIZES = (200, 1_000, 10_000)
MOST_CPU_MS, MOST_MB = 3.0, 120
ANSIBLE = str(Path(sys.executable).with_name("ansible-playbook"))


class Stage(t.NamedTuple):
    folder: Path
    inventory: Path
    environment: dict[str, str]
    vm_ids: list[str]
    facts: dict[str, str]


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
                "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
            }
            vm_ids = facts.pop("vm_ids")
            yield Stage(folder, inventory, {**environment, "SIMULATOR_FACTS": json.dumps(facts)}, vm_ids, facts)
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


def ours(folder: Path) -> list[str]:
    task = {"appconsistent.azure.restore_points": {"schedule_key": "nightly"}}
    return playbook(folder, {**task, "run_once": True})


def requests_for(set_up: Stage) -> int:
    """Return how many requests the points took; raise RuntimeError unless each VM has a good one, and only one."""
    good = [
        point["vm"].lower()
        for point in _asked(set_up, "points")["points"]
        if (point["state"], point["consistency"]) == ("Succeeded", "ApplicationConsistent")
    ]
    if sorted(good) != sorted(vm_id.lower() for vm_id in set_up.vm_ids):
        raise RuntimeError(f"{len(set_up.vm_ids)} VMs have {len(good)} good points: this is no figure for good ones")
    return int(sum(_asked(set_up, "requests")["counts"].values()))


def _asked(set_up: Stage, what: str) -> dict[str, t.Any]:
    with urllib.request.urlopen(f"{set_up.facts['control_url']}/{what}") as answer:
        return dict(json.load(answer))


def measure(size: int, runs: int) -> tuple[Result, Result, float]:
    """Return the bare start, our task for a fleet of that size, run in turn, and the requests per VM.

    The first pair warms up. Each has a fleet of its own, for Azure makes three points of a VM an hour.
    """
    # The largest takes long, and what there is to be warmed up is warm from the smaller ones.
    warm_up = int(size < max(SIZES))
    bare, full, requests = [], [], 0
    for _round in range(runs + warm_up):
        with stage(size) as set_up:
            bare.append(run(empty(set_up.folder), set_up.environment))
            full.append(run(ours(set_up.folder), set_up.environment))
            requests = requests_for(set_up)
    return median("bare start", bare[warm_up:]), median("restore_points", full[warm_up:]), requests / size


def section(runs: int, say: t.Callable[[str], None]) -> list[str]:
    """The part of docs/benchmarks.md."""
    bare, full, _requests = measure(1, runs)
    fixed = full.cpu - bare.cpu
    rows, each_took = [], 0.0
    for size in SIZES:
        bare, full, each_took = measure(size, runs)
        each, more = 1000 * (full.cpu - bare.cpu) / size, full.peak_mb - bare.peak_mb
        further = 1000 * (full.cpu - bare.cpu - fixed) / (size - 1)
        say(f"{size:,} VMs: {each:.2f} ms CPU per VM, {full.wall:.1f} s, {more:.0f} MB above the start")
        rows.append(
            f"| {size:,} | {bare.cpu:.2f} | {full.cpu:.2f} | {each:.2f} | {further:.2f} | {full.wall:.1f} "
            f"| {full.peak_mb:.0f} | {more:.0f} |"
        )
    return [
        f"The rate limits are off, so this is the controller's own work: {each_took:.1f} requests per VM over TLS, the",
        "verdict and the result. Each VM gets a good point, its first. Wanted: at most "
        f"{MOST_CPU_MS:.0f} ms CPU per VM above",
        "the bare start of ansible-playbook with the same inventory, as flat as can be, and at most "
        f"{MOST_MB} MB above it.",
        f"One VM alone takes {fixed:.2f} CPU s, most of it for loading the libraries (see Start-up below);",
        "each further one what its column says.",
        "",
        "| VMs | CPU s, bare start | CPU s, restore_points | ms CPU per VM | per further VM | wall s | peak MB "
        "| MB above the start |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
