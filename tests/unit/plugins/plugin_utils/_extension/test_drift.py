# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Drift of a fleet's extensions and guards against the simulator: found, explained, healed, or left alone."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.drift import Watch, inspect, watch_over
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.guard import (
    Guard,
    ensure_guarded,
    ensure_lifted,
    ensure_unguarded,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.presence import ensure_absent
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.progress import progress
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.results import MachineReport, result_of
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.runner import Board, reporting_job, run_all
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.table import table

from tests.azure_simulator import fleet_world, vms
from tests.unit.plugins.conftest import Stage

Json = dict[str, t.Any]
READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
WATCH = Watch(Guard(), Wish(min_interval=timedelta(0)), grace=timedelta(0))


def watched(
    azure: Stage, watch: Watch = WATCH, *, check: bool = False, told: list[str] | None = None
) -> dict[str, Json]:
    targets = azure.targets()

    async def story(arm: Arm) -> list[MachineReport]:
        job = reporting_job(3600, lambda arm, target: watch_over(arm, target, watch, check=check))
        board: Board[MachineReport] = Board()
        lines = told if told is not None else []
        async with progress("snapshot extensions", board, arm, 0.0 if told is None else 1.0, lines.append):
            return await run_all(job, arm, targets, board)

    return {report.host: report.describe() for report in azure.run(story)}


def guard_it(azure: Stage) -> None:
    (target,) = azure.targets()
    azure.run(lambda arm: ensure_guarded(arm, target.vm, Guard(), check=False))


def remove(azure: Stage, *, also_extension: bool) -> None:
    (target,) = azure.targets()

    async def story(arm: Arm) -> None:
        await ensure_unguarded(arm, target.vm, Guard(), check=False)
        if also_extension:
            await ensure_absent(arm, target.vm, "somebody", check=False)

    azure.run(story)


def test_a_whole_fleet_is_guarded_and_a_second_run_changes_nothing(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 30, **READY})
    first = watched(azure)
    assert {host["verdict"] for host in first.values()} == {"guarded"}
    assert all(host["changed"] and host["ok"] for host in first.values())
    before = azure.simulator.writes
    assert not any(host["changed"] for host in watched(azure).values())
    assert azure.simulator.writes == before


def test_a_steady_machine_costs_two_requests(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 20, **READY})
    watched(azure)
    before = len(azure.simulator.requests)
    watched(azure)
    asked = [seen for seen in azure.simulator.requests[before:] if seen.path.startswith("/subscriptions/")]
    assert len(asked) == 2 * 20


def test_check_mode_sends_no_write(azure: Stage) -> None:
    azure.vms({"name": "bare", **READY}, {"name": "new", "linux_scripts": "ok"})
    hosts = watched(azure, check=True)
    assert hosts["bare"]["changed"]
    assert hosts["new"]["changed"]
    assert azure.simulator.writes == []


def test_a_removed_guard_is_put_back_and_the_remover_named(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    remove(azure, also_extension=False)
    host = watched(azure)["db1"]
    (drift,) = host["drift"]
    assert (host["verdict"], drift["code"], drift["healed"], drift["removed_in"]) == (
        "healed",
        "guard_removed",
        True,
        "Azure",
    )
    assert drift["removed_by"]["caller"] == azure.simulator.client_id
    assert drift["removed_by"]["client_address"] == "127.0.0.1"
    assert host["snapshot_extension_guard"]["guarded"]


def test_a_machine_that_is_guarded_for_the_first_time_has_not_drifted(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    host = watched(azure)["db1"]
    assert (host["verdict"], host["drift"]) == ("guarded", [])


def test_a_removed_extension_is_installed_guarded_and_its_remover_named(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    remove(azure, also_extension=True)
    host = watched(azure)["db1"]
    assert (host["ok"], host["verdict"], host["extension_state"]) == (True, "healed", "healthy")
    missing = next(drift for drift in host["drift"] if drift["code"] == "extension_missing")
    assert missing["healed"]
    assert f"{azure.simulator.client_id} removed it at" in missing["message"]
    assert host["snapshot_extension_guard"]["guarded"]


def test_without_the_leave_to_install_a_missing_extension_is_only_reported(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok"})
    host = watched(azure, replace(WATCH, install=False))["db1"]
    assert (host["ok"], host["verdict"]) == (False, "drifted")
    assert "install=true" in host["advice"]
    assert azure.simulator.writes == []


def test_an_automatic_update_is_not_taken_for_a_removal(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    remove(azure, also_extension=True)
    (target,) = azure.targets()
    watch = replace(WATCH, grace=timedelta(minutes=10))

    def comes_back(world: t.Any) -> None:
        (vm,) = world.vms.values()
        world.put_extension(vm.key, fleet_world.snapshot_extension(vm, "Succeeded"))

    async def story(arm: Arm) -> MachineReport:
        async def update() -> None:
            await arm.clock.sleep(20)
            await asyncio.to_thread(azure.simulator.call, comes_back)

        report, _nothing = await asyncio.gather(watch_over(arm, target, watch, check=False), update())
        return report

    host = azure.run(story).describe()
    assert "extension_missing" not in [drift["code"] for drift in host["drift"]]
    assert host["extension_state"] == "healthy"
    assert not [seen for seen in azure.simulator.writes if "/restorePoints/" in seen.path]


def test_a_failed_extension_is_repaired_when_asked_and_otherwise_reported(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "failed"})
    host = watched(azure)["db1"]
    assert (host["verdict"], host["drift"][0]["code"]) == ("drifted", "extension_failed")
    assert "state=repaired" in host["advice"]
    assert host["snapshot_extension_guard"]["guarded"]
    healed = watched(azure, replace(WATCH, repair=True))["db1"]
    assert (healed["verdict"], healed["extension_state"]) == ("healed", "healthy")
    assert healed["snapshot_extension_guard"]["guarded"]


def test_a_break_glass_is_left_alone(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    (target,) = azure.targets()
    azure.run(lambda arm: ensure_lifted(arm, target.vm, Guard(), "change 4711", timedelta(hours=1), check=False))
    host = watched(azure)["db1"]
    assert (host["ok"], host["verdict"], host["changed"]) == (True, "lifted", False)
    assert "change 4711" in host["cause"]
    azure.run(lambda arm: ensure_absent(arm, target.vm, "the change", check=False))
    gone = watched(azure)["db1"]
    assert (gone["verdict"], gone["changed"]) == ("drifted", False)
    assert "lifted until" in gone["cause"]


def test_one_machines_failure_does_not_stop_the_others_and_says_why(azure: Stage) -> None:
    azure.vms({"name": "good", **READY}, {"name": "off", "power": "deallocated"}, {"name": "odd", **READY})
    azure.simulator.add_fault("denied", vm="odd", action="Microsoft.Authorization/locks/write")
    hosts = watched(azure)
    assert [hosts[name]["verdict"] for name in ("good", "off", "odd")] == ["guarded", "failed", "failed"]
    assert "deallocated" in hosts["off"]["cause"]
    assert hosts["odd"]["failure"]["key"] == "guard_rights_missing"


def test_a_log_that_may_not_be_read_costs_the_name_and_not_the_healing(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    remove(azure, also_extension=False)
    azure.simulator.add_fault("denied", action="Microsoft.Insights/*")
    host = watched(azure)["db1"]
    assert host["changed"]
    assert host["snapshot_extension_guard"]["guarded"]
    assert "Microsoft.Insights/eventtypes/values/read" in host["not_read"][0]


def test_progress_is_told_and_the_table_ends_with_those_that_need_somebody(azure: Stage) -> None:
    azure.vms({"name": "a-failed", "linux_scripts": "ok", "snapshot_extension": "failed"}, {"name": "b-good", **READY})
    told: list[str] = []
    targets = azure.targets()

    async def story(arm: Arm) -> list[MachineReport]:
        job = reporting_job(3600, lambda arm, target: watch_over(arm, target, WATCH, check=False))
        board: Board[MachineReport] = Board()
        async with progress("snapshot extensions", board, arm, 1.0, told.append):
            return await run_all(job, arm, targets, board)

    reports = azure.run(story)
    assert told[-1].startswith("snapshot extensions: 2 of 2 done; 1 drifted, 1 guarded")
    lines = table(reports, (), "are well")
    assert lines[1].startswith("b-good")
    assert lines[-1] == "1 of 2 VMs are well."
    summary = result_of(reports, (), lines)["summary"]
    assert (summary["total"], summary["ok"], summary["drifted"]) == (2, 1, 1)


@pytest.mark.parametrize("there", [True, False])
def test_the_guard_is_inspected_without_a_change(azure: Stage, there: bool) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    remove(azure, also_extension=not there)
    before = azure.simulator.writes
    (target,) = azure.targets()
    found = azure.run(lambda arm: inspect(arm, target, Guard(policy=True), timedelta(days=7)))
    assert not found["guarded"]
    assert found["extension_state"] == ("healthy" if there else "missing")
    assert found["removed"]["lock"]["caller"] == azure.simulator.client_id
    assert bool(found["removed"]["extension"]) is not there
    assert azure.simulator.writes == before


def test_an_extension_that_was_removed_inside_the_guest_is_told_from_one_removed_in_azure(
    azure: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.vms({"name": "db1", **READY})
    view = vms._agent_view
    monkeypatch.setattr(vms, "_agent_view", lambda world, vm: {**view(world, vm), "extensionHandlers": []})
    host = watched(azure)["db1"]
    (drift,) = host["drift"]
    assert (host["verdict"], drift["code"], drift["removed_in"]) == ("drifted", "extension_disabled", "guest")
    assert "guest_snapshot_info" in host["advice"]
    still = watched(azure, replace(WATCH, repair=True))["db1"]
    assert (still["verdict"], still["drift"][0]["healed"]) == ("drifted", False)
