# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A stopped machine gets other disks in one update under its ETag: it has the old ones or the new ones, no mixture.

The way back is noted on the new disks themselves, in their tags, before anything is exchanged: they are what a later
run finds on the machine.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.machine import VM_API
from .._azure.resource_ids import VmId
from .._azure.waiting import until
from .._errors import Conflict
from .._json import Json, child, text
from .disks import disk_path
from .model import HeldDisk, Model, read_model

REPLACES = "appconsistent-replaces"
WAY_BACK = "appconsistent-way-back"


@dataclass(frozen=True)
class Hung:
    """How a disk is to hang on the machine: the disk's id, and what the machine's model says of it."""

    id: str
    lun: int | None
    caching: str
    write_accelerator: bool
    delete_option: str

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    def in_model(self, create_option: str) -> Json:
        shown: Json = {
            "name": self.name,
            "createOption": create_option,
            "caching": self.caching,
            "writeAcceleratorEnabled": self.write_accelerator,
            "deleteOption": self.delete_option,
            "managedDisk": {"id": self.id},
        }
        return shown if self.lun is None else {"lun": self.lun, **shown}


def hung_as(held: HeldDisk, disk_id: str = "") -> Hung:
    """Return a disk, else the one that hangs there now, in the way that `held` hangs."""
    return Hung(disk_id or held.id, held.lun, held.caching, held.write_accelerator, held.delete_option)


def note_of(held: HeldDisk) -> dict[str, str]:
    """Return the tags that tell what a disk replaces, and how that one hung. A tag holds 256 characters."""
    parts = held.id.split("/")
    group = parts[4] if len(parts) > 4 else ""
    accelerated = "accelerated" if held.write_accelerator else "-"
    return {REPLACES: f"{group}/{held.name}", WAY_BACK: f"{held.caching} {accelerated} {held.delete_option}"}


def way_back(held: HeldDisk, subscription: str) -> Hung | None:
    """Return what hung there before, as the disk's tags tell; None for a disk that replaced none."""
    group, _slash, name = held.tags.get(REPLACES, "").partition("/")
    caching, accelerated, delete_option = (*held.tags.get(WAY_BACK, "").split(" "), "", "", "")[:3]
    if not group or not name:
        return None
    return Hung(
        disk_path(subscription, group, name),
        held.lun,
        caching if caching in ("None", "ReadOnly", "ReadWrite") else held.caching,
        accelerated == "accelerated",
        delete_option if delete_option in ("Detach", "Delete") else "Detach",
    )


async def stop(arm: Arm, model: Model) -> Model:
    """Deallocate the machine, unless it is; return it as it is then. Raise Conflict if its disks changed meanwhile."""
    vm = model.machine.id
    if model.machine.power != "deallocated":
        doing = f"deallocate the VM {vm.name}"
        await arm.finish(await arm.request("POST", f"{vm.path}/deallocate", VM_API, doing=doing), doing=doing)
    stopped = await read_model(arm, vm)
    if stopped.ids != model.ids:
        raise Conflict(
            f"exchange the disks of the VM {vm.name}",
            code="DisksChanged",
            message="somebody attached or detached a disk meanwhile",
            advice="Look at the VM's disks and run this again.",
        )
    return stopped


async def exchange(arm: Arm, stopped: Model, wanted: t.Sequence[Hung]) -> None:
    """Give the stopped machine exactly these disks, in one update."""
    vm = stopped.machine.id
    os_disk = next(disk for disk in stopped.disks if disk.lun is None)
    hung = {disk.lun: disk for disk in wanted}
    # Azure takes another OS disk only under the create option that the machine has (azure-sdk-for-net issue 37285).
    storage: Json = {
        "osDisk": hung[None].in_model(os_disk.create_option),
        "dataDisks": [disk.in_model("Attach") for disk in wanted if disk.lun is not None],
    }
    doing = f"exchange the disks of the VM {vm.name}"
    body: Json = {"properties": {"storageProfile": storage}}
    answer = await arm.request("PATCH", vm.path, VM_API, doing=doing, body=body, if_match=stopped.etag)
    await arm.finish(answer, doing=doing)


async def start(arm: Arm, vm: VmId, *, agent_within: float) -> Model:
    """Start the machine, unless it runs, and wait up to so many seconds for its agent; return it as it is then."""
    model = await read_model(arm, vm)
    if not model.runs:
        doing = f"start the VM {vm.name}"
        await arm.finish(await arm.request("POST", f"{vm.path}/start", VM_API, doing=doing), doing=doing)
        model = await read_model(arm, vm)
    return await until(
        arm,
        lambda seen: seen.runs and seen.machine.agent_ready,
        model,
        lambda: read_model(arm, vm),
        lambda _seen: f"see the guest agent of the VM {vm.name} ready",
        within=agent_within,
        patient=False,
    )


async def check_free(arm: Arm, hung: Hung, api: str) -> str:
    """Return what keeps a disk from being attached again, empty for nothing."""
    found = await arm.find(hung.id, api, doing=f"read the disk {hung.name}")
    if found is None:
        return f"the disk {hung.name} is gone"
    owner = text(found, "managedBy")
    if owner:
        return f"the disk {hung.name} hangs on {owner.rpartition('/')[2]}"
    state = text(child(found, "properties"), "provisioningState")
    return "" if state.lower() == "succeeded" else f"the disk {hung.name} is in the state {state}"
