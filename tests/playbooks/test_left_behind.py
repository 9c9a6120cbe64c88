# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What machines that are gone have left behind is found without them, and deleted only by who has looked at it."""

from __future__ import annotations

import typing as t

import pytest

from tests.playbooks.conftest import Controller

Json = t.Any
POINTS = [{"collection": "left", "name": name, "age": "90d"} for name in ("p1", "p2")]
FLEET = (
    {"name": "there", "linux_scripts": "ok", "points": [{"collection": "kept", "name": "k1", "age": "5h"}]},
    {"name": "gone", "linux_scripts": "ok", "points": POINTS},
)


def task(module: str, name: str, **options: Json) -> Json:
    return {"name": name, f"appconsistent.azure.{module}": options, "run_once": True, "ignore_errors": True}


def drop(controller: Controller) -> None:
    """Somebody deletes the machine, which leaves its collection."""

    def change(world: Json) -> None:
        world.drop_vm(next(vm.key for vm in world.vms.values() if vm.name == "gone"))

    controller.simulator.call(change)


def found(controller: Controller) -> dict[str, Json]:
    info = task("restore_point_info", "look", subscription_id=controller.simulator.subscription_id)
    result = controller.play(info, hosts="there").of("look").result
    return {each["name"]: each for each in result["restore_point_collections"]} | {
        "points": [(point["collection_id"].rpartition("/")[2], point["name"]) for point in result["restore_points"]]
    }


def removal(controller: Controller, collection: Json, *arguments: str, **options: Json) -> Json:
    remove = task("restore_point_collection", "remove", id=collection["id"], state="absent", **options)
    return controller.play(remove, hosts="there", arguments=arguments).of("remove").result


def test_points_without_a_machine_are_found_and_deleted_after_somebody_has_counted_them(controller: Controller) -> None:
    controller.fleet(*FLEET)
    assert {name: each["source"] for name, each in found(controller).items() if name != "points"} == {
        "kept": "there",
        "left": "there",
    }
    drop(controller)
    held = found(controller)
    assert (held["left"]["source"], held["left"]["points"]) == ("gone", 2)
    assert held["points"] == [("kept", "k1"), ("left", "p1"), ("left", "p2")]
    refused = removal(controller, held["left"])
    assert "it holds 2 restore points, and the option points says 0" in refused["msg"]
    planned = removal(controller, held["left"], "--check", "--diff", points=2)
    assert (planned["changed"], planned["restore_points"]) == (True, ["p1", "p2"])
    assert "left" in found(controller)
    assert removal(controller, held["left"], points=2)["changed"] is True
    assert "left" not in found(controller)
    assert removal(controller, held["left"], points=2)["changed"] is False


@pytest.mark.parametrize("status", [403, 500])
def test_a_machine_that_cannot_be_read_may_be_there(controller: Controller, status: int) -> None:
    controller.fleet(*FLEET)
    drop(controller)
    fault = {"action": "Microsoft.Compute/virtualMachines/read", "vm": "gone", "status": status, "code": "No"}
    controller.simulator.add_fault("error", **fault)
    held = found(controller)
    assert held["left"]["source"] == "unknown"
    assert "may be there: it cannot be read" in removal(controller, held["left"], points=2)["msg"]
    assert "left" in found(controller)


def test_what_belongs_to_a_machine_that_is_there_stays(controller: Controller) -> None:
    controller.fleet(*FLEET)
    held = found(controller)
    said = removal(controller, held["kept"], points=1)["msg"]
    assert "virtualMachines/there is still there" in said
    assert "not the resource ID of a restore point collection" in removal(controller, {"id": "/nonsense"})["msg"]


def test_with_its_group_the_machine_is_gone_too(controller: Controller) -> None:
    """The points were kept in a group of their own, as where a lock covers that of the machine."""
    elsewhere = [{**point, "resource_group": "rg-points"} for point in POINTS]
    controller.fleet(FLEET[0], {**FLEET[1], "resource_group": "rg-old", "points": elsewhere})
    drop(controller)
    controller.simulator.call(lambda world: world.groups.pop(next(key for key in world.groups if "rg-old" in key)))
    held = found(controller)
    assert held["left"]["source"] == "gone"
    assert removal(controller, held["left"], points=2)["changed"] is True
