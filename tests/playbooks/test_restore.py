# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine restored in place and back by the shipped playbooks, with the real ansible-playbook."""

from __future__ import annotations

import typing as t
from pathlib import Path

from tests.playbooks.conftest import Controller

Json = t.Any
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
READY = {"linux_scripts": "ok", "snapshot_extension": "present", "disks": {"data": [{}]}}
TAKE = {"name": "take", "appconsistent.azure.restore_point": {"name": "before"}}
TELL = {"name": "tell", "appconsistent.azure.restore_point_info": {}}


def disks(controller: Controller, vm: str = "db1") -> list[str]:
    held: list[str] = controller.simulator.call(
        lambda world: [disk.name for each in world.vms.values() if each.name == vm for disk in each.disks]
    )
    return held


def played(controller: Controller, playbook: str, *arguments: str, point: str = "before", hosts: str = "db1") -> Json:
    said = ("-e", f"restore_point={point}", "-e", f"appconsistent_hosts={hosts}")
    return controller.run(str(PLAYBOOKS / f"{playbook}.yml"), *said, *arguments)


def test_a_plan_a_restore_a_second_run_and_the_way_back(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.play(TAKE)
    before = disks(controller)
    plan = played(controller, "restore", "--check", "--diff")
    assert plan.status == 0, plan.output
    assert "exchange 2 disks in one update, and keep what was there" in plan.output
    assert f"-os: {before[0]}" in plan.output
    assert disks(controller) == before
    done = played(controller, "restore", "--diff")
    assert done.status == 0, done.output
    assert "db1: making 2 disks of before" in done.output
    result = done.of("Restore the machine in place").result
    assert [disk["disk"].rpartition("/")[2] for disk in result["disks"]] == disks(controller)
    assert not set(disks(controller)) & set(before)
    again = played(controller, "restore")
    assert again.of("Restore the machine in place").result["changed"] is False
    back = played(controller, "restore_undo")
    assert (back.status, disks(controller)) == (0, before)


def test_no_machine_and_no_point_is_ever_a_default(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    nobody = controller.run(str(PLAYBOOKS / "restore.yml"), "-e", "restore_point=before")
    assert nobody.status != 0
    assert "Name the machines with appconsistent_hosts and the restore point" in " ".join(nobody.output.split())
    nothing = played(controller, "restore_undo", point="")
    assert nothing.status != 0
    assert "Name the machines with appconsistent_hosts and the restore point" in " ".join(nothing.output.split())
    strange = played(controller, "restore", hosts="nobody")
    assert strange.status != 0
    assert "matches nobody, so nothing would be done" in " ".join(strange.output.split())
    unknown = played(controller, "restore")
    assert "The VM db1 has no restore point before in the collection" in unknown.output


def test_a_start_that_fails_says_which_disks_the_machine_has_and_the_next_run_ends_it(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.play(TAKE)
    failed = {"code": "AllocationFailed", "message": "There is no room in the zone."}
    controller.simulator.add_fault("operation_fails", operation="vm_start", times=1, **failed)
    result = played(controller, "restore").of("Restore the machine in place").result
    assert (result["verdict"], result["failure"]["code"]) == ("failed", "AllocationFailed")
    assert "The VM db1 has the disks that it was to get and is deallocated; run this again to finish." in result["msg"]
    assert played(controller, "restore").of("Restore the machine in place").result["verdict"] == "started"


def test_what_a_point_holds_is_told_disk_by_disk(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.play(TAKE)
    (point,) = controller.play(TELL).of("tell").result["restore_points"]
    assert [(disk["role"], disk["lun"], disk["name"]) for disk in point["disks"]] == [
        ("os", None, "db1_OsDisk_1"),
        ("data", 0, "db1_DataDisk_0"),
    ]
    assert point["disks"][0]["encryption_type"] == "EncryptionAtRestWithPlatformKey"
    assert point["disks"][0]["source_disk"].endswith("/disks/db1_OsDisk_1")
