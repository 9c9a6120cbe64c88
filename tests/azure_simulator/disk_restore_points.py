"""The disks inside a restore point, and shared access signatures (SAS) on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import bodies, operations, regions, restore_points
from .errors import invalid_parameter, not_allowed, resource_not_found
from .exchange import Call, Response, answer
from .records import DiskPoint, Point

if TYPE_CHECKING:
    from .world import World

ACCESS_BODY: Mapping[str, bodies.Shape] = {
    "access": ("None", "Read", "Write"),
    "durationInSeconds": int,
    "fileFormat": ("VHD", "VHDX"),
    "getSecureVMGuestStateSAS": bool,
}


def render(world: World, point: Point, copy: DiskPoint) -> dict[str, Any]:
    percent = restore_points.replication_percent(world, point)
    properties: dict[str, Any] = {
        "timeCreated": point.time_created,
        "sourceResourceId": copy.disk.id,
        "sourceUniqueId": copy.unique_id,
        "familyId": copy.family_id,
        "hyperVGeneration": "V2",
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "completionPercent": percent,
        "sourceResourceLocation": regions.display(point.vm.location),
        "logicalSectorSize": 512,
        "snapshotAccessState": restore_points.access_state(point),
    }
    if copy.disk.is_os:
        properties["osType"] = point.vm.os.capitalize()
    if point.source_point is not None:
        properties["replicationState"] = "Succeeded" if percent == 100 else "InProgress"
    return {"id": copy.id, "name": copy.name, "properties": properties}


def _point_of(world: World, call: Call) -> Point:
    """The restore point above the addressed disk (or above their list)."""
    names = call.target.names
    key = f"{call.target.scope}/providers/microsoft.compute/restorepointcollections/{names[0]}/restorepoints/{names[1]}"
    return restore_points.find(world, call, key.lower(), names[1])


def _copy_of(call: Call, point: Point) -> DiskPoint:
    wanted = call.target.names[2].lower()
    for copy in point.disk_points:
        if copy.name.lower() == wanted:
            return copy
    raise resource_not_found(
        "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints",
        call.target.names[2],
        call.target.group,
    )


def get(world: World, call: Call) -> Response:
    point = _point_of(world, call)
    return answer(200, render(world, point, _copy_of(call, point)))


def list_of_point(world: World, call: Call) -> Response:
    point = _point_of(world, call)
    return answer(200, {"value": [render(world, point, copy) for copy in point.disk_points]})


def begin_get_access(world: World, call: Call) -> Response:
    point = _point_of(world, call)
    copy = _copy_of(call, point)
    body = call.json()
    bodies.check(body, ACCESS_BODY, "GrantAccessData")
    access = bodies.required(body.get("access"), "access")
    seconds = bodies.required(body.get("durationInSeconds"), "durationInSeconds")
    if access.lower() != "read":
        raise invalid_parameter(f"The value '{access}' of parameter 'access' is invalid: it is read only.", "access")
    if seconds < 1:
        raise invalid_parameter("The value of parameter 'durationInSeconds' must be above 0.", "durationInSeconds")
    if restore_points.replication_percent(world, point) < 100:
        raise not_allowed(f"The disk restore point '{copy.name}' is not completely replicated yet.")
    now = world.clock.now()
    # An active signature is prolonged and handed out again.
    sas = copy.sas if copy.sas is not None and copy.sas_until > now else _sas(world, copy)
    _replace(world, point, replace(copy, sas=sas, sas_until=max(copy.sas_until, now + seconds)))
    operation = operations.start(world, call, "begin_get_access", regions.display(point.vm.location))
    operations.run(world, operation, world.settings.durations.access, point.vm.name, lambda _: {"accessSAS": sas})
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))


def end_get_access(world: World, call: Call) -> Response:
    point = _point_of(world, call)
    copy = _copy_of(call, point)
    operation = operations.start(world, call, "end_get_access", regions.display(point.vm.location))

    def revoked(_: float) -> None:
        held = world.points.get(point.collection, {}).get(point.name.lower())
        if held is not None:
            _replace(world, held, replace(copy, sas=None, sas_until=0.0))

    operations.run(world, operation, world.settings.durations.access, point.vm.name, revoked)
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))


def _replace(world: World, point: Point, changed: DiskPoint) -> None:
    kept = tuple(changed if copy.id == changed.id else copy for copy in point.disk_points)
    world.put_point(replace(point, disk_points=kept))


def _sas(world: World, copy: DiskPoint) -> str:
    noise = hashlib.sha256(f"{world.guid()} {copy.id}".encode()).hexdigest()
    return (
        f"https://md-{noise[:12]}.z1.blob.storage.azure.net/{noise[12:24]}/abcd?sv=2018-03-28&sr=b&"
        f"si={copy.unique_id}&sig={noise}"
    )
