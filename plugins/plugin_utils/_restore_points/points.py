# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Restore points and their collections: names, records, and the calls that make and read them."""

from __future__ import annotations

import enum
import hashlib
import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from .._azure.arm import Answer, Arm
from .._azure.resource_ids import VmId, group_path, same_id
from .._errors import Conflict, InvalidInput
from .._json import Json, child, children, text

# Oldest version with every documented field (instanceView, replication, instant access); the Azure CLI sends it too.
RESTORE_POINT_API = "2025-04-01"
# Longest names of a collection and of a point: azure-docs, "Naming rules and restrictions for Azure resources".
LONGEST_NAME = 80

_FRACTION = re.compile(r"\.(\d{6})\d+")


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


def default_collection(vm: VmId, group: str = "") -> CollectionId:
    """Return where the points of `vm` are kept: one collection per machine, named after it and its id.

    The eight hexadecimal digits keep two machines of one name apart when both keep their points in one group.
    """
    digest = hashlib.sha256(vm.key.encode()).hexdigest()[:8]
    return CollectionId(vm.subscription, group or vm.group, f"{vm.name[: LONGEST_NAME - 9]}-{digest}")


def window_key(now: datetime, length: timedelta) -> str:
    """Return the name of the window of `length` that `now` (UTC) lies in; windows are counted from 1970."""
    seconds = max(60, int(length.total_seconds()))
    start = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, timezone.utc)
    return start.strftime("%Y%m%dT%H%MZ")


def point_name(schedule: str, key: str, attempt: int) -> str:
    """Return the name of the point of one schedule, one key, one attempt (counted from 1)."""
    return f"{schedule}-{key}" if attempt == 1 else f"{schedule}-{key}-{attempt}"


def attempt_of(name: str, schedule: str, key: str) -> int:
    """Return which attempt a point of that name is, 0 when it belongs to another schedule or key."""
    match = re.fullmatch(rf"{re.escape(schedule)}-{re.escape(key)}(?:-(\d+))?", name, re.IGNORECASE)
    return int(match[1] or 1) if match else 0


def parse_time(value: t.Any) -> datetime | None:
    """Return a time as Azure writes it (seven fractional digits, any offset), None when it is no time."""
    try:
        time = datetime.fromisoformat(_FRACTION.sub(r".\1", str(value)))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def point_from_json(body: Json) -> RestorePoint:
    properties = child(body, "properties")
    view = child(properties, "instanceView")
    storage = child(child(properties, "sourceMetadata"), "storageProfile")
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
    )


def collection_from_json(body: Json) -> Collection:
    properties = child(body, "properties")
    points = [point_from_json(item) for item in children(properties, "restorePoints")]
    undated = datetime.max.replace(tzinfo=timezone.utc)
    return Collection(
        id=text(body, "id"),
        name=text(body, "name"),
        location=text(body, "location"),
        source_id=text(child(properties, "source"), "id"),
        state=text(properties, "provisioningState"),
        points=tuple(sorted(points, key=lambda point: point.created or undated)),
    )


def describe(point: RestorePoint) -> Json:
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


async def read_collection(arm: Arm, where: CollectionId) -> Collection | None:
    """Read a collection with its points, None when there is none."""
    body = await arm.find(
        where.path,
        RESTORE_POINT_API,
        doing=f"read the restore point collection {where.name}",
        query={"$expand": "restorePoints"},
    )
    return None if body is None else collection_from_json(body)


async def read_point(arm: Arm, where: CollectionId, name: str) -> RestorePoint | None:
    """Read one point with its instance view, None when there is none."""
    body = await arm.find(
        where.point(name),
        RESTORE_POINT_API,
        doing=f"read the restore point {name} in {where.name}",
        query={"$expand": "instanceView"},
    )
    return None if body is None else point_from_json(body)


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
