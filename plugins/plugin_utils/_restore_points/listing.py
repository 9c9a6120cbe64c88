# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which collections hold points of a machine, and which of the points is the newest good one."""

from __future__ import annotations

import asyncio
import re
import typing as t

from .._azure.arm import Arm
from .._azure.resource_ids import VmId, same_id
from .._errors import InvalidInput
from .._json import child, text
from .points import (
    Collection,
    CollectionId,
    Consistency,
    RestorePoint,
    check_owner,
    list_collections,
    read_collection,
)

_COLLECTION_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.Compute/restorePointCollections/[^/]+/?",
    re.IGNORECASE,
)


async def collections_of(arm: Arm, vm: VmId, where: CollectionId, *, everywhere: bool) -> list[Collection]:
    """Return the collection at `where`, or with `everywhere` all collections of the subscription made for `vm`.

    Those of somebody else (Azure Backup keeps its own) are among the latter.
    """
    if not everywhere:
        collection = await read_collection(arm, where, with_copies=True)
        if collection is None:
            return []
        check_owner(collection, vm.path, f"the VM {vm.name}")
        return [collection]
    doing = f"list the restore point collections of the subscription of the VM {vm.name}"
    items = await list_collections(arm, vm.subscription, doing)
    paths = [
        text(item, "id") for item in items if same_id(text(child(child(item, "properties"), "source"), "id"), vm.path)
    ]
    read = await asyncio.gather(
        *(read_collection(arm, collection_at(path), with_copies=True) for path in sorted(paths))
    )
    return [collection for collection in read if collection is not None]


def newest_good(points: t.Sequence[RestorePoint]) -> RestorePoint | None:
    """Return the newest finished application-consistent point."""
    good = [
        point
        for point in points
        if point.finished and point.created is not None and point.consistency is Consistency.ApplicationConsistent
    ]
    return max(good, key=lambda point: str(point.created), default=None)


def collection_at(path: str) -> CollectionId:
    parts = path.strip("/").split("/")
    return CollectionId(parts[1], parts[3], parts[-1])


def parse_collection_id(given: str) -> CollectionId:
    """Return where the collection of that resource id is; raise InvalidInput for what is not such an id."""
    if not _COLLECTION_ID.fullmatch(given.strip()):
        raise InvalidInput(
            f"The option id is {given!r}, which is not the resource ID of a restore point collection",
            advice="It has the form /subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Compute/"
            "restorePointCollections/<name>; restore_point_info returns it.",
        )
    return collection_at(given.strip())
