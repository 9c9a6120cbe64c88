# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Asked, reached, and the truth about the difference."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import (
    AppConsistentError,
    DeadlineExceeded,
    OperationFailed,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import (
    COLUMNS,
    Outcome,
    Verdict,
    from_error,
    judge,
    shortfall,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._json import parse_time
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.holding import Needed
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    Consistency,
    RestorePoint,
    point_from_json,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.table import table

APPLICATION = Consistency.ApplicationConsistent
FILES = Consistency.FileSystemConsistent
EMPTY = Outcome("db1", "/vm", Verdict.FAILED, APPLICATION, APPLICATION)
ANY = Needed("vm", ())
POINT = RestorePoint("/p", "p", APPLICATION, "Succeeded", None, (), (), "", "", None, vm_uid="vm")


def test_what_was_asked_for_and_reached_is_reached() -> None:
    outcome = judge(EMPTY, POINT, Wish(), "linux", ANY)
    assert (outcome.verdict, outcome.good, outcome.reached) == (Verdict.REACHED, True, APPLICATION)


@pytest.mark.parametrize(("os", "word"), [("windows", "VSS"), ("linux", "script")])
def test_a_weaker_point_is_degraded_and_says_why_on_this_system(os: str, word: str) -> None:
    outcome = judge(EMPTY, replace(POINT, consistency=FILES), Wish(), os, ANY)
    assert (outcome.verdict, outcome.good, outcome.reached) == (Verdict.DEGRADED, False, FILES)
    assert word in outcome.cause
    assert outcome.advice


def test_a_weaker_point_that_the_user_accepts_is_reached_and_shows_what_it_is() -> None:
    outcome = judge(EMPTY, replace(POINT, consistency=FILES), Wish(minimum=FILES), "linux", ANY)
    assert outcome.describe()["verdict"] == "reached"
    assert outcome.describe()["consistency_reached"] == "FileSystemConsistent"


@pytest.mark.parametrize("state", ["Creating", "Failed", "Deleting", "Whatever"])
def test_a_point_that_is_not_finished_has_reached_nothing(state: str) -> None:
    outcome = judge(EMPTY, replace(POINT, state=state), Wish(), "linux", ANY)
    assert outcome.reached is Consistency.NONE
    assert not outcome.good


def test_a_consistency_that_azure_does_not_name_counts_as_none() -> None:
    properties = {"provisioningState": "Succeeded", "consistencyMode": "Super", "sourceMetadata": {"vmId": "VM"}}
    point = point_from_json({"name": "p", "properties": properties})
    assert judge(EMPTY, point, Wish(), "linux", ANY).verdict is Verdict.DEGRADED


def test_a_finished_point_that_names_no_source_proves_nothing() -> None:
    point = point_from_json(
        {"name": "p", "properties": {"provisioningState": "Succeeded", "consistencyMode": "ApplicationConsistent"}}
    )
    outcome = judge(EMPTY, point, Wish(), "linux", ANY)
    assert (outcome.verdict, outcome.good) == (Verdict.INCOMPLETE, False)


def test_time_that_is_up_is_no_failure() -> None:
    assert from_error(EMPTY, DeadlineExceeded("Could not wait")).verdict is Verdict.RUNNING


def test_a_writer_failure_names_the_three_attempts() -> None:
    error = OperationFailed(
        "make p",
        code="VMRestorePointClientError",
        message="Restore Point creation failed due to VSS Writers in bad state.",
    )
    outcome = from_error(EMPTY, error, "windows")
    assert outcome.failure["code"] == "VMRestorePointClientError"
    assert "next three attempts" in outcome.advice


def test_an_error_of_our_own_keeps_its_advice() -> None:
    outcome = from_error(EMPTY, AppConsistentError("no id", advice="Set it."))
    assert (outcome.cause, outcome.advice) == ("no id", "Set it.")


def test_a_time_with_seven_digits_is_read() -> None:
    read = parse_time("2021-01-27T20:35:05.8401519+00:00")
    assert read is not None
    assert read.isoformat() == "2021-01-27T20:35:05.840151+00:00"
    assert parse_time("soon") is None


def test_the_table_shows_those_that_fell_short_last_and_counts_them() -> None:
    good = replace(EMPTY, host="z-good", verdict=Verdict.REACHED, point=POINT, seconds=12.4)
    bad = replace(EMPTY, host="a-bad", verdict=Verdict.REFUSED, cause="It is stopped", advice="Start it.")
    lines = table([bad, good], COLUMNS, "have what was asked for")
    assert [line.split()[0] for line in lines] == ["VM", "z-good", "a-bad", "1"]
    assert lines[1].split() == ["z-good", "application", "application", "12", "reached"]
    assert lines[2].endswith("It is stopped. -> Start it.")
    assert lines[-1] == "1 of 2 VMs have what was asked for."


@pytest.mark.parametrize("os", ["linux", "windows"])
def test_a_point_of_which_azure_says_no_consistency_is_not_called_crash_consistent(os: str) -> None:
    cause, advice = shortfall(Consistency.NONE, os)
    assert cause == "Azure's answer does not say which consistency the point has, so it counts as none"
    assert "restore_point_info" in advice
