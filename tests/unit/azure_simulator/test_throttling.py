"""Rate limits: real sizes, real headers, both forms of 429, and what a client must do to get through."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.azure_simulator.settings import POLICIES
from tests.unit.azure_simulator.raw_client import Answer, RawClient

CRASH = {"properties": {"consistencyMode": "CrashConsistent"}}


def _remaining(answer: Answer) -> dict[str, int]:
    """The header, policy by policy."""
    header = answer.headers["x-ms-ratelimit-remaining-resource"]
    parts = [part.removeprefix("Microsoft.Compute/").split(";") for part in header.split(",")]
    return {name: int(left) for name, left in parts}


def test_the_first_answers_carry_the_recorded_figures(simulator: Simulator, raw: RawClient) -> None:
    collection = raw.make_collection("lin-web-1")
    assert collection.headers["x-ms-ratelimit-remaining-resource"] == (
        "Microsoft.Compute/PutRestorePointCollectionResource;14,"
        "Microsoft.Compute/PutRestorePointCollectionSubscriptionMaximum;149"
    )
    point = raw.make_point("lin-web-1", "p1", CRASH)
    assert point.headers["x-ms-ratelimit-remaining-resource"] == (
        "Microsoft.Compute/PutRestorePointResource;5,"
        "Microsoft.Compute/PutRestorePointSubscriptionMaximum;149,"
        "Microsoft.Compute/CreateCrashConsistentRestorePoint;2"
    )
    poll = raw.follow(point.headers["Azure-AsyncOperation"])
    assert poll.headers["x-ms-ratelimit-remaining-resource"] == (
        "Microsoft.Compute/GetOperationResource;44,Microsoft.Compute/GetOperationSubscriptionMaximum;14999"
    )
    simulator.advance(60)
    path = "restorePointCollections/lin-web-1-points/restorePoints/p1"
    assert _remaining(raw.send("GET", path)) == {"LowCostGetRestorePointSubscriptionMaximum": 599}
    assert _remaining(raw.send("DELETE", path)) == {"DeleteRestorePointSubscriptionMaximum": 359}


def test_resource_manager_counts_reads_writes_and_deletes_apart(raw: RawClient) -> None:
    read = raw.send("GET", "virtualMachines/lin-web-1")
    write = raw.make_collection("lin-web-1")
    delete = raw.send("DELETE", "restorePointCollections/none")
    assert read.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert write.headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"
    assert delete.headers["x-ms-ratelimit-remaining-subscription-deletes"] == "199"
    tenant = raw.send("GET", "/subscriptions", version="2022-12-01")
    assert tenant.headers["x-ms-ratelimit-remaining-tenant-reads"] == "249"


def test_an_empty_bucket_of_resource_manager_says_when_to_come_back(simulator: Simulator, raw: RawClient) -> None:
    for _ in range(200):
        assert raw.send("DELETE", "virtualMachines/lin-web-1/extensions/none").status in (204, 429)
    refused = raw.send("DELETE", "restorePointCollections/none")
    assert (refused.status, refused.code) == (429, "SubscriptionRequestsThrottled")
    assert "'deletes'" in refused.message
    wait = int(refused.headers["Retry-After"])
    # Too early is refused again, and the wait starts anew.
    simulator.advance(wait / 2)
    assert raw.send("DELETE", "restorePointCollections/none").status == 429
    simulator.advance(wait / 2)
    assert raw.send("DELETE", "restorePointCollections/none").status == 429
    simulator.advance(wait)
    assert raw.send("DELETE", "restorePointCollections/none").status == 204


def test_other_principals_have_buckets_of_their_own(simulator: Simulator, raw: RawClient) -> None:
    other = "0a0a0a0a-0000-4000-a000-00000000000b"
    held = simulator.cloud.directory.applications
    from dataclasses import replace

    held[other] = replace(held[simulator.client_id], client_id=other, object_id=other)
    for _ in range(100):
        raw.send("DELETE", "restorePointCollections/none")
    with closing(RawClient(simulator)) as stranger:
        stranger.token = stranger.sign_in(client_id=other).json["access_token"]
        answer = stranger.send("DELETE", "restorePointCollections/none")
    del held[other]
    assert answer.headers["x-ms-ratelimit-remaining-subscription-deletes"] == "199"


def test_compute_refuses_with_its_own_form(simulator: Simulator, raw: RawClient) -> None:
    for _ in range(36):
        assert raw.send("GET", "virtualMachines/lin-web-1/instanceView").status == 200
    refused = raw.send("GET", "virtualMachines/lin-web-1/instanceView")
    assert (refused.status, refused.code) == (429, "OperationNotAllowed")
    detail = refused.json["error"]["details"][0]
    assert (detail["code"], detail["target"]) == ("TooManyRequests", "LowCostGetResource")
    facts = json.loads(detail["message"])
    assert (facts["operationGroup"], facts["allowedRequestCount"]) == ("LowCostGetResource", 36)
    assert facts["measuredRequestCount"] > facts["allowedRequestCount"]
    # Another VM is another bucket.
    assert raw.send("GET", "virtualMachines/lin-web-2/instanceView").status == 200
    simulator.advance(int(refused.headers["Retry-After"]))
    assert raw.send("GET", "virtualMachines/lin-web-1/instanceView").status == 200


def test_a_fleet_is_paced_by_the_bucket_of_the_subscription_and_region(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset(
        {
            "limits": {"PutRestorePointSubscriptionMaximum": {"size": 3, "per_minute": 60}},
            "vms": [{"name": "vm-{n}", "count": 5}, {"name": "far", "location": "eastus"}],
        }
    )
    for vm in ("vm-1", "vm-2", "vm-3", "vm-4", "far"):
        raw.make_collection(vm)
    statuses = [raw.make_point(f"vm-{n}", "p1").status for n in range(1, 5)]
    assert statuses == [201, 201, 201, 429]
    assert raw.make_point("far", "p1").status == 201
    simulator.advance(1)
    assert raw.make_point("vm-4", "p1").status == 201


def test_a_refused_create_uses_nothing_up(simulator: Simulator, raw: RawClient) -> None:
    """What was refused for its content does not count toward the three of the hour."""
    raw.make_collection("lin-web-1")
    for _ in range(4):
        raw.make_point("lin-web-1", "p1", {"properties": {"consistencyMode": "ApplicationConsistent"}})
    simulator.advance(60)
    assert _remaining(raw.make_point("lin-web-1", "p1"))["CreateApplicationConsistentRestorePoint"] == 2


def test_limits_can_be_switched_off(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"limits": "off", "vms": [{"name": "vm"}]})
    answers = [raw.send("GET", "virtualMachines/vm/instanceView") for _ in range(60)]
    assert {answer.status for answer in answers} == {200}
    assert "x-ms-ratelimit-remaining-resource" not in answers[-1].headers


def test_every_policy_of_the_routes_has_a_size() -> None:
    from tests.azure_simulator.routes import ROUTES

    used = {policy for route in ROUTES.values() for policy in route.policies}
    assert used == set(POLICIES)


@pytest.mark.parametrize("bucket", [{"size": 0}, {"per_minute": 0}, {"sizes": 3}])
def test_a_senseless_limit_is_refused(simulator: Simulator, bucket: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="GetOperationResource"):
        simulator.reset({"limits": {"GetOperationResource": bucket}})
