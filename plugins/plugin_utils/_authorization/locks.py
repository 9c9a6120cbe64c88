# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Management locks: what they are, where they reach, and the calls that read, set and remove them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.obstacle import Obstacle
from .._errors import NotFound
from .._json import Json, child, text
from .._restore_points.points import CollectionId

LOCKS_API = "2020-05-01"
CAN_NOT_DELETE = "CanNotDelete"
READ_ONLY = "ReadOnly"
# Longest note that Azure keeps with a lock (azure-mgmt-resource-locks 1.0.0, ManagementLockObject).
LONGEST_NOTE = 512
_SUFFIX = "/providers/microsoft.authorization/locks/"


class LockResult(t.TypedDict):
    id: str
    name: str
    level: str
    notes: str


@dataclass(frozen=True)
class Lock:
    """A management lock."""

    id: str
    name: str
    level: str
    notes: str

    @property
    def scope(self) -> str:
        """What it is set at, in lower case."""
        return self.id.lower().partition(_SUFFIX)[0]

    @property
    def forbids_deletion(self) -> bool:
        return self.level.lower() in (CAN_NOT_DELETE.lower(), READ_ONLY.lower())

    @property
    def forbids_writing(self) -> bool:
        return self.level.lower() == READ_ONLY.lower()

    def covers(self, resource_id: str) -> bool:
        """Whether it holds for a resource: at its own scope or at one above."""
        key = resource_id.lower().rstrip("/")
        return key == self.scope or key.startswith(f"{self.scope}/")

    def describe(self) -> LockResult:
        return {"id": self.id, "name": self.name, "level": self.level, "notes": self.notes}


class LocksByScope:
    """Many locks, found by what they cover: a fleet with a lock per machine must not ask each lock for each machine."""

    def __init__(self, locks: t.Iterable[Lock]) -> None:
        self._held: dict[str, list[Lock]] = {}
        for lock in locks:
            self._held.setdefault(lock.scope, []).append(lock)

    def covering(self, *resource_ids: str) -> list[Lock]:
        """Return the locks that hold for any of the resources: at their own scopes or above."""
        scopes: dict[str, None] = {}
        for resource_id in resource_ids:
            parts = resource_id.lower().rstrip("/").split("/")
            scopes.update(dict.fromkeys("/".join(parts[:count]) for count in range(len(parts), 2, -1)))
        return [lock for scope in scopes for lock in self._held.get(scope, ())]


async def locks_at(arm: Arm, scope: str, subject: str) -> list[Lock]:
    """Return the locks that hold at `scope`: its own and those it inherits."""
    return await _list(arm, scope, subject, {"$filter": "atScope()"})


async def locks_of_subscription(arm: Arm, subscription: str) -> list[Lock]:
    """Return all locks of a subscription, at whatever scope."""
    return await _list(arm, f"/subscriptions/{subscription}", f"the subscription {subscription}", None)


async def _list(arm: Arm, scope: str, subject: str, query: t.Mapping[str, str] | None) -> list[Lock]:
    items = await arm.pages(
        f"{scope}/providers/Microsoft.Authorization/locks", LOCKS_API, doing=f"read the locks of {subject}", query=query
    )
    return [_lock(item) for item in items]


async def set_lock(arm: Arm, scope: str, name: str, notes: str, subject: str) -> Lock:
    """Set a lock against deletion at `scope`, or renew it."""
    answer = await arm.request(
        "PUT",
        lock_path(scope, name),
        LOCKS_API,
        doing=f"lock {subject} against deletion",
        body={"properties": {"level": CAN_NOT_DELETE, "notes": notes}},
    )
    return _lock(answer.body)


async def remove_lock(arm: Arm, scope: str, name: str, subject: str) -> None:
    """Take a lock away; one that is gone already is as good."""
    try:
        await arm.request("DELETE", lock_path(scope, name), LOCKS_API, doing=f"remove the lock {name} of {subject}")
    except NotFound:
        return


def lock_path(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/locks/{name}"


def _lock(item: Json) -> Lock:
    properties = child(item, "properties")
    return Lock(text(item, "id"), text(item, "name"), text(properties, "level"), text(properties, "notes"))


def lock_findings(locks: t.Iterable[Lock], collection: CollectionId, extension_id: str) -> list[Obstacle]:
    """Return what the locks that hold for a machine's extension or collection do to restore points."""
    found = []
    for lock in locks:
        where = lock.scope.rpartition("/")[2]
        if lock.covers(collection.path) and lock.forbids_writing:
            found.append(
                Obstacle(
                    "lock_forbids_restore_points",
                    True,
                    f"The ReadOnly lock {lock.name} on {where} covers the restore point collection {collection.name}, "
                    "so no point can be made or removed",
                    f"Remove the lock {lock.name}, or name a group without one with collection_resource_group.",
                    "Lock your resources to protect your infrastructure",
                )
            )
        elif lock.covers(collection.path) and lock.forbids_deletion:
            found.append(
                Obstacle(
                    "lock_covers_restore_points",
                    False,
                    f"The lock {lock.name} on {where} covers the restore point collection {collection.name}: old "
                    "points cannot be removed, and at 500 Azure makes no new ones",
                    f"Remove the lock {lock.name} and guard the extension itself, or keep the points in a group "
                    "without a lock (collection_resource_group).",
                    "Lock your resources to protect your infrastructure",
                )
            )
        elif lock.covers(extension_id) and lock.forbids_writing:
            found.append(
                Obstacle(
                    "lock_forbids_extension",
                    False,
                    f"The ReadOnly lock {lock.name} on {where} covers the VM, so Azure cannot install or update its "
                    "extensions",
                    f"Remove the lock {lock.name} or make it a CanNotDelete lock.",
                    "Lock your resources to protect your infrastructure",
                )
            )
    return found
