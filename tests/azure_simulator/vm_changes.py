"""What a client changes about a VM: whether it runs, and which disks it has.

Shapes: azure-rest-api-specs, Microsoft.Compute, VirtualMachines_Update, _Deallocate and _Start. One update may exchange
the OS disk and all data disks; whether Azure takes both at once is documented nowhere, and each alone is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import bodies, machines, operations, vms
from .errors import ArmError, invalid_parameter, not_allowed, resource_not_found
from .exchange import Call, Response, answer
from .records import Disk, Vm

if TYPE_CHECKING:
    from .world import World

CACHING = ("None", "ReadOnly", "ReadWrite")
_DISK: Mapping[str, bodies.Shape] = {
    "name": str,
    "createOption": ("FromImage", "Attach", "Empty", "Copy", "Restore"),
    "caching": CACHING,
    "writeAcceleratorEnabled": bool,
    "deleteOption": ("Detach", "Delete"),
    "diskSizeGB": int,
    "managedDisk": {"id": str, "storageAccountType": str, "diskEncryptionSet": {"id": str}},
}
PATCH_BODY: Mapping[str, bodies.Shape] = {
    "tags": dict,
    "properties": {
        "storageProfile": {
            "osDisk": {**_DISK, "osType": ("Windows", "Linux")},
            "dataDisks": [{**_DISK, "lun": int, "toBeDetached": bool}],
        }
    },
}


def deallocate(world: World, call: Call) -> Response:
    return _power(world, call, "vm_deallocate", "deallocated")


def start(world: World, call: Call) -> Response:
    return _power(world, call, "vm_start", "running")


def _power(world: World, call: Call, kind: str, power: str) -> Response:
    key = call.target.parent
    vm = vms.find(world, key, call.target.name, call.target.group)
    operation = operations.start(world, call, kind, vm.location)

    def done(_at: float) -> None:
        if key in world.vms:
            world.change_vm(key, power=power)
            world.model_changed(key)
            machines.mark_disks(world, world.vms[key])

    operations.run(world, operation, world.settings.durations.power, vm.name, done)
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))


def update(world: World, call: Call) -> Response:
    vm = vms.find(world, call.target.key, call.target.name, call.target.group)
    wanted = call.incoming.headers.get("if-match", "")
    if wanted not in ("", "*", vms.etag(vm)):
        raise ArmError(412, "PreconditionFailed", f"The ETag '{wanted}' is not that of the VM '{vm.name}' any more.")
    body = call.json()
    bodies.check(body, PATCH_BODY, "VirtualMachineUpdate")
    if vm.provisioning_state != "Succeeded":
        raise ArmError(409, "Conflict", f"The VM '{vm.name}' is in the state '{vm.provisioning_state}'.")
    storage = (body.get("properties") or {}).get("storageProfile") or {}
    held = _disks_after(world, vm, storage)
    operation = operations.start(world, call, "vm_update", vm.location)

    def done(_at: float) -> None:
        if vm.key in world.vms:
            if "tags" in body:
                world.change_vm(vm.key, tags=body["tags"] or {})
            machines.exchange(world, world.vms[vm.key], held)

    operations.run(world, operation, world.settings.durations.update, vm.name, done)
    shown = vms.render(world, vm, False, False)
    shown["properties"]["provisioningState"] = "Updating"
    return answer(200, shown, *operations.headers(world, call, operation, with_location=True))


def _disks_after(world: World, vm: Vm, storage: Mapping[str, Any]) -> tuple[Disk, ...]:
    os_disks = tuple(disk for disk in vm.disks if disk.is_os)
    data = tuple(disk for disk in vm.disks if not disk.is_os)
    if storage.get("osDisk"):
        os_disks = tuple(_swapped(world, vm, disk, storage["osDisk"]) for disk in os_disks)
    if "dataDisks" in storage:
        given = [disk for disk in storage["dataDisks"] or () if not disk.get("toBeDetached")]
        data = tuple(_attached(world, vm, disk, f"dataDisks[{place}]") for place, disk in enumerate(given))
    held = (*os_disks, *data)
    luns = [disk.lun for disk in data]
    if len(set(luns)) != len(luns):
        raise invalid_parameter("Two data disks have the same LUN.", "dataDisk.lun")
    if len({disk.id.lower() for disk in held}) != len(held):
        raise invalid_parameter("A disk is named twice.", "dataDisks")
    return held


def _swapped(world: World, vm: Vm, present: Disk, given: Mapping[str, Any]) -> Disk:
    if present.ephemeral:
        raise not_allowed(f"The OS disk of the VM '{vm.name}' is ephemeral and cannot be exchanged.")
    if str(given.get("createOption", "FromImage")).lower() != "fromimage":
        raise _no_change("osDisk.createOption")
    if str(given.get("osType", vm.os)).lower() != vm.os:
        raise _no_change("osDisk.osType")
    found = _resource(world, vm, given.get("managedDisk") or {"id": present.id}, "osDisk")
    if str(given.get("name", present.name)).lower() != found["name"].lower():
        raise _no_change("osDisk.name")
    if str(found["properties"].get("osType", "")).lower() != vm.os:
        raise invalid_parameter(f"The disk '{found['name']}' holds no operating system of the VM's kind.", "osDisk")
    return _disk(found, given, present)


def _attached(world: World, vm: Vm, given: Mapping[str, Any], place: str) -> Disk:
    lun = bodies.required(given.get("lun"), f"{place}.lun")
    if not 0 <= lun <= 63:
        raise invalid_parameter(f"The LUN {lun} is not from 0 to 63.", "dataDisk.lun")
    option = str(bodies.required(given.get("createOption"), f"{place}.createOption")).lower()
    if option != "attach":
        raise invalid_parameter(f"The simulator attaches disks that are there, not '{option}'.", "createOption")
    found = _resource(world, vm, given.get("managedDisk") or {}, place)
    return _disk(found, given, next((disk for disk in vm.disks if disk.lun == lun), None), lun)


def _disk(found: Mapping[str, Any], given: Mapping[str, Any], present: Disk | None, lun: int | None = None) -> Disk:
    stays = present is not None and present.id.lower() == found["id"].lower()
    base = present if stays and present else Disk(found["id"], found["name"], found["properties"]["diskSizeGB"])
    return replace(
        base,
        sku=found["sku"]["name"],
        lun=lun,
        caching=given.get("caching") or base.caching,
        delete_option=given.get("deleteOption") or base.delete_option,
        write_accelerator=bool(given.get("writeAcceleratorEnabled", base.write_accelerator)),
    )


def _resource(world: World, vm: Vm, managed: Mapping[str, Any], place: str) -> dict[str, Any]:
    disk_id = str(bodies.required(managed.get("id"), f"{place}.managedDisk.id"))
    found = world.disks.get(disk_id.lower())
    if found is None:
        raise resource_not_found("Microsoft.Compute/disks", disk_id.rsplit("/", 1)[-1], vm.group)
    owner = found.get("managedBy")
    if owner and owner.lower() != vm.key:
        raise ArmError(
            409,
            "ConflictingUserInput",
            f"Disk '{found['name']}' cannot be attached as the disk is already owned by VM '{owner}'.",
        )
    if found["properties"]["provisioningState"] != "Succeeded":
        raise ArmError(409, "Conflict", f"The disk '{found['name']}' is not ready yet.")
    if found["location"] != vm.location:
        raise invalid_parameter(f"The disk '{found['name']}' is in another region than the VM.", place)
    zones = found.get("zones") or []
    if zones and list(vm.zones) != list(zones):
        raise invalid_parameter(f"The disk '{found['name']}' is not in the zone of the VM.", place)
    return found


def _no_change(name: str) -> ArmError:
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", name)
