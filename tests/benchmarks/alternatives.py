# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The fleet task beside what a user would pick instead, on the same fleet and in turn."""

from __future__ import annotations

import shlex
import sys
import typing as t
from pathlib import Path

from .fleet import Stage, empty, ours, playbook, requests_for, stage
from .measure import Result, Sample, median, run

VMS = 200
# A call of az takes a second of CPU or more, each the same: this many are made and the figures scaled.
AZ_CALLS = 5

START = "bare start of ansible-playbook"
OURS = "restore_points, one task"
EMPTY = "an empty module per host"
POOL = "a thread pool over azure-mgmt-compute"
AZ = "a shell loop of `az restore-point create`"


def empty_module(folder: Path) -> list[str]:
    """An empty module on each host: the least that any collection with a module per host can cost."""
    python = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return playbook(folder, {"ansible.builtin.ping": {}, "vars": python})


def sdk_pool(set_up: Stage) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.sdk_pool", str(set_up.inventory)]


WAYS: dict[str, t.Callable[[Stage], list[str]]] = {
    START: lambda set_up: empty(set_up.folder),
    OURS: lambda set_up: ours(set_up.folder),
    EMPTY: lambda set_up: empty_module(set_up.folder),
    POOL: sdk_pool,
}


def az_environment(set_up: Stage) -> dict[str, str]:
    """Azure CLI's own folder and CA, so that no setting of the user's is touched."""
    return {
        "AZURE_CONFIG_DIR": str(set_up.folder / "az"),
        "REQUESTS_CA_BUNDLE": set_up.facts["ca_file"],
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }


def prepare_az(az: str, set_up: Stage) -> None:
    """Register the simulator as a cloud, sign in, and make the collections, none of which is counted."""
    facts = set_up.facts
    environment = az_environment(set_up)
    sign_in = ["--username", facts["client_id"], "--password", facts["client_secret"], "--tenant", facts["tenant_id"]]
    commands = [
        ["cloud", "register", "--name", "simulator", "--endpoint-resource-manager", facts["arm_url"]],
        ["cloud", "set", "--name", "simulator"],
        ["login", "--service-principal", *sign_in],
    ]
    for vm_id in set_up.vm_ids[:AZ_CALLS]:
        group, name = _place(vm_id)
        place = ["--resource-group", group, "--collection-name", f"{name}-az", "--location", "westeurope"]
        commands.append(["restore-point", "collection", "create", *place, "--source-id", vm_id])
    for command in commands:
        run([az, *command], environment)


def az_loop(az: str, set_up: Stage) -> list[str]:
    """Only the creates, not waited for and not read back: less than the other ways do."""
    calls = []
    for vm_id in set_up.vm_ids[:AZ_CALLS]:
        group, name = _place(vm_id)
        place = ["--resource-group", group, "--collection-name", f"{name}-az", "--name", "az"]
        calls.append(shlex.join([az, "restore-point", "create", "--no-wait", *place]))
    return ["sh", "-ec", "\n".join(calls)]


def _place(vm_id: str) -> tuple[str, str]:
    parts = vm_id.strip("/").split("/")
    return parts[3], parts[-1]


def measure(runs: int, az: str | None) -> dict[str, Result]:
    """All ways in turn, so that what else the machine does falls on all of them; the first round is not counted."""
    samples: dict[str, list[Sample]] = {}
    for _round in range(runs + 1):
        # A fleet for each round: Azure makes three points of a VM an hour.
        with stage(VMS) as set_up:
            for name, way in WAYS.items():
                samples.setdefault(name, []).append(run(way(set_up), set_up.environment))
                if name == OURS:
                    requests_for(set_up)
            if az:
                prepare_az(az, set_up)
                taken = run(az_loop(az, set_up), az_environment(set_up))
                scale = VMS / AZ_CALLS
                samples.setdefault(AZ, []).append(Sample(taken.cpu * scale, taken.wall * scale, taken.peak_mb))
    return {name: median(name, taken[1:]) for name, taken in samples.items()}


def section(runs: int, say: t.Callable[[str], None], az: str | None) -> list[str]:
    """The part of docs/benchmarks.md; `az` is the Azure CLI's command where there is one."""
    results = measure(runs, az)
    start, ours_ = results.pop(START), results[OURS]
    rows = []
    for name, result in results.items():
        # What does not begin with ansible-playbook has nothing to be taken off.
        own, own_start = (r.cpu - (start.cpu if r.name in (OURS, EMPTY) else 0.0) for r in (result, ours_))
        say(f"{name}: {result.cpu:.2f} CPU s for {VMS} VMs, {result.cpu / ours_.cpu:.1f} times ours")
        rows.append(
            f"| {name} | {result.cpu:.2f} | {result.cpu / ours_.cpu:.1f} | {own:.2f} | {own / own_start:.1f} "
            f"| {result.wall:.0f} | {result.peak_mb:.0f} |"
        )
    az_words = (
        f"{AZ_CALLS} calls of az were measured and the figures scaled to {VMS}; they neither wait nor read back, and "
        "the collections were there already."
        if az
        else "A shell loop of `az restore-point create` was left out, for no `az` was found: give it one with "
        "`make bench BENCH='--az PATH'`."
    )
    return [
        f"{VMS} VMs, one application-consistent point each. Wanted: at least 40 times less CPU than an empty module",
        "per host, the floor of every collection with a module per host, and than the shell loop; and less than the",
        f"thread pool. The bare start of ansible-playbook ({start.cpu:.2f} CPU s) is in the first figures and taken",
        "off in the second.",
        "",
        "| way | CPU s | ratio | CPU s above the start | ratio | wall s | peak MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        az_words,
    ]
