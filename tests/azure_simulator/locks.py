"""Management locks at any scope: what they block, and how they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import activity_log, bodies, pages
from .errors import ArmError, invalid_parameter
from .exchange import Call, Response, answer
from .paths import ancestors, parse
from .records import Lock

if TYPE_CHECKING:
    from .world import World

LEVELS = ("NotSpecified", "CanNotDelete", "ReadOnly")
NOTES_LENGTH = 512
PUT_BODY: Mapping[str, bodies.Shape] = {
    **bodies.RESOURCE,
    "properties": {"level": LEVELS, "notes": str, "owners": [{"applicationId": str}]},
}


def render(lock: Lock) -> dict[str, Any]:
    properties: dict[str, Any] = {"level": lock.level}
    if lock.notes is not None:
        properties["notes"] = lock.notes
    if lock.owners:
        properties["owners"] = [{"applicationId": owner} for owner in lock.owners]
    return {
        "properties": properties,
        "id": lock.id,
        "type": "Microsoft.Authorization/locks",
        "name": lock.name,
    }


def must_allow(world: World, call: Call) -> None:
    """409 ScopeLocked when a lock here, above, or (for a delete) below forbids it."""
    method = call.incoming.method
    if not world.locks or method in ("GET", "HEAD"):
        return
    key = call.target.key if call.target.is_item else call.target.parent
    verb = "delete" if method == "DELETE" else "write"
    locked = [
        _scope_of(lock)
        for scope in ancestors(key)
        for lock in world.locks.get(scope, {}).values()
        if lock.level == "ReadOnly" or (method == "DELETE" and lock.level == "CanNotDelete")
    ]
    if method == "DELETE" and world.locked_below[key] > 0:
        locked += [
            _scope_of(lock)
            for scope, held in world.locks.items()
            for lock in held.values()
            if scope.startswith(f"{key}/")
        ]
    if locked:
        scopes = ", ".join(f"'{scope}'" for scope in dict.fromkeys(locked))
        raise ArmError(
            409,
            "ScopeLocked",
            f"The scope '{call.path}' cannot perform {verb} operation because following scope(s) are locked: "
            f"{scopes}. Please remove the lock and try again.",
        )


def _scope_of(lock: Lock) -> str:
    """As it was written when the lock was made."""
    return lock.id.rsplit("/providers/", 1)[0]


def _exists(world: World, scope: str) -> bool:
    target = parse(scope)
    if target.types == "subscriptions":
        return scope in world.subscriptions
    if target.types == "subscriptions/resourcegroups":
        return scope in world.groups
    if target.types == "microsoft.compute/virtualmachines/extensions":
        return target.name.lower() in world.extensions.get(target.parent, {})
    if target.types == "microsoft.compute/restorepointcollections/restorepoints":
        return target.name.lower() in world.points.get(target.parent, {})
    held: dict[str, Mapping[str, object]] = {
        "microsoft.compute/virtualmachines": world.vms,
        "microsoft.compute/restorepointcollections": world.collections,
        "microsoft.compute/disks": world.disks,
    }
    # What the simulator does not model can be locked without further questions.
    return scope in held[target.types] if target.types in held else True


def _find(world: World, call: Call) -> Lock | None:
    return world.locks.get(call.target.scope, {}).get(call.target.name.lower())


def get(world: World, call: Call) -> Response:
    found = _find(world, call)
    if found is None:
        raise ArmError(404, "LockNotFound", f"The lock '{call.target.name}' could not be found.")
    return answer(200, render(found))


def put(world: World, call: Call) -> Response:
    body = call.json()
    bodies.check(body, PUT_BODY, "ManagementLockObject")
    properties = body.get("properties") or {}
    level = bodies.required(properties.get("level"), "level")
    notes = properties.get("notes")
    if notes is not None and len(notes) > NOTES_LENGTH:
        raise invalid_parameter(f"The notes of a lock cannot be longer than {NOTES_LENGTH} characters.", "notes")
    if not _exists(world, call.target.scope):
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The resource '{call.target.scope}' could not be found: a lock needs an existing scope.",
        )
    lock = Lock(
        id=call.path,
        name=call.target.name,
        scope=call.target.scope,
        level=next(known for known in LEVELS if known.lower() == level.lower()),
        notes=notes,
        owners=tuple(owner["applicationId"] for owner in properties.get("owners") or []),
    )
    return answer(201 if world.put_lock(lock) else 200, render(lock))


def delete(world: World, call: Call) -> Response:
    found = _find(world, call)
    if found is None:
        return Response(204)
    world.drop_lock(found)
    activity_log.done(world, call, found.id)
    return Response(200)


def list_at_scope(world: World, call: Call) -> Response:
    """Locks here and above; with no filter also those below."""
    wanted = call.query.get("$filter", "").replace(" ", "").lower()
    if wanted not in ("", "atscope()"):
        raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{call.query['$filter']}'.")
    scope = call.target.scope
    found = {lock.id: lock for lock in _above(world, scope)}
    if not wanted and world.locked_below[scope] > 0:
        for place, held in world.locks.items():
            if place.startswith(f"{scope}/"):
                found.update({lock.id: lock for lock in held.values()})
    keys, link = pages.cut(world, call, found)
    return pages.answer([render(found[key]) for key in keys], link)


def _above(world: World, scope: str) -> Iterator[Lock]:
    for place in ancestors(scope):
        yield from world.locks.get(place, {}).values()
