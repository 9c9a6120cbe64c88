"""Restore point collections: bound to one VM (or, for copies, to one collection) for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import activity_log, bodies, operations, pages, regions, restore_points
from .errors import ArmError, invalid_parameter, not_allowed, resource_not_found
from .exchange import Call, Response, answer
from .paths import parse
from .records import Collection

if TYPE_CHECKING:
    from .world import World

TYPE = "Microsoft.Compute/restorePointCollections"
PROPERTIES: Mapping[str, bodies.Shape] = {
    "source": {"id": str, "location": str},
    "provisioningState": str,
    "restorePointCollectionId": str,
    "restorePoints": list,
    "instantAccess": bool,
}
PUT_BODY: Mapping[str, bodies.Shape] = {**bodies.RESOURCE, "location": str, "tags": dict, "properties": PROPERTIES}
PATCH_BODY: Mapping[str, bodies.Shape] = {"tags": dict, "properties": PROPERTIES}
# The first api-version that knows the property.
INSTANT_ACCESS_SINCE = "2025-04-01"
PER_REGION = 10_000


def render(world: World, collection: Collection, with_points: bool = False) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "source": {"id": collection.source_id, "location": regions.display(collection.source_location)},
        "restorePointCollectionId": collection.collection_id,
        "provisioningState": collection.state,
    }
    if collection.instant_access is not None:
        properties["instantAccess"] = collection.instant_access
    if with_points:
        properties["restorePoints"] = [
            restore_points.render(world, point) for point in world.points[collection.key].values()
        ]
    body: dict[str, Any] = {
        "name": collection.name,
        "id": collection.id,
        "type": TYPE,
        "location": collection.location,
        "properties": properties,
    }
    if collection.tags:
        body["tags"] = dict(collection.tags)
    return body


def find(world: World, call: Call) -> Collection:
    found = world.collections.get(call.target.key)
    if found is None:
        raise resource_not_found(TYPE, call.target.name, call.target.group)
    return found


def get(world: World, call: Call) -> Response:
    collection = find(world, call)
    wanted = call.query.get("$expand", "")
    if wanted and wanted.lower() != "restorepoints":
        raise invalid_parameter(f"The value '{wanted}' of parameter '$expand' is invalid.", "$expand")
    return answer(200, render(world, collection, bool(wanted)))


def list_in_scope(world: World, call: Call) -> Response:
    keys, link = pages.cut(world, call, world.collections_in.get(call.target.scope, {}))
    return pages.answer([render(world, world.collections[key]) for key in keys], link)


def put(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, PUT_BODY, "RestorePointCollection")
    location = str(bodies.required(body.get("location"), "location")).lower().replace(" ", "")
    properties = body.get("properties") or {}
    _check_version(call, properties)
    source_id = bodies.required((properties.get("source") or {}).get("id"), "properties.source.id")
    existing = world.collections.get(call.target.key)
    if existing is not None:
        return _update(world, existing, body, source_id, location)
    source_location, source_id = _source(world, source_id, location)
    in_subscription = world.collections_in.get(f"/subscriptions/{call.target.subscription.lower()}", {})
    if len(in_subscription) >= PER_REGION:
        raise not_allowed(f"The number of restore point collections cannot exceed {PER_REGION} in a region.")
    group = world.groups[call.target.scope]
    collection = Collection(
        id=f"{group.id}/providers/{TYPE}/{call.target.name}",
        name=call.target.name,
        group=group.name,
        subscription=call.target.subscription,
        location=location,
        source_id=source_id,
        source_location=source_location,
        collection_id=world.guid(),
        tags=body.get("tags") or {},
        instant_access=properties.get("instantAccess"),
    )
    world.put_collection(collection)
    return answer(201, render(world, collection))


def _check_version(call: Call, properties: Mapping[str, Any]) -> None:
    if "instantAccess" in properties and call.api_version < INSTANT_ACCESS_SINCE:
        raise ArmError(
            400,
            "BadRequest",
            "Could not find member 'instantAccess' on object of type 'RestorePointCollectionProperties'. "
            "Path 'properties.instantAccess'.",
            "properties.instantAccess",
        )


def _source(world: World, source_id: str, location: str) -> tuple[str, str]:
    """The source's region and its id as Azure writes it."""
    target = parse(source_id)
    if target.types == TYPE.lower() and target.is_item:
        copied = world.collections.get(target.key)
        if copied is None:
            raise resource_not_found(TYPE, target.name, target.group)
        return copied.location, copied.id
    if target.types != "microsoft.compute/virtualmachines" or not target.is_item:
        raise invalid_parameter(
            f"The value '{source_id}' of parameter 'source.id' is invalid: the id of a virtual machine or of a "
            "restore point collection is expected.",
            "source.id",
        )
    vm = world.vms.get(target.key)
    if vm is None:
        raise resource_not_found("Microsoft.Compute/virtualMachines", target.name, target.group)
    if vm.location != location:
        raise invalid_parameter(
            f"The location '{location}' of the restore point collection must be the location '{vm.location}' of the "
            "source virtual machine.",
            "location",
        )
    return vm.location, vm.id


def _update(world: World, existing: Collection, body: Mapping[str, Any], source_id: str, location: str) -> Response:
    _not_deleting(existing)
    if location != existing.location:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{existing.name}' already exists in location '{existing.location}' in resource group "
            f"'{existing.group}'. A resource with the same name cannot be created in location '{location}'. Please "
            "select a new resource name.",
        )
    if parse(source_id).key != existing.source_id.lower():
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'source.id' is not allowed.", "source.id")
    return _change(world, existing, body)


def patch(world: World, call: Call) -> Response:
    existing = find(world, call)
    body = call.json()
    bodies.check(body, PATCH_BODY, "RestorePointCollectionUpdate")
    properties = body.get("properties") or {}
    _check_version(call, properties)
    _not_deleting(existing)
    source_id = (properties.get("source") or {}).get("id")
    if source_id is not None and parse(source_id).key != existing.source_id.lower():
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'source.id' is not allowed.", "source.id")
    return _change(world, existing, body)


def _change(world: World, existing: Collection, body: Mapping[str, Any]) -> Response:
    tags = body.get("tags")
    instant_access = (body.get("properties") or {}).get("instantAccess")
    changed = replace(
        existing,
        tags=existing.tags if tags is None else tags,
        instant_access=existing.instant_access if instant_access is None else instant_access,
    )
    world.put_collection(changed)
    return answer(200, render(world, changed))


def _not_deleting(collection: Collection) -> None:
    if collection.state == "Deleting":
        raise not_allowed(f"Restore point collection '{collection.name}' is marked for deletion.")


def delete(world: World, call: Call) -> Response:
    collection = world.collections.get(call.target.key)
    if collection is None:
        return Response(204)
    _not_deleting(collection)
    for point in world.points[collection.key].values():
        restore_points.must_be_deletable(world, point)
    world.put_collection(replace(collection, state="Deleting"))
    operation = operations.start(world, call, "collection_delete", regions.display(collection.location))
    activity = activity_log.begin(world, call, collection.id)

    def gone(at: float) -> None:
        world.drop_collection(collection.key)
        activity_log.end(world, activity, at)

    def stays(_: float) -> None:
        world.put_collection(replace(collection, state="Failed"))

    operations.run(world, operation, world.settings.durations.delete, None, gone, stays)
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))
