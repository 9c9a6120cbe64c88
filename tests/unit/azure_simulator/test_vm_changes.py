"""A VM is stopped, given other disks in one update, and started again: with the SDK, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

VM = "virtualMachines/lin-db-1"
VERSION = "2025-04-01"
DISK_VERSION = "2026-03-02"


def restored(raw: RawClient, vm: str = "lin-db-1", name: str = "p1") -> dict[str, str]:
    """A new disk of each disk in a point, by the name of the disk it was taken of."""
    raw.made_point(vm, name)
    made = {}
    listed = raw.get(f"restorePointCollections/{vm}-points/restorePoints/{name}/diskRestorePoints", DISK_VERSION)
    for copy in listed["value"]:
        source = copy["properties"]["sourceResourceId"].rsplit("/", 1)[-1]
        body = {
            "location": "westeurope",
            "properties": {"creationData": {"createOption": "Restore", "sourceResourceId": copy["id"]}},
        }
        assert raw.send("PUT", f"disks/{source}-new", body, version=DISK_VERSION).status == 202
        made[source] = f"{raw.group}/disks/{source}-new"
    raw.simulator.advance(60)
    return made


def exchanged(raw: RawClient, made: dict[str, str]) -> dict[str, Any]:
    """The storage profile with each disk in the place of the one that it was taken of."""
    profile = raw.get(VM, VERSION)["properties"]["storageProfile"]
    os_disk, data = profile["osDisk"], profile["dataDisks"]
    for disk in (os_disk, *data):
        disk["managedDisk"] = {"id": made[disk["name"]]}
        disk["name"] += "-new"
        disk.pop("diskSizeGB")
    for disk in data:
        disk["createOption"] = "Attach"
    return {"properties": {"storageProfile": {"osDisk": os_disk, "dataDisks": data}}}


def test_the_sdk_gives_a_stopped_vm_other_disks_in_one_update(
    simulator: Simulator, compute: ComputeManagementClient, raw: RawClient
) -> None:
    made = restored(raw)
    stop = compute.virtual_machines.begin_deallocate("rg-fleet", "lin-db-1")
    simulator.advance(60)
    stop.result()
    assert raw.get(f"disks/{next(iter(made))}", DISK_VERSION)["properties"]["diskState"] == "Reserved"
    body: Any = exchanged(raw, made)
    change = compute.virtual_machines.begin_update("rg-fleet", "lin-db-1", body)
    simulator.advance(60)
    profile = change.result().storage_profile
    held = [profile.os_disk, *(profile.data_disks or [])]
    assert {str(disk.managed_disk.id) for disk in held} == set(made.values())
    for old, new in made.items():
        before = raw.get(f"disks/{old}", DISK_VERSION)
        assert (before["properties"]["diskState"], "managedBy" in before) == ("Unattached", False)
        assert raw.get(f"disks/{new.rsplit('/', 1)[1]}", DISK_VERSION)["managedBy"].endswith("/lin-db-1")
    start = compute.virtual_machines.begin_start("rg-fleet", "lin-db-1")
    simulator.advance(60)
    start.result()
    states = compute.virtual_machines.instance_view("rg-fleet", "lin-db-1").statuses or []
    assert "PowerState/running" in [state.code for state in states]


def test_an_update_of_another_model_than_the_one_that_was_read_is_refused(raw: RawClient) -> None:
    etag = raw.get(VM, VERSION)["etag"]
    assert "etag" not in raw.get(VM, "2024-07-01")
    assert raw.send("POST", f"{VM}/deallocate", version=VERSION).status == 202
    raw.simulator.advance(60)
    refused = raw.send("PATCH", VM, {"tags": {}}, version=VERSION, if_match=etag)
    assert (refused.status, refused.code) == (412, "PreconditionFailed")
    etag = raw.get(VM, VERSION)["etag"]
    assert raw.send("PATCH", VM, {"tags": {}}, version=VERSION, if_match=etag).status == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"osDisk": {"createOption": "Attach"}}, "PropertyChangeNotAllowed"),
        ({"osDisk": {"name": "another"}}, "PropertyChangeNotAllowed"),
        ({"osDisk": {"osType": "Windows"}}, "PropertyChangeNotAllowed"),
        ({"dataDisks": [{"lun": 64, "createOption": "Attach", "managedDisk": {"id": "x"}}]}, "InvalidParameter"),
        ({"dataDisks": [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": "x"}}]}, "ResourceNotFound"),
        ({"dataDisks": [{"lun": 0, "createOption": "Attach"}]}, "InvalidParameter"),
        ({"dataDisks": [{"lun": 0, "createOption": "Empty"}]}, "InvalidParameter"),
        ({"dataDisks": [{"caching": "Sometimes"}]}, "InvalidParameter"),
        ({"disks": []}, "BadRequest"),
    ],
)
def test_a_disk_that_cannot_be_taken_is_refused(raw: RawClient, change: dict[str, Any], code: str) -> None:
    refused = raw.send("PATCH", VM, {"properties": {"storageProfile": change}}, version=VERSION)
    assert refused.code == code
    assert raw.get(VM, VERSION)["properties"]["provisioningState"] == "Succeeded"


def test_a_disk_of_another_vm_cannot_be_taken_nor_one_twice(raw: RawClient) -> None:
    def refused(*names: str) -> str:
        data = [
            {"lun": lun, "createOption": "Attach", "managedDisk": {"id": f"{raw.group}/disks/{name}"}}
            for lun, name in enumerate(names)
        ]
        body = {"properties": {"storageProfile": {"dataDisks": data}}}
        return str(raw.send("PATCH", VM, body, version=VERSION).code)

    (own, *_) = [disk["name"] for disk in raw.get(VM, VERSION)["properties"]["storageProfile"]["dataDisks"]]
    assert refused("lin-web-1_OsDisk_1") == "ConflictingUserInput"
    assert refused(own, own) == "InvalidParameter"


def test_a_disk_keeps_its_content_and_takes_other_tags(compute: ComputeManagementClient, raw: RawClient) -> None:
    body: Any = {"tags": {"owner": "dba"}}
    change = compute.disks.begin_update("rg-fleet", "lin-db-1_OsDisk_1", body)
    raw.simulator.advance(30)
    assert change.result().tags == {"owner": "dba"}
    assert raw.send("PATCH", "disks/none", body, version=DISK_VERSION).status == 404


def test_a_restored_disk_that_names_its_security_type_is_refused(raw: RawClient) -> None:
    raw.made_point("lin-db-1", "p1")
    listed = raw.get("restorePointCollections/lin-db-1-points/restorePoints/p1/diskRestorePoints", DISK_VERSION)
    body = {
        "location": "westeurope",
        "properties": {
            "creationData": {"createOption": "Restore", "sourceResourceId": listed["value"][0]["id"]},
            "securityProfile": {"securityType": "TrustedLaunch"},
        },
    }
    assert raw.send("PUT", "disks/new", body, version=DISK_VERSION).code == "InvalidParameter"


def test_a_point_in_the_making_does_not_outlive_a_change_of_its_vm(
    compute: ComputeManagementClient, raw: RawClient
) -> None:
    raw.make_collection("lin-web-1")
    created = raw.make_point("lin-web-1", "p1")
    body: Any = {"tags": {"a": "b"}}
    compute.virtual_machines.begin_update("rg-fleet", "lin-web-1", body)
    raw.simulator.advance(300)
    assert raw.operation_of(created)["status"] == "Failed"


def test_what_starts_and_what_ends_can_fail(raw: RawClient) -> None:
    raw.simulator.add_fault(
        "operation_fails", operation="vm_start", code="AllocationFailed", message="No room in the zone."
    )
    answer = raw.send("POST", f"{VM}/start", version=VERSION)
    raw.simulator.advance(60)
    assert raw.operation_of(answer)["error"]["code"] == "AllocationFailed"


def test_a_vm_that_is_not_there_cannot_be_started(compute: ComputeManagementClient) -> None:
    with pytest.raises(HttpResponseError, match="ResourceNotFound"):
        compute.virtual_machines.begin_start("rg-fleet", "nobody")
