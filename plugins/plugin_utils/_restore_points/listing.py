# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which collections hold points of a machine, and which of the points is the newest good one."""

from __future__ import annotations

import asyncio
import typing as t

from .._azure.arm import Arm
from .._azure.resource_ids import VmId, same_id
from .._json import child, text
from .points import (
    RESTORE_POINT_API,
    Collection,
    CollectionId,
    Consistency,
    RestorePoint,
    check_owner,
    read_collection,
)


async def collections_of(arm: Arm, vm: VmId, where: CollectionId, *, everywhere: bool) -> list[Collection]:
    """Return the collection at `where`, or with `everywhere` all collections of the subscription made for `vm`.

    Those of somebody else (Azure Backup keeps its own) are among the latter.
    """
    if not everywhere:
        collection = await read_collection(arm, where)
        if collection is None:
            return []
        check_owner(collection, vm.path, f"the VM {vm.name}")
        return [collection]
    items = await arm.pages(
        f"/subscriptions/{vm.subscription}/providers/Microsoft.Compute/restorePointCollections",
        RESTORE_POINT_API,
        doing=f"list the restore point collections of the subscription of the VM {vm.name}",
    )
    paths = [
        text(item, "id") for item in items if same_id(text(child(child(item, "properties"), "source"), "id"), vm.path)
    ]
    read = await asyncio.gather(*(read_collection(arm, _collection_id(path)) for path in sorted(paths)))
    return [collection for collection in read if collection is not None]


def newest_good(points: t.Sequence[RestorePoint]) -> RestorePoint | None:
    """Return the newest finished application-consistent point."""
    good = [
        point
        for point in points
        if point.finished and point.created is not None and point.consistency is Consistency.ApplicationConsistent
    ]
    return max(good, key=lambda point: str(point.created), default=None)


def _collection_id(path: str) -> CollectionId:
    parts = path.strip("/").split("/")
    return CollectionId(parts[1], parts[3], parts[-1])
