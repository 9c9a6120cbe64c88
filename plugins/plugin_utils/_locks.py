# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Management locks: what they are, where they reach, and the calls that read, set and remove them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._arm import Arm
from ._errors import NotFound
from ._json import Json, child, text

LOCKS_API = "2020-05-01"
CAN_NOT_DELETE = "CanNotDelete"
READ_ONLY = "ReadOnly"
# Longest note that Azure keeps with a lock (azure-mgmt-resource-locks 1.0.0, ManagementLockObject).
LONGEST_NOTE = 512
_SUFFIX = "/providers/microsoft.authorization/locks/"


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

    def describe(self) -> Json:
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
