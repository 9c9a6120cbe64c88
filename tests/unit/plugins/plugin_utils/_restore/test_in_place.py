# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine brought back to a point in place, undone and redone; and what it is refused for."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.choice import read_choice
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.in_place import Order, restore, undo
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish

from tests.azure_simulator import machines
from tests.azure_simulator.records import Disk
from tests.unit.plugins.conftest import Stage

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
TWO_DISKS = {"data": [{"write_accelerator": False}, {}]}
ORDER = Order(start=True, agent_within=600)
SOON = timedelta(microseconds=1)
WRITES = ("PUT", "PATCH", "POST", "DELETE")
Json = dict[str, t.Any]


def taken(azure: Stage, name: str = "db1", **vm: t.Any) -> str:
    """A machine with an application-consistent point of it; its name."""
    azure.vms({"name": name, **READY, "disks": TWO_DISKS, **vm})
    azure.take(name, wish=Wish(name="before"))
    return "before"


def choice_of(point: str = "before", **more: t.Any) -> Json:
    return {"restore_point": point, "disks": [], "minimum_consistency": "ApplicationConsistent", **more}


def restored(azure: Stage, point: str = "before", *, check: bool = False, order: Order = ORDER, **more: t.Any) -> Json:
    (target,) = azure.targets("db1")

    async def story(arm: Arm) -> Json:
        return await restore(
            arm, target.vm, await read_choice(arm, target.vm, choice_of(point, **more)), order, check=check
        )

    return azure.run(story)


def undone(azure: Stage, point: str = "before", *, check: bool = False) -> Json:
    (target,) = azure.targets("db1")
    source = f"{azure.collection('db1')}/{point}"
    return azure.run(lambda arm: undo(arm, target.vm, source, ORDER, check=check))


def disks(azure: Stage) -> list[str]:
    """The names of the disks that the machine has, the OS disk first."""
    held: list[str] = azure.simulator.call(
        lambda world: [disk.name for vm in world.vms.values() if vm.name == "db1" for disk in vm.disks]
    )
    return held


def power(azure: Stage) -> str:
    return str(azure.simulator.call(lambda world: next(iter(world.vms.values())).power))


def writes(azure: Stage) -> list[str]:
    seen: list[str] = azure.simulator.call(
        lambda world: [f"{each.method} {each.path}" for each in world.requests if each.method in WRITES]
    )
    return [line for line in seen if "/oauth2/" not in line]


def attached(azure: Stage, name: str, lun: int) -> None:
    def attach(world: t.Any) -> None:
        vm = next(iter(world.vms.values()))
        disk_id = f"{vm.id.rpartition('/virtualMachines/')[0]}/disks/{name}"
        machines.attach(world, vm, Disk(disk_id, name, 32, lun=lun))

    azure.simulator.call(attach)


def detached(azure: Stage, name: str) -> None:
    azure.simulator.call(lambda world: machines.detach(world, next(iter(world.vms.values())), name))


def changed(azure: Stage, **changes: t.Any) -> None:
    azure.simulator.call(lambda world: [world.change_vm(key, **changes) for key in list(world.vms)])


def test_a_machine_gets_a_disk_of_each_disk_in_the_point_and_runs(azure: Stage) -> None:
    taken(azure)
    before = disks(azure)
    result = restored(azure)
    assert (result["changed"], result["verdict"], result["agent_ready"]) == (True, "restored", True)
    after = disks(azure)
    assert len(after) == 3
    assert not set(after) & set(before)
    assert [disk["disk"].rpartition("/")[2] for disk in result["disks"]] == after
    assert [disk.rpartition("/")[2] for disk in result["kept_disks"]] == before
    # Those that it had are there, and belong to nobody.
    kept = azure.simulator.call(lambda world: [dict(world.disks[key.lower()]) for key in result["kept_disks"]])
    assert [disk.get("managedBy") for disk in kept] == [None, None, None]


def test_one_update_of_the_machine_is_all_that_changes_it(azure: Stage) -> None:
    taken(azure)
    azure.simulator.call(lambda world: world.requests.clear())
    restored(azure)
    sent = [line.rpartition("/virtualMachines/")[::2] for line in writes(azure) if "/virtualMachines/" in line]
    assert [(how.partition(" ")[0], what) for how, what in sent] == [
        ("POST", "db1/deallocate"),
        ("PATCH", "db1"),
        ("POST", "db1/start"),
    ]


def test_a_second_run_changes_nothing(azure: Stage) -> None:
    taken(azure)
    restored(azure)
    azure.simulator.call(lambda world: world.requests.clear())
    again = restored(azure)
    assert (again["changed"], again["verdict"]) == (False, "unchanged")
    assert "undo that restore and restore again" in again["msg"]
    assert writes(azure) == []


def test_check_mode_writes_nothing_and_tells_the_plan(azure: Stage) -> None:
    taken(azure)
    before = disks(azure)
    azure.simulator.call(lambda world: world.requests.clear())
    plan = restored(azure, check=True)
    assert writes(azure) == []
    assert plan["steps"] == [
        "make 3 disks, 192 GiB in all",
        "stop the VM (deallocate)",
        "exchange 3 disks in one update, and keep what was there",
        "start the VM and wait for its agent",
    ]
    assert [disk["replaces"].rpartition("/")[2] for disk in plan["disks"]] == before
    # What was planned is what is made.
    assert [disk["disk"] for disk in restored(azure)["disks"]] == [disk["disk"] for disk in plan["disks"]]


def test_undoing_brings_the_old_disks_back_as_they_hung(azure: Stage) -> None:
    taken(azure)
    model = azure.simulator.call(lambda world: next(iter(world.vms.values())).disks)
    restored(azure)
    result = undone(azure)
    assert (result["changed"], result["verdict"]) == (True, "undone")
    assert azure.simulator.call(lambda world: next(iter(world.vms.values())).disks) == model
    again = undone(azure)
    assert (again["changed"], again["verdict"]) == (False, "unchanged")


def test_redoing_makes_fresh_disks_for_those_of_before_have_been_written_to(azure: Stage) -> None:
    taken(azure)
    first = {disk["disk"] for disk in restored(azure)["disks"]}
    undone(azure)
    second = {disk["disk"] for disk in restored(azure)["disks"]}
    assert not first & second
    assert {name.rpartition("/")[2] for name in second} == set(disks(azure))


def test_undoing_one_restore_does_not_undo_an_earlier_one(azure: Stage) -> None:
    taken(azure)
    restored(azure)
    middle = disks(azure)
    azure.take("db1", wish=Wish(name="later", min_interval=SOON))
    restored(azure, "later")
    undone(azure, "later")
    assert disks(azure) == middle
    assert undone(azure, "later")["changed"] is False
    assert disks(azure) == middle


def test_a_point_from_before_a_restore_can_still_be_restored(azure: Stage) -> None:
    taken(azure)
    azure.take("db1", wish=Wish(name="second", min_interval=SOON))
    restored(azure, "second")
    assert restored(azure)["verdict"] == "restored"
    assert len(disks(azure)) == 3


def test_only_the_disks_that_are_named_are_exchanged(azure: Stage) -> None:
    taken(azure)
    before = disks(azure)
    result = restored(azure, disks=["os"])
    assert [disk["role"] for disk in result["disks"]] == ["os"]
    after = disks(azure)
    assert (after[0] != before[0], after[1:]) == (True, before[1:])
    restored(azure, disks=["lun:1"])
    assert disks(azure)[2] != before[2]
    for strange in ("lun:7", "", "data"):
        with pytest.raises(InvalidInput, match=f"names '{strange}', which is none of the disks in the restore point"):
            restored(azure, disks=[strange])


def test_a_stopped_machine_is_not_started_against_its_owners_wish(azure: Stage) -> None:
    taken(azure)
    result = restored(azure, order=replace(ORDER, start=False))
    assert (result["verdict"], power(azure)) == ("restored", "deallocated")
    assert restored(azure)["verdict"] == "started"
    assert power(azure) == "running"


def test_a_new_disk_is_like_the_one_that_it_replaces_and_closed_to_the_network(azure: Stage) -> None:
    taken(azure)

    def dress(world: t.Any) -> str:
        key = next(key for key in world.disks if "osdisk" in key)
        held = world.disks[key]
        encryption = {"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": "/des/one"}
        properties = {**held["properties"], "encryption": encryption, "tier": "P30"}
        tags = {"cost": "4711", "appconsistent-replaces": "x/y"}
        world.put_disk(key, {**held, "sku": {"name": "StandardSSD_LRS"}, "tags": tags, "properties": properties})
        return str(key)

    azure.simulator.call(dress)
    new = restored(azure)["disks"][0]["disk"].lower()
    made = azure.simulator.call(lambda world: world.disks[new])
    assert made["sku"] == {"name": "StandardSSD_LRS"}
    assert made["properties"]["encryption"]["diskEncryptionSetId"] == "/des/one"
    assert made["properties"]["tier"] == "P30"
    assert (made["properties"]["networkAccessPolicy"], made["properties"]["publicNetworkAccess"]) == (
        "DenyAll",
        "Disabled",
    )
    assert made["tags"]["cost"] == "4711"
    assert made["tags"]["appconsistent-replaces"] == "rg-fleet/db1_OsDisk_1"


@pytest.mark.parametrize(
    ("sku", "kept"),
    [
        ("PremiumV2_LRS", {"diskIOPSReadWrite": 9000, "diskMBpsReadWrite": 300}),
        ("Premium_LRS", {"tier": "P30", "burstingEnabled": True}),
    ],
)
def test_a_new_disk_is_as_fast_as_the_one_that_it_replaces(azure: Stage, sku: str, kept: Json) -> None:
    taken(azure)
    speed = {"diskIOPSReadWrite": 9000, "diskMBpsReadWrite": 300, "tier": "P30", "burstingEnabled": True}

    def dress(world: t.Any) -> None:
        key = next(key for key in world.disks if "datadisk_0" in key)
        held = world.disks[key]
        world.put_disk(key, {**held, "sku": {"name": sku}, "properties": {**held["properties"], **speed}})

    azure.simulator.call(dress)
    new = restored(azure, disks=["lun:0"])["disks"][0]["disk"].lower()
    made = azure.simulator.call(lambda world: world.disks[new]["properties"])
    assert {name: made[name] for name in speed if name in made} == kept


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"scale_set": "/x"}, "is in a scale set"),
        ({"security_type": "ConfidentialVM"}, "is a confidential one"),
        ({"provisioning_state": "Failed"}, "is in the state Failed"),
        ({"vm_id": "another"}, "was taken of an earlier VM of the name db1"),
    ],
)
def test_a_machine_that_azure_restores_nothing_to_is_refused_before_anything_is_made(
    azure: Stage, change: Json, sentence: str
) -> None:
    taken(azure)
    changed(azure, **change)
    azure.simulator.call(lambda world: world.requests.clear())
    with pytest.raises(InvalidInput, match=sentence):
        restored(azure)
    assert writes(azure) == []


def test_a_disk_that_the_point_does_not_hold_is_not_left_beside_older_ones(azure: Stage) -> None:
    taken(azure)
    attached(azure, "extra", 7)
    with pytest.raises(InvalidInput, match="has the disk extra, which the restore point before does not hold"):
        restored(azure)
    restored(azure, disks=["os", "lun:0", "lun:1"])
    assert "extra" in disks(azure)


def test_a_disk_that_the_machine_lost_comes_back_where_it_is_named(azure: Stage) -> None:
    taken(azure)
    lost = disks(azure)[2]
    detached(azure, lost)
    with pytest.raises(InvalidInput, match=f"holds the disk {lost}, which the VM does not have any more"):
        restored(azure)
    restored(azure, disks=["os", "lun:0", "lun:1"])
    assert len(disks(azure)) == 3


def test_a_disk_that_took_the_place_of_another_is_not_replaced_in_silence(azure: Stage) -> None:
    taken(azure)
    lost = disks(azure)[2]
    detached(azure, lost)
    attached(azure, "other", 1)
    with pytest.raises(InvalidInput, match=f"The disk other hangs where the restore point before has {lost}"):
        restored(azure, disks=["lun:1"])


def test_a_weak_point_is_refused_unless_it_is_accepted(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "linux_scripts": "missing"})
    azure.take("db1", wish=Wish(name="before"))
    with pytest.raises(InvalidInput, match="is FileSystemConsistent, less than ApplicationConsistent"):
        restored(azure)
    assert restored(azure, minimum_consistency="FileSystemConsistent")["verdict"] == "restored"


def test_a_point_that_is_not_there_is_named_with_those_that_are(azure: Stage) -> None:
    taken(azure)
    with pytest.raises(
        InvalidInput, match=r"no restore point nobody in the collection .*; the newest there are before"
    ):
        restored(azure, "nobody")


def test_several_obstacles_are_told_at_once(azure: Stage) -> None:
    taken(azure)
    changed(azure, scale_set="/x", provisioning_state="Failed")
    with pytest.raises(InvalidInput, match=r"in the state Failed; .* is in a scale set"):
        restored(azure)
