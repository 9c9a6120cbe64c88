# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Old points go after success, own ones only, and never the last good ones."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.engine import Board, take_all
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    Consistency,
    RestorePoint,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.retention import (
    MOST_POINTS,
    Pruned,
    Retention,
    surplus,
)

from tests.unit.plugins.conftest import Stage

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
HOURS_3 = timedelta(hours=3)
APPLICATION = Consistency.ApplicationConsistent
FILES = Consistency.FileSystemConsistent


def point(days: float, consistency: Consistency = APPLICATION, state: str = "Succeeded") -> RestorePoint:
    created = NOW - timedelta(days=days)
    return RestorePoint("/p", f"d{days:g}", consistency, state, created, (), (), "", "", None)


def gone(points: list[RestorePoint], retention: Retention, coming: int = 0) -> list[str]:
    return [each.point.name for each in surplus(points, retention, NOW, interval=HOURS_3, coming=coming)]


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


@pytest.mark.parametrize(("count", "warns"), [(int(MOST_POINTS * 0.8) - 1, False), (int(MOST_POINTS * 0.8), True)])
def test_from_four_fifths_of_the_limit_on_there_is_a_warning(count: int, warns: bool) -> None:
    assert bool(Pruned(kept=count).warning) is warns


def seeded(azure: Stage, *ages: str, name: str = "nightly-{}") -> None:
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
    assert [each.point.name for each in outcome.pruned.removed] == ["nightly-90h", "nightly-60h"]
    assert [name for name in names(azure) if name in ("nightly-30h", "nightly-60h", "nightly-90h")] == ["nightly-30h"]


def test_nothing_goes_where_the_new_point_fell_short(azure: Stage) -> None:
    seeded(azure, "30h", "60h")
    azure.simulator.add_fault("operation_fails", code="VMRestorePointClientError", message="no")
    outcome = azure.take(wish=Wish(schedule="nightly", retention=Retention(keep=1)))["db1"]
    assert outcome.verdict is Verdict.FAILED
    assert {"nightly-30h", "nightly-60h"} <= set(names(azure))


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
        {"name": "nightly-60h", "reason": "there are 2 newer ones (keep)"}
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

    class HeldUp(Board):
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
    assert [each.point.name for each in db1.pruned.removed] == ["nightly-90h"][:removed]
    ((_name, why),) = db1.pruned.failed
    assert why == "the run was told to end (SIGTERM)"
