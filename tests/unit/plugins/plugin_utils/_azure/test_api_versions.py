# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A cloud that is behind is spoken to in the newest version that it knows and this collection can speak."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.api_versions import ApiVersions
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import AzureError
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish

from tests.fleet_run import take_all
from tests.unit.plugins.conftest import Stage

COLLECTION = "microsoft.compute/restorepointcollections"


def taken(azure: Stage, newest: str) -> tuple[Outcome, list[str]]:
    azure.vms(
        {"name": "db1", "linux_scripts": "ok"}, {"name": "db2", "linux_scripts": "ok"}, rules={"newest_api": newest}
    )

    async def story(arm: Arm) -> tuple[Outcome, list[str]]:
        outcome, _other = await take_all(arm, azure.targets(), Wish(), check=False)
        return outcome, arm.versions.told()

    return azure.run(story)


@pytest.mark.parametrize(
    ("newest", "used"), [("2024-07-01", "2024-07-01"), ("2023-03-31", "2023-03-01"), ("2022-03-01", "2022-03-01")]
)
def test_an_older_cloud_gets_its_points_and_each_version_is_told_once(azure: Stage, newest: str, used: str) -> None:
    outcome, told = taken(azure, newest)
    assert outcome.verdict is Verdict.REACHED, outcome.cause
    assert f"This cloud does not know version 2025-04-01 of {COLLECTION}, so {used} is used" in told
    assert len(told) == len(set(told))
    refused = [seen for seen in azure.simulator.requests if seen.status == 400]
    # Each kind of request once for each type, whatever the number of machines; a few may be on their way together.
    assert len(refused) <= 3 * len(told)


def test_a_cloud_of_the_present_is_asked_once(azure: Stage) -> None:
    _outcome, told = taken(azure, "")
    assert told == []
    assert [seen for seen in azure.simulator.requests if seen.status == 400] == []


def test_what_only_knows_versions_that_cannot_be_spoken_is_told_in_its_own_words(azure: Stage) -> None:
    outcome, _told = taken(azure, "2021-11-01")
    assert outcome.verdict is Verdict.FAILED
    assert "supported api-versions are" in outcome.cause


def refusal(code: str, message: str) -> AzureError:
    return AzureError("do this", code=code, message=message, status=400)


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("'2022-08-01, 2023-03-01, 2021-03-01'", "2023-03-01"),
        ("2023-07-01-preview,2022-11-01", "2022-11-01"),
        ("2023-07-01-preview", "2023-07-01-preview"),
        ("2026-01-01, 2025-04-01", ""),
        ("2021-03-01", ""),
        ("none", ""),
        ("12022-08-011", ""),
    ],
)
def test_the_newest_version_that_both_speak_is_taken(named: str, used: str) -> None:
    versions = ApiVersions()
    error = refusal("NoRegisteredProviderFound", f"The supported api-versions are {named}.")
    assert versions.fall_back(COLLECTION, "2025-04-01", error) is bool(used)
    assert versions.now(COLLECTION, "2025-04-01") == (used or "2025-04-01")


def test_each_refusal_goes_a_step_back_and_the_steps_end() -> None:
    versions = ApiVersions()
    error = refusal("InvalidApiVersionParameter", "2024-07-01, 2024-03-01, 2022-03-01, 2020-01-01")
    used: list[t.Any] = []
    while versions.fall_back(COLLECTION, "2025-04-01", error):
        used.append(versions.now(COLLECTION, "2025-04-01"))
    assert used == ["2024-07-01", "2024-03-01", "2022-03-01"]


@pytest.mark.parametrize(
    ("kind", "code"), [(COLLECTION, "BadRequest"), ("microsoft.storage/accounts", "InvalidResourceType")]
)
def test_no_other_refusal_changes_a_version(kind: str, code: str) -> None:
    assert not ApiVersions().fall_back(kind, "2025-04-01", refusal(code, "2024-07-01"))
