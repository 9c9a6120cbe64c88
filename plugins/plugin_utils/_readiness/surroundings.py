# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What lies around a machine and decides about its points: locks, policies, shared disks, points and their owners.

A fleet shares most of it, so it is read once for a subscription or a resource group, however many machines there are.
What the identity may not read becomes a finding of its own: a check that was left out is never silent.
"""

from __future__ import annotations

import asyncio
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .._authorization.locks import Lock, LocksByScope, lock_findings, locks_of_subscription
from .._authorization.policies_in_force import (
    AssignedPolicy,
    assigned_policies,
    assignments_at,
    exemptions_of,
    keeps_extension_out,
)
from .._authorization.policy import Assignment, rule_of
from .._azure.arm import Arm
from .._azure.finding import EXTENSION_PAGE, MATRIX, TROUBLESHOOTING, Finding
from .._azure.machine import SNAPSHOT_TYPES, Machine
from .._azure.resource_ids import VmId, group_path, same_id
from .._durations import words
from .._errors import AppConsistentError
from .._json import Json, child, text
from .._restore_points.next_step import LEAST_INTERVAL
from .._restore_points.points import (
    RESTORE_POINT_API,
    Collection,
    CollectionId,
    Consistency,
    RestorePoint,
    collection_from_json,
)
from .._task.target import Target

DISK_API = "2024-03-02"
# Azure keeps this many points of one machine, in all its collections (azure-compute-docs, concepts-restore-points.md).
POINTS_LIMIT = 500
_POINTS_WARNING = 450
# Asked for per machine and hour (azure-compute-docs, virtual-machines-create-restore-points.md); above that: 429.
_PER_HOUR = 3
# Codes of the findings that the fleet's engine treats in its own way.
MAKING = "restore_point_in_the_making"
NOT_CHECKED = "not_checked"
T = t.TypeVar("T")


@dataclass
class Surroundings:
    """What a subscription holds beside its machines. None stands for what could not be read."""

    locks: LocksByScope | None = None
    shared_disks: set[str] | None = None
    # By the key of the machine: the ids of its collections.
    collections: dict[str, list[str]] | None = None
    # All of them, in small letters.
    collection_paths: set[str] = field(default_factory=set)
    # By resource group: the policies in force there that keep the extension out, or may.
    policies: dict[str, list[AssignedPolicy]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


class Survey:
    """The surroundings of a fleet's machines: each subscription is read once, when the first of its machines asks."""

    def __init__(self, arm: Arm, targets: t.Sequence[Target]) -> None:
        self._arm = arm
        self._groups: dict[str, set[str]] = {}
        for target in targets:
            self._groups.setdefault(target.vm.subscription.lower(), set()).add(target.vm.group.lower())
        self._readings: dict[str, asyncio.Task[None]] = {}
        self._around: defaultdict[str, Surroundings] = defaultdict(Surroundings)

    async def around(self, vm: VmId) -> Surroundings:
        name = vm.subscription.lower()
        around = self._around[name]
        if name not in self._readings:
            reading = _survey(self._arm.of(name), around, name, sorted(self._groups[name]))
            self._readings[name] = asyncio.create_task(reading)
        # Whoever asks may be told to end; the others wait for the same reading.
        await asyncio.shield(self._readings[name])
        return around

    def lacks(self, collection: CollectionId) -> bool:
        """Tell whether it is known by now, without asking for it alone, that there was no such collection."""
        around = self._around[collection.subscription.lower()]
        return around.collections is not None and collection.path.lower() not in around.collection_paths

    @property
    def unread(self) -> list[str]:
        """What could not be read, a sentence each."""
        done = [name for name, task in self._readings.items() if task.done() and not task.cancelled()]
        return list(dict.fromkeys(sentence for name in done for sentence in self._around[name].unread))


async def _survey(arm: Arm, around: Surroundings, subscription: str, groups: t.Sequence[str]) -> None:
    locks: list[Lock] | None
    locks, around.shared_disks, _nothing = await asyncio.gather(
        _read(around.unread, locks_of_subscription(arm, subscription)),
        _read(around.unread, _shared_disks(arm, subscription)),
        _list_collections(arm, around, subscription),
    )
    around.locks = LocksByScope(locks or ())
    definitions: dict[str, Json] = {}
    for group, assignments in zip(
        groups,
        await asyncio.gather(
            *(_read(around.unread, assignments_at(arm, group_path(subscription, group))) for group in groups)
        ),
        strict=True,
    ):
        found = await _in_force(arm, around, assignments or [], definitions)
        around.policies[group] = await _not_exempt(arm, around, group_path(subscription, group), found)


async def _list_collections(arm: Arm, around: Surroundings, subscription: str) -> None:
    """Set the collections as soon as they are there: machines that come later are spared a request."""
    found = await _read(around.unread, _collections(arm, subscription))
    around.collection_paths = {path.lower() for paths in (found or {}).values() for path in paths}
    around.collections = found


async def _in_force(
    arm: Arm, around: Surroundings, assignments: t.Sequence[Assignment], definitions: dict[str, Json]
) -> list[AssignedPolicy]:
    """Return the policies of the assignments that may keep the extension out, each definition read once."""
    enforced = [assignment for assignment in assignments if assignment.enforced]
    await _define(arm, around, definitions, [assignment.definition_id for assignment in enforced])
    policies = [
        policy
        for assignment in enforced
        for policy in assigned_policies(assignment, definitions[assignment.definition_id.lower()])
    ]
    await _define(arm, around, definitions, [policy.definition_id for policy in policies])
    defined = [replace(policy, definition=definitions[policy.definition_id.lower()]) for policy in policies]
    return [policy for policy in defined if any(keeps_extension_out(policy, os) is not False for os in SNAPSHOT_TYPES)]


async def _define(arm: Arm, around: Surroundings, definitions: dict[str, Json], wanted: t.Sequence[str]) -> None:
    """Read the definitions that are not there yet. Of many that cannot be read one is named, with their number."""
    missing = {path.lower(): path for path in wanted if path.lower() not in definitions}
    unread: list[str] = []
    bodies = await asyncio.gather(*(_read(unread, rule_of(arm, path)) for path in missing.values()))
    definitions.update((key, body or {}) for key, body in zip(missing, bodies, strict=True))
    if unread:
        more = f" ({len(unread) - 1} other could not be read either)" if len(unread) > 1 else ""
        around.unread.append(unread[0] + more)


async def _not_exempt(
    arm: Arm, around: Surroundings, scope: str, policies: t.Sequence[AssignedPolicy]
) -> list[AssignedPolicy]:
    """Add to the policies where Azure exempts from them, which is only asked when there are any."""
    if not policies:
        return []
    exemptions = await _read(around.unread, exemptions_of(arm, scope)) or []
    return [
        replace(
            policy,
            outside=policy.outside + tuple(exemption.scope for exemption in exemptions if exemption.ends(policy)),
        )
        for policy in policies
    ]


async def _read(unread: list[str], reading: t.Awaitable[T]) -> T | None:
    try:
        return await reading
    except AppConsistentError as error:
        unread.append(str(error))
        return None


async def _shared_disks(arm: Arm, subscription: str) -> set[str]:
    doing = f"read the disks of the subscription {subscription}"
    items = await arm.pages(f"/subscriptions/{subscription}/providers/Microsoft.Compute/disks", DISK_API, doing=doing)
    shares = ((text(item, "id").lower(), child(item, "properties").get("maxShares")) for item in items)
    return {disk for disk, count in shares if isinstance(count, int) and count > 1}


async def _collections(arm: Arm, subscription: str) -> dict[str, list[str]]:
    doing = f"read the restore point collections of the subscription {subscription}"
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/restorePointCollections"
    found: dict[str, list[str]] = {}
    for item in await arm.pages(path, RESTORE_POINT_API, doing=doing):
        source = text(child(child(item, "properties"), "source"), "id").lower()
        found.setdefault(source, []).append(text(item, "id"))
    return found


async def read_collections(
    arm: Arm, around: Surroundings, machine: Machine, own: CollectionId, known: Collection | None = None
) -> list[Collection]:
    """Return all collections of a machine with their points, whoever they belong to; `known` is our own, if read."""
    paths = (around.collections or {}).get(machine.id.key, [])
    bodies = await asyncio.gather(
        *(
            _read(
                around.unread,
                arm.get(
                    path,
                    RESTORE_POINT_API,
                    doing=f"read the restore point collection {path.rpartition('/')[2]}",
                    query={"$expand": "restorePoints"},
                ),
            )
            for path in paths
            if known is None or not same_id(path, own.path)
        )
    )
    found = [collection_from_json(body) for body in bodies if body is not None]
    return found if known is None else [known, *found]


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
) -> list[Finding]:
    """Return what the surroundings of a machine mean for its next point, what blocks first."""
    kind = SNAPSHOT_TYPES.get(machine.os, "VMSnapshot")
    extension = machine.snapshot_extension
    extension_id = extension.id if extension else f"{machine.id.path}/extensions/{kind}"
    locks = around.locks.covering(own.path, extension_id) if around.locks else []
    found = [
        *_shared(machine, around, {disk.lower() for disk in exclude_disks}),
        *_making(collections, own),
        *_count(collections),
        *_pace(collections, wanted, now, LEAST_INTERVAL[wanted] if min_interval is None else min_interval),
        *_owners(collections, own),
        *_basic_protection(machine),
        *lock_findings(locks, own, extension_id),
        *(_policies(machine, around) if wanted is Consistency.ApplicationConsistent else ()),
        *_unread(around),
    ]
    return sorted(found, key=lambda finding: not finding.blocks)


def _shared(machine: Machine, around: Surroundings, excluded: set[str]) -> t.Iterator[Finding]:
    for disk in machine.disks:
        if disk.id.lower() in (around.shared_disks or ()) and disk.id.lower() not in excluded:
            yield Finding(
                "shared_disk",
                True,
                f"The disk {disk.name} is shared between machines, which restore points do not support",
                f"Leave it out with exclude_disks: {disk.id}",
                MATRIX,
            )


def _making(collections: t.Sequence[Collection], own: CollectionId) -> t.Iterator[Finding]:
    for collection in collections:
        for point in collection.points:
            if point.in_progress:
                ours = same_id(collection.id, own.path)
                yield Finding(
                    MAKING,
                    not ours,
                    f"The restore point {point.name} in {collection.name} is in the making, and Azure makes one of a "
                    "VM at a time",
                    "Run restore_points: it waits for this point." if ours else "Wait until it is finished.",
                    TROUBLESHOOTING,
                )


def _count(collections: t.Sequence[Collection]) -> t.Iterator[Finding]:
    count = sum(len(collection.points) for collection in collections)
    if count >= _POINTS_WARNING:
        yield Finding(
            "points_limit",
            count >= POINTS_LIMIT,
            f"{count} of {POINTS_LIMIT} restore points of this VM are used",
            "Remove old points, and see that retention works.",
            MATRIX,
        )


def _pace(
    collections: t.Sequence[Collection], wanted: Consistency, now: datetime, interval: timedelta
) -> t.Iterator[Finding]:
    crash = wanted is Consistency.CrashConsistent
    times = sorted(
        point.created
        for collection in collections
        for point in collection.points
        if point.created is not None and (point.consistency is Consistency.CrashConsistent) == crash
    )
    lately = [time for time in times if now - time < timedelta(hours=1)]
    if len(lately) >= _PER_HOUR:
        wait = words(lately[-_PER_HOUR] + timedelta(hours=1) - now)
        yield Finding(
            "three_per_hour",
            True,
            f"{len(lately)} restore points of this VM were made within an hour, and Azure refuses the next one",
            f"Wait {wait}.",
            MATRIX,
        )
    elif times and now - times[-1] < interval:
        yield Finding(
            "too_early",
            False,
            f"The last restore point of this VM is {words(now - times[-1])} old, less than min_interval",
            f"Wait {words(times[-1] + interval - now)}, or set min_interval.",
            MATRIX,
        )


def _owners(collections: t.Sequence[Collection], own: CollectionId) -> t.Iterator[Finding]:
    for collection in collections:
        owner = owner_of(collection, own)
        if owner:
            last = newest(collection)
            yield Finding(
                "another_owner",
                False,
                f"{owner} makes restore points of this VM too, in {collection.name}"
                + (f", the last at {last.created:%Y-%m-%d %H:%M} UTC" if last and last.created else ""),
                "Keep its times apart from yours: one point is made at a time, three per hour count for both, and so "
                "does the limit of 500.",
                MATRIX,
            )


def _basic_protection(machine: Machine) -> t.Iterator[Finding]:
    if machine.basic_protection:
        yield Finding(
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


def _policies(machine: Machine, around: Surroundings) -> t.Iterator[Finding]:
    if machine.snapshot_extension is not None:
        return
    for policy in around.policies.get(machine.id.group.lower(), []):
        keeps_out = keeps_extension_out(policy, machine.os) if policy.holds_at(machine.id.path) else False
        if keeps_out is False:
            continue
        verb = "forbids" if keeps_out else "may forbid"
        types = " and ".join(sorted(SNAPSHOT_TYPES.values()))
        yield Finding(
            "policy_forbids_extension",
            keeps_out is True,
            f"The policy {policy.title} {verb} that Azure installs the snapshot extension",
            f"Allow the types {types} in that policy, or exempt the VM from it.",
            EXTENSION_PAGE,
        )


def _unread(around: Surroundings) -> t.Iterator[Finding]:
    for sentence in dict.fromkeys(around.unread):
        yield Finding(
            NOT_CHECKED,
            False,
            f"A part was not checked: {sentence}",
            "Grant the identity the right to read it, for a whole answer.",
        )
