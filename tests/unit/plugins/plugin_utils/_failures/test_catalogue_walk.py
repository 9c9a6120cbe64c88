# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every failure of the catalogue on its way to the text that a user sees: as an operation's end, as an answer to a
request, in a guest's last run, at the sign-in. None is left out."""

from __future__ import annotations

import asyncio
import typing as t
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.answers import credential_error
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import CredentialError
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.catalogue import CATALOGUE
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.diagnosis import diagnose, lines
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.entry import Entry, Retry, Seen
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.explain import explain, next_step_after
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import COLUMNS, Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.table import table

from tests.unit.plugins.conftest import Stage

Json = dict[str, t.Any]
ONCE = Wish(attempts=1, timeout=timedelta(minutes=30))


def way_of(entry: Entry) -> str:
    """By which way a failure reaches a user; the first that fits."""
    if entry.example.status == 429:
        return "throttle"
    if Seen.RESTORE_POINT in entry.seen and not entry.statuses:
        return "operation"
    if Seen.ARM in entry.seen:
        return "answer"
    if Seen.SIGN_IN in entry.seen:
        return "sign-in"
    if Seen.GUEST in entry.seen and entry.example.code.isdigit():
        return "last run"
    if Seen.EXTENSION in entry.seen:
        return "operation"
    return "explanation"


def entries(way: str) -> pytest.MarkDecorator:
    found = [entry for entry in CATALOGUE if way_of(entry) == way]
    assert found, way
    return pytest.mark.parametrize("entry", found, ids=lambda entry: entry.key)


def stage(azure: Stage, entry: Entry) -> None:
    os = entry.example.os or entry.os or "linux"
    azure.vms({"name": "vm", "os": os, "linux_scripts": "ok", "snapshot_extension": "present"})


def _for_linux(entry: Entry) -> Entry:
    """An entry may have a closer one for the system of the guest, which the fleet always knows."""
    if entry.os or entry.example.os:
        return entry
    example = entry.example
    assert explain(example.code, example.message, status=example.status).key == entry.key
    return next((other for other in CATALOGUE if other.key == f"{entry.key}_linux"), entry)


def assert_told(outcome: Outcome, entry: Entry) -> None:
    """The verdict, the result and the printed table all say what the entry says."""
    assert outcome.verdict is Verdict.FAILED, outcome
    assert outcome.failure["key"] == entry.key
    assert outcome.failure["retry"] == entry.retry.value
    assert entry.cause in outcome.describe()["cause"]
    assert outcome.advice.startswith(entry.remedy)
    printed = " ".join(" ".join(table([outcome], COLUMNS, "have what was asked for")).split())
    assert " ".join(entry.remedy.split()) in printed


@entries("operation")
def test_an_operation_that_fails_so_is_explained(azure: Stage, entry: Entry) -> None:
    stage(azure, entry)
    example = entry.example
    azure.simulator.add_fault(
        "operation_fails", operation="restore_point_create", code=example.code, message=example.message
    )
    assert_told(azure.take("vm", wish=ONCE)["vm"], _for_linux(entry))


@entries("answer")
def test_an_answer_that_refuses_so_is_explained(azure: Stage, entry: Entry) -> None:
    stage(azure, entry)
    example = entry.example
    status = example.status or next(iter(entry.statuses), 409)
    azure.simulator.add_fault(
        "error",
        action="Microsoft.Compute/restorePointCollections/restorePoints/write",
        status=status,
        code=example.code,
        message=example.message,
    )
    assert_told(azure.take("vm", wish=ONCE)["vm"], entry)


@entries("throttle")
def test_a_limit_that_nothing_but_waiting_lifts_is_explained(entry: Entry) -> None:
    # A limit of the subscription is waited out and never seen; see the tests of the gate. What is left is the text.
    example = entry.example
    explanation = explain(example.code, example.message, status=429)
    assert (explanation.key, explanation.retry, explanation.remedy) == (entry.key, Retry.LATER, entry.remedy)


@entries("last run")
def test_a_guests_last_run_that_ended_so_is_explained(entry: Entry) -> None:
    example = entry.example
    run = {"code": int(example.code), "meaning": example.message, "consistency_reached": "file_system"}
    guest = {"guest_snapshot": {"os": entry.os or example.os or "linux", "last_run": run, "findings": []}}
    short = {"ok": False, "cause": "It fell short.", "advice": "Look.", "failure": {}, "findings": []}
    told = diagnose(short, {}, guest, {}, {})
    if example.code in ("0", "1"):
        # Zero is success, and one is a file-system-consistent snapshot that says nothing about its cause.
        assert told["cause"] == "It fell short."
        return
    assert told["code"] == entry.key
    assert lines("vm", told)[0] == f"vm: {entry.remedy}"


@entries("sign-in")
def test_a_sign_in_that_is_refused_so_is_explained(entry: Entry) -> None:
    example = entry.example
    error = credential_error(
        example.message if example.code in example.message else f"{example.code}: {example.message}"
    )
    assert isinstance(error, CredentialError)
    if example.code.startswith("AADSTS"):
        assert next_step_after(error) == entry.remedy
        assert example.code in str(error)
    else:
        assert explain(example.code, example.message, status=example.status).remedy == entry.remedy


@entries("explanation")
def test_what_only_others_report_is_explained_by_its_code(entry: Entry) -> None:
    example = entry.example
    explanation = explain(example.code, example.message, status=example.status, os=example.os)
    assert (explanation.key, explanation.cause, explanation.remedy, explanation.retry, explanation.docs) == (
        entry.key,
        entry.cause,
        entry.remedy,
        entry.retry,
        entry.docs,
    )


def test_a_secret_that_has_expired_is_explained_at_the_real_sign_in(azure: Stage) -> None:
    azure.simulator.add_fault("secret_expired")

    async def story() -> None:
        async with azure.arm() as arm:
            await arm.sign_in()

    with pytest.raises(CredentialError) as refused:
        asyncio.run(story())
    entry = next(entry for entry in CATALOGUE if "AADSTS7000222" in entry.codes)
    assert next_step_after(refused.value) == entry.remedy


def test_every_entry_is_walked() -> None:
    ways = {way_of(entry) for entry in CATALOGUE}
    assert ways == {"operation", "answer", "throttle", "sign-in", "last run", "explanation"}
    walked = [entry.key for way in ways for entry in CATALOGUE if way_of(entry) == way]
    assert sorted(walked) == sorted(entry.key for entry in CATALOGUE)


def test_a_failure_that_nobody_knows_keeps_azures_words(azure: Stage) -> None:
    azure.vms({"name": "vm", "linux_scripts": "ok", "snapshot_extension": "present"})
    azure.simulator.add_fault(
        "operation_fails", operation="restore_point_create", code="NobodyKnowsThis", message="The moon is in the way."
    )
    outcome = azure.take("vm", wish=ONCE)["vm"]
    assert outcome.failure["key"] == "unknown"
    assert "NobodyKnowsThis" in outcome.cause
    assert "The moon is in the way." in outcome.cause
    assert outcome.advice
