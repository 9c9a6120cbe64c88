# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The guard of the snapshot extension: a management lock at the extension's own scope.

A lock on the machine or its group would do too, but it is inherited by whatever lies below; one that covers the
restore point collections keeps old points from being deleted until the limit of 500 is reached.
"""

from __future__ import annotations

from dataclasses import dataclass

from ._arm import Arm
from ._errors import Conflict, InvalidInput, NotFound
from ._json import Json, child, text
from ._machine import Extension, read_machine
from ._resource_ids import VmId

LOCKS_API = "2020-05-01"
LOCK_NAME = "appconsistent-guard"
LEVEL = "CanNotDelete"
# Longest note that Azure keeps with a lock (azure-mgmt-resource-locks 1.0.0, ManagementLockObject).
LONGEST_NOTE = 512
NOTE = "Keeps the snapshot extension from being deleted: application-consistent restore points need it."


@dataclass(frozen=True)
class Lock:
    """A management lock."""

    id: str
    name: str
    level: str
    notes: str

    def describe(self) -> Json:
        return {"id": self.id, "name": self.name, "level": self.level, "notes": self.notes}


async def locks_at(arm: Arm, scope: str, subject: str) -> list[Lock]:
    """Return the locks that are set at `scope` itself, not those it inherits."""
    items = await arm.pages(
        f"{scope}/providers/Microsoft.Authorization/locks",
        LOCKS_API,
        doing=f"read the locks of {subject}",
        query={"$filter": "atScope()"},
    )
    return [_lock(item) for item in items]


async def set_lock(arm: Arm, scope: str, name: str, notes: str, subject: str) -> Lock:
    """Set the guard's lock at `scope`, or renew it."""
    answer = await arm.request(
        "PUT",
        _path(scope, name),
        LOCKS_API,
        doing=f"lock {subject} against deletion",
        body={"properties": {"level": LEVEL, "notes": notes}},
    )
    return _lock(answer.body)


async def remove_lock(arm: Arm, scope: str, name: str, subject: str) -> None:
    """Take the guard's lock away; one that is gone already is as good."""
    try:
        await arm.request("DELETE", _path(scope, name), LOCKS_API, doing=f"remove the lock {name} of {subject}")
    except NotFound:
        return


async def ensure_guarded(arm: Arm, vm: VmId, name: str, notes: str, *, check: bool) -> Json:
    """See that the snapshot extension of a machine is locked against deletion."""
    if len(notes) > LONGEST_NOTE:
        raise InvalidInput(f"The option notes has {len(notes)} characters", advice=f"Azure keeps {LONGEST_NOTE}.")
    extension = (await read_machine(arm, vm)).snapshot_extension
    if extension is None:
        raise InvalidInput(
            f"The VM {vm.name} has no snapshot extension to guard",
            advice="Have it installed first, with snapshot_extension state=present.",
        )
    subject = f"the extension {extension.name} of the VM {vm.name}"
    locks = await locks_at(arm, extension.id, subject)
    ours = next((lock for lock in locks if lock.name.lower() == name.lower()), None)
    if ours is not None and ours.level != LEVEL:
        raise Conflict(
            f"guard {subject}",
            code="ForeignLock",
            message=f"a lock {name} of level {ours.level} is there already",
            advice="Remove that lock or choose another lock_name.",
        )
    guards = [lock for lock in locks if lock.level == LEVEL]
    if ours is None and guards:
        return _result(extension, guards[0], guards, changed=False)
    if ours is not None and ours.notes == notes:
        return _result(extension, ours, guards, changed=False)
    if check:
        lock = Lock(_path(extension.id, name), name, LEVEL, notes)
    else:
        lock = await set_lock(arm, extension.id, name, notes, subject)
    return _result(extension, lock, guards, changed=True)


async def ensure_unguarded(arm: Arm, vm: VmId, name: str, *, check: bool) -> Json:
    """Take our own lock away from the snapshot extension; those of others stay."""
    extension = (await read_machine(arm, vm)).snapshot_extension
    if extension is None:
        return _result(None, None, [], changed=False)
    subject = f"the extension {extension.name} of the VM {vm.name}"
    locks = await locks_at(arm, extension.id, subject)
    ours = [lock for lock in locks if lock.name.lower() == name.lower()]
    if ours and not check:
        await remove_lock(arm, extension.id, name, subject)
    left = next((lock for lock in locks if lock not in ours and lock.level == LEVEL), None)
    return _result(extension, left, ours, changed=bool(ours))


def _result(extension: Extension | None, lock: Lock | None, before: list[Lock], *, changed: bool) -> Json:
    return {
        "changed": changed,
        "snapshot_extension_guard": {
            "guarded": lock is not None,
            "extension_id": extension.id if extension else "",
            "lock": lock.describe() if lock else {},
        },
        "diff": {"before": _words(before[0] if before else None), "after": _words(lock)},
    }


def _words(lock: Lock | None) -> str:
    return f"lock {lock.name}: {lock.level}, {lock.notes}\n" if lock else ""


def _path(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/locks/{name}"


def _lock(item: Json) -> Lock:
    properties = child(item, "properties")
    return Lock(text(item, "id"), text(item, "name"), text(properties, "level"), text(properties, "notes"))
