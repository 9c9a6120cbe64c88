"""Machines of one name that are not one machine, and disks that come and go."""

from __future__ import annotations

import pytest
from azure.mgmt.compute import ComputeManagementClient

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient
from tests.unit.azure_simulator.test_control_api import Control

VM = "virtualMachines/lin-web-1"


@pytest.fixture
def control(simulator: Simulator) -> Control:
    return Control(simulator)


def test_a_machine_made_anew_under_its_name_has_another_vm_id(control: Control, raw: RawClient) -> None:
    point = raw.made_point("lin-web-1", "p1")
    first = raw.get(VM)["properties"]["vmId"]
    assert point["sourceMetadata"]["vmId"] == first
    disk = raw.get("restorePointCollections/lin-web-1-points/restorePoints/p1/diskRestorePoints", "2026-03-02")
    assert control("POST", "/recreate/lin-web-1")[1]["vm_id"] != first
    second = raw.get(VM)["properties"]["vmId"]
    assert second != first
    # The point is still of the machine it was taken of; the next one is of the new machine, disks and all.
    assert raw.point("lin-web-1", "p1")["sourceMetadata"]["vmId"] == first
    raw.simulator.advance(600)
    assert raw.made_point("lin-web-1", "p2")["sourceMetadata"]["vmId"] == second
    later = raw.get("restorePointCollections/lin-web-1-points/restorePoints/p2/diskRestorePoints", "2026-03-02")
    unique = [held["value"][0]["properties"]["sourceUniqueId"] for held in (disk, later)]
    assert unique[0] != unique[1]


def test_a_vm_put_in_anothers_place_is_another_machine(control: Control, raw: RawClient) -> None:
    first = raw.get(VM)["properties"]["vmId"]
    control("PUT", "/vms/lin-web-1", {"disks": {"data": [{}, {}]}})
    assert raw.get(VM)["properties"]["vmId"] != first


def test_a_create_notices_that_its_machine_was_made_anew(control: Control, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    created = raw.make_point("lin-web-1", "p1")
    control("POST", "/recreate/lin-web-1")
    raw.simulator.advance(60)
    assert raw.operation_of(created)["status"] == "Failed"


def test_a_disk_that_was_attached_is_in_the_next_point_only(control: Control, raw: RawClient) -> None:
    before = raw.made_point("lin-web-1", "p1")["sourceMetadata"]["storageProfile"]["dataDisks"]
    assert control("POST", "/attach/lin-web-1", {"name": "extra", "lun": 9, "size_gb": 32})[0] == 200
    assert raw.get("disks/extra", "2026-03-02")["properties"]["diskState"] == "Attached"
    raw.simulator.advance(600)
    after = raw.made_point("lin-web-1", "p2")["sourceMetadata"]["storageProfile"]["dataDisks"]
    (new,) = [disk for disk in after if disk["lun"] == 9]
    assert [disk["lun"] for disk in after] == [*[disk["lun"] for disk in before], 9]
    assert new["managedDisk"]["id"].endswith("/disks/extra")
    assert "/restorePoints/p2/diskRestorePoints/extra_" in new["diskRestorePoint"]["id"]


def test_a_detached_disk_stays_and_belongs_to_nobody(control: Control, raw: RawClient) -> None:
    control("POST", "/attach/lin-web-1", {"name": "extra", "lun": 9})
    assert control("POST", "/detach/lin-web-1", {"name": "extra"})[0] == 200
    disk = raw.get("disks/extra", "2026-03-02")
    assert (disk["properties"]["diskState"], "managedBy" in disk) == ("Unattached", False)
    assert "extra" not in [held["name"] for held in raw.get(VM)["properties"]["storageProfile"]["dataDisks"]]


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("detach", {"name": "nobody"}, "has no data disk 'nobody'"),
        ("detach", {"name": "lin-web-1_OsDisk_1"}, "has no data disk"),
        ("attach", {"name": "lin-web-1_OsDisk_1", "lun": 9}, "already"),
        ("attach", {"name": "extra", "lun": 9, "colour": "red"}, "unknown keys: colour"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    control: Control, action: str, body: dict[str, object], words: str
) -> None:
    status, answered = control("POST", f"/{action}/lin-web-1", body)
    assert status == 400
    assert words in answered["error"]


def test_a_fleet_can_hold_points_of_an_earlier_machine_and_with_disks_left_out(
    simulator: Simulator, raw: RawClient
) -> None:
    names = {"collection": "vm-points", "age": "2h"}
    points = [{**names, "name": "dead", "earlier_machine": True}, {**names, "name": "part", "excluded": ["extra"]}]
    simulator.reset({"vms": [{"name": "vm", "disks": {"data": [{"name": "extra"}]}, "points": points}]})
    mine = raw.get("virtualMachines/vm")["properties"]["vmId"]
    assert raw.point("vm", "dead")["sourceMetadata"]["vmId"] != mine
    part = raw.point("vm", "part")
    assert part["sourceMetadata"]["vmId"] == mine
    assert [held["id"].rsplit("/", 1)[-1] for held in part["excludeDisks"]] == ["extra"]
    assert part["sourceMetadata"]["storageProfile"]["dataDisks"] == []


def test_a_machine_that_is_deleted_leaves_its_disks_and_its_points(
    simulator: Simulator, raw: RawClient, compute: ComputeManagementClient
) -> None:
    raw.made_point("lin-web-1", "p1")
    deletion = compute.virtual_machines.begin_delete("rg-fleet", "lin-web-1")
    simulator.advance(30)
    deletion.result()
    assert raw.send("GET", VM).status == 404
    assert raw.get("disks/lin-web-1_OsDisk_1", version="2026-03-02")["properties"]["diskState"] == "Unattached"
    assert raw.point("lin-web-1", "p1")["provisioningState"] == "Succeeded"
    assert raw.send("PUT", "restorePointCollections/lin-web-1-points/restorePoints/p2", {}).status == 404
    assert raw.send("DELETE", VM).status == 204


def test_a_lock_keeps_a_machine_from_being_deleted(simulator: Simulator, raw: RawClient) -> None:
    lock = f"{raw.group}/{VM}/extensions/VMSnapshotLinux/providers/Microsoft.Authorization/locks/guard"
    body = {"properties": {"level": "CanNotDelete"}}
    assert raw.send("PUT", lock, body, version="2020-05-01").status == 201
    refused = raw.send("DELETE", VM)
    assert (refused.status, refused.code) == (409, "ScopeLocked")
    simulator.advance(30)
    assert raw.send("GET", VM).status == 200
