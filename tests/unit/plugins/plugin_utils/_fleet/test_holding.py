# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A point is good for a machine only if it is of this machine and holds each of its disks."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.retention import Retention

from tests.azure_simulator import fleet_file, fleet_world, machines
from tests.azure_simulator.strict_reader import Reader
from tests.unit.plugins.conftest import Stage

Json = dict[str, t.Any]
READY: Json = {"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present", "disks": {"data": [{}, {}]}}
# Azure allows three an hour; these stories take them one after the other.
WISH = Wish(min_interval=timedelta(0))


def disk(azure: Stage, number: int) -> str:
    def look(world: t.Any) -> str:
        (vm,) = world.vms.values()
        return str([disk.id for disk in vm.disks][number])

    return azure.simulator.call(look)


def attach(azure: Stage) -> None:
    def change(world: t.Any) -> None:
        (vm,) = world.vms.values()
        lun = machines.free_lun(vm)
        group = vm.id.rsplit("/providers/", 1)[0]
        new = fleet_world.make_disk(group, fleet_file.disk(Reader({}, "disk")), f"{vm.name}_DataDisk_{lun}", lun)
        machines.attach(world, vm, new)

    azure.simulator.call(change)


def recreate(azure: Stage) -> None:
    azure.simulator.call(lambda world: fleet_world.recreate(world, next(iter(world.vms.values()))))


def names(azure: Stage) -> list[str]:
    held = azure.simulator.call(lambda world: [point for points in world.points.values() for point in points.values()])
    return sorted(point.name for point in held)


def taken(azure: Stage, wish: Wish = WISH, *, check: bool = False) -> Outcome:
    return azure.take(wish=wish, check=check)["db1"]


def test_a_point_without_a_disk_is_good_for_who_left_it_out_and_for_nobody_else(azure: Stage) -> None:
    azure.vms(READY)
    without = Wish(min_interval=timedelta(0), exclude_disks=(disk(azure, 2).upper(),))
    assert taken(azure, without).verdict is Verdict.REACHED
    assert taken(azure, without).verdict is Verdict.FRESH
    assert taken(azure, check=True).verdict is Verdict.PLANNED
    assert taken(azure).verdict is Verdict.REACHED
    assert len(names(azure)) == 2
    assert taken(azure).verdict is Verdict.FRESH


def test_a_disk_that_was_attached_since_wants_a_new_point(azure: Stage) -> None:
    azure.vms(READY)
    taken(azure)
    attach(azure)
    assert taken(azure, check=True).verdict is Verdict.PLANNED
    assert taken(azure).verdict is Verdict.REACHED
    assert len(names(azure)) == 2


def test_where_it_is_too_early_for_another_point_the_one_without_a_disk_is_called_incomplete(azure: Stage) -> None:
    azure.vms(READY)
    taken(azure)
    attach(azure)
    outcome = taken(azure, Wish())
    assert (outcome.verdict, outcome.good) == (Verdict.INCOMPLETE, False)
    assert outcome.disks_missing == (disk(azure, 3),)
    assert disk(azure, 3) in outcome.cause
    assert "exclude_disks" in outcome.advice
    assert outcome.describe()["disks_missing"] == [disk(azure, 3)]


def test_a_machine_that_is_made_anew_is_not_fresh_from_the_point_of_the_one_before_it(azure: Stage) -> None:
    azure.vms(READY)
    old = taken(azure)
    recreate(azure)
    assert taken(azure, check=True).verdict is Verdict.PLANNED
    new = taken(azure)
    assert new.verdict is Verdict.REACHED
    assert old.point and new.point
    assert new.point.name != old.point.name
    told = [finding for finding in new.findings if finding.code == "points_of_an_earlier_vm"]
    assert [old.point.name in finding.message for finding in told] == [True]


def test_a_named_point_of_an_earlier_machine_is_refused_and_left(azure: Stage) -> None:
    azure.vms(READY)
    wish = Wish(name="before-upgrade", min_interval=timedelta(0))
    assert taken(azure, wish).verdict is Verdict.REACHED
    assert taken(azure, wish).verdict is Verdict.FRESH
    recreate(azure)
    outcome = taken(azure, wish)
    assert outcome.verdict is Verdict.FAILED
    assert "holds an earlier VM of this name" in outcome.cause
    assert outcome.failure["kind"] == InvalidInput.__name__
    assert names(azure) == ["before-upgrade"]


def test_retention_neither_counts_nor_prunes_the_points_of_an_earlier_machine(azure: Stage) -> None:
    azure.vms(READY)
    where = {"collection": azure.collection("db1"), "resource_group": "rg-fleet"}
    earlier = [
        {**where, "name": f"appconsistent-2026112{day}T0000Z", "age": f"{9 - day}d", "earlier_machine": True}
        for day in range(3)
    ]
    azure.vms({**READY, "points": earlier})
    keep = Wish(min_interval=timedelta(0), max_age=timedelta(0), retention=Retention(keep=1))
    first, second = taken(azure, keep), taken(azure, keep)
    assert first.point and second.point and first.pruned and second.pruned
    assert first.pruned.removed == ()
    assert [gone.point.name for gone in second.pruned.removed] == [first.point.name]
    assert names(azure) == sorted([*(str(point["name"]) for point in earlier), second.point.name])


def test_what_is_kept_as_good_holds_every_disk(azure: Stage) -> None:
    azure.vms(READY)
    where = {"collection": azure.collection("db1"), "resource_group": "rg-fleet"}
    whole: Json = {**where, "name": "appconsistent-20261101T0000Z", "age": "9d"}
    partial: list[Json] = [
        {**where, "name": f"appconsistent-2026111{day}T0000Z", "age": f"{9 - day}d", "excluded": ["db1_DataDisk_0"]}
        for day in range(1, 4)
    ]
    azure.vms({**READY, "points": [whole, *partial]})
    wish = Wish(exclude_disks=(disk(azure, 1),), max_age=timedelta(days=30), retention=Retention(keep=1, keep_good=1))
    all_disks = Wish(max_age=timedelta(days=30), retention=Retention(keep=1, keep_good=1))
    kept = taken(azure, all_disks)
    assert kept.point and kept.point.name == whole["name"]
    assert kept.verdict is Verdict.FRESH
    assert names(azure) == sorted([whole["name"], partial[-1]["name"]])
    assert taken(azure, wish).verdict is Verdict.FRESH
    assert names(azure) == [partial[-1]["name"]]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_disk_counts_the_systems_too(azure: Stage, number: int) -> None:
    azure.vms(READY)
    assert taken(azure, Wish(exclude_disks=(disk(azure, number),))).verdict is Verdict.REACHED
    outcome = taken(azure, Wish())
    assert (outcome.verdict, outcome.disks_missing) == (Verdict.INCOMPLETE, (disk(azure, number),))
