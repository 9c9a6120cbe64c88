"""Resource groups: made, tagged, and deleted with all that lies in them.

Shapes: azure-rest-api-specs, Microsoft.Resources, ResourceGroups_CreateOrUpdate, _Update, _Delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import bodies, machines, operations, pages
from .errors import ArmError, invalid_parameter
from .exchange import Call, Response, answer
from .regions import LOCATIONS

if TYPE_CHECKING:
    from .world import Group, World

PUT_BODY: Mapping[str, bodies.Shape] = {
    **bodies.RESOURCE,
    "location": str,
    "tags": dict,
    "managedBy": str,
    "properties": dict,
}
PATCH_BODY: Mapping[str, bodies.Shape] = {"name": str, "tags": dict, "managedBy": str, "properties": dict}


def render(group: Group) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "properties": {"provisioningState": group.state},
    }
    if group.tags:
        shown["tags"] = dict(group.tags)
    return shown


def get(world: World, call: Call) -> Response:
    return answer(200, render(world.groups[call.target.key]))


def head(world: World, call: Call) -> Response:
    return Response(204 if call.target.key in world.groups else 404)


def list_all(world: World, call: Call) -> Response:
    prefix = f"/subscriptions/{call.target.subscription.lower()}/"
    keys, link = pages.cut(world, call, {key: None for key in world.groups if key.startswith(prefix)})
    return pages.answer([render(world.groups[key]) for key in keys], link)


def put(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, PUT_BODY, "ResourceGroup")
    location = str(bodies.required(body.get("location"), "location")).replace(" ", "").lower()
    if location not in LOCATIONS:
        raise invalid_parameter(f"The provided location '{location}' is not available for resource group.", "location")
    present = world.groups.get(call.target.key)
    if present is not None and present.location != location:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location "
            f"'{present.location}'.",
        )
    group = world.add_group(call.target.subscription, call.target.name, location)
    group = world.groups[call.target.key] = group._replace(tags=body.get("tags") or {})
    return answer(201 if present is None else 200, render(group))


def patch(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, PATCH_BODY, "ResourceGroupPatchable")
    group = world.groups[call.target.key]
    if "tags" in body:
        group = world.groups[call.target.key] = group._replace(tags=body["tags"] or {})
    return answer(200, render(group))


def delete(world: World, call: Call) -> Response:
    """All that lies in the group goes with it, points included. A lock on any of it has refused this before."""
    key = call.target.key
    operation = operations.start(world, call, "group_delete", world.groups[key].location)
    world.groups[key] = world.groups[key]._replace(state="Deleting")

    def gone(_at: float) -> None:
        for vm_key in list(world.vms_in.get(key, ())):
            machines.delete(world, world.vms[vm_key])
        for collection in list(world.collections_in.get(key, ())):
            world.drop_collection(collection)
        for disk in list(world.disks_in.get(key, ())):
            world.drop_disk(disk)
        world.groups.pop(key, None)

    operations.run(world, operation, world.settings.durations.delete, None, gone)
    return Response(202, headers=operations.result_headers(world, call, operation))
