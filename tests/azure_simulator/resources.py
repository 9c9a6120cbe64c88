"""What a subscription or group holds of any kind (`az resource list`), and the tags of one of them.

Shapes: azure-rest-api-specs, Microsoft.Resources, Resources_List and Tags_*AtScope.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import bodies, network, pages, vms
from .errors import ArmError
from .exchange import Call, Response, answer
from .restore_point_collections import render as render_collection

if TYPE_CHECKING:
    from .world import World

# The members of a resource that a list of mixed kinds shows.
SHOWN = ("id", "name", "type", "location", "tags", "zones", "sku", "plan", "identity", "managedBy")
_CLAUSE = re.compile(r"^(\w+)\s+eq\s+'([^']*)'$", re.IGNORECASE)
_FILTERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "name": lambda resource: resource["name"],
    "resourcetype": lambda resource: resource["type"],
    "location": lambda resource: resource["location"],
    "resourcegroup": lambda resource: resource["id"].split("/")[4],
}
TAGS_BODY: Mapping[str, bodies.Shape] = {**bodies.RESOURCE, "properties": {"tags": dict}}
TAGS_PATCH: Mapping[str, bodies.Shape] = {
    "operation": ("Replace", "Merge", "Delete"),
    "properties": {"tags": dict},
}


def list_in_scope(world: World, call: Call) -> Response:
    matches = _filter(call.query.get("$filter", ""))
    scope = call.target.key.rsplit("/", 1)[0]
    found = {resource["id"].lower(): resource for resource in _all(world, scope) if matches(resource)}
    keys, link = pages.cut(world, call, found)
    return pages.answer([{name: found[key][name] for name in SHOWN if name in found[key]} for key in keys], link)


def _all(world: World, scope: str) -> Iterator[dict[str, Any]]:
    for key in world.vms_in.get(scope, {}):
        vm = world.vms[key]
        shown = vms.render(world, vm, False, False)
        yield shown
        for extension in shown.get("resources", ()):
            yield {**extension, "name": f"{vm.name}/{extension['name']}"}
        yield network.interface(vm)
        if vm.public_ip is not None:
            yield network.public_address(vm)
    for key in world.collections_in.get(scope, {}):
        yield render_collection(world, world.collections[key])
    for key in world.disks_in.get(scope, {}):
        yield world.disks[key]


def _filter(text: str) -> Callable[[Mapping[str, Any]], bool]:
    wanted: dict[str, str] = {}
    for clause in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else ():
        found = _CLAUSE.match(clause.strip())
        if found is None or found[1].lower() not in (*_FILTERS, "tagname", "tagvalue"):
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
        wanted[found[1].lower()] = found[2]
    tagged = {"tagname", "tagvalue"} & set(wanted)
    if tagged and tagged != set(wanted):
        # "Filtering by tag ... cannot be combined with other filters": azure-rest-api-specs, Resources_List.
        raise ArmError(400, "InvalidFilterInQueryString", "A filter by tag cannot be combined with other conditions.")

    def matches(resource: Mapping[str, Any]) -> bool:
        tags = {name.lower(): value for name, value in (resource.get("tags") or {}).items()}
        if tagged:
            value = tags.get(wanted.get("tagname", "").lower())
            return value is not None and value == wanted.get("tagvalue", value)
        return all(_FILTERS[name](resource).lower() == value.lower() for name, value in wanted.items())

    return matches


def get_tags(world: World, call: Call) -> Response:
    return answer(200, _shown(call, _tags(world, call)))


def put_tags(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, TAGS_BODY, "TagsResource")
    return _changed(world, call, bodies.required((body.get("properties") or {}).get("tags"), "properties.tags"))


def patch_tags(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, TAGS_PATCH, "TagsPatchResource")
    given = bodies.required((body.get("properties") or {}).get("tags"), "properties.tags")
    present = _tags(world, call)
    operation = bodies.required(body.get("operation"), "operation").lower()
    if operation == "replace":
        return _changed(world, call, given)
    named = {name.lower(): value for name, value in given.items()}
    if operation == "merge":
        return _changed(
            world, call, {name: value for name, value in present.items() if name.lower() not in named} | given
        )
    return _changed(world, call, {name: value for name, value in present.items() if named.get(name.lower()) != value})


def delete_tags(world: World, call: Call) -> Response:
    _keep(world, call, {})
    return Response(200)


def _changed(world: World, call: Call, tags: Mapping[str, str]) -> Response:
    _keep(world, call, tags)
    return answer(200, _shown(call, tags))


def _shown(call: Call, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": f"{call.scope_path}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(tags)},
    }


def _tags(world: World, call: Call) -> Mapping[str, str]:
    scope = call.target.scope
    if scope in world.groups:
        return world.groups[scope].tags
    if scope in world.vms:
        return world.vms[scope].tags
    if scope in world.collections:
        return world.collections[scope].tags
    if scope in world.disks:
        return world.disks[scope].get("tags") or {}
    raise ArmError(404, "ResourceNotFound", f"The resource '{call.scope_path}' was not found.")


def _keep(world: World, call: Call, tags: Mapping[str, str]) -> None:
    _tags(world, call)
    scope = call.target.scope
    if scope in world.groups:
        world.groups[scope] = world.groups[scope]._replace(tags=tags)
    elif scope in world.vms:
        world.change_vm(scope, tags=tags)
    elif scope in world.collections:
        world.put_collection(replace(world.collections[scope], tags=tags))
    else:
        world.put_disk(scope, {**world.disks[scope], "tags": dict(tags)})
