# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Old points go after success, own ones only, and never the last good ones."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.holding import Needed
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    Consistency,
    RestorePoint,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.retention import (
    Pruned,
    Retention,
    surplus,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.runner import Board

from tests.fleet_run import take_all
from tests.unit.plugins.conftest import Stage

ANY = Needed("vm", ())
NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
HOURS_3 = timedelta(hours=3)
APPLICATION = Consistency.ApplicationConsistent
FILES = Consistency.FileSystemConsistent


def point(days: float, consistency: Consistency = APPLICATION, state: str = "Succeeded") -> RestorePoint:
    created = NOW - timedelta(days=days)
    return RestorePoint("/p", f"d{days:g}", consistency, state, created, (), (), "", "", None, vm_uid="vm")


def gone(points: list[RestorePoint], retention: Retention, coming: int = 0) -> list[str]:
    return [each.point.name for each in surplus(points, retention, NOW, ANY, interval=HOURS_3, coming=coming)]


def test_without_a_limit_nothing_goes() -> None:
    assert gone([point(days) for days in range(1, 400)], Retention()) == []


def test_the_newest_are_kept_by_number() -> None:
    assert gone([point(1), point(2), point(3), point(4)], Retention(keep=2)) == ["d4", "d3"]


def test_what_is_older_than_the_span_goes() -> None:
    assert gone([point(1), point(8), point(31)], Retention(keep_for=timedelta(days=7))) == ["d31", "d8"]


def test_the_last_good_one_stays_however_old_and_however_many_weak_ones_are_newer() -> None:
    points = [point(1, FILES), point(2, FILES), point(3, FILES), point(100)]
    assert gone(points, Retention(keep=2, keep_for=timedelta(days=7))) == ["d3"]


def test_as_many_good_ones_stay_as_are_asked_for() -> None:
    points = [point(10), point(20), point(30), point(40)]
    assert gone(points, Retention(keep=1, keep_good=3)) == ["d40"]


def test_a_failed_point_stays_until_the_next_attempt_is_allowed() -> None:
    points = [point(0.1, Consistency.NONE, "Failed"), point(2, Consistency.NONE, "Failed"), point(3)]
    assert gone(points, Retention(keep=5)) == ["d2"]


def test_a_point_in_the_making_is_left_alone() -> None:
    assert gone([point(1), point(2, state="Creating"), point(3, state="Deleting")], Retention(keep=1)) == []


def test_check_mode_counts_the_point_that_would_be_made() -> None:
    assert gone([point(1), point(2)], Retention(keep=2), coming=1) == ["d2"]


@pytest.mark.parametrize(("count", "warns"), [(399, False), (400, True)])
def test_from_four_fifths_of_the_limit_on_there_is_a_warning(count: int, warns: bool) -> None:
    assert bool(Pruned(kept=count).warning) is warns


def seeded(azure: Stage, *ages: str, name: str = "nightly--{}") -> None:
    """A VM whose default collection holds points of these ages already."""
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present"})
    collection = azure.collection("db1")
    points = [
        {"collection": collection, "resource_group": "rg-fleet", "name": name.format(age), "age": age} for age in ages
    ]
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present", "points": points})


def names(azure: Stage) -> list[str]:
    held = azure.simulator.call(lambda world: [point for held in world.points.values() for point in held.values()])
    return sorted(point.name for point in held)


def test_old_points_go_only_after_a_good_new_one(azure: Stage) -> None:
    seeded(azure, "30h", "60h", "90h")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=2)))["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert outcome.pruned is not None
    assert [each.point.name for each in outcome.pruned.removed] == ["nightly--90h", "nightly--60h"]
    assert [name for name in names(azure) if name in ("nightly--30h", "nightly--60h", "nightly--90h")] == [
        "nightly--30h"
    ]


def test_nothing_goes_where_the_new_point_fell_short(azure: Stage) -> None:
    seeded(azure, "30h", "60h")
    azure.simulator.add_fault("operation_fails", code="VMRestorePointClientError", message="no")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.verdict is Verdict.FAILED
    assert {"nightly--30h", "nightly--60h"} <= set(names(azure))


def test_points_of_others_are_never_touched(azure: Stage) -> None:
    seeded(azure, "30h", "60h", name="weekly-{}")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.pruned is not None
    assert (outcome.pruned.removed, outcome.pruned.others) == ((), 2)
    assert {"weekly-30h", "weekly-60h"} <= set(names(azure))


def test_check_mode_says_what_would_go_and_why_and_deletes_nothing(azure: Stage) -> None:
    seeded(azure, "30h", "60h")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=2)), check=True)["db1"]
    assert outcome.describe()["retention"]["removed"] == [
        {"name": "nightly--60h", "reason": "there are 2 newer ones (keep)"}
    ]
    assert azure.simulator.writes == []


def test_a_lock_that_keeps_old_points_is_told_and_the_new_point_is_still_good(azure: Stage) -> None:
    seeded(azure, "30h", "60h")
    azure.simulator.add_fault("denied", action="*/restorePoints/delete")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.good
    assert outcome.pruned is not None
    assert "2 old points could not be deleted" in outcome.pruned.warning
    assert "AuthorizationFailed" in outcome.pruned.warning


@pytest.mark.parametrize(("asked", "removed"), [("GET", 0), ("DELETE", 1)])
def test_a_run_told_to_end_while_it_deletes_old_points_says_what_it_knows_of_the_new_one(
    azure: Stage, asked: str, removed: int
) -> None:
    seeded(azure, "30h", "60h", "90h")

    class HeldUp(Board[Outcome]):
        """Azure's rate limit holds up the reading of the list of points, or the deleting of the second one."""

        def put(self, host: str, phase: str) -> None:
            super().put(host, phase)
            if phase == "deleting old points":
                azure.simulator.add_fault("throttle", method=asked, retry_after=900, times=1, skip=removed)

    async def story(arm: Arm) -> list[Outcome]:
        board = HeldUp()
        wish = Wish(schedule="nightly", retention=Retention(keep=1))
        run = asyncio.create_task(take_all(arm, azure.targets(), wish, check=False, board=board))
        while board.phases.get("db1") != "deleting old points":
            await arm.clock.sleep(1)
        await arm.clock.sleep(60)
        board.stop("the run was told to end (SIGTERM)")
        return await run

    (db1,) = azure.run(story)
    assert (db1.verdict, db1.changed) == (Verdict.REACHED, True)
    assert db1.pruned is not None
    assert [each.point.name for each in db1.pruned.removed] == ["nightly--90h"][:removed]
    ((_name, why),) = db1.pruned.failed
    assert why == "the run was told to end (SIGTERM)"


def test_a_schedule_whose_name_begins_alike_and_a_persons_point_are_others(azure: Stage) -> None:
    others = ("daily-db-20261101T0000Z", "daily-db--7", "daily-before-upgrade", "daily-7", "dailyx--1")
    vm = {"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present"}
    azure.vms(vm)
    where = {"collection": azure.collection("db1"), "resource_group": "rg-fleet"}
    azure.vms({**vm, "points": [{**where, "name": name, "age": "5h"} for name in others]})
    wish = Wish(schedule="daily", retention=Retention(keep=1, keep_good=1))
    outcome = azure.take(wish=wish)["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert set(others) < set(names(azure))


def full(azure: Stage, own: int, state: str = "Succeeded") -> None:
    """A VM all of whose 500 points are used: the oldest are of the schedule, the others of another tool."""
    vm = {"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present"}
    azure.vms(vm)
    where = {"collection": azure.collection("db1"), "resource_group": "rg-fleet", "state": state}
    mine = [{**where, "name": f"nightly--{age}", "age": f"{age}h"} for age in range(30, 30 + own)]
    others = [{"collection": "theirs", "name": f"theirs-{number}", "age": "9d"} for number in range(500 - own)]
    azure.vms({**vm, "points": mine + others})


@pytest.mark.parametrize(("own", "keep"), [(12, 3), (5, 5), (5, 4), (1, 1)])
def test_where_all_points_are_used_what_goes_anyway_goes_first(azure: Stage, own: int, keep: int) -> None:
    full(azure, own)
    wish = Wish(schedule="nightly", retention=Retention(keep=keep, keep_good=1))
    planned = azure.take(wish=wish, check=True)["db1"]
    assert azure.simulator.writes == []
    outcome = azure.take(wish=wish)["db1"]
    oldest = f"nightly--{29 + own}"
    if own <= keep:
        # Without the new point nothing is too much: the last good one is not given up for one that may fail.
        assert (planned.verdict, outcome.verdict) == (Verdict.REFUSED, Verdict.REFUSED)
        assert oldest in names(azure)
        return
    assert (planned.verdict, outcome.verdict) == (Verdict.PLANNED, Verdict.REACHED)
    assert planned.pruned is not None
    assert outcome.pruned is not None
    assert outcome.pruned.removed[0].point.name == oldest
    assert {each.point.name for each in outcome.pruned.removed} == {each.point.name for each in planned.pruned.removed}
    assert len([name for name in names(azure) if name.startswith("nightly")]) == keep


def test_failed_points_of_ones_own_make_room_without_any_retention(azure: Stage) -> None:
    full(azure, 2, state="Failed")
    outcome = azure.take(wish=Wish(schedule="nightly"))["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert [name for name in names(azure) if name.startswith("nightly--")] == []


def test_no_room_is_made_where_the_point_would_be_refused_anyway(azure: Stage) -> None:
    full(azure, 5)
    azure.simulator.call(lambda world: [world.change_vm(key, power="deallocated") for key in list(world.vms)])
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.verdict is Verdict.REFUSED
    assert len(names(azure)) == 500


def test_what_made_room_for_a_point_that_failed_is_told(azure: Stage) -> None:
    full(azure, 5)
    azure.simulator.add_fault("operation_fails", operation="restore_point_create", times=9, code="Bad", message="no")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.verdict is Verdict.FAILED
    assert [each["name"] for each in outcome.describe()["retention"]["removed"]] == ["nightly--34"]


def test_what_could_not_make_room_is_told(azure: Stage) -> None:
    full(azure, 5)
    azure.simulator.add_fault("error", method="DELETE", times=9, status=403, code="AuthorizationFailed", message="no")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.pruned is not None
    assert outcome.pruned.warning.startswith("1 old points could not be deleted, nightly--34 for one:")
