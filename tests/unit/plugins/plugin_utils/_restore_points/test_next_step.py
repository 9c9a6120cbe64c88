# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has to be done for a machine, decided from what Azure holds already."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.holding import Needed
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import (
    Adopt,
    Keep,
    Make,
    TooEarly,
    Wish,
    next_step,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    Collection,
    Consistency,
    RestorePoint,
)

ANY = Needed("vm", ())
NOW = datetime(2026, 11, 23, 14, 30, tzinfo=timezone.utc)
TODAY = "appconsistent-20261123T0000Z"
APPLICATION = Consistency.ApplicationConsistent
FILES = Consistency.FileSystemConsistent
CRASH = Consistency.CrashConsistent


def point(
    name: str, hours_ago: float | None, consistency: Consistency = APPLICATION, state: str = "Succeeded"
) -> RestorePoint:
    created = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    return RestorePoint("/id", name, consistency, state, created, (), (), "", "", None, vm_uid="vm")


def collection(*points: RestorePoint) -> Collection:
    return Collection("/c", "c", "westeurope", "/vm", "Succeeded", points)


def test_without_any_point_one_is_made_under_the_name_of_todays_window() -> None:
    assert next_step(Wish(), None, NOW, ANY) == Make(TODAY)


def test_the_same_window_gives_the_same_name_whenever_it_is_asked() -> None:
    assert next_step(Wish(), None, NOW.replace(hour=0, minute=0), ANY) == next_step(
        Wish(), None, NOW.replace(hour=23), ANY
    )


def test_a_good_young_point_is_kept() -> None:
    young = point(TODAY, 5)
    assert next_step(Wish(), collection(young), NOW, ANY) == Keep(young)


def test_a_young_point_of_yesterdays_window_is_kept_too() -> None:
    young = point("appconsistent-20261122T0000Z", 23)
    assert next_step(Wish(), collection(young), NOW, ANY) == Keep(young)


def test_a_good_point_that_is_too_old_is_not_enough() -> None:
    assert next_step(Wish(), collection(point("appconsistent-20261122T0000Z", 25)), NOW, ANY) == Make(TODAY)


def test_a_point_of_another_schedule_is_not_fresh_for_this_one() -> None:
    assert next_step(Wish(schedule="hourly"), collection(point(TODAY, 5)), NOW, ANY) == Make("hourly-20261123T0000Z")


def test_a_weak_point_is_not_enough_and_the_next_attempt_has_a_name_of_its_own() -> None:
    assert next_step(Wish(), collection(point(TODAY, 5, FILES)), NOW, ANY) == Make(f"{TODAY}-2")


def test_a_weak_point_is_enough_when_the_user_says_so() -> None:
    weak = point(TODAY, 5, FILES)
    assert next_step(Wish(minimum=FILES), collection(weak), NOW, ANY) == Keep(weak)


def test_a_point_in_the_making_is_adopted() -> None:
    making = point(TODAY, None, state="Creating")
    assert next_step(Wish(), collection(making), NOW, ANY) == Adopt(making)


def test_three_hours_pass_between_two_attempts() -> None:
    weak = point(TODAY, 1, FILES)
    assert next_step(Wish(), collection(weak), NOW, ANY) == TooEarly(weak, NOW + timedelta(hours=2))


def test_a_failed_attempt_counts_as_one() -> None:
    failed = point(TODAY, 1, Consistency.NONE, "Failed")
    assert isinstance(next_step(Wish(), collection(failed), NOW, ANY), TooEarly)


def test_attempts_of_others_count_as_well() -> None:
    foreign = point("AzureBackup_20261123", 1)
    assert next_step(Wish(), collection(foreign), NOW, ANY) == TooEarly(foreign, NOW + timedelta(hours=2))


def test_a_crash_consistent_point_does_not_hold_back_an_application_consistent_one() -> None:
    assert next_step(Wish(), collection(point("x", 0.5, CRASH)), NOW, ANY) == Make(TODAY)


def test_the_interval_can_be_shortened() -> None:
    weak = point(TODAY, 1, FILES)
    assert next_step(Wish(min_interval=timedelta(minutes=20)), collection(weak), NOW, ANY) == Make(f"{TODAY}-2")


def test_a_key_asks_for_one_point_however_old() -> None:
    wish = Wish(schedule="change", key="4711")
    old = point("change--4711", 1000)
    assert next_step(wish, collection(old), NOW, ANY) == Keep(old)
    assert next_step(wish, collection(point("change--4712", 100)), NOW, ANY) == Make("change--4711")


def test_a_named_point_that_is_there_is_kept() -> None:
    there = point("before-upgrade", 100)
    assert next_step(Wish(name="before-upgrade"), collection(there), NOW, ANY) == Keep(there)


@pytest.mark.parametrize(
    ("asked", "there"), [(APPLICATION, CRASH), (CRASH, APPLICATION), (APPLICATION, FILES)], ids=str
)
def test_a_named_point_of_another_consistency_is_refused_by_name(asked: Consistency, there: Consistency) -> None:
    wish = Wish(name="p", consistency=asked, minimum=asked)
    with pytest.raises(InvalidInput, match=rf"p exists already and is {there.label}, but {asked.label} was asked for"):
        next_step(wish, collection(point("p", 100, there)), NOW, ANY)
