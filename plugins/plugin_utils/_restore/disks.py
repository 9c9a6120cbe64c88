# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Disks made of the disks in a point, under derived names: a run that was killed finds what it has made.

A restored disk that a machine has run on is not what the point holds any more. It is marked before it is attached, and
a marked one is never taken for a fresh one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.resource_ids import group_path, same_id
from .._azure.waiting import until
from .._errors import AzureError, Conflict
from .._json import Json, child, text
from .._restore_points.disk_copies import DiskCopy
from .model import DISK_API

FROM = "appconsistent-restored-from"
ATTACHED = "appconsistent-attached"
# Longest name of a disk (azure-docs, "Naming rules and restrictions for Azure resources").
_LONGEST = 80
# More fresh starts from one point than anybody makes.
_MOST_ATTEMPTS = 100
_SUFFIX = re.compile(r"-r-[0-9a-f]{8}$")


@dataclass(frozen=True)
class NewDisk:
    """A disk that is to be: of which copy, where, and with which PUT body (OpenAPI, Disks_CreateOrUpdate)."""

    copy: DiskCopy
    subscription: str
    group: str
    body: Json

    def path(self, attempt: int) -> str:
        return disk_path(self.subscription, self.group, disk_name(self.copy, attempt))


def disk_path(subscription: str, group: str, name: str) -> str:
    return f"{group_path(subscription, group)}/providers/Microsoft.Compute/disks/{name}"


def disk_name(copy: DiskCopy, attempt: int) -> str:
    """Return the name of the disk that is made of a copy at that attempt, counted from 1."""
    digits = hashlib.sha256(f"{copy.id.lower()} {attempt}".encode()).hexdigest()[:8]
    stem = _SUFFIX.sub("", copy.name) or "disk"
    return f"{stem[: _LONGEST - 11]}-r-{digits}"


def new_disk(copy: DiskCopy, place: tuple[str, str], location: str, *, sku: str, zones: t.Sequence[str]) -> NewDisk:
    """Return a disk of a copy, in the subscription and group of `place`, that nobody can reach over the network.

    No security profile is sent: Azure refuses one with this create option, and passes on the source's.
    """
    properties: Json = {
        "creationData": {"createOption": "Restore", "sourceResourceId": copy.id},
        "networkAccessPolicy": "DenyAll",
        "publicNetworkAccess": "Disabled",
    }
    if copy.encryption_set:
        properties["encryption"] = {"type": copy.encryption_type, "diskEncryptionSetId": copy.encryption_set}
    body: Json = {"location": location, "sku": {"name": sku}, "properties": properties}
    if zones:
        body["zones"] = list(zones)
    return NewDisk(copy, *place, body)


async def made(arm: Arm, wanted: t.Sequence[NewDisk]) -> list[Json]:
    """Make the disks, all at once, or take those that an earlier run has made; return them as Azure shows them."""
    return list(await asyncio.gather(*(_made(arm, disk) for disk in wanted)))


async def find_made(arm: Arm, disk: NewDisk) -> tuple[str, Json | None]:
    """Return where the disk is to be, and the fresh one that is there already."""
    for attempt in range(1, _MOST_ATTEMPTS):
        path = disk.path(attempt)
        there = await _find(arm, path)
        if there is None:
            return path, None
        if not same_id(_source(there), disk.copy.id):
            raise Conflict(
                f"make a disk of {disk.copy.name}",
                code="ForeignDisk",
                message=f"{path.rpartition('/')[2]} is there already and was not made of the restore point",
                advice="Delete it if nobody needs it, or name another resource group.",
            )
        if ATTACHED not in child(there, "tags") and _state(there) != "failed":
            return path, there
    raise Conflict(
        f"make a disk of {disk.copy.name}",
        code="TooManyDisks",
        message=f"{_MOST_ATTEMPTS} disks were made of it",
        advice="Delete those that nobody needs.",
    )


async def _made(arm: Arm, disk: NewDisk) -> Json:
    path, there = await find_made(arm, disk)
    doing = f"make the disk {path.rpartition('/')[2]} of {disk.copy.name}"
    if there is None:
        try:
            answer = await arm.request("PUT", path, DISK_API, doing=doing, body=disk.body)
            await arm.finish(answer, doing=doing)
        except Conflict:
            # Somebody else, or a request of ours whose answer was lost, has begun it.
            there = await _find(arm, path)
            if there is None or not same_id(_source(there), disk.copy.id):
                raise
    seen = await until(arm, _has_ended, await _read(arm, path), lambda: _read(arm, path), lambda _seen: doing)
    if _state(seen) != "succeeded":
        raise AzureError(doing, code="DiskNotMade", message=f"the disk is in the state {_state(seen)}")
    return seen


async def mark_attached(arm: Arm, resource: Json) -> None:
    """Note on a fresh disk that a machine gets it: from now on it is not what the point holds."""
    doing = f"tag the disk {text(resource, 'name')}"
    body: Json = {"tags": {**child(resource, "tags"), ATTACHED: "yes"}}
    answer = await arm.request("PATCH", text(resource, "id"), DISK_API, doing=doing, body=body)
    await arm.finish(answer, doing=doing)


async def _read(arm: Arm, path: str) -> Json:
    return await arm.get(path, DISK_API, doing=f"read the disk {path.rpartition('/')[2]}")


async def _find(arm: Arm, path: str) -> Json | None:
    return await arm.find(path, DISK_API, doing=f"read the disk {path.rpartition('/')[2]}")


def _source(resource: Json) -> str:
    return text(child(child(resource, "properties"), "creationData"), "sourceResourceId")


def _state(resource: Json) -> str:
    return text(child(resource, "properties"), "provisioningState").lower()


def _has_ended(resource: Json) -> bool:
    return _state(resource) in ("succeeded", "failed", "canceled")
