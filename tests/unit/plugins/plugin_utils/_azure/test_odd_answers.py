# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A simulated Azure behind gateways and servers that answer oddly: each ends as a sentence, or as if nothing were."""

from __future__ import annotations

import asyncio
import resource
import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _errors
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import (
    RESTORE_POINT_API,
    CollectionId,
    delete_point,
)

from tests.unit.plugins.conftest import Stage

COLLECTIONS = "Microsoft.Compute/restorePointCollections"
VM = {"name": "vm1", "linux_scripts": "ok", "snapshot_extension": "present"}


@pytest.fixture
def stage(azure: Stage) -> Stage:
    """Three collections, one to a page."""
    points = [{"collection": f"c{number}", "name": "p", "age": "2d"} for number in range(3)]
    azure.vms({**VM, "points": points}, rules={"page_size": 1})
    return azure


async def _listed(arm: Arm, stage: Stage) -> list[str]:
    path = f"/subscriptions/{stage.simulator.subscription_id}/providers/{COLLECTIONS}"
    return sorted(item["name"] for item in await arm.pages(path, RESTORE_POINT_API, doing="list the collections"))


def listed(stage: Stage) -> list[str]:
    return stage.run(lambda arm: _listed(arm, stage))


@pytest.mark.parametrize("form", ["blank", "non_ascii", "relative"])
def test_odd_links_of_a_list_are_followed(stage: Stage, form: str) -> None:
    stage.simulator.add_fault("odd_links", form=form)
    assert listed(stage) == ["c0", "c1", "c2"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("foreign", "ForeignOperationUrl"),
        ("user", "ForeignOperationUrl"),
        ("surrogate", "UnusableLink"),
        ("bracket", "UnusableLink"),
        ("itself", "EndlessList"),
        ("endless", "EndlessList"),
    ],
)
def test_links_that_lead_nowhere_good_are_told(stage: Stage, form: str, code: str) -> None:
    stage.simulator.add_fault("odd_links", form=form)
    with pytest.raises(_errors.AzureError) as caught:
        listed(stage)
    assert caught.value.code == code
    assert str(caught.value).startswith(f"Could not list the collections: {code}: ")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "page_of_a_proxy"}, "HTTP 200 with something that is not a JSON object"),
        ({"kind": "page_of_a_proxy", "text": "{}"}, "HTTP 200 without a list"),
        ({"kind": "page_of_a_proxy", "text": '{"value": 7}'}, "HTTP 200 without a list"),
        ({"kind": "page_of_a_proxy", "text": '[{"name": "c0"}]'}, "not a JSON object"),
        ({"kind": "page_of_a_proxy", "text": '{"value": [{'}, "not a JSON object"),
        ({"kind": "page_of_a_proxy", "status": 302}, "HTTP 302, which Resource Manager does not send"),
        ({"kind": "page_of_a_proxy", "status": 204, "text": ""}, "HTTP 204 without an object"),
        ({"kind": "page_of_a_proxy", "status": 203}, "not a JSON object"),
        ({"kind": "deep"}, "not a JSON object"),
        ({"kind": "bomb", "mebibytes": 2500}, "more than 64 MiB"),
    ],
)
def test_what_is_no_answer_of_azures_is_not_an_empty_success(stage: Stage, fault: dict[str, t.Any], words: str) -> None:
    stage.simulator.add_fault(**fault)
    with pytest.raises(_errors.EndpointUnreachable, match=words) as caught:
        listed(stage)
    assert "gave no answer of Azure's" in str(caught.value)


def test_a_packed_bomb_does_not_fill_the_memory(stage: Stage) -> None:
    stage.simulator.add_fault("bomb", mebibytes=2500)
    with pytest.raises(_errors.EndpointUnreachable):
        listed(stage)
    # Kibibytes; simulator, tests and product together.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000


@pytest.mark.parametrize("status", [200, 302, 204])
def test_a_write_that_a_proxy_answers_is_not_taken_for_done(stage: Stage, status: int) -> None:
    stage.simulator.add_fault("page_of_a_proxy", method="PUT", action=f"{COLLECTIONS}/write", status=status)

    async def write(arm: Arm) -> None:
        path = CollectionId(stage.simulator.subscription_id, "rg-fleet", "c0").path
        body = {"location": "westeurope", "properties": {"source": {"id": stage.simulator.vm_ids[0]}}}
        await arm.request("PUT", path, RESTORE_POINT_API, doing="make c0", body=body)

    with pytest.raises(_errors.EndpointUnreachable, match="Could not make c0"):
        stage.run(write)


def test_a_body_that_drips_does_not_outlive_the_limit(stage: Stage) -> None:
    stage.simulator.add_fault("drip", seconds=0.05)

    async def story(arm: Arm) -> None:
        # 100 of the client's seconds are one here.
        async with asyncio.timeout(30):
            await _listed(arm.until(arm.clock.monotonic() + 100), stage)

    with pytest.raises(_errors.DeadlineExceeded):
        stage.run(story)


async def _delete(arm: Arm, stage: Stage) -> None:
    await delete_point(arm, CollectionId(stage.simulator.subscription_id, "rg-fleet", "c0"), "p")


def deleted(stage: Stage) -> bool:
    stage.run(lambda arm: _delete(arm.until(arm.clock.monotonic() + 600), stage))
    return not any("/c0/" in point for point in _points(stage))


def _points(stage: Stage) -> list[str]:
    return stage.simulator.call(lambda world: [p.id for held in world.points.values() for p in held.values()])


@pytest.mark.parametrize(
    "faults",
    [
        [{"kind": "location_only"}],
        [{"kind": "operation_completes"}],
        [{"kind": "location_only"}, {"kind": "operation_completes"}],
        [{"kind": "odd_links", "form": "relative"}],
        [{"kind": "error", "status": 404, "code": "NotFound", "action": "*/operations/read", "times": 3}],
    ],
    ids=["a Location only", "Completed", "a Location only and Completed", "relative", "404 at first"],
)
def test_an_operation_is_seen_to_end_however_it_is_told(stage: Stage, faults: list[dict[str, t.Any]]) -> None:
    for fault in faults:
        stage.simulator.add_fault(**fault)
    assert deleted(stage)


@pytest.mark.parametrize("status", ["Canceled", "Cancelled", "CANCELLED"])
@pytest.mark.parametrize("more", [[], [{"kind": "location_only"}]], ids=["state", "a Location only"])
def test_an_operation_that_was_canceled_is_told_at_once(
    stage: Stage, status: str, more: list[dict[str, t.Any]]
) -> None:
    for fault in ({"kind": "operation_canceled", "status": status}, *more):
        stage.simulator.add_fault(**fault)
    with pytest.raises(_errors.AzureError, match="OperationPreempted"):
        deleted(stage)
    assert any("/c0/" in point for point in _points(stage))


def test_an_operation_that_stays_unknown_is_told(stage: Stage) -> None:
    stage.simulator.add_fault("error", status=404, code="NotFound", action="*/operations/read")
    with pytest.raises(_errors.NotFound):
        deleted(stage)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "code": "ParentResourceNotFound", "action": f"{COLLECTIONS}/restorePoints/write", "times": 3},
        {"status": 404, "code": "ResourceNotFound", "action": f"{COLLECTIONS}/restorePoints/read", "times": 3},
        {"status": 404, "code": "NotFound", "action": "*/operations/read", "times": 3},
    ],
    ids=["the collection", "the finished point", "the operation"],
)
def test_what_azure_has_just_made_may_be_missing_at_first(azure: Stage, fault: dict[str, t.Any]) -> None:
    azure.vms(VM)
    azure.simulator.add_fault("error", **fault)
    outcome = azure.take()["vm1"]
    assert outcome.verdict is Verdict.REACHED
    assert azure.simulator.call(lambda world: world.faults.describe()) == []
    assert len(_points(azure)) == 1


def test_a_finished_point_that_stays_away_is_gone(azure: Stage) -> None:
    azure.vms(VM)
    azure.simulator.add_fault("error", status=404, code="ResourceNotFound", action=f"{COLLECTIONS}/restorePoints/read")
    outcome = azure.take()["vm1"]
    assert outcome.failure["code"] == "RestorePointGone"
