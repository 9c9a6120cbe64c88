# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Restore points and their collections: records, and the calls that make and read them."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from .._azure.answers import Answer
from .._azure.arm import Arm
from .._azure.resource_ids import group_path, same_id
from .._errors import Conflict, InvalidInput
from .._json import Json, child, children, parse_time, text
from .disk_copies import DiskCopy, copies_of

# Oldest version with every documented field (instanceView, replication, instant access); the Azure CLI sends it too.
RESTORE_POINT_API = "2025-04-01"
# Most points of one machine over all its collections (azure-compute-docs, concepts-restore-points.md), and the number
# from which on a result warns.
MOST_POINTS = 500
MANY_POINTS = 400


class Consistency(enum.IntEnum):
    """What a point is worth, in rising order. The names are Azure's own."""

    NONE = 0
    CrashConsistent = 1
    FileSystemConsistent = 2
    ApplicationConsistent = 3

    @classmethod
    def read(cls, name: t.Any) -> Consistency:
        """Return the class that Azure names, NONE for what it does not name or what is not known."""
        return cls.__members__.get(str(name or ""), cls.NONE)

    @property
    def label(self) -> str:
        return "" if self is Consistency.NONE else self.name


@dataclass(frozen=True)
class RestorePoint:
    """One restore point as Azure holds it. `created` is None until Azure has dated it."""

    id: str
    name: str
    consistency: Consistency
    state: str
    created: datetime | None
    exclude_disks: tuple[str, ...]
    disk_restore_points: tuple[str, ...]
    source_restore_point: str
    failure: str
    replication_percent: float | None
    # The vmId of the machine it was taken of, and the ids of the disks that it holds once it is finished.
    vm_uid: str = ""
    disks: tuple[str, ...] = ()
    # Of the machine it was taken of. Empty unless they were asked for: a fleet's points are many.
    copies: tuple[DiskCopy, ...] = ()
    security_type: str = ""
    generation: str = ""

    @property
    def asked_for(self) -> Consistency:
        """What was asked of Azure, which tells only what was reached.

        Crash-consistent points alone can be asked for by name, so all others, and failed ones, which say nothing, were
        asked for as application-consistent.
        """
        crash = self.consistency is Consistency.CrashConsistent
        return Consistency.CrashConsistent if crash else Consistency.ApplicationConsistent

    @property
    def in_progress(self) -> bool:
        return self.state.lower() in ("creating", "updating")

    @property
    def finished(self) -> bool:
        return self.state.lower() in ("succeeded", "successful")

    @property
    def failed(self) -> bool:
        return not self.finished and not self.in_progress and self.state.lower() != "deleting"


@dataclass(frozen=True)
class Collection:
    """A restore point collection with its points, oldest first."""

    id: str
    name: str
    location: str
    source_id: str
    state: str
    points: tuple[RestorePoint, ...]
    tags: t.Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> RestorePoint | None:
        return next((point for point in self.points if point.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class CollectionId:
    """Where a collection is."""

    subscription: str
    group: str
    name: str

    @property
    def path(self) -> str:
        group = group_path(self.subscription, self.group)
        return f"{group}/providers/Microsoft.Compute/restorePointCollections/{self.name}"

    def point(self, name: str) -> str:
        return f"{self.path}/restorePoints/{name}"


def point_from_json(body: Json, *, with_copies: bool = False) -> RestorePoint:
    properties = child(body, "properties")
    view = child(properties, "instanceView")
    source = child(properties, "sourceMetadata")
    storage = child(source, "storageProfile")
    disks = [child(storage, "osDisk"), *children(storage, "dataDisks")]
    percents = [
        child(disk, "replicationStatus").get("completionPercent") for disk in children(view, "diskRestorePoints")
    ]
    known = [float(percent) for percent in percents if isinstance(percent, (int, float))]
    return RestorePoint(
        id=text(body, "id"),
        name=text(body, "name"),
        consistency=Consistency.read(properties.get("consistencyMode")),
        state=text(properties, "provisioningState"),
        created=parse_time(properties.get("timeCreated")),
        exclude_disks=tuple(str(disk.get("id")) for disk in children(properties, "excludeDisks")),
        disk_restore_points=tuple(
            str(child(disk, "diskRestorePoint")["id"]) for disk in disks if child(disk, "diskRestorePoint").get("id")
        ),
        source_restore_point=text(child(properties, "sourceRestorePoint"), "id"),
        failure="; ".join(str(status["message"]) for status in children(view, "statuses") if status.get("message")),
        replication_percent=min(known) if known else None,
        vm_uid=text(source, "vmId"),
        disks=tuple(
            text(child(disk, "managedDisk"), "id") for disk in disks if child(disk, "diskRestorePoint").get("id")
        ),
        copies=copies_of(properties) if with_copies else (),
        security_type=text(child(source, "securityProfile"), "securityType"),
        generation=text(source, "hyperVGeneration"),
    )


def collection_from_json(body: Json, *, with_copies: bool = False) -> Collection:
    properties = child(body, "properties")
    points = [point_from_json(item, with_copies=with_copies) for item in children(properties, "restorePoints")]
    undated = datetime.max.replace(tzinfo=timezone.utc)
    return Collection(
        id=text(body, "id"),
        name=text(body, "name"),
        location=text(body, "location"),
        source_id=text(child(properties, "source"), "id"),
        state=text(properties, "provisioningState"),
        points=tuple(sorted(points, key=lambda point: point.created or undated)),
        tags={name: str(value) for name, value in child(body, "tags").items()},
    )


class PointResult(t.TypedDict):
    """A restore point as modules return it; times are ISO 8601 in UTC, empty where Azure tells none."""

    id: str
    name: str
    consistency_mode: str
    provisioning_state: str
    time_created: str
    exclude_disks: list[str]
    disk_restore_points: list[str]
    source_restore_point: str
    replication_percent: float | None


def describe_point(point: RestorePoint) -> PointResult:
    """Return a point as modules return it. Azure's sourceMetadata stays out: it can hold user data."""
    return {
        "id": point.id,
        "name": point.name,
        "consistency_mode": point.consistency.label,
        "provisioning_state": point.state,
        "time_created": point.created.isoformat() if point.created else "",
        "exclude_disks": list(point.exclude_disks),
        "disk_restore_points": list(point.disk_restore_points),
        "source_restore_point": point.source_restore_point,
        "replication_percent": point.replication_percent,
    }


async def list_collections(arm: Arm, subscription: str, doing: str) -> list[Json]:
    """Return all collections of a subscription as Azure lists them, without their points."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/restorePointCollections"
    return await arm.pages(path, RESTORE_POINT_API, doing=doing)


async def read_collection(arm: Arm, where: CollectionId, *, with_copies: bool = False) -> Collection | None:
    """Read a collection with its points, and on demand the disks in them; None when there is none."""
    body = await arm.find(
        where.path,
        RESTORE_POINT_API,
        doing=f"read the restore point collection {where.name}",
        query={"$expand": "restorePoints"},
    )
    return None if body is None else collection_from_json(body, with_copies=with_copies)


async def read_point(arm: Arm, where: CollectionId, name: str, *, with_copies: bool = False) -> RestorePoint | None:
    """Read one point with its instance view, and on demand the disks in it; None when there is none."""
    body = await arm.find(
        where.point(name),
        RESTORE_POINT_API,
        doing=f"read the restore point {name} in {where.name}",
        query={"$expand": "instanceView"},
    )
    return None if body is None else point_from_json(body, with_copies=with_copies)


def check_owner(collection: Collection, source_id: str, subject: str) -> None:
    """Raise InvalidInput when the collection keeps the points of something else than `source_id`."""
    if not same_id(collection.source_id, source_id):
        raise InvalidInput(
            f"Could not use the restore point collection {collection.name} for {subject}: "
            f"it belongs to {collection.source_id}",
            advice="Name another collection or another resource group for the points.",
        )


def check_not_deleting(collection: Collection) -> None:
    if collection.state.lower() == "deleting":
        raise Conflict(
            f"use the restore point collection {collection.name}",
            code="CollectionIsBeingDeleted",
            message="Azure is deleting it",
            advice="Wait until it is gone and run this again.",
        )


async def make_collection(
    arm: Arm, where: CollectionId, *, location: str, source_id: str, tags: t.Mapping[str, str] | None = None
) -> bool:
    """Make the collection for the machine (or, for copies, the collection) `source_id`; tell whether there was none.

    Azure answers 201 to whoever made it and 200 where it was there (OpenAPI, RestorePointCollections_CreateOrUpdate).
    """
    body: Json = {"location": location, "properties": {"source": {"id": source_id}}}
    if tags:
        body["tags"] = dict(tags)
    doing = f"make the restore point collection {where.name} in the resource group {where.group}"
    return (await arm.request("PUT", where.path, RESTORE_POINT_API, doing=doing, body=body)).status == 201


def lacks_tags(collection: Collection, wanted: t.Mapping[str, str]) -> bool:
    """Tell whether a tag is missing or has another value. Azure does not tell upper from lower case in a tag's name."""
    held = {name.lower(): value for name, value in collection.tags.items()}
    return any(held.get(name.lower()) != value for name, value in wanted.items())


async def add_tags(arm: Arm, where: CollectionId, collection: Collection, wanted: t.Mapping[str, str]) -> None:
    """Give a collection tags beside those that it has; Azure takes the tags of a change for all that there are."""
    ours = {name.lower() for name in wanted}
    others = {name: value for name, value in collection.tags.items() if name.lower() not in ours}
    doing = f"tag the restore point collection {where.name} in the resource group {where.group}"
    await arm.request("PATCH", where.path, RESTORE_POINT_API, doing=doing, body={"tags": {**others, **wanted}})


async def begin_point(
    arm: Arm,
    where: CollectionId,
    name: str,
    *,
    consistency: Consistency,
    exclude_disks: t.Sequence[str] = (),
    source_restore_point: str = "",
) -> Answer:
    """Ask for a point. Application consistency is asked for by not naming any: Azure accepts only crash as input.

    The body of the answer is left out: it holds the machine's whole model, for as long as the point takes.
    """
    properties: Json = {}
    if consistency is Consistency.CrashConsistent:
        properties["consistencyMode"] = consistency.label
    if exclude_disks:
        properties["excludeDisks"] = [{"id": disk} for disk in exclude_disks]
    if source_restore_point:
        properties["sourceRestorePoint"] = {"id": source_restore_point}
    body: Json = {"properties": properties} if properties else {}
    doing = f"make the restore point {name} in {where.name}"
    answer = await arm.request("PUT", where.point(name), RESTORE_POINT_API, doing=doing, body=body)
    return replace(answer, body={})


async def delete_point(arm: Arm, where: CollectionId, name: str) -> None:
    """Delete a point and wait until it is gone."""
    doing = f"delete the restore point {name} in {where.name}"
    answer = await arm.request("DELETE", where.point(name), RESTORE_POINT_API, doing=doing)
    await arm.finish(answer, doing=doing)
