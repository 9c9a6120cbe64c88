"""What befalls a VM and its disks: a disk comes or goes, the machine is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import disks

if TYPE_CHECKING:
    from .records import Disk, Vm
    from .world import World


class MachineError(ValueError):
    """A change that the machine cannot take, in one sentence."""


def free_lun(vm: Vm) -> int:
    taken = {disk.lun for disk in vm.disks}
    return next(lun for lun in range(len(vm.disks) + 1) if lun not in taken)


def attach(world: World, vm: Vm, disk: Disk) -> Vm:
    """Puts a new disk into the VM's model."""
    if any(disk.id.lower() == held.id.lower() or disk.lun == held.lun for held in vm.disks):
        raise MachineError(f"VM '{vm.name}' has a disk '{disk.name}' or LUN {disk.lun} already.")
    if disk.id.lower() in world.disks:
        raise MachineError(f"There is a disk '{disk.name}' already.")
    world.put_disk(disk.id.lower(), disks.of_vm(world, vm, disk))
    return _with_disks(world, vm, (*vm.disks, disk))


def detach(world: World, vm: Vm, name: str) -> Vm:
    """Takes a data disk out of the VM's model; the disk itself stays."""
    found = next((disk for disk in vm.disks if disk.name.lower() == name.lower() and not disk.is_os), None)
    if found is None:
        raise MachineError(f"VM '{vm.name}' has no data disk '{name}'.")
    release(world, found)
    return _with_disks(world, vm, tuple(disk for disk in vm.disks if disk is not found))


def _with_disks(world: World, vm: Vm, held: tuple[Disk, ...]) -> Vm:
    world.change_vm(vm.key, disks=held)
    world.model_changed(vm.key)
    return world.vms[vm.key]


def exchange(world: World, vm: Vm, held: tuple[Disk, ...]) -> Vm:
    """Gives the VM these disks; those that it had before stay and belong to nobody."""
    kept = {disk.id.lower() for disk in held}
    for disk in vm.disks:
        if disk.id.lower() not in kept:
            release(world, disk)
    changed = _with_disks(world, vm, held)
    mark_disks(world, changed)
    return changed


def mark_disks(world: World, vm: Vm) -> None:
    """A VM's disks say whose they are, and whether a running machine has them."""
    state = "Reserved" if vm.power == "deallocated" else "Attached"
    for disk in vm.disks:
        found = world.disks.get(disk.id.lower())
        if found is not None:
            world.put_disk(
                disk.id.lower(),
                {**found, "managedBy": vm.id, "properties": {**found["properties"], "diskState": state}},
            )


def release(world: World, disk: Disk) -> None:
    """The disk belongs to no VM."""
    held = world.disks.get(disk.id.lower())
    if held is not None:
        free = {name: value for name, value in held.items() if name != "managedBy"}
        world.put_disk(disk.id.lower(), {**free, "properties": {**held["properties"], "diskState": "Unattached"}})


def delete(world: World, vm: Vm, with_disks: bool = False) -> None:
    """The VM goes with its extensions; its collections and points stay, and its disks unless they go with it."""
    for disk in vm.disks:
        if with_disks:
            world.drop_disk(disk.id.lower())
        else:
            release(world, disk)
    world.drop_vm(vm.key)
