# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the things around a machine mean for its next point: locks, policies, shared disks, points and their owners."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from .._authorization.locks import lock_findings
from .._authorization.policies_in_force import POINT, collection_resource, extension_of, keeps_out
from .._azure.machine import SNAPSHOT_TYPES, Machine
from .._azure.obstacle import EXTENSION_PAGE, MATRIX, POLICY_PAGE, TROUBLESHOOTING, Obstacle
from .._azure.resource_ids import same_id
from .._durations import words
from .._restore_points.holding import needed_of
from .._restore_points.next_step import least_interval
from .._restore_points.points import MANY_POINTS, MOST_POINTS, Collection, CollectionId, Consistency, RestorePoint
from .survey import Surroundings

# Asked for per machine and hour (azure-compute-docs, virtual-machines-create-restore-points.md); above that: 429.
_PER_HOUR = 3
# Codes of the findings that the fleet's engine treats in its own way.
MAKING = "restore_point_in_the_making"
NOT_CHECKED = "not_checked"
FULL = "points_limit"


def surrounding_findings(
    machine: Machine,
    around: Surroundings,
    collections: t.Sequence[Collection],
    own: CollectionId,
    wanted: Consistency,
    now: datetime,
    *,
    exclude_disks: t.Sequence[str] = (),
    min_interval: timedelta | None = None,
    tags: t.Mapping[str, str] | None = None,
) -> list[Obstacle]:
    """Return what the surroundings of a machine mean for its next point, what blocks first."""
    kind = SNAPSHOT_TYPES.get(machine.os, "VMSnapshot")
    extension = machine.snapshot_extension
    extension_id = extension.id if extension else f"{machine.id.path}/extensions/{kind}"
    locks = around.locks.covering(own.path, extension_id) if around.locks else []
    found = [
        *_shared(machine, around, {disk.lower() for disk in exclude_disks}),
        *_earlier(machine, collections, own),
        *_making(collections, own),
        *_count(collections),
        *_pace(collections, wanted, now, least_interval(wanted, min_interval)),
        *_owners(collections, own),
        *_basic_protection(machine),
        *lock_findings(locks, own, extension_id),
        *(_policies(machine, around) if wanted is Consistency.ApplicationConsistent else ()),
        *_policies_on_the_points(machine, around, collections, own, tags or {}),
        *_unread(around),
    ]
    return sorted(found, key=lambda finding: not finding.blocks)


def _shared(machine: Machine, around: Surroundings, excluded: set[str]) -> t.Iterator[Obstacle]:
    for disk in machine.disks:
        if disk.id.lower() in (around.shared_disks or ()) and disk.id.lower() not in excluded:
            yield Obstacle(
                "shared_disk",
                True,
                f"The disk {disk.name} is shared between machines, which restore points do not support",
                f"Leave it out with exclude_disks: {disk.id}",
                MATRIX,
            )


def _earlier(machine: Machine, collections: t.Sequence[Collection], own: CollectionId) -> t.Iterator[Obstacle]:
    needed = needed_of(machine)
    for collection in collections:
        earlier = [point for point in collection.points if not needed.is_source_of(point)]
        if earlier and same_id(collection.id, own.path):
            yield Obstacle(
                "points_of_an_earlier_vm",
                False,
                f"{len(earlier)} restore points in {collection.name} hold an earlier VM of this name, "
                f"{earlier[-1].name} for one; they do not count for this one, and retention leaves them",
                "Delete them with restore_point state=absent once nobody needs the earlier VM.",
                MATRIX,
            )


def _making(collections: t.Sequence[Collection], own: CollectionId) -> t.Iterator[Obstacle]:
    for collection in collections:
        for point in collection.points:
            if point.in_progress:
                ours = same_id(collection.id, own.path)
                yield Obstacle(
                    MAKING,
                    not ours,
                    f"The restore point {point.name} in {collection.name} is in the making, and Azure makes one of a "
                    "VM at a time",
                    "Run restore_points: it waits for this point." if ours else "Wait until it is finished.",
                    TROUBLESHOOTING,
                )


def _count(collections: t.Sequence[Collection]) -> t.Iterator[Obstacle]:
    count = sum(len(collection.points) for collection in collections)
    if count >= MANY_POINTS:
        yield Obstacle(
            FULL,
            count >= MOST_POINTS,
            f"{count} of {MOST_POINTS} restore points of this VM are used",
            "Remove old points, and see that retention works.",
            MATRIX,
        )


def _pace(
    collections: t.Sequence[Collection], wanted: Consistency, now: datetime, interval: timedelta
) -> t.Iterator[Obstacle]:
    times = sorted(
        point.created
        for collection in collections
        for point in collection.points
        if point.created is not None and point.asked_for is wanted
    )
    lately = [time for time in times if now - time < timedelta(hours=1)]
    if len(lately) >= _PER_HOUR:
        wait = words(lately[-_PER_HOUR] + timedelta(hours=1) - now)
        yield Obstacle(
            "three_per_hour",
            True,
            f"{len(lately)} restore points of this VM were made within an hour, and Azure refuses the next one",
            f"Wait {wait}.",
            MATRIX,
        )
    elif times and now - times[-1] < interval:
        yield Obstacle(
            "too_early",
            False,
            f"The last restore point of this VM is {words(now - times[-1])} old, less than min_interval",
            f"Wait {words(times[-1] + interval - now)}, or set min_interval.",
            MATRIX,
        )


def _owners(collections: t.Sequence[Collection], own: CollectionId) -> t.Iterator[Obstacle]:
    for collection in collections:
        owner = owner_of(collection, own)
        if owner:
            last = newest(collection)
            yield Obstacle(
                "another_owner",
                False,
                f"{owner} makes restore points of this VM too, in {collection.name}"
                + (f", the last at {last.created:%Y-%m-%d %H:%M} UTC" if last and last.created else ""),
                "Keep its times apart from yours: one point is made at a time, three per hour count for both, and so "
                "does the limit of 500.",
                MATRIX,
            )


def _basic_protection(machine: Machine) -> t.Iterator[Obstacle]:
    if machine.basic_protection:
        yield Obstacle(
            "basic_vm_protection",
            False,
            "Basic VM Protection makes a crash-consistent restore point of this VM every day and removes its own after "
            "some days; how it names their collection is not documented, so they are shown as somebody else's",
            "Keep its points out of your counts, or turn it off (resiliencyProfile.periodicRestorePoints) if yours are "
            "enough.",
            MATRIX,
        )


def owner_of(collection: Collection, own: CollectionId) -> str:
    """Return who else keeps points in a collection, empty for our own. Told by names, for Azure says no more."""
    if same_id(collection.id, own.path):
        return ""
    if collection.name.lower().startswith("azurebackup_") or "/resourcegroups/azurebackuprg_" in collection.id.lower():
        return "Azure Backup"
    return "Somebody else"


def newest(collection: Collection) -> RestorePoint | None:
    dated = [point for point in collection.points if point.created is not None]
    return dated[-1] if dated else None


def _policies_on_the_points(
    machine: Machine,
    around: Surroundings,
    collections: t.Sequence[Collection],
    own: CollectionId,
    tags: t.Mapping[str, str],
) -> t.Iterator[Obstacle]:
    """Judge policies on the collection, which demand tags, regions or names, and on the points in it."""
    made = [("restore points are", POINT)]
    if not any(same_id(collection.id, own.path) for collection in collections):
        made.append((f"the collection {own.name} is", collection_resource(own.name, machine.location, tags)))
    for policy in around.policies.get(own.group.lower(), []):
        for what, resource in made:
            out = keeps_out(policy, resource) if policy.holds_at(own.path) else False
            if out is not False:
                verb = "forbids" if out else "may forbid"
                yield Obstacle(
                    "policy_forbids_points",
                    out is True,
                    f"The policy {policy.title} {verb} that {what} made in the resource group {own.group}",
                    "Give the collections the tags or the name that it demands (collection_tags, collection_name), "
                    "keep them in another group (collection_resource_group), or exempt the group from that policy.",
                    POLICY_PAGE,
                )


def _policies(machine: Machine, around: Surroundings) -> t.Iterator[Obstacle]:
    if machine.snapshot_extension is not None:
        return
    for policy in around.policies.get(machine.id.group.lower(), []):
        out = keeps_out(policy, extension_of(machine.os)) if policy.holds_at(machine.id.path) else False
        if out is False:
            continue
        verb = "forbids" if out else "may forbid"
        types = " and ".join(sorted(SNAPSHOT_TYPES.values()))
        yield Obstacle(
            "policy_forbids_extension",
            out is True,
            f"The policy {policy.title} {verb} that Azure installs the snapshot extension",
            f"Allow the types {types} in that policy, or exempt the VM from it.",
            EXTENSION_PAGE,
        )


def _unread(around: Surroundings) -> t.Iterator[Obstacle]:
    for sentence in dict.fromkeys(around.unread):
        yield Obstacle(
            NOT_CHECKED,
            False,
            f"A part was not checked: {sentence}",
            "Grant the identity the right to read it, for a whole answer.",
        )
