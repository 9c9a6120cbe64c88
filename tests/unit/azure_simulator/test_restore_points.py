"""Restore points as requests and as resources."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

CRASH = {"properties": {"consistencyMode": "CrashConsistent"}}


def _disk_ids(properties: Any) -> list[str]:
    storage = properties["sourceMetadata"]["storageProfile"]
    return [
        disk["diskRestorePoint"]["id"]
        for disk in [storage["osDisk"], *storage["dataDisks"]]
        if "diskRestorePoint" in disk
    ]


def test_the_first_answer_is_201_creating_with_metadata_but_no_disk_ids(raw: RawClient) -> None:
    raw.make_collection("lin-db-1")
    made = raw.make_point("lin-db-1", "p1")
    properties = made.json["properties"]
    assert (made.status, properties["provisioningState"]) == (201, "Creating")
    assert properties["sourceMetadata"]["hardwareProfile"] == {"vmSize": "Standard_D4s_v5"}
    assert _disk_ids(properties) == []
    assert "type" not in made.json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", properties["timeCreated"])


def test_a_finished_point_names_its_disks(raw: RawClient) -> None:
    properties = raw.made_point("lin-db-1", "p1")
    assert properties["provisioningState"] == "Succeeded"
    ids = _disk_ids(properties)
    assert len(ids) == 3
    guid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    base = f"{raw.group}/restorePointCollections/lin-db-1-points/restorePoints/p1/diskRestorePoints"
    assert re.fullmatch(f"{re.escape(base)}/lin-db-1_OsDisk_1_{guid}", ids[0])


def test_time_passes_for_a_point_that_nobody_polls(simulator: Simulator, raw: RawClient) -> None:
    """The CLI's `--no-wait` and `wait` look at the resource and never at the operation."""
    raw.make_collection("lin-web-1")
    raw.make_point("lin-web-1", "p1")
    assert raw.point("lin-web-1", "p1")["provisioningState"] == "Creating"
    simulator.advance(60)
    assert raw.point("lin-web-1", "p1")["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("mode", ["ApplicationConsistent", "FileSystemConsistent"])
def test_asking_for_application_consistency_by_name_is_refused(raw: RawClient, mode: str) -> None:
    raw.make_collection("lin-web-1")
    answer = raw.make_point("lin-web-1", "p1", {"properties": {"consistencyMode": mode}})
    assert (answer.status, answer.code) == (400, "InvalidParameter")
    assert raw.send("GET", "restorePointCollections/lin-web-1-points/restorePoints/p1").status == 404


def test_an_existing_point_is_never_updated(raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    answer = raw.make_point("lin-web-1", "p1")
    assert (answer.status, answer.code) == (409, "Conflict")
    assert "already exists" in answer.message


def test_a_point_needs_its_collection(raw: RawClient) -> None:
    answer = raw.make_point("lin-web-1", "p1")
    assert (answer.status, answer.code) == (404, "ParentResourceNotFound")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"properties": {"excludeDisk": []}}, "BadRequest"),
        ({"properties": {"excludeDisks": {}}}, "BadRequest"),
        ({"properties": {"excludeDisks": [{"name": "x"}]}}, "BadRequest"),
        ({"properties": {"excludeDisks": [{"id": "/subscriptions/x"}]}}, "InvalidParameter"),
        ({"properties": {"consistencyMode": "Perfect"}}, "InvalidParameter"),
        ({"properties": {"instantAccessDurationMinutes": 5}}, "InvalidParameter"),
        ({"properties": {"instantAccessDurationMinutes": True}}, "BadRequest"),
        ({"props": {}}, "BadRequest"),
    ],
)
def test_bad_points_are_refused_before_anything_happens(raw: RawClient, body: Any, code: str) -> None:
    raw.make_collection("lin-web-1")
    answer = raw.make_point("lin-web-1", "p1", body)
    assert (answer.status, answer.code) == (400, code)
    assert raw.make_point("lin-web-1", "p1").status == 201


def test_the_error_names_the_member_and_its_place(raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    answer = raw.make_point("lin-web-1", "p1", {"properties": {"excludeDisk": []}})
    assert answer.json["error"]["target"] == "properties.excludeDisk"
    assert "Could not find member 'excludeDisk'" in answer.message


def test_what_a_version_does_not_know_yet_it_refuses(raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    path = "restorePointCollections/lin-web-1-points/restorePoints/p1"
    old = raw.send("PUT", path, CRASH, version="2021-07-01")
    assert (old.status, old.code) == (400, "BadRequest")
    assert "can be made with api-version '2022-03-01' or newer" in old.message


def test_an_excluded_disk_is_left_out(raw: RawClient) -> None:
    disk = f"{raw.group}/disks/lin-db-1_DataDisk_1"
    properties = raw.made_point("lin-db-1", "p1", {"properties": {"excludeDisks": [{"id": disk.upper()}]}})
    assert properties["excludeDisks"] == [{"id": disk}]
    names = [held["name"] for held in properties["sourceMetadata"]["storageProfile"]["dataDisks"]]
    assert names == ["lin-db-1_DataDisk_0"]
    assert len(_disk_ids(properties)) == 2


@pytest.mark.parametrize(
    ("disk", "words", "code"),
    [
        ({"shared": True}, "Shared disks is not supported", "VMRestorePointClientError"),
        ({"allocated": False}, "have not been allocated successfully", "OperationNotAllowed"),
    ],
)
def test_disks_that_no_point_can_hold_must_be_excluded(
    simulator: Simulator, raw: RawClient, disk: dict[str, Any], words: str, code: str
) -> None:
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": "ok", "disks": {"data": [disk]}}]})
    raw.make_collection("vm")
    answer = raw.make_point("vm", "p1")
    assert (answer.status, answer.code) == (409, code)
    assert words in answer.message
    excluded = {"properties": {"excludeDisks": [{"id": f"{raw.group}/disks/vm_DataDisk_0"}]}}
    assert raw.made_point("vm", "p2", excluded)["consistencyMode"] == "ApplicationConsistent"


@pytest.mark.parametrize("disk", [{"sku": "UltraSSD_LRS"}, {"sku": "PremiumV2_LRS"}, {"write_accelerator": True}])
def test_some_disks_forbid_crash_consistency_only(simulator: Simulator, raw: RawClient, disk: dict[str, Any]) -> None:
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": "ok", "disks": {"data": [disk]}}]})
    raw.make_collection("vm")
    assert raw.make_point("vm", "p1", CRASH).code == "OperationNotAllowed"
    assert raw.made_point("vm", "p2")["consistencyMode"] == "ApplicationConsistent"


def test_an_ephemeral_system_disk_and_a_confidential_vm_are_refused(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset(
        {
            "vms": [
                {"name": "ephemeral", "disks": {"os": {"ephemeral": True}}},
                {"name": "confidential", "security_type": "ConfidentialVM"},
            ]
        }
    )
    for vm in ("ephemeral", "confidential"):
        raw.make_collection(vm)
        assert raw.make_point(vm, "p1").code == "OperationNotAllowed"


def test_a_delete_is_202_with_two_addresses_and_an_empty_body(simulator: Simulator, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    path = "restorePointCollections/lin-web-1-points/restorePoints/p1"
    deleted = raw.send("DELETE", path)
    assert (deleted.status, deleted.body) == (202, b"")
    assert "monitor=true" in deleted.headers["Location"]
    assert raw.follow(deleted.headers["Location"]).status == 202
    assert raw.get(path)["properties"]["provisioningState"] == "Deleting"
    simulator.advance(30)
    assert raw.send("GET", path).status == 404
    assert raw.follow(deleted.headers["Location"]).status == 200
    assert raw.send("DELETE", path).status == 204


def test_a_point_in_the_making_is_not_deleted(raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    raw.make_point("lin-web-1", "p1")
    answer = raw.send("DELETE", "restorePointCollections/lin-web-1-points/restorePoints/p1")
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")


def test_a_point_that_vanishes_while_it_is_made_fails_its_operation(simulator: Simulator, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    made = raw.make_point("lin-web-1", "p1")
    point = next(iter(simulator.cloud.world.points[f"{raw.group}/restorePointCollections/lin-web-1-points".lower()]))
    simulator.call(
        lambda world: world.drop_point(
            world.points[f"{raw.group}/restorePointCollections/lin-web-1-points".lower()][point]
        )
    )
    simulator.advance(60)
    assert raw.operation_of(made)["error"]["code"] == "ResourceNotFound"


def _copy(raw: RawClient, simulator: Simulator) -> None:
    raw.made_point("lin-web-1", "p1")
    source = f"{raw.group}/restorePointCollections/lin-web-1-points"
    target = {"location": "eastus", "properties": {"source": {"id": source}}}
    assert raw.send("PUT", "restorePointCollections/far", target).status == 201
    body = {"properties": {"sourceRestorePoint": {"id": f"{source}/restorePoints/p1"}}}
    assert raw.send("PUT", "restorePointCollections/far/restorePoints/copy", body).status == 201
    simulator.advance(25)


def test_a_copy_arrives_in_another_region_little_by_little(simulator: Simulator, raw: RawClient) -> None:
    _copy(raw, simulator)
    path = "restorePointCollections/far/restorePoints/copy"
    seen = []
    for _ in range(3):
        properties = raw.get(path, **{"$expand": "instanceView"})["properties"]
        view = properties["instanceView"]["diskRestorePoints"][0]["replicationStatus"]
        seen.append((view["status"]["code"], view["completionPercent"]))
        simulator.advance(60)
    assert properties["provisioningState"] == "Succeeded"
    assert seen[0][0] == "ReplicationState/inProgress"
    assert seen[0][1] < seen[1][1] < 100
    assert seen[2] == ("ReplicationState/succeeded", 100)
    disk = properties["sourceMetadata"]["storageProfile"]["osDisk"]["diskRestorePoint"]
    assert "/lin-web-1-points/restorePoints/p1/" in disk["sourceDiskRestorePoint"]["id"]


def test_a_copy_is_of_no_use_before_it_is_there(simulator: Simulator, raw: RawClient) -> None:
    _copy(raw, simulator)
    path = "restorePointCollections/far/restorePoints/copy/diskRestorePoints"
    disk = raw.get(path, version="2026-03-02")["value"][0]
    assert (disk["properties"]["replicationState"], disk["properties"]["completionPercent"] < 100) == (
        "InProgress",
        True,
    )
    body = {"access": "Read", "durationInSeconds": 60}
    answer = raw.send("POST", f"{path}/{disk['name']}/beginGetAccess", body, version="2026-03-02")
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")


def test_a_copy_must_come_from_the_collection_it_was_made_for(simulator: Simulator, raw: RawClient) -> None:
    _copy(raw, simulator)
    raw.made_point("lin-web-2", "p1")
    foreign = {"id": f"{raw.group}/restorePointCollections/lin-web-2-points/restorePoints/p1"}
    body = {"properties": {"sourceRestorePoint": foreign}}
    answer = raw.send("PUT", "restorePointCollections/far/restorePoints/wrong", body)
    assert (answer.status, answer.code) == (400, "InvalidParameter")
    plain = raw.send("PUT", "restorePointCollections/far/restorePoints/plain", {})
    assert (plain.status, plain.code) == (400, "InvalidParameter")
    absent = {"properties": {"sourceRestorePoint": {"id": f"{foreign['id']}x"}}}
    assert raw.send("PUT", "restorePointCollections/far/restorePoints/absent", absent).status == 404


def test_instant_access_shows_on_the_point_and_its_disks(raw: RawClient) -> None:
    raw.make_collection("lin-web-1", instantAccess=True)
    properties = raw.made_point("lin-web-1", "p1", {"properties": {"instantAccessDurationMinutes": 120}})
    assert properties["instantAccessDurationMinutes"] == 120
    shown = raw.point("lin-web-1", "p1", **{"$expand": "instanceView"})["instanceView"]
    assert shown["diskRestorePoints"][0]["snapshotAccessState"] == "AvailableWithInstantAccess"
