# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The age of a point is a matter of Azure's clock, and where the clocks are far apart nothing old is deleted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.azure_time import AzureTime
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.retention import Retention

from tests.unit.plugins.conftest import Stage

DAYS = timedelta(days=1)
MONTH = Wish(schedule="nightly", max_age=DAYS, retention=Retention(keep_for=30 * DAYS))
HERE = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


def seeded(azure: Stage, *ages: str) -> None:
    vm = {"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present"}
    azure.vms(vm)
    points = [
        {"collection": azure.collection("db1"), "resource_group": "rg-fleet", "name": f"nightly--{age}", "age": age}
        for age in ages
    ]
    azure.vms({**vm, "points": points})


def deleted(azure: Stage) -> int:
    return sum(request.method == "DELETE" for request in azure.simulator.writes)


@pytest.mark.parametrize("ahead", [60 * DAYS, -60 * DAYS, timedelta(hours=2), 20_000 * DAYS], ids=str)
def test_no_good_point_is_deleted_by_a_clock_that_is_far_off(azure: Stage, ahead: timedelta) -> None:
    seeded(azure, *(f"{day}d" for day in range(2, 12)), "40d")
    azure.ahead = ahead
    outcome = azure.take(wish=MONTH)["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert outcome.pruned is not None
    side = "behind" if ahead < timedelta(0) else "ahead of"
    assert f"{side} Azure's, so no old point was deleted" in outcome.pruned.warning
    assert deleted(azure) == 0


@pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(minutes=-20), timedelta(seconds=3)], ids=str)
def test_with_a_clock_that_is_a_little_off_ages_are_azures(azure: Stage, ahead: timedelta) -> None:
    """The points are a few minutes on either side of the limit."""
    seeded(azure, "43190m", "43210m")
    azure.ahead = ahead
    outcome = azure.take(wish=MONTH)["db1"]
    assert outcome.pruned is not None
    assert [each.point.name for each in outcome.pruned.removed] == ["nightly--43210m"]


@pytest.mark.parametrize("ahead", [-2 * DAYS, timedelta(minutes=-50), 2 * DAYS, timedelta(0)], ids=str)
@pytest.mark.parametrize(("age", "verdict"), [("1215m", Verdict.REACHED), ("1185m", Verdict.FRESH)])
def test_fresh_is_what_azure_made_lately(azure: Stage, ahead: timedelta, age: str, verdict: Verdict) -> None:
    seeded(azure, age)
    azure.ahead = ahead
    wish = Wish(schedule="nightly", max_age=timedelta(hours=20))
    assert azure.take(wish=wish)["db1"].verdict is verdict


def test_two_controllers_with_different_clocks_make_one_point_of_a_window(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present"})
    first = azure.take(wish=MONTH)["db1"]
    azure.ahead = 3 * DAYS
    second = azure.take(wish=MONTH)["db1"]
    assert (first.verdict, second.verdict) == (Verdict.REACHED, Verdict.FRESH)
    assert first.point is not None and second.point is not None
    assert first.point.name == second.point.name


def azure_time(*dates: str | None) -> AzureTime:
    time = AzureTime(Clock(utc_now=lambda: HERE))
    for date in dates:
        time.note(date)
    return time


@pytest.mark.parametrize(
    "date",
    [None, "", "soon", "0", "Mon, 99 Nov 2026 12:00:00 GMT", "Mon, 23 Nov 99999 12:00:00 GMT", "\ud800", "1" * 99],
)
def test_a_date_that_is_none_changes_nothing(date: str | None) -> None:
    assert (azure_time(date).now(), azure_time(date).doubt()) == (HERE, "")


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Mon, 23 Nov 2026 12:00:04 GMT", ""),
        ("Mon, 23 Nov 2026 12:04:00 GMT", ""),
        ("Mon, 23 Nov 2026 11:50:00 GMT", "This machine's clock is 10 min ahead of Azure's"),
        ("Wed, 25 Nov 2026 12:00:00 -0000", "This machine's clock is 2 d behind Azure's"),
        ("Mon, 23 Nov 2026 14:00:00 +0200", ""),
    ],
)
def test_a_difference_that_matters_is_told(date: str, told: str) -> None:
    assert azure_time(date).told() == told


def test_answers_that_contradict_each_other_are_not_believed() -> None:
    time = azure_time("Mon, 23 Nov 2026 12:00:00 GMT", "Mon, 23 Nov 2026 14:00:00 GMT", "Mon, 23 Nov 2026 12:00:00 GMT")
    assert time.told() == ""
    assert time.doubt() == "The times that Azure's answers tell differ by 2 h"


def test_a_new_point_that_azure_dates_otherwise_is_a_second_witness() -> None:
    assert azure_time().doubt_of_new(HERE - timedelta(minutes=50), timedelta(0)) == ""
    assert azure_time().doubt_of_new(HERE - timedelta(minutes=100), timedelta(minutes=50)) == ""
    assert azure_time().doubt_of_new(HERE + 2 * DAYS, timedelta(minutes=50)).startswith("Azure dates the new point 1 d")
