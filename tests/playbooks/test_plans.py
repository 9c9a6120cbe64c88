# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Host and group variables say what is wanted of each machine, and one that is wrong costs its own machine only."""

from __future__ import annotations

import typing as t

import pytest

from tests.playbooks.conftest import Controller

Json = t.Any
DISKS: Json = {"data": [{}, {}]}
FLEET = [{"name": name, "linux_scripts": "ok", "disks": DISKS} for name in ("gold", "silver", "plain")]
TAKE = {"name": "take", "appconsistent.azure.restore_points": {"schedule": "nightly"}, "run_once": True}
READY = {"name": "ready", "appconsistent.azure.snapshot_readiness_info": {}, "run_once": True, "register": "ready"}


def taken(controller: Controller, *plays: Json) -> Json:
    run = controller.play(*(plays or (TAKE,)))
    return {**run.of("take").result["hosts"], "output": " ".join(run.output.split())}


def test_each_machine_gets_what_its_own_plan_says(controller: Controller) -> None:
    controller.fleet(*FLEET)
    controller.variables = {
        "gold": {"hours": 4, "appconsistent": {"schedule": "gold", "max_age": "{{ hours }}h", "keep": "42"}},
        "silver": {
            "appconsistent": {
                "exclude_disks": ["lun:1", "gone"],
                "consistency": "CrashConsistent",
                "collection_resource_group": "rg-points",
            }
        },
    }
    controller.fleet(*FLEET, resource_groups=[{"name": "rg-points"}])
    hosts = taken(controller)
    names = {host: hosts[host]["restore_point"]["name"].rsplit("-", 1)[0] for host in ("gold", "silver", "plain")}
    assert names == {"gold": "gold", "silver": "nightly", "plain": "nightly"}
    assert {host: hosts[host]["consistency_requested"] for host in names} == {
        "gold": "ApplicationConsistent",
        "silver": "CrashConsistent",
        "plain": "ApplicationConsistent",
    }
    assert len(hosts["silver"]["restore_point"]["exclude_disks"]) == 1
    assert "/rg-points/" in hosts["silver"]["restore_point_collection_id"]
    assert "silver has no disk gone, which its exclude_disks names" in hosts["output"]
    info = {"name": "info", "appconsistent.azure.restore_point_info": {}}
    found = controller.play(info, hosts="silver").of("info").result
    assert [point["name"] for point in found["restore_points"]] == [hosts["silver"]["restore_point"]["name"]]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("gold", "gold: appconsistent is not a mapping of options"),
        ({"keeps": 3}, "gold: appconsistent has no option keeps; keep may be meant"),
        ({"keep": "many"}, "gold: appconsistent: argument 'keep' is of type"),
        ({"keep": 0}, "gold: The option keep is 0 (appconsistent)"),
        ({"consistency": "Good"}, "gold: appconsistent: value of consistency must be one of"),
        ({"max_age": "{{ nope }}"}, "gold: the variable appconsistent cannot be evaluated"),
        ({"schedule": "a--b"}, "gold: The option schedule is 'a--b'"),
        ({"exclude_disks": [{"lun": "{{ nope }}"}]}, "gold: the variable appconsistent cannot be evaluated"),
        ({1: 2}, "gold: appconsistent has no option 1"),
    ],
)
def test_a_wrong_plan_stops_its_own_machine_and_is_named(controller: Controller, plan: Json, words: str) -> None:
    controller.fleet(*FLEET)
    controller.variables = {"gold": {"appconsistent": plan}}
    hosts = taken(controller)
    assert [hosts[host]["verdict"] for host in ("gold", "silver", "plain")] == ["failed", "reached", "reached"]
    assert hosts["gold"]["cause"].startswith(words), hosts["gold"]["cause"]
    assert "appconsistent" in hosts["gold"]["cause"] + hosts["gold"]["advice"]


def test_a_word_of_the_option_that_names_nobodys_disk_is_told_once(controller: Controller) -> None:
    controller.fleet(*FLEET)
    options = {"exclude_disks": ["lun:0", "nobodys"]}
    take = {"name": "take", "appconsistent.azure.restore_points": options, "run_once": True}
    hosts = taken(controller, take)
    assert hosts["output"].count("No VM of this task has a disk nobodys, which exclude_disks names") == 1
    assert all(len(hosts[host]["restore_point"]["exclude_disks"]) == 1 for host in ("gold", "silver", "plain"))


def test_readiness_and_the_guard_go_by_the_plan_too(controller: Controller) -> None:
    shared = {"data": [{}, {"shared": True}]}
    controller.fleet({"name": "gold", "linux_scripts": "ok", "disks": shared}, *FLEET[1:])
    ready = controller.play(READY).of("ready").result["hosts"]
    assert (ready["gold"]["ready"], ready["silver"]["ready"]) == (False, True)
    controller.variables = {"gold": {"appconsistent": {"exclude_disks": ["lun:1"]}}, "plain": {"appconsistent": 1}}
    ready = controller.play(READY).of("ready").result["hosts"]
    assert (ready["gold"]["ready"], ready["silver"]["ready"]) == (True, True)
    assert "appconsistent is not a mapping" in ready["plain"]["cause"]


@pytest.mark.parametrize("module", ["restore_points", "snapshot_readiness_info"])
def test_a_collections_name_that_only_one_machine_cannot_have_stops_that_machine(
    controller: Controller, module: str
) -> None:
    long = {"name": "gold", "linux_scripts": "ok", "resource_group": "g" * 70}
    controller.fleet(long, *FLEET[1:])
    options = {"collection_name": "points-of-{group}-{hash}"}
    run = controller.play({"name": "ask", f"appconsistent.azure.{module}": options, "run_once": True})
    hosts = run.of("ask").result["hosts"]
    assert "collection_name" in hosts["gold"]["cause"]
    # It is the task's own option, and no plan is to be corrected.
    assert "(appconsistent)" not in hosts["gold"]["cause"]
    good = [hosts[host].get("ok", hosts[host].get("ready")) for host in ("gold", "silver", "plain")]
    assert [bool(each) for each in good] == [False, True, True]
