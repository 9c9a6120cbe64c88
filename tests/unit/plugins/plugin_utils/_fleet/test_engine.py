# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The engine against the simulator: one good point per machine, whatever happens on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.machine import COMPUTE_API, read_machine
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.machine import in_transition
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    Consistency,
)

from tests.fleet_run import take_all
from tests.unit.plugins.conftest import Stage

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
BROKEN = {"publisher": "Contoso", "type": "Monitor", "state": "Failed", "message": "exit 1."}


def points(azure: Stage) -> list[str]:
    """The names of all points that Azure holds."""
    held = azure.simulator.call(lambda world: [point for points in world.points.values() for point in points.values()])
    return sorted(point.name for point in held)


def test_a_ready_machine_gets_what_was_asked_for(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    outcome = azure.take()["db1"]
    assert (outcome.verdict, outcome.reached) == (Verdict.REACHED, Consistency.ApplicationConsistent)
    assert outcome.changed
    assert outcome.point is not None
    assert len(outcome.point.disk_restore_points) == 1


def test_a_second_run_changes_nothing(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.take()
    before = azure.simulator.writes
    outcome = azure.take()["db1"]
    assert (outcome.verdict, outcome.changed) == (Verdict.FRESH, False)
    assert azure.simulator.writes == before


def test_the_first_point_brings_the_extension_along(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "absent"})
    assert azure.take()["db1"].verdict is Verdict.REACHED
    assert azure.simulator.call(lambda world: len(world.vms)) == 1


def test_asked_is_not_reached_where_the_scripts_are_missing(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "missing", "snapshot_extension": "present"})
    outcome = azure.take()["db1"]
    assert (outcome.verdict, outcome.reached) == (Verdict.DEGRADED, Consistency.FileSystemConsistent)
    assert not outcome.good


def test_the_api_is_never_asked_for_application_consistency_by_name(azure: Stage) -> None:
    # The simulator refuses it as Azure does, so a point that was made proves that it was left out.
    azure.vms({"name": "db1", **READY})
    assert azure.take()["db1"].good


def test_one_machines_failure_does_not_stop_the_others(azure: Stage) -> None:
    azure.vms(
        {"name": "good1", **READY},
        {"name": "stopped", **READY, "power": "deallocated"},
        {"name": "broken", **READY, "extensions": [BROKEN]},
        {"name": "silent", **READY, "agent": "not_ready"},
        {"name": "vss", "os": "windows", "vss": "bad", "snapshot_extension": "present"},
        {"name": "good2", "os": "windows", "snapshot_extension": "present"},
    )
    verdicts = {host: outcome.verdict.value for host, outcome in azure.take().items()}
    assert verdicts == {
        "good1": "reached",
        "good2": "reached",
        "stopped": "refused",
        "broken": "refused",
        "silent": "refused",
        "vss": "failed",
    }


def test_a_refused_machine_costs_azure_no_write(azure: Stage) -> None:
    azure.vms({"name": "broken", **READY, "extensions": [BROKEN]})
    outcome = azure.take()["broken"]
    assert azure.simulator.writes == []
    assert "Monitor" in outcome.cause
    assert outcome.advice.startswith("Repair or remove")


def test_check_mode_sends_no_write_and_says_what_would_be_made(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "off", **READY, "power": "deallocated"})
    outcomes = azure.take(check=True)
    assert outcomes["db1"].verdict is Verdict.PLANNED
    assert outcomes["off"].verdict is Verdict.REFUSED
    assert azure.simulator.writes == []


def test_a_writer_failure_says_what_to_repair_and_is_not_tried_again_at_once(azure: Stage) -> None:
    azure.vms({"name": "sql", "os": "windows", "vss": "bad", "snapshot_extension": "present"})
    first = azure.take()["sql"]
    assert first.failure["key"] == "vss_writers_bad"
    assert "Restart the services" in first.advice
    before = azure.simulator.writes
    second = azure.take()["sql"]
    assert azure.simulator.writes == before
    assert second.next_attempt is not None
    assert not second.good


def test_two_runs_at_once_end_with_one_point(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "db2", **READY})
    targets = azure.targets()

    async def both(arm: Arm) -> list[list[Outcome]]:
        return list(await asyncio.gather(*(take_all(arm, targets, Wish(), check=False) for _ in range(2))))

    runs = azure.run(both)
    assert len(points(azure)) == 2
    assert all(outcome.good for run in runs for outcome in run)


def test_a_run_that_was_killed_is_taken_up_by_the_next(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "create_seconds": 60})
    left = azure.take(wish=Wish(wait=False))["db1"]
    assert (left.verdict, left.reached) == (Verdict.RUNNING, Consistency.NONE)
    taken_up = azure.take()["db1"]
    assert (taken_up.verdict, taken_up.changed) == (Verdict.REACHED, False)
    assert len(points(azure)) == 1


@pytest.mark.parametrize("fault", ["lose_answer", "throttle_after_accept", "error_after_accept"])
def test_an_answer_that_is_lost_after_the_put_makes_no_second_point(azure: Stage, fault: str) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault(fault, action="*/restorePoints/write", times=1)
    outcome = azure.take()["db1"]
    assert outcome.good, outcome
    assert len(points(azure)) == 1


def test_an_operation_that_cannot_be_read_does_not_hide_that_its_point_is_made(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    # As often as a request is sent at all.
    azure.simulator.add_fault("error", status=500, method="GET", action="*/locations/operations/read", times=5)
    outcome = azure.take(wish=Wish(attempts=1))["db1"]
    assert (outcome.good, outcome.changed) == (True, True), outcome
    assert len(points(azure)) == 1


def test_a_point_that_is_in_the_making_and_cannot_be_read_for_a_while_is_no_failed_one(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault("lose_answer", action="*/restorePoints/write", times=1)
    azure.simulator.add_fault("error", status=503, action="*/restorePoints/read", times=5)
    outcome = azure.take(wish=Wish(attempts=1))["db1"]
    assert (outcome.verdict, outcome.changed) == (Verdict.REACHED, True), outcome
    assert len(points(azure)) == 1


def test_a_machine_that_misses_its_time_is_still_running_and_neither_failed_nor_done(azure: Stage) -> None:
    azure.vms({"name": "slow", **READY, "create_seconds": 5000})
    outcome = azure.take(wish=Wish(timeout=timedelta(minutes=3)))["slow"]
    assert (outcome.verdict, outcome.reached) == (Verdict.RUNNING, Consistency.NONE)
    assert "still in the making" in outcome.cause
    assert outcome.changed


def test_extensions_that_settle_are_waited_for(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    targets = azure.targets()

    async def story(arm: Arm) -> list[Outcome]:
        machine = await read_machine(arm, targets[0].vm)
        extension = machine.snapshot_extension
        assert extension is not None
        tagged = {"tags": {"touched": "yes"}}
        await arm.request("PATCH", extension.id, COMPUTE_API, doing="touch the extension", body=tagged)
        assert in_transition(await read_machine(arm, targets[0].vm)) == (extension.name,)
        return await take_all(arm, targets, Wish(), check=False)

    assert azure.run(story)[0].verdict is Verdict.REACHED


def test_an_extension_that_never_settles_is_named_and_costs_no_write(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "updating"})
    outcome = azure.take(wish=Wish(timeout=timedelta(minutes=2)))["db1"]
    assert outcome.verdict is Verdict.REFUSED
    assert "still working on the extension VMSnapshotLinux" in outcome.cause
    assert azure.simulator.writes == []


def test_a_collection_of_another_machine_is_not_used(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "db2", **READY})
    db1, db2 = azure.targets("db1", "db2")
    azure.take("db1")
    stranger = replace(db2, collection=Place().of(db1.vm))
    (outcome,) = azure.run(lambda arm: take_all(arm, [stranger], Wish(), check=False))
    assert outcome.verdict is Verdict.FAILED
    assert "for the VM db2: it belongs to" in outcome.cause
    assert len(points(azure)) == 1


def test_a_stopped_machine_can_have_a_crash_consistent_point(azure: Stage) -> None:
    azure.vms({"name": "off", **READY, "power": "deallocated"}, rules={"stopped_vm": "crash_consistent"})
    crash = Consistency.CrashConsistent
    outcome = azure.take(wish=Wish(consistency=crash, minimum=crash))["off"]
    assert (outcome.verdict, outcome.reached) == (Verdict.REACHED, crash)


def test_a_change_to_the_machine_meanwhile_is_tried_again(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault(
        "operation_fails",
        times=1,
        code="OperationNotAllowed",
        message="Changes were made to the Virtual Machine while the operation 'Create Restore Point' was in progress.",
    )
    outcome = azure.take()["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert [name.endswith("-2") for name in points(azure)] == [False, True]


def test_a_machine_that_is_not_there_is_named(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    (target,) = azure.targets("db1")
    ghost = replace(target, host="ghost", vm=replace(target.vm, name="ghost"))
    (outcome,) = azure.run(lambda arm: take_all(arm, [ghost], Wish(), check=False))
    assert "Could not read the virtual machine ghost: ResourceNotFound" in outcome.cause or "ghost" in outcome.cause
    assert outcome.verdict is Verdict.FAILED


def test_the_waves_of_an_application_come_one_after_the_other(azure: Stage) -> None:
    azure.vms({"name": "db", **READY}, {"name": "app", **READY}, {"name": "lone", **READY})
    db, app, lone = azure.targets("db", "app", "lone")
    targets = [replace(app, application="shop", wave=2), replace(db, application="shop", wave=1), lone]
    outcomes = azure.run(lambda arm: take_all(arm, targets, Wish(), check=False))
    assert [outcome.host for outcome in outcomes] == ["app", "db", "lone"]
    created = {outcome.host: outcome.point.created for outcome in outcomes if outcome.point and outcome.point.created}
    assert created["db"] < created["app"]


def test_after_a_wave_that_fell_short_the_next_is_not_begun(azure: Stage) -> None:
    azure.vms({"name": "db", **READY, "power": "deallocated"}, {"name": "app", **READY})
    db, app = azure.targets("db", "app")
    targets = [replace(db, application="shop", wave=1), replace(app, application="shop", wave=2)]
    outcomes = azure.run(lambda arm: take_all(arm, targets, Wish(), check=False))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REFUSED, Verdict.NOT_BEGUN]
    assert "because db in an earlier one is refused" in outcomes[1].cause
    assert azure.simulator.writes == []


def test_a_machine_that_is_deallocated_while_its_point_is_made_is_not_called_an_agent_problem(azure: Stage) -> None:
    """As a Spot VM is when Azure needs the capacity: what Azure says then is about the agent."""
    azure.vms({"name": "spot", **READY, "create_seconds": 60})
    said = {"code": "VMAgentStatusCommunicationError", "message": "VM 'spot' has not reported status."}
    azure.simulator.add_fault("operation_fails", operation="restore_point_create", **said)

    async def story(arm: Arm) -> Outcome:
        task = asyncio.create_task(take_all(arm, azure.targets(), Wish(), check=False))
        while not any("/restorePoints/" in seen.path for seen in azure.simulator.writes):  # noqa: ASYNC110  (the simulator has no event)
            await asyncio.sleep(0.01)
        azure.simulator.call(lambda world: [world.change_vm(key, power="deallocated") for key in list(world.vms)])
        (outcome,) = await task
        return outcome

    outcome = azure.run(story)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.cause.startswith("The VM is deallocated since its point was asked for; ")
    assert "Spot" in outcome.advice
