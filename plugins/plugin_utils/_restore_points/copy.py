# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A copy of a restore point in another region, in a collection that belongs to the source's collection."""

from __future__ import annotations

import re
import typing as t

from .._azure.answers import Answer
from .._azure.arm import Arm
from .._azure.resource_ids import same_id
from .._azure.waiting import once_parent_is_seen
from .._durations import parse_duration
from .._errors import InvalidInput
from .._json import Json
from .place import read_place
from .points import (
    CollectionId,
    Consistency,
    begin_point,
    check_not_deleting,
    check_owner,
    describe_point,
    make_collection,
    read_collection,
    read_point,
)

_POINT_ID = re.compile(
    r"(/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute"
    r"/restorePointCollections/[^/]+)/restorePoints/[^/]+/?",
    re.IGNORECASE,
)


async def copy_point(arm: Arm, where: CollectionId, params: Json, *, check: bool) -> Json:
    """Make the point `name` in `where` as a copy of `source_restore_point`; return it with its replication so far."""
    name, source = params["name"], params["source_restore_point"]
    source_collection = collection_of_point(source)
    arm = arm.until(arm.clock.monotonic() + parse_duration(params["timeout"], "timeout").total_seconds())
    collection = await read_collection(arm, where)
    point = None
    if collection is not None:
        check_owner(collection, source_collection, "a copy")
        check_not_deleting(collection)
        point = collection.find(name)
    if point is not None:
        if not same_id(point.source_restore_point, source):
            raise InvalidInput(
                f"The restore point {name} exists already and is not a copy of {source}", advice="Choose another name."
            )
        return {"changed": False, "restore_point": describe_point(point), "restore_point_collection_id": where.path}
    if check:
        return {"changed": True, "restore_point": {}, "restore_point_collection_id": where.path}
    tags = read_place(params).tags
    if collection is None:
        await make_collection(arm, where, location=params["location"], source_id=source_collection, tags=tags)

    def send() -> t.Awaitable[Answer]:
        return begin_point(arm, where, name, consistency=Consistency.ApplicationConsistent, source_restore_point=source)

    answer = await (
        once_parent_is_seen(arm, send, f"copy the restore point {source} to {name}") if collection is None else send()
    )
    if params["wait"]:
        await arm.finish(answer, doing=f"copy the restore point {source} to {name}")
    made = await read_point(arm, where, name)
    return {
        "changed": True,
        "restore_point": describe_point(made) if made else {},
        "restore_point_collection_id": where.path,
    }


def collection_of_point(point_id: str) -> str:
    """Return the id of the collection that a restore point lies in."""
    match = _POINT_ID.fullmatch(point_id)
    if not match:
        raise InvalidInput(
            f"The option source_restore_point is {point_id!r}, which is not the resource id of a restore point",
            advice="Take it from restore_point_info, key id.",
        )
    return match[1]
