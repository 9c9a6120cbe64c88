# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Disks made of a point, where and as they are wanted, once."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import Conflict, InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.choice import read_choice
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.loose_disks import Where, restore_disks

from tests.unit.plugins.conftest import Stage
from tests.unit.plugins.plugin_utils._restore.test_in_place import choice_of, disks, taken, undone, writes
from tests.unit.plugins.plugin_utils._restore.test_in_place import restored as restored_in_place

Json = dict[str, t.Any]
HERE = Where("rg-fleet", "", "", "")


def made(azure: Stage, where: Where = HERE, *, check: bool = False, **more: t.Any) -> Json:
    (target,) = azure.targets("db1")

    async def story(arm: Arm) -> Json:
        choice = await read_choice(arm, target.vm, choice_of(**more))
        return await restore_disks(arm, target.vm, choice, where, check=check)

    return azure.run(story)


def resources(azure: Stage, result: Json) -> list[Json]:
    keys = [disk["id"].lower() for disk in result["disks"]]
    held: list[Json] = azure.simulator.call(lambda world: [world.disks[key] for key in keys])
    return held


def test_a_disk_is_made_of_each_and_the_machine_keeps_its_own(azure: Stage) -> None:
    taken(azure)
    before = disks(azure)
    result = made(azure)
    assert [(disk["role"], disk["lun"]) for disk in result["disks"]] == [("os", None), ("data", 0), ("data", 1)]
    assert all("managedBy" not in resource for resource in resources(azure, result))
    assert disks(azure) == before


def test_a_second_run_makes_none_and_check_mode_neither(azure: Stage) -> None:
    taken(azure)
    azure.simulator.call(lambda world: world.requests.clear())
    planned = made(azure, check=True)
    assert writes(azure) == []
    result = made(azure)
    assert [disk["id"] for disk in result["disks"]] == [disk["id"] for disk in planned["disks"]]
    azure.simulator.call(lambda world: world.requests.clear())
    assert made(azure)["changed"] is False
    assert writes(azure) == []


def test_zone_type_key_and_disk_can_be_chosen(azure: Stage) -> None:
    taken(azure)
    result = made(azure, Where("rg-fleet", "2", "StandardSSD_LRS", "/des/one"), disks=["lun:1"])
    (resource,) = resources(azure, result)
    assert (resource["zones"], resource["sku"]["name"]) == (["2"], "StandardSSD_LRS")
    assert resource["properties"]["encryption"] == {
        "type": "EncryptionAtRestWithCustomerKey",
        "diskEncryptionSetId": "/des/one",
    }


def test_a_machine_that_is_gone_leaves_points_that_disks_can_be_made_of(azure: Stage) -> None:
    taken(azure)
    (target,) = azure.targets("db1")
    azure.simulator.call(lambda world: world.drop_vm(target.vm.key))

    async def story(arm: Arm) -> Json:
        return await restore_disks(arm, target.vm, await read_choice(arm, target.vm, choice_of()), HERE, check=False)

    assert len(azure.run(story)["disks"]) == 3


def test_disks_that_a_machine_has_run_on_are_not_fresh(azure: Stage) -> None:
    taken(azure)
    worn = {disk["disk"] for disk in restored_in_place(azure)["disks"]}
    undone(azure)
    assert not worn & {disk["id"] for disk in made(azure)["disks"]}


def test_a_disk_of_somebody_else_under_the_name_is_left_alone(azure: Stage) -> None:
    taken(azure)
    path = made(azure, check=True)["disks"][0]["id"]

    async def foreign(arm: Arm) -> None:
        body = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
        await arm.finish(await arm.request("PUT", path, "2025-01-02", doing="make", body=body), doing="make")

    azure.run(foreign)
    with pytest.raises(Conflict, match="is there already and was not made of the restore point"):
        made(azure)


def test_a_weak_point_is_refused(azure: Stage) -> None:
    taken(azure)
    azure.simulator.call(weaken)
    with pytest.raises(InvalidInput, match="less than ApplicationConsistent"):
        made(azure)
    assert len(made(azure, minimum_consistency="CrashConsistent")["disks"]) == 3


def weaken(world: t.Any) -> None:
    for points in list(world.points.values()):
        for point in list(points.values()):
            world.put_point(replace(point, consistency="CrashConsistent"))
