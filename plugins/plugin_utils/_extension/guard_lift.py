# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Break-glass: that a machine's guard is lifted on purpose, why, and until when.

Azure is the only memory, and a lock cannot say that it will be back. So the note is a tag on the machine's restore
point collection: it outlives the extension and its lock, and whoever may take restore points may write it. Whoever
replaces the collection's tags loses it; a policy's exemption says the same and is read where the tag is gone.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._authorization.policy import Exemption
from .._azure.arm import Arm
from .._errors import NotFound
from .._json import child, parse_time
from .._restore_points.points import RESTORE_POINT_API, CollectionId, make_collection

TAG = "appconsistent-guard-lifted"
# Longest value of a tag: azure-docs, "Use tags to organize your Azure resources".
_LONGEST_TAG = 256


class LiftResult(t.TypedDict):
    """A lift as modules return it; `until` is ISO 8601 in UTC."""

    until: str
    reason: str


@dataclass(frozen=True)
class Lift:
    """The guard is off until a moment, for a reason. `lock` is the name of the lock to put back, empty for none."""

    until: datetime
    reason: str
    lock: str

    def holds(self, now: datetime) -> bool:
        return now < self.until

    def describe(self) -> LiftResult:
        return {"until": self.until.isoformat(), "reason": self.reason}

    @property
    def tag(self) -> str:
        return f"{self.until:%Y-%m-%dT%H:%M:%SZ} {self.lock or '-'} {self.reason}"[:_LONGEST_TAG]


async def read_lift(arm: Arm, where: CollectionId) -> Lift | None:
    """Return the note, None when there is none or nobody can read it as one."""
    tags = await _tags(arm, where)
    return _lift((tags or {}).get(TAG))


def lift_of_exemption(exemption: Exemption | None) -> Lift | None:
    """Return the lift that an exemption of ours stands for; one without an end was made by somebody else."""
    return Lift(exemption.until, exemption.reason, "") if exemption and exemption.until else None


async def write_lift(arm: Arm, where: CollectionId, lift: Lift, *, location: str, vm_id: str) -> None:
    """Leave the note, in a collection that is made for it where there is none yet."""
    tags = await _tags(arm, where)
    if tags is None:
        await make_collection(arm, where, location=location, source_id=vm_id, tags={TAG: lift.tag})
    else:
        await _write(arm, where, {**tags, TAG: lift.tag})


async def remove_lift(arm: Arm, where: CollectionId) -> bool:
    """Take the note away; tell whether there was one."""
    tags = await _tags(arm, where)
    if not tags or TAG not in tags:
        return False
    await _write(arm, where, {name: value for name, value in tags.items() if name != TAG})
    return True


async def _tags(arm: Arm, where: CollectionId) -> dict[str, str] | None:
    try:
        body = await arm.get(where.path, RESTORE_POINT_API, doing=f"read the restore point collection {where.name}")
    except NotFound:
        return None
    return {str(name): str(value) for name, value in child(body, "tags").items()}


async def _write(arm: Arm, where: CollectionId, tags: dict[str, str]) -> None:
    doing = f"note on the collection {where.name} that the guard is lifted or back"
    await arm.request("PATCH", where.path, RESTORE_POINT_API, doing=doing, body={"tags": tags})


def _lift(value: str | None) -> Lift | None:
    until, lock, reason = (*(value or "").split(" ", 2), "", "")[:3]
    time = parse_time(until)
    return Lift(time, reason, "" if lock == "-" else lock) if time else None
