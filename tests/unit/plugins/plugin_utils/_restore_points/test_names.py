# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whose a point is, is told by its name alone, and no name is two schedules' own."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.names import (
    LONGEST_NAME,
    Naming,
    check_schedule,
    of_schedule,
    read_name,
    window_key,
)

NOW = datetime(2026, 11, 23, 14, 59, tzinfo=timezone.utc)
WINDOW = window_key(NOW, timedelta(hours=24))
# Each a beginning, an end or a likeness of another.
SCHEDULES = ("daily", "daily-db", "Daily-2", "d", "daily-20261123T0000Z", "daily-20261123T0000Z-2", "a.b", "a_b", "2")
KEYS = ("db", "db-2", "2", "20261123T0000Z", "20261123T0000Z-2", "before-upgrade", "22", "a.b")


def test_a_window_is_named_by_its_start() -> None:
    assert WINDOW == "20261123T0000Z"
    assert window_key(NOW, timedelta(hours=1)) == "20261123T1400Z"


def test_no_two_schedules_windows_keys_and_attempts_share_a_name() -> None:
    namings = [
        *(Naming(schedule, key, keyed=True) for schedule, key in itertools.product(SCHEDULES, KEYS)),
        *(Naming(schedule, WINDOW, keyed=False) for schedule in SCHEDULES),
    ]
    names: dict[str, tuple[Naming, int]] = {}
    for naming, attempt in itertools.product(namings, (1, 2, 3, 22, 9999)):
        name = naming.name(attempt)
        assert names.setdefault(name.lower(), (naming, attempt)) == (naming, attempt)
        assert [(other, other.attempt_of(name)) for other in namings if other.attempt_of(name)] == [(naming, attempt)]
        assert [schedule for schedule in SCHEDULES if of_schedule(name, schedule)] == [naming.schedule]


@pytest.mark.parametrize(
    "name",
    [
        "nightly",
        "nightly-before-upgrade",
        "nightly-2",
        "nightly-",
        "nightly--",
        "nightly---key",
        "nightly--key--",
        "nightly--key--other",
        "nightly--key--1",
        "nightly--key--02",
        "nightly-20261123",
        "nightly-20261123T0000Z-1",
        "nightly-20261123T0000Z-before-upgrade",
        "nightly-20261123T0000Z-20000",
        "nightly20261123T0000Z",
        "AzureBackup_20261123",
        "xnightly--key",
    ],
)
def test_what_a_person_or_another_tool_named_is_no_schedules(name: str) -> None:
    assert not of_schedule(name, "nightly")


@pytest.mark.parametrize("name", ["NIGHTLY-20261123t0000z", "Nightly--KEY--2"])
def test_azure_does_not_tell_upper_from_lower_case(name: str) -> None:
    assert of_schedule(name, "nightly")


@pytest.mark.parametrize(
    ("schedule", "key"),
    [("a--b", ""), ("-a", ""), ("a-", ""), ("-", ""), ("a", "-b"), ("a", "b-"), ("a", "b--c"), ("a", "b--2")],
)
def test_what_could_not_be_told_apart_is_refused_by_its_option(schedule: str, key: str) -> None:
    with pytest.raises(InvalidInput, match=f"option {'schedule_key' if key else 'schedule'} is"):
        check_schedule(schedule, key)


@pytest.mark.parametrize(("schedule", "key"), [("nächtlich", "x y"), ("a" * 61, ""), ("a" * 40, "b" * 33), ("a b", "")])
def test_what_azure_would_not_take_is_refused(schedule: str, key: str) -> None:
    with pytest.raises(InvalidInput, match="schedule"):
        check_schedule(schedule, key)


def test_the_longest_schedule_and_key_leave_room_for_an_attempt() -> None:
    check_schedule("a" * 60, "")
    check_schedule("a" * 40, "b" * 32)
    assert len(Naming("a" * 60, WINDOW, keyed=False).name(9999)) <= LONGEST_NAME
    assert len(Naming("a" * 40, "b" * 32, keyed=True).name(9999)) <= LONGEST_NAME


def test_a_schedule_that_ends_like_a_window_is_read_by_its_last_one() -> None:
    read = read_name("a-20261123T0000Z-20261124T0000Z-3")
    assert read is not None
    assert (read.schedule, read.key, read.attempt) == ("a-20261123t0000z", "20261124t0000z", 3)
