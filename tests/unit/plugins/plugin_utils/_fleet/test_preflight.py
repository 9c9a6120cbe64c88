# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What lies around a machine is known before Azure is asked for a point of it."""

from __future__ import annotations

import asyncio

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.survey import Survey
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    CollectionId,
    Consistency,
    begin_point,
    make_collection,
)

from tests.fleet_run import take_all
from tests.unit.plugins.conftest import Stage

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
LISTS = ("/locks", "/disks", "/restorePointCollections", "/policyAssignments")


def lists(azure: Stage) -> list[str]:
    return [seen.path.rpartition("/")[2] for seen in azure.simulator.requests if seen.path.endswith(LISTS)]


def test_what_blocks_is_refused_before_anything_is_asked_for(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "disks": {"data": [{"shared": True}]}}, {"name": "db2", **READY})
    outcomes = azure.take()
    assert outcomes["db1"].verdict is Verdict.REFUSED
    assert "is shared between machines" in outcomes["db1"].cause
    assert "exclude_disks" in outcomes["db1"].advice
    assert [finding.code for finding in outcomes["db1"].findings] == ["shared_disk"]
    assert outcomes["db2"].verdict is Verdict.REACHED


def test_check_mode_says_it_too(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "disks": {"data": [{"shared": True}]}})
    assert azure.take(check=True)["db1"].verdict is Verdict.REFUSED


def test_what_only_warns_is_told_beside_the_point(azure: Stage) -> None:
    backup = {"collection": "AzureBackup_db1_1", "resource_group": "rg-b", "name": "p", "age": "8h"}
    azure.vms({"name": "db1", **READY, "points": [backup]})
    outcome = azure.take()["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert [finding.code for finding in outcome.findings] == ["another_owner"]


def test_a_fleets_surroundings_are_read_once_and_only_when_a_point_is_needed(azure: Stage) -> None:
    azure.vms({"name": "db{n}", "count": 20, **READY})
    azure.take()
    assert sorted(lists(azure)) == ["disks", "locks", "policyAssignments", "restorePointCollections"]
    azure.take()
    assert len(lists(azure)) == 4


def test_what_may_not_be_read_stops_nobody_and_is_told_once(azure: Stage) -> None:
    azure.vms({"name": "db{n}", "count": 3, **READY})
    azure.simulator.add_fault("error", method="GET", action="*/locks/read", status=403, code="AuthorizationFailed")

    async def story(arm: Arm) -> tuple[list[Outcome], list[str]]:
        survey = Survey(arm, azure.targets())
        return await take_all(arm, azure.targets(), Wish(), check=False, survey=survey), survey.unread

    outcomes, unread = azure.run(story)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.REACHED}
    (sentence,) = unread
    assert "AuthorizationFailed" in sentence
    assert not any(outcome.findings for outcome in outcomes)


def test_a_point_that_somebody_else_is_making_is_waited_for(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "create_seconds": 60})
    (target,) = azure.targets()

    async def story(arm: Arm) -> list[Outcome]:
        theirs = CollectionId(target.vm.subscription, target.vm.group, "theirs")
        await make_collection(arm, theirs, location="westeurope", source_id=target.vm.path)
        await begin_point(arm, theirs, "p", consistency=Consistency.ApplicationConsistent)
        await asyncio.sleep(0)
        return await take_all(arm, [target], Wish(), check=False)

    (outcome,) = azure.run(story)
    assert outcome.verdict is Verdict.REACHED
    asked = [seen.path.rpartition("/")[2] for seen in azure.simulator.writes if "/restorePoints/" in seen.path]
    assert asked == ["p", outcome.point.name if outcome.point else ""]


def reads_of_one_collection(azure: Stage) -> int:
    return sum(
        seen.method == "GET" and seen.path.rpartition("/")[0].endswith("/restorePointCollections")
        for seen in azure.simulator.requests
    )


def test_where_the_first_machines_have_no_collection_the_others_are_not_asked_about(azure: Stage) -> None:
    azure.vms({"name": "db{n}", "count": 300, **READY})
    outcomes = azure.take()
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.REACHED}
    assert reads_of_one_collection(azure) < 300 / 2
    # Where there are collections, each has to be looked into.
    before = reads_of_one_collection(azure)
    azure.take()
    assert reads_of_one_collection(azure) == before + 300


def test_a_collection_made_since_the_list_was_read_is_found_with_its_point(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    (target,) = azure.targets()

    async def story(arm: Arm) -> list[Outcome]:
        survey = Survey(arm, [target])
        await survey.around(target.vm)
        assert survey.lacks(Place().of(target.vm))
        (theirs,) = await take_all(arm, [target], Wish(), check=False)
        (ours,) = await take_all(arm, [target], Wish(), check=False, survey=survey)
        return [theirs, ours]

    theirs, ours = azure.run(story)
    assert (theirs.verdict, ours.verdict) == (Verdict.REACHED, Verdict.FRESH)
    assert ours.point is not None
    assert theirs.point is not None
    assert ours.point.name == theirs.point.name
    assert sum("/restorePoints/" in seen.path for seen in azure.simulator.writes) == 1


def test_a_list_that_may_not_be_read_tells_nothing_of_a_collection(azure: Stage) -> None:
    azure.vms({"name": "db{n}", "count": 3, **READY})
    action = "*/restorePointCollections/read"
    azure.simulator.add_fault("error", method="GET", action=action, times=1, status=403, code="AuthorizationFailed")

    async def story(arm: Arm) -> list[Outcome]:
        survey = Survey(arm, azure.targets())
        await survey.around(azure.targets()[0].vm)
        assert len(survey.unread) == 1
        return await take_all(arm, azure.targets(), Wish(), check=False, survey=survey)

    assert {outcome.verdict for outcome in azure.run(story)} == {Verdict.REACHED}
    assert reads_of_one_collection(azure) == 3


def test_a_machine_that_is_tried_again_has_its_collection_made_once(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault(
        "operation_fails",
        times=1,
        code="OperationNotAllowed",
        message="Changes were made to the Virtual Machine while the operation 'Create Restore Point' was in progress.",
    )
    assert azure.take()["db1"].verdict is Verdict.REACHED
    paths = [seen.path.rpartition("/")[0] for seen in azure.simulator.writes if seen.method == "PUT"]
    assert sum(path.endswith("/restorePointCollections") for path in paths) == 1
    assert sum(path.endswith("/restorePoints") for path in paths) == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("part", ["disks", "locks", "policyAssignments"])
def test_a_list_that_is_only_good_to_know_does_not_hold_the_points(azure: Stage, part: str, status: int) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present"})
    azure.simulator.add_fault(
        "error", action=f"*/{part}/read", times=9, status=status, code="Busy", message="later", retry_after=7200
    )

    async def story(arm: Arm) -> tuple[list[Outcome], float]:
        began = arm.clock.monotonic()
        survey = Survey(arm, azure.targets())
        (outcome,) = await take_all(arm, azure.targets(), Wish(), check=False, survey=survey)
        assert survey.unread
        return [outcome], arm.clock.monotonic() - began

    (outcome,), seconds = azure.run(story)
    assert outcome.verdict is Verdict.REACHED
    assert seconds < 600
