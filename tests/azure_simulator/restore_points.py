"""Restore points: what a request may ask, and how a point is shown. What a create reaches: snapshot_course.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import activity_log, bodies, operations, regions, snapshot_course
from .disk_copies import captured_disks
from .errors import ArmError, invalid_parameter, not_allowed, parent_not_found, resource_not_found
from .exchange import Call, Response, answer
from .paths import parse
from .records import Collection, Disk, Point, Vm
from .vms import os_profile

if TYPE_CHECKING:
    from .world import World

TYPE = "Microsoft.Compute/restorePointCollections/restorePoints"
REFERENCE: Mapping[str, bodies.Shape] = {"id": str}
PUT_BODY: Mapping[str, bodies.Shape] = {
    **bodies.RESOURCE,
    "properties": {
        "excludeDisks": [REFERENCE],
        "consistencyMode": ("CrashConsistent", "FileSystemConsistent", "ApplicationConsistent"),
        "sourceRestorePoint": REFERENCE,
        "instantAccessDurationMinutes": int,
        "sourceMetadata": dict,
        "timeCreated": str,
        "provisioningState": str,
        "instanceView": dict,
    },
}
# The first api-version that knows the property, or takes it as input.
SINCE = {
    "sourceRestorePoint": "2021-11-01",
    "consistencyMode": "2022-03-01",
    "instantAccessDurationMinutes": "2025-04-01",
}


def render(world: World, point: Point, with_instance_view: bool = False) -> dict[str, Any]:
    """No `type` in it, as recorded."""
    properties: dict[str, Any] = {
        "sourceMetadata": _source_metadata(point),
        "provisioningState": point.state,
        "consistencyMode": point.consistency,
        "timeCreated": point.time_created,
    }
    if point.excluded:
        properties["excludeDisks"] = [{"id": disk_id} for disk_id in point.excluded]
    if point.source_point is not None:
        properties["sourceRestorePoint"] = {"id": point.source_point}
    if point.instant_access_minutes is not None:
        properties["instantAccessDurationMinutes"] = point.instant_access_minutes
    if with_instance_view:
        properties["instanceView"] = _instance_view(world, point)
    return {"name": point.name, "id": point.id, "properties": properties}


def _source_metadata(point: Point) -> dict[str, Any]:
    vm = point.vm
    storage: dict[str, Any] = {"dataDisks": []}
    copies = {copy.disk.id: copy for copy in point.disk_points}
    for disk in captured_disks(vm, point.excluded):
        shown: dict[str, Any] = {
            "name": disk.name,
            "caching": disk.caching,
            "diskSizeGB": disk.size_gb,
            "managedDisk": {"id": disk.id, "storageAccountType": disk.sku},
            "writeAcceleratorEnabled": disk.write_accelerator,
        }
        # The ids are there only once the point is made.
        if disk.id in copies:
            shown["diskRestorePoint"] = {
                "id": copies[disk.id].id,
                "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
            }
            source = copies[disk.id].source_point
            if source is not None:
                shown["diskRestorePoint"]["sourceDiskRestorePoint"] = {"id": source}
        if disk.is_os:
            storage["osDisk"] = {"osType": vm.os.capitalize(), **shown}
        else:
            storage["dataDisks"].append({"lun": disk.lun, **shown})
    storage["diskControllerType"] = "SCSI"
    metadata: dict[str, Any] = {
        "vmId": vm.vm_id,
        "location": vm.location,
        "hardwareProfile": {"vmSize": vm.size},
        "storageProfile": storage,
        "osProfile": os_profile(vm),
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        "hyperVGeneration": "V2",
    }
    if vm.license_type is not None:
        metadata["licenseType"] = vm.license_type
    if vm.user_data is not None:
        metadata["userData"] = vm.user_data
    if vm.security_type is not None:
        metadata["securityProfile"] = {"securityType": vm.security_type}
    return metadata


def replication_percent(world: World, point: Point) -> int:
    """How much of a copy to another region has arrived."""
    if point.replicated_from is None or point.replicated_until is None:
        return 100
    span = point.replicated_until - point.replicated_from
    return min(100, int(100 * (world.clock.now() - point.replicated_from) / span)) if span > 0 else 100


def _instance_view(world: World, point: Point) -> dict[str, Any]:
    percent = replication_percent(world, point)
    code, display = ("succeeded", "Succeeded") if percent == 100 else ("inProgress", "In progress")
    status = {"code": f"ReplicationState/{code}", "level": "Info", "displayStatus": display}
    return {
        "diskRestorePoints": [
            {
                "id": copy.id,
                "snapshotAccessState": access_state(point),
                "replicationStatus": {"status": status, "completionPercent": percent},
            }
            for copy in point.disk_points
        ],
        "statuses": [status],
    }


def access_state(point: Point) -> str:
    return "Available" if point.instant_access_minutes is None else "AvailableWithInstantAccess"


def find(world: World, call: Call, key: str, name: str) -> Point:
    collection = key.rsplit("/", 2)[0]
    found = world.points.get(collection, {}).get(name.lower())
    if found is None:
        raise resource_not_found(
            "Microsoft.Compute/restorePointCollections",
            f"{call.target.names[0]}/restorePoints/{name}",
            call.target.group,
        )
    return found


def get(world: World, call: Call) -> Response:
    point = find(world, call, call.target.key, call.target.name)
    wanted = call.query.get("$expand", "")
    if wanted and wanted.lower() != "instanceview":
        raise invalid_parameter(f"The value '{wanted}' of parameter '$expand' is invalid.", "$expand")
    return answer(200, render(world, point, bool(wanted)))


def put(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, PUT_BODY, "RestorePoint")
    properties = body.get("properties") or {}
    _check_versions(call, properties)
    collection = world.collections.get(call.target.parent)
    if collection is None:
        raise parent_not_found(TYPE, f"restorePointCollections/{call.target.names[0]}")
    if collection.state == "Deleting":
        raise not_allowed(f"Restore point collection '{collection.name}' is marked for deletion.")
    if call.target.name.lower() in world.points[collection.key]:
        raise ArmError(
            409,
            "Conflict",
            f"Restore point '{call.target.name}' already exists in restore point collection '{collection.name}'. A "
            "restore point cannot be updated.",
        )
    source = properties.get("sourceRestorePoint")
    if source is not None:
        point = _copy(world, call, collection, str(source.get("id")), properties)
    else:
        point = _capture(world, call, collection, properties)
    world.put_point(point)
    operation = operations.start(world, call, "restore_point_create", regions.display(collection.location))
    if point.source_point is not None:
        snapshot_course.copy(world, operation, point)
    else:
        snapshot_course.create(world, operation, point)
    return answer(201, render(world, point), *operations.headers(world, call, operation, with_location=False))


def _check_versions(call: Call, properties: Mapping[str, Any]) -> None:
    for name, since in SINCE.items():
        if properties.get(name) is not None and call.api_version < since:
            raise ArmError(400, "BadRequest", f"This request can be made with api-version '{since}' or newer.")


def _capture(world: World, call: Call, collection: Collection, properties: Mapping[str, Any]) -> Point:
    asked = properties.get("consistencyMode")
    if asked is not None and asked.lower() != "crashconsistent":
        raise invalid_parameter(
            f"The value '{asked}' of parameter 'consistencyMode' is invalid. Only 'CrashConsistent' is accepted as "
            "input; leave it out for an application-consistent restore point.",
            "consistencyMode",
        )
    vm = world.vms.get(collection.source_id.lower())
    if vm is None:
        if parse(collection.source_id).types == "microsoft.compute/restorepointcollections":
            raise invalid_parameter(
                "Restore point collection has another collection as its source: 'sourceRestorePoint' is required.",
                "sourceRestorePoint",
            )
        name = parse(collection.source_id)
        raise resource_not_found("Microsoft.Compute/virtualMachines", name.name, name.group)
    minutes = properties.get("instantAccessDurationMinutes")
    if minutes is not None and not 60 <= minutes <= 300:
        raise invalid_parameter(
            f"The value '{minutes}' of parameter 'instantAccessDurationMinutes' must be between 60 and 300.",
            "instantAccessDurationMinutes",
        )
    excluded = _excluded(vm, properties.get("excludeDisks") or [])
    crash = asked is not None
    _check_disks(vm, captured_disks(vm, excluded), crash)
    if world.points_of[vm.key] >= world.settings.rules.points_per_vm:
        raise not_allowed(
            "The number of restore points across restore point collections and resource groups for a VM cannot exceed "
            f"{world.settings.rules.points_per_vm}. To create a new restore point, please delete existing restore "
            "points.",
        )
    if vm.key in world.creating:
        raise ArmError(
            409,
            "VMRestorePointClientError",
            "RestorePoint creation failed since a concurrent 'Create RestorePoint' operation was triggered on the VM.",
        )
    world.throttle.create(
        "CreateCrashConsistentRestorePoint" if crash else "CreateApplicationConsistentRestorePoint",
        vm.key,
        call.remaining,
    )
    point = _point(world, call, collection, vm, "CrashConsistent" if crash else "ApplicationConsistent")
    world.creating[vm.key] = point.key
    if minutes is None and collection.instant_access:
        minutes = 300
    return replace(point, excluded=excluded, instant_access_minutes=minutes)


def _point(world: World, call: Call, collection: Collection, vm: Vm, consistency: str) -> Point:
    now = world.clock.now()
    return Point(
        id=f"{collection.id}/restorePoints/{call.target.name}",
        name=call.target.name,
        collection=collection.key,
        vm_key=vm.key,
        vm=vm,
        consistency=consistency,
        created_at=now,
        time_created=world.clock.stamp(now),
        state="Creating",
    )


def _excluded(vm: Vm, references: list[Mapping[str, Any]]) -> tuple[str, ...]:
    held = {disk.id.lower(): disk.id for disk in vm.disks}
    excluded = []
    for reference in references:
        disk_id = str(reference.get("id"))
        if disk_id.lower() not in held:
            raise invalid_parameter(
                f"The disk '{disk_id}' in 'excludeDisks' is not attached to the virtual machine '{vm.name}'.",
                "excludeDisks",
            )
        excluded.append(held[disk_id.lower()])
    if len(set(excluded)) == len(vm.disks) and vm.disks:
        raise invalid_parameter("A restore point needs at least one disk that is not excluded.", "excludeDisks")
    return tuple(excluded)


def _check_disks(vm: Vm, disks: list[Disk], crash: bool) -> None:
    """The support matrix: what no restore point, or no crash-consistent one, can hold."""
    if vm.security_type == "ConfidentialVM":
        raise not_allowed("Creation of Restore Point of a Confidential Virtual Machine is not supported.")
    for disk in disks:
        if disk.shared:
            raise ArmError(
                409,
                "VMRestorePointClientError",
                "Creation of Restore Point of a Virtual Machine with Shared disks is not supported. You may exclude "
                "this disk from the restore point via excludeDisks property.",
            )
        if not disk.allocated:
            raise not_allowed(
                "Operation 'Create Restore Point' is not allowed as disk(s) have not been allocated successfully. "
                "Please exclude these disk(s) using excludeDisks property and retry.",
            )
        if disk.ephemeral:
            raise not_allowed(
                "Creation of Restore Point of a Virtual Machine with an Ephemeral OS disk is not supported. You may "
                "exclude this disk from the restore point via excludeDisks property.",
            )
        if crash and (disk.sku in ("UltraSSD_LRS", "PremiumV2_LRS") or disk.write_accelerator):
            raise not_allowed(
                f"Creation of a crash consistent Restore Point is not supported for the disk '{disk.name}' "
                f"({'write accelerated' if disk.write_accelerator else disk.sku}). You may exclude this disk from the "
                "restore point via excludeDisks property.",
            )


def _copy(world: World, call: Call, collection: Collection, source_id: str, properties: Mapping[str, Any]) -> Point:
    forbidden = sorted({"consistencyMode", "excludeDisks"} & {name for name, value in properties.items() if value})
    if forbidden:
        raise invalid_parameter(f"'{forbidden[0]}' cannot be given together with 'sourceRestorePoint'.", forbidden[0])
    target = parse(source_id)
    source = world.points.get(target.parent, {}).get(target.name.lower()) if target.names else None
    if source is None:
        raise resource_not_found(TYPE, target.name if target.names else source_id, target.group)
    if collection.source_id.lower() != source.collection:
        raise invalid_parameter(
            f"The restore point '{source.name}' does not belong to the collection '{collection.source_id}' that is "
            f"the source of the restore point collection '{collection.name}'.",
            "sourceRestorePoint",
        )
    if source.state != "Succeeded":
        raise not_allowed(f"The source restore point '{source.name}' is in state '{source.state}'.")
    world.throttle.create("CopyRestorePoint", collection.key, call.remaining)
    point = _point(world, call, collection, source.vm, source.consistency)
    return replace(point, source_point=source.id, excluded=source.excluded)


def must_be_deletable(world: World, point: Point) -> None:
    now = world.clock.now()
    if any(copy.sas is not None and copy.sas_until > now for copy in point.disk_points):
        raise ArmError(
            409,
            "DiskRestorePointUsedByCustomer",
            "There is an active shared access signature outstanding for disk restore point. Call EndGetAccess before "
            "deleting the restore point.",
        )
    if point.state == "Creating":
        raise not_allowed(
            f"The restore point '{point.name}' cannot be deleted because another operation is in progress on it."
        )


def delete(world: World, call: Call) -> Response:
    point = world.points.get(call.target.parent, {}).get(call.target.name.lower())
    if point is None:
        return Response(204)
    must_be_deletable(world, point)
    world.put_point(replace(point, state="Deleting"))
    collection = world.collections[point.collection]
    operation = operations.start(world, call, "restore_point_delete", regions.display(collection.location))
    activity = activity_log.begin(world, call, point.id)

    def gone(at: float) -> None:
        world.drop_point(point)
        activity_log.end(world, activity, at)

    def stays(_: float) -> None:
        if point.name.lower() in world.points.get(point.collection, {}):
            world.put_point(point)

    operations.run(world, operation, world.settings.durations.delete, point.vm.name, gone, stays)
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))
