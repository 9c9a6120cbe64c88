# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Restore points of a whole subscription, and those whose machine is gone: deleted, or moved to another resource id.

Azure keeps the points of a machine that is deleted, and bills them. No machine leads to them any more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.machine import VM_API
from .._errors import AppConsistentError, AzureError, Conflict, InvalidInput
from .._json import text
from .listing import collection_at
from .points import RESTORE_POINT_API, Collection, CollectionId, check_not_deleting, list_collections, read_collection

# What became of the source of a collection. Unknown is one that may not be read: it may be there.
THERE, GONE, UNKNOWN = "there", "gone", "unknown"


@dataclass(frozen=True)
class Kept:
    """A collection with its points, and what became of the machine (or, for copies, the collection) it was made for."""

    collection: Collection
    source: str


async def all_kept(arm: Arm, subscription: str) -> list[Kept]:
    """Return all collections of a subscription, in the order of their ids."""
    machines_at = f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines"
    of = f"of the subscription {subscription}"
    listed = await list_collections(arm, subscription, f"list the restore point collections {of}")
    machines = await arm.pages(machines_at, VM_API, doing=f"list the virtual machines {of}")
    there = {text(machine, "id").lower() for machine in machines}
    paths = sorted(text(item, "id") for item in listed)
    read = await asyncio.gather(*(read_collection(arm, collection_at(path), with_copies=True) for path in paths))

    async def judged(collection: Collection) -> Kept:
        known = collection.source_id.lower() in there
        return Kept(collection, THERE if known else await state_of_source(arm, collection))

    return list(await asyncio.gather(*(judged(collection) for collection in read if collection is not None)))


async def state_of_source(arm: Arm, collection: Collection) -> str:
    """Ask for the source itself: a list leaves out what the identity may not read."""
    if not collection.source_id:
        return UNKNOWN
    version = RESTORE_POINT_API if "/restorepointcollections/" in collection.source_id.lower() else VM_API
    try:
        found = await arm.find(collection.source_id, version, doing=f"look for the source of {collection.name}")
    except AzureError as error:
        # With its group or subscription the machine is gone as well.
        return GONE if error.code.lower() in ("resourcegroupnotfound", "subscriptionnotfound") else UNKNOWN
    except AppConsistentError:
        return UNKNOWN
    return GONE if found is None else THERE


def check_left_behind(kept: Kept, points: int) -> None:
    """Raise where a collection with so many points, as far as a person knows, is not to be deleted."""
    collection = kept.collection
    check_not_deleting(collection)
    if kept.source != GONE:
        what = "is still there" if kept.source == THERE else "may be there: it cannot be read"
        raise InvalidInput(
            f"The restore point collection {collection.name} was left: {collection.source_id} {what}",
            advice="Points of a machine that is there go by retention, or one by one with restore_point state=absent.",
        )
    making = [point.name for point in collection.points if point.in_progress]
    if making:
        raise Conflict(
            f"delete the restore point collection {collection.name}",
            code="RestorePointInTheMaking",
            message=f"its restore point {making[0]} is in the making",
            advice="Run this again when it is finished.",
        )
    if len(collection.points) != points:
        raise InvalidInput(
            f"The restore point collection {collection.name} was left: it holds {len(collection.points)} restore "
            f"points, and the option points says {points}",
            advice="Look at them with restore_point_info, and give their number if nobody needs any of them.",
        )


async def delete_collection(arm: Arm, where: CollectionId) -> None:
    """Delete a collection with all its points, and wait until it is gone."""
    doing = f"delete the restore point collection {where.name} in the resource group {where.group}"
    await arm.finish(await arm.request("DELETE", where.path, RESTORE_POINT_API, doing=doing), doing=doing)
