"""Long-running operations: their addresses are long, signed, and worth nothing when changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import Answer, RawClient


@pytest.fixture
def created(raw: RawClient) -> Answer:
    raw.make_collection("lin-web-1")
    return raw.make_point("lin-web-1", "p1")


def test_a_create_points_to_its_operation_as_recorded(created: Answer) -> None:
    url = created.headers["Azure-AsyncOperation"]
    assert created.headers["Azure-AsyncNotification"] == "Enabled"
    assert "Location" not in created.headers
    assert "Retry-After" not in created.headers
    assert "/providers/Microsoft.Compute/locations/WestEurope/operations/" in url
    names = [pair.partition("=")[0] for pair in url.partition("?")[2].split("&")]
    assert names == ["p", "api-version", "t", "c", "s", "h"]
    assert 2800 < len(url) < 3000


def test_the_status_is_pretty_printed_and_has_an_end_when_it_is_over(
    simulator: Simulator, raw: RawClient, created: Answer
) -> None:
    running = raw.follow(created.headers["Azure-AsyncOperation"])
    assert running.body.startswith(b'{\r\n  "startTime": "')
    assert set(running.json) == {"startTime", "status", "name"}
    assert running.json["status"] == "InProgress"
    simulator.advance(60)
    done = raw.operation_of(created)
    assert set(done) == {"startTime", "endTime", "status", "name"}
    assert (done["status"], done["startTime"]) == ("Succeeded", running.json["startTime"])
    assert done["endTime"] > done["startTime"]


@pytest.mark.parametrize("spot", ["&t=", "&c=MII", "&s=", "&h=", "?p="])
def test_one_changed_byte_of_the_address_is_refused(raw: RawClient, created: Answer, spot: str) -> None:
    url = created.headers["Azure-AsyncOperation"]
    at = url.index(spot) + len(spot)
    changed = url[:at] + ("A" if url[at] != "A" else "B") + url[at + 1 :]
    assert raw.follow(changed).status == 403
    assert raw.follow(url[:-1]).status == 403
    assert raw.follow(url).status == 200


def test_an_operation_is_nobody_elses(raw: RawClient, created: Answer) -> None:
    """The signature belongs to one operation; another id under it is refused."""
    url = created.headers["Azure-AsyncOperation"]
    other = raw.make_collection("lin-web-2") and raw.make_point("lin-web-2", "p1")
    mixed = url.partition("?")[0] + "?" + other.headers["Azure-AsyncOperation"].partition("?")[2]
    assert raw.follow(mixed).status == 403
    assert raw.exchange("GET", "/" + url.split("/", 3)[3]).status == 401


def test_an_unknown_operation_is_not_found(raw: RawClient, created: Answer) -> None:
    identifier = created.json["id"] and raw.operation_of(created)["name"]
    unknown = created.headers["Azure-AsyncOperation"].replace(identifier, "0" * 8 + identifier[8:])
    assert raw.follow(unknown).status == 404


def test_a_retry_after_can_be_switched_on(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"rules": {"retry_after": 7}, "vms": [{"name": "vm"}]})
    raw.make_collection("vm")
    assert raw.make_point("vm", "p1").headers["Retry-After"] == "7"


def test_the_result_of_a_post_comes_at_both_addresses(simulator: Simulator, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    path = "restorePointCollections/lin-web-1-points/restorePoints/p1/diskRestorePoints"
    disk = raw.get(path, version="2026-03-02")["value"][0]["name"]
    body: Any = {"access": "Read", "durationInSeconds": 60}
    begun = raw.send("POST", f"{path}/{disk}/beginGetAccess", body, version="2026-03-02")
    assert begun.status == 202
    assert "/DiskOperations/" in begun.headers["Location"]
    simulator.advance(10)
    result = raw.follow(begun.headers["Location"])
    assert result.json == raw.operation_of(begun)["properties"]["output"]
    assert set(result.json) == {"accessSAS"}


def test_an_operation_is_forgotten_after_a_day(simulator: Simulator, raw: RawClient, created: Answer) -> None:
    assert raw.operation_of(created)["status"] == "InProgress"
    simulator.advance(60)
    simulator.advance(25 * 3600)
    world = simulator.cloud.world
    assert len(world.operations) == 0
    assert "GetOperationResource" not in {key[0] for key in world.throttle._tokens}
    raw.token = raw.sign_in().json["access_token"]
    assert raw.follow(created.headers["Azure-AsyncOperation"]).status == 404
