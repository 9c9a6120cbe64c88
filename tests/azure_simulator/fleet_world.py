"""Fills a world with the fleet."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from . import disk_copies, disks, machines
from .clock import Clock
from .extension_images import CATALOGUE
from .fleet_file import DiskSpec, ExtensionSpec, Fleet, PointSpec, VmSpec
from .records import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPE, Collection, Disk, Extension, Point, Vm
from .strict_reader import FleetError
from .world import Subscription, World

SNAPSHOT_STATES = {"present": "Succeeded", "failed": "Failed", "updating": "Updating"}
IMAGES = {
    "linux": {"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2"},
    "windows": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"},
}


def build(fleet: Fleet, clock: Clock) -> World:
    world = World(clock, fleet.settings, fleet.tenant_id)
    for subscription, name in fleet.subscriptions:
        world.subscriptions[f"/subscriptions/{subscription}"] = Subscription(subscription, name)
    for name, location in fleet.groups:
        world.add_group(fleet.subscriptions[0][0], name, location)
    for spec in fleet.vms:
        add_vm(world, spec)
    for fault in fleet.faults:
        world.faults.add(fault)
    return world


def add_vm(world: World, spec: VmSpec) -> Vm:
    """A VM with its disks, extensions and points; one that is there already is replaced."""
    group = world.add_group(spec.subscription, spec.resource_group, spec.location)
    vm_id = f"{group.id}/providers/Microsoft.Compute/virtualMachines/{spec.name}"
    held = world.vms.get(vm_id.lower())
    if held is not None:
        machines.delete(world, held, with_disks=True)
    vm = Vm(
        id=vm_id,
        name=spec.name,
        group=group.name,
        subscription=spec.subscription,
        location=spec.location.lower(),
        os=spec.os,
        vm_id=world.guid(),
        power=spec.power,
        agent=spec.agent,
        agent_version=spec.agent_version,
        size=spec.size,
        tags=spec.tags,
        zones=spec.zones,
        security_type=spec.security_type,
        basic_protection=spec.basic_protection,
        scale_set=spec.scale_set,
        license_type=spec.license_type,
        user_data=spec.user_data,
        image={**IMAGES[spec.os], "version": "latest"},
        os_name=spec.os_name,
        os_version=spec.os_version,
        reboot_pending=spec.reboot_pending,
        provisioning_state=spec.provisioning_state,
        disks=_disks(group.id, spec),
        linux_scripts=spec.linux_scripts,
        vss=spec.vss,
        vss_recovers_after=spec.vss_recovers_after,
        guest_socket=spec.guest_socket,
        create_seconds=spec.create_seconds,
        private_ip=spec.private_ip or (_next_address(world) if held is None else held.private_ip),
        public_ip=spec.public_ip,
        model=0 if held is None else held.model + 1,
    )
    world.put_vm(vm)
    for disk in vm.disks:
        if not disk.ephemeral:
            world.put_disk(disk.id.lower(), disks.of_vm(world, vm, disk))
    world.extensions[vm.key] = {}
    for extension in spec.extensions:
        world.put_extension(vm.key, _extension(vm, extension))
    state = SNAPSHOT_STATES.get(spec.snapshot_extension)
    if state is not None:
        world.put_extension(vm.key, snapshot_extension(vm, state))
    for point in spec.points:
        _add_point(world, vm, point)
    return vm


def recreate(world: World, vm: Vm) -> Vm:
    """The VM is deleted with its disks and made anew as it was: same id and names, another machine."""
    extensions = world.extensions.get(vm.key, {})
    machines.delete(world, vm, with_disks=True)
    made = replace(vm, vm_id=world.guid(), model=vm.model + 1)
    world.put_vm(made)
    for disk in made.disks:
        if not disk.ephemeral:
            world.put_disk(disk.id.lower(), disks.of_vm(world, made, disk))
    world.extensions[made.key] = extensions
    return made


def _next_address(world: World) -> str:
    # Azure keeps the first four of a subnet to itself.
    return str(ipaddress.ip_address("10.0.0.4") + len(world.vms))


def snapshot_extension(vm: Vm, state: str) -> Extension:
    kind = SNAPSHOT_TYPE[vm.os]
    return Extension(
        id=f"{vm.id}/extensions/{kind}",
        name=kind,
        publisher=SNAPSHOT_PUBLISHER,
        type=kind,
        version=CATALOGUE[SNAPSHOT_PUBLISHER.lower(), kind.lower()][2],
        state=state,
        message="Extension failed to enable." if state == "Failed" else "",
        location=vm.location,
    )


def _extension(vm: Vm, spec: ExtensionSpec) -> Extension:
    return Extension(
        id=f"{vm.id}/extensions/{spec.name}",
        name=spec.name,
        publisher=spec.publisher,
        type=spec.type,
        version=spec.version,
        state=spec.state,
        message=spec.message,
        location=vm.location,
        properties={} if spec.settings is None else {"settings": dict(spec.settings)},
    )


def _disks(group_id: str, spec: VmSpec) -> tuple[Disk, ...]:
    made = [make_disk(group_id, spec.os_disk, f"{spec.name}_OsDisk_1", None)]
    for lun, data in enumerate(spec.data_disks):
        made.append(make_disk(group_id, data, f"{spec.name}_DataDisk_{lun}", lun))
    return tuple(made)


def make_disk(group_id: str, spec: DiskSpec, name: str, lun: int | None) -> Disk:
    return Disk(
        id=f"{group_id}/providers/Microsoft.Compute/disks/{spec.name or name}",
        name=spec.name or name,
        size_gb=spec.size_gb,
        sku=spec.sku,
        caching=spec.caching,
        lun=lun,
        shared=spec.shared,
        ephemeral=spec.ephemeral,
        write_accelerator=spec.write_accelerator,
        allocated=spec.allocated,
        vault_missing=spec.vault_missing,
    )


def _add_point(world: World, vm: Vm, spec: PointSpec) -> None:
    group = world.add_group(vm.subscription, spec.resource_group or vm.group, vm.location)
    collection_id = f"{group.id}/providers/Microsoft.Compute/restorePointCollections/{spec.collection}"
    collection = world.collections.get(collection_id.lower())
    if collection is None:
        collection = Collection(
            id=collection_id,
            name=spec.collection,
            group=group.name,
            subscription=vm.subscription,
            location=vm.location,
            source_id=vm.id,
            source_location=vm.location,
            collection_id=world.guid(),
        )
        world.put_collection(collection)
    # Ages are the client's own seconds; the windows count simulated ones.
    created = world.clock.now() - spec.age * world.clock.speed
    source = replace(vm, vm_id=world.guid()) if spec.earlier_machine else vm
    names = {disk.name.lower(): disk.id for disk in vm.disks}
    unknown = sorted(name for name in spec.excluded if name.lower() not in names)
    if unknown:
        raise FleetError(
            f"The point '{spec.name}' of VM '{vm.name}' leaves out '{unknown[0]}', which is no disk of it."
        )
    point = Point(
        id=f"{collection.id}/restorePoints/{spec.name}",
        name=spec.name,
        collection=collection.key,
        vm_key=vm.key,
        vm=source,
        excluded=tuple(names[name.lower()] for name in spec.excluded),
        consistency=spec.consistency,
        created_at=created,
        time_created=world.clock.stamp(created),
        state=spec.state,
    )
    if spec.state == "Succeeded":
        point = replace(point, disk_points=disk_copies.made_for(world, point))
    world.put_point(point)
    crash = spec.consistency == "CrashConsistent"
    policy = "CreateCrashConsistentRestorePoint" if crash else "CreateApplicationConsistentRestorePoint"
    world.throttle.seed_create(policy, vm.key, created)
