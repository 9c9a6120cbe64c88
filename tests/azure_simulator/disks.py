"""Managed disks: those of the VMs, and new ones made from a disk restore point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import bodies, operations, pages, regions, restore_points
from .errors import ArmError, invalid_parameter, not_allowed, resource_not_found
from .exchange import Call, Response, answer
from .paths import parse
from .records import Disk, DiskPoint, Point, Vm

if TYPE_CHECKING:
    from .world import World

TYPE = "Microsoft.Compute/disks"
PUT_BODY: Mapping[str, bodies.Shape] = {
    **bodies.RESOURCE,
    "location": str,
    "tags": dict,
    "zones": [str],
    "sku": {"name": str, "tier": str},
    "properties": {
        "creationData": {"createOption": str, "sourceResourceId": str},
        "diskSizeGB": int,
        "osType": ("Windows", "Linux"),
        "hyperVGeneration": ("V1", "V2"),
        "encryption": {
            "type": (
                "EncryptionAtRestWithPlatformKey",
                "EncryptionAtRestWithCustomerKey",
                "EncryptionAtRestWithPlatformAndCustomerKeys",
            ),
            "diskEncryptionSetId": str,
        },
        "securityProfile": {"securityType": str},
        "tier": str,
        "diskIOPSReadWrite": int,
        "diskMBpsReadWrite": int,
        "burstingEnabled": bool,
        "diskAccessId": str,
        "networkAccessPolicy": ("AllowAll", "AllowPrivate", "DenyAll"),
        "publicNetworkAccess": ("Enabled", "Disabled"),
    },
}


def of_vm(world: World, vm: Vm, disk: Disk) -> dict[str, Any]:
    """The resource behind a disk in a VM's model."""
    properties: dict[str, Any] = {
        "timeCreated": world.clock.stamp(0),
        "creationData": {"createOption": "FromImage" if disk.is_os else "Empty"},
        "diskSizeGB": disk.size_gb,
        "provisioningState": "Succeeded",
        "diskState": "Attached",
        "uniqueId": world.guid(),
        "networkAccessPolicy": "AllowAll",
    }
    if disk.is_os:
        properties["osType"] = vm.os.capitalize()
    if disk.shared:
        properties["maxShares"] = 2
    return {
        "name": disk.name,
        "id": disk.id,
        "type": TYPE,
        "location": vm.location,
        "managedBy": vm.id,
        "sku": {"name": disk.sku},
        "properties": properties,
    }


def get(world: World, call: Call) -> Response:
    found = world.disks.get(call.target.key)
    if found is None:
        raise resource_not_found(TYPE, call.target.name, call.target.group)
    return answer(200, found)


def list_in_scope(world: World, call: Call) -> Response:
    keys, link = pages.cut(world, call, world.disks_in.get(call.target.scope, {}))
    return pages.answer([world.disks[key] for key in keys], link)


def put(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, PUT_BODY, "Disk")
    location = str(bodies.required(body.get("location"), "location")).lower()
    properties = body.get("properties") or {}
    creation = bodies.required(properties.get("creationData"), "properties.creationData")
    option = bodies.required(creation.get("createOption"), "properties.creationData.createOption")
    if call.target.key in world.disks:
        raise ArmError(
            409, "PropertyChangeNotAllowed", "Changing property 'creationData' is not allowed.", "creationData"
        )
    if option.lower() == "restore":
        # Azure: azure-cli issue 22561, for Copy, with the list of create options that take one.
        if properties.get("securityProfile"):
            raise invalid_parameter("Security Type is not supported for CreateOption 'Restore'.", "securityProfile")
        source = _source(world, str(creation.get("sourceResourceId")), location)
        size = source.disk.size_gb
        if source.disk.is_os:
            properties = {**properties, "osType": _os_of(world, source)}
    elif option.lower() == "empty":
        size = bodies.required(properties.get("diskSizeGB"), "properties.diskSizeGB")
    else:
        raise invalid_parameter(
            f"The simulator makes disks with createOption 'Restore' or 'Empty', not '{option}'.", "createOption"
        )
    asked = properties.get("diskSizeGB")
    if asked is not None and asked < size:
        raise invalid_parameter("The disk cannot be smaller than its source.", "diskSizeGB")
    group = world.groups[call.target.scope]
    disk: dict[str, Any] = {
        "name": call.target.name,
        "id": f"{group.id}/providers/{TYPE}/{call.target.name}",
        "type": TYPE,
        "location": location,
        "sku": {"name": (body.get("sku") or {}).get("name") or "Premium_LRS"},
        "properties": {
            **properties,
            "timeCreated": world.clock.stamp(),
            "diskSizeGB": asked or size,
            "provisioningState": "Updating",
            "diskState": "Unattached",
            "uniqueId": world.guid(),
        },
    }
    for name in ("tags", "zones"):
        if body.get(name):
            disk[name] = body[name]
    world.put_disk(call.target.key, disk)
    operation = operations.start(world, call, "disk_create", regions.display(location))

    def settle(state: str) -> None:
        world.put_disk(call.target.key, {**disk, "properties": {**disk["properties"], "provisioningState": state}})

    def made(_at: float) -> dict[str, Any]:
        settle("Succeeded")
        return world.disks[call.target.key]

    # The Azure CLI takes the disk from the last answer at the Location and asks no more for it.
    operations.run(world, operation, world.settings.durations.disk, None, made, lambda _: settle("Failed"))
    return answer(202, disk, *operations.headers(world, call, operation, with_location=True))


def patch(world: World, call: Call) -> Response:
    """Changes tags, which are all of the disk's afterwards. Nothing else of a disk is changed here."""
    found = world.disks.get(call.target.key)
    if found is None:
        raise resource_not_found(TYPE, call.target.name, call.target.group)
    body = call.json()
    bodies.check(body, {"tags": dict}, "DiskUpdate")
    changed = {**found, "tags": body.get("tags") or {}}
    operation = operations.start(world, call, "disk_update", regions.display(str(found["location"])))

    def done(_at: float) -> dict[str, Any]:
        held = world.disks.get(call.target.key)
        if held is not None:
            world.put_disk(call.target.key, {**held, "tags": changed["tags"]})
        return changed

    operations.run(world, operation, world.settings.durations.disk, None, done)
    return answer(202, changed, *operations.headers(world, call, operation, with_location=True))


def _os_of(world: World, source: DiskPoint) -> str:
    point = _point_of(world, parse(source.id).parent)
    return point.vm.os.capitalize() if point is not None else ""


def _point_of(world: World, key: str) -> Point | None:
    return world.points.get(key.rsplit("/", 2)[0], {}).get(key.rsplit("/", 1)[1])


def _source(world: World, source_id: str, location: str) -> DiskPoint:
    target = parse(source_id)
    if target.types != "microsoft.compute/restorepointcollections/restorepoints/diskrestorepoints":
        raise invalid_parameter(
            f"'{source_id}' is not the id of a disk restore point.", "creationData.sourceResourceId"
        )
    point = _point_of(world, target.parent)
    copies = point.disk_points if point is not None else ()
    for copy in copies:
        if copy.name.lower() == target.name.lower() and point is not None:
            collection = world.collections[point.collection]
            if collection.location != location:
                raise invalid_parameter(
                    f"The disk must be made in '{collection.location}', where its source is.", "location"
                )
            if restore_points.replication_percent(world, point) < 100:
                raise not_allowed(f"The disk restore point '{copy.name}' is not completely replicated yet.")
            return copy
    raise resource_not_found(
        "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints", target.name, target.group
    )


def delete(world: World, call: Call) -> Response:
    found = world.disks.get(call.target.key)
    if found is None:
        return Response(204)
    if found.get("managedBy"):
        raise not_allowed(f"Disk {found['name']} is attached to VM {found['managedBy']}.")
    operation = operations.start(world, call, "disk_delete", regions.display(str(found["location"])))
    operations.run(world, operation, world.settings.durations.disk, None, lambda _: world.drop_disk(call.target.key))
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))
