# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Jobs on Windows machines: the pretend Azure and the guests that are reached over WinRM, in one run."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from tests.awx.jobs import Awx, Inventory, Job, Json
from tests.winrm_guest.machine import Machine, machine
from tests.winrm_guest.server import WinRMServer

BAD: Json = {"System Writer": {"state": 9, "error": "timed_out"}}
WELL: Json = {"os": "windows", "snapshot_extension": "present"}


class Fleet:
    """Windows guests under the names of machines in Azure, and a machine there whose guest nobody looks into."""

    def __init__(self, awx: Awx) -> None:
        self.awx = awx
        self.guests: dict[str, Machine] = {}
        self.variables: dict[str, Json] = {}

    def guest(self, name: str, *, variables: Json | None = None, **changes: t.Any) -> Machine:
        self.guests[name] = machine(name, **{"facts": {"time": None}, **changes})
        self.variables[name] = variables or {}
        return self.guests[name]

    def launch(self, playbook: str, **options: t.Any) -> Job:
        with WinRMServer(self.guests.values()) as server:
            hosts = self.awx.inventory().hosts
            told = {
                name: {**server.host_vars(guest), **self.variables[name], **hosts.get(name, {})}
                for name, guest in self.guests.items()
            }
            job = self.awx.launch(
                f"awx/project/{playbook}.yml",
                # One that azure_rm tells to be of Windows is in no group of it.
                inventory=Inventory(
                    {**hosts, **told}, {"windows": [name for name in sorted(told) if "os_disk" not in told[name]]}
                ),
                **options,
            )
            assert server.open_shells == []
        for name, guest in self.guests.items():
            assert (guest.unknown, guest.trouble) == ([], []), name
        return job


@pytest.fixture
def fleet(awx: Awx) -> Iterator[Fleet]:
    yield Fleet(awx)


def failures(job: Job) -> dict[str, list[str]]:
    """What each host's failed tasks said, those that a rescue took up among them."""
    said: dict[str, list[str]] = {}
    for event in job.events:
        if event["event"] == "runner_on_failed":
            said.setdefault(event["event_data"]["host"], []).append(event["event_data"]["res"]["msg"])
    return said


def test_prepare_gives_each_machine_a_verdict_on_its_guest_and_on_its_extension(awx: Awx, fleet: Fleet) -> None:
    awx.fleet(
        {"name": "well", **WELL, "snapshot_extension": "absent"},
        {"name": "sick", **WELL},
        {"name": "mended", **WELL},
        {"name": "linux", "linux_scripts": "ok", "snapshot_extension": "present"},
    )
    well, sick = fleet.guest("well"), fleet.guest("sick", writers=BAD)
    azure_rm = {"os_disk": {"operating_system_type": "windows"}}
    mended = fleet.guest("mended", writers=BAD, variables={**azure_rm, "windows_vss_repair": True})
    job = fleet.launch("prepare")

    assert job.failed_hosts == ["sick"], job.stdout
    *_rescued, verdict = failures(job)["sick"]
    assert verdict.startswith("System Writer failed (VSS_WS_FAILED_AT_FREEZE, Timed out).")
    assert job.summaries("rescued") == {"sick": 1}
    # Nothing is repaired unless that is asked for, and then only what is bad.
    assert [guest.restarted for guest in (well, sick, mended)] == [[], [], ["CryptSvc"]]
    # A bad writer keeps no machine from its extension and its guard, which are Azure's business.
    held = awx.simulator.call(lambda world: {vm.name for vm in world.vms.values() if world.extensions.get(vm.key)})
    assert held == {"well", "sick", "mended", "linux"}
    assert awx.simulator.call(lambda world: len(world.locks)) == 4


def test_diagnose_looks_into_the_guest_of_a_machine_that_fell_short_and_into_no_other(awx: Awx, fleet: Fleet) -> None:
    awx.fleet(
        {"name": "good", **WELL},
        {
            "name": "sick",
            **WELL,
            "vss": "bad",
            "extensions": [{"type": "Monitor", "publisher": "X", "state": "Failed"}],
        },
    )
    good, sick = fleet.guest("good"), fleet.guest("sick", writers=BAD)
    job = fleet.launch("diagnose")
    assert job.status == "successful", job.stdout
    assert awx.simulator.writes == []
    assert [[name for name, _arguments in guest.received] for guest in (good, sick)] == [[], ["snapshot", "survey"]]
    (told,) = (
        event["event_data"]["res"]["msg"]
        for event in job.events
        if event["event"] == "runner_on_ok" and event["event_data"]["task"].endswith("Say what to do next")
    )
    assert told[0] == "sick: Repair or remove the extension Monitor, then run this again."
    assert any("System Writer" in line for line in told), told


def test_the_self_check_reads_only_and_comes_to_a_verdict_per_guest(awx: Awx, fleet: Fleet) -> None:
    awx.fleet({"name": "not-meant", **WELL})
    german = fleet.guest("german", language="de")
    lacking = fleet.guest("lacking", missing_cmdlets=["Get-CimInstance"])
    job = fleet.launch("windows_self_check", variables={"appconsistent_hosts": "windows"})
    assert job.failed_hosts == ["lacking"], job.stdout
    assert "there is no command Get-CimInstance" in failures(job)["lacking"][-1]
    assert "Every command is understood on this guest." in job.stdout
    assert (german.changes, lacking.changes) == (0, 0)
    # It asks the guests alone: no Azure credential is needed for it.
    assert awx.simulator.requests == []
