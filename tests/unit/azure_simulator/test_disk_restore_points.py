"""The disks inside a point: reading them, opening and closing them, making new disks of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import DISK_VERSION, RawClient

READ = {"access": "Read", "durationInSeconds": 600}


@pytest.fixture
def disk(raw: RawClient) -> str:
    """The path of the system disk's copy in a fresh point."""
    raw.made_point("lin-db-1", "p1")
    base = "restorePointCollections/lin-db-1-points/restorePoints/p1/diskRestorePoints"
    return f"{base}/{raw.get(base, version=DISK_VERSION)['value'][0]['name']}"


def _begin(raw: RawClient, disk: str, simulator: Simulator, body: Any = None) -> str:
    answer = raw.send("POST", f"{disk}/beginGetAccess", body or READ, version=DISK_VERSION)
    assert answer.status == 202, answer
    simulator.advance(10)
    return str(raw.follow(answer.headers["Location"]).json["accessSAS"])


def test_a_copy_names_its_source(raw: RawClient, disk: str) -> None:
    shown = raw.get(disk, version=DISK_VERSION)
    assert shown["properties"]["sourceResourceId"] == f"{raw.group}/disks/lin-db-1_OsDisk_1"
    assert (shown["properties"]["osType"], shown["properties"]["completionPercent"]) == ("Linux", 100)
    assert raw.send("GET", f"{disk}x", version=DISK_VERSION).status == 404


def test_the_api_version_is_the_disk_providers(raw: RawClient, disk: str) -> None:
    refused = raw.send("GET", disk, version="2025-04-01")
    assert (refused.status, refused.code) == (400, "NoRegisteredProviderFound")


def test_an_open_signature_blocks_every_delete_above_it(simulator: Simulator, raw: RawClient, disk: str) -> None:
    _begin(raw, disk, simulator)
    point = disk.partition("/diskRestorePoints")[0]
    for path in (point, point.partition("/restorePoints")[0]):
        answer = raw.send("DELETE", path)
        assert (answer.status, answer.code) == (409, "DiskRestorePointUsedByCustomer")
    raw.send("POST", f"{disk}/endGetAccess", version=DISK_VERSION)
    simulator.advance(10)
    assert raw.send("DELETE", point).status == 202


def test_a_signature_runs_out_by_itself(simulator: Simulator, raw: RawClient, disk: str) -> None:
    _begin(raw, disk, simulator)
    simulator.advance(600)
    assert raw.send("DELETE", disk.partition("/diskRestorePoints")[0]).status == 202


def test_an_active_signature_is_prolonged_and_handed_out_again(simulator: Simulator, raw: RawClient, disk: str) -> None:
    first = _begin(raw, disk, simulator)
    simulator.advance(500)
    assert _begin(raw, disk, simulator) == first
    simulator.advance(300)
    assert raw.send("DELETE", disk.partition("/diskRestorePoints")[0]).status == 409


@pytest.mark.parametrize(
    "body",
    [
        {"access": "Write", "durationInSeconds": 60},
        {"access": "Read"},
        {"access": "Read", "durationInSeconds": 0},
        {"access": "Read", "durationInSeconds": 60, "fileFormat": "ISO"},
    ],
)
def test_bad_requests_for_access_are_refused(raw: RawClient, disk: str, body: Any) -> None:
    answer = raw.send("POST", f"{disk}/beginGetAccess", body, version=DISK_VERSION)
    assert (answer.status, answer.code) == (400, "InvalidParameter")


def test_a_disk_is_made_from_a_copy(simulator: Simulator, raw: RawClient, disk: str) -> None:
    source = raw.get(disk, version=DISK_VERSION)["id"]
    creation = {"createOption": "Restore", "sourceResourceId": source}
    body = {"location": "westeurope", "zones": ["1"], "properties": {"creationData": creation}}
    made = raw.send("PUT", "disks/restored", body, version=DISK_VERSION)
    assert made.status == 202
    end = made.headers["Location"].removeprefix(simulator.arm_url)
    assert raw.exchange("GET", end, Authorization=f"Bearer {raw.token}").status == 202
    simulator.advance(10)
    shown = raw.get("disks/restored", version=DISK_VERSION)
    # The Azure CLI asks no more than the Location for what it has made.
    assert raw.exchange("GET", end, Authorization=f"Bearer {raw.token}").json == shown
    assert (shown["properties"]["provisioningState"], shown["properties"]["diskSizeGB"]) == ("Succeeded", 64)
    assert raw.send("PUT", "disks/restored", body, version=DISK_VERSION).status == 409
    elsewhere = {**body, "location": "eastus"}
    assert raw.send("PUT", "disks/elsewhere", elsewhere, version=DISK_VERSION).code == "InvalidParameter"
    creation["sourceResourceId"] = f"{source}x"
    assert raw.send("PUT", "disks/of-nothing", body, version=DISK_VERSION).status == 404
    assert raw.send("DELETE", "disks/restored", version=DISK_VERSION).status == 202
    simulator.advance(10)
    assert raw.send("GET", "disks/restored", version=DISK_VERSION).status == 404


def test_an_attached_disk_is_not_deleted(raw: RawClient) -> None:
    answer = raw.send("DELETE", "disks/lin-db-1_OsDisk_1", version=DISK_VERSION)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
