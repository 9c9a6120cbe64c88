# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Each machine leaves out the disks that are its own, and what names nobody's disk is not lost in silence."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish

from tests.unit.plugins.conftest import Stage

FLEET: tuple[dict[str, t.Any], ...] = (
    {"name": "db1", "linux_scripts": "ok", "disks": {"data": [{}, {}]}},
    {"name": "db2", "linux_scripts": "ok", "disks": {"data": [{}]}},
)


def disks(azure: Stage) -> dict[str, list[str]]:
    return azure.simulator.call(lambda world: {vm.name: [disk.id for disk in vm.disks] for vm in world.vms.values()})


def taken(azure: Stage, *words: str) -> dict[str, Outcome]:
    return azure.take(wish=Wish(exclude_disks=words, min_interval=timedelta(0)))


def left_out(outcome: Outcome) -> tuple[str, ...]:
    assert outcome.verdict is Verdict.REACHED
    assert outcome.point is not None
    return outcome.point.exclude_disks


def test_the_disk_of_one_machine_does_not_cost_the_others_their_points(azure: Stage) -> None:
    azure.vms(*FLEET)
    held = disks(azure)
    outcomes = taken(azure, held["db1"][2])
    assert left_out(outcomes["db1"]) == (held["db1"][2],)
    assert left_out(outcomes["db2"]) == ()
    assert outcomes["db2"].strange_disks == (held["db1"][2],)


@pytest.mark.parametrize("form", ["id", "ID", "name", "NAME", " name ", "lun:1", "LUN: 1"])
def test_a_disk_is_named_by_id_name_or_lun(azure: Stage, form: str) -> None:
    azure.vms(FLEET[0])
    wanted = disks(azure)["db1"][2]
    name = wanted.rsplit("/", 1)[-1]
    forms = {"id": wanted, "ID": wanted.upper(), "name": name, "NAME": name.upper(), " name ": f" {name} "}
    assert left_out(taken(azure, forms.get(form, form))["db1"]) == (wanted,)


@pytest.mark.parametrize("word", ["1", "lun:7", "lun:", "lun:-1", "lun:1x", "lun:٢", "db1", "", "/subscriptions/x"])
def test_what_names_no_disk_leaves_out_none_and_is_told(azure: Stage, word: str) -> None:
    azure.vms(FLEET[0])
    outcome = taken(azure, word)["db1"]
    assert (left_out(outcome), outcome.strange_disks) == ((), (word,))
