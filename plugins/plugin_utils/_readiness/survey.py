# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What lies around the machines of a fleet, read once for a subscription or a resource group, however many there are.

What the identity may not read becomes a finding of its own: a check that was left out is never silent.
"""

from __future__ import annotations

import asyncio
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field, replace

from .._authorization.locks import Lock, LocksByScope, locks_of_subscription
from .._authorization.policies_in_force import (
    POINT,
    AssignedPolicy,
    assigned_policies,
    assignments_at,
    collection_resource,
    exemptions_of,
    extension_of,
    keeps_out,
)
from .._authorization.policy import Assignment, rule_of
from .._azure.arm import Arm
from .._azure.machine import SNAPSHOT_TYPES, Machine
from .._azure.optional import read_or_note
from .._azure.resource_ids import VmId, group_path, same_id
from .._json import Json, child, text
from .._restore_points.points import RESTORE_POINT_API, Collection, CollectionId, collection_from_json, list_collections
from .._task.target import Target

# Seconds that a fleet's points wait for what is only good to know, however long Azure asks to be left alone.
PATIENCE = 120.0
# Whatever may be made for a machine: its extension, a collection of whatever name and place, a point.
_MADE = (*map(extension_of, SNAPSHOT_TYPES), collection_resource(None, None, {}), POINT)
DISK_API = "2024-03-02"


@dataclass
class Surroundings:
    """What a subscription holds beside its machines. None stands for what could not be read."""

    locks: LocksByScope | None = None
    shared_disks: set[str] | None = None
    # By the key of the machine: the ids of its collections.
    collections: dict[str, list[str]] | None = None
    # All of them, in small letters.
    collection_paths: set[str] = field(default_factory=set)
    # By resource group: the policies in force there that keep something out that is made for a machine, or may.
    policies: dict[str, list[AssignedPolicy]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


class Survey:
    """The surroundings of a fleet's machines: each subscription is read once, when the first of its machines asks."""

    def __init__(
        self,
        arm: Arm,
        targets: t.Sequence[Target],
        *,
        kept_in: t.Iterable[CollectionId] = (),
        patience: float = PATIENCE,
    ) -> None:
        self._arm = arm
        self._patience = patience
        self._groups: dict[str, set[str]] = {}
        for target in targets:
            self._groups.setdefault(target.vm.subscription.lower(), set()).add(target.vm.group.lower())
        for where in kept_in:
            self._groups.setdefault(where.subscription.lower(), set()).add(where.group.lower())
        self._readings: dict[str, asyncio.Task[None]] = {}
        self._around: defaultdict[str, Surroundings] = defaultdict(Surroundings)

    async def around(self, vm: VmId) -> Surroundings:
        name = vm.subscription.lower()
        around = self._around[name]
        if name not in self._readings:
            arm = self._arm.until(self._arm.clock.monotonic() + self._patience).of(name)
            reading = _survey(arm, around, name, sorted(self._groups[name]))
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
        read_or_note(around.unread, locks_of_subscription(arm, subscription)),
        read_or_note(around.unread, _shared_disks(arm, subscription)),
        _list_collections(arm, around, subscription),
    )
    around.locks = LocksByScope(locks or ())
    definitions: dict[str, Json] = {}
    for group, assignments in zip(
        groups,
        await asyncio.gather(
            *(read_or_note(around.unread, assignments_at(arm, group_path(subscription, group))) for group in groups)
        ),
        strict=True,
    ):
        found = await _in_force(arm, around, assignments or [], definitions)
        around.policies[group] = await _not_exempt(arm, around, group_path(subscription, group), found)


async def _list_collections(arm: Arm, around: Surroundings, subscription: str) -> None:
    """Set the collections as soon as they are there: machines that come later are spared a request."""
    found = await read_or_note(around.unread, _collections(arm, subscription))
    around.collection_paths = {path.lower() for paths in (found or {}).values() for path in paths}
    around.collections = found


async def _in_force(
    arm: Arm, around: Surroundings, assignments: t.Sequence[Assignment], definitions: dict[str, Json]
) -> list[AssignedPolicy]:
    """Return the policies of the assignments that may keep something out, each definition read once."""
    enforced = [assignment for assignment in assignments if assignment.enforced]
    await _define(arm, around, definitions, [assignment.definition_id for assignment in enforced])
    policies = [
        policy
        for assignment in enforced
        for policy in assigned_policies(assignment, definitions[assignment.definition_id.lower()])
    ]
    await _define(arm, around, definitions, [policy.definition_id for policy in policies])
    defined = [replace(policy, definition=definitions[policy.definition_id.lower()]) for policy in policies]
    return [policy for policy in defined if any(keeps_out(policy, kind) is not False for kind in _MADE)]


async def _define(arm: Arm, around: Surroundings, definitions: dict[str, Json], wanted: t.Sequence[str]) -> None:
    """Read the definitions that are not there yet. Of many that cannot be read one is named, with their number."""
    missing = {path.lower(): path for path in wanted if path.lower() not in definitions}
    unread: list[str] = []
    bodies = await asyncio.gather(*(read_or_note(unread, rule_of(arm, path)) for path in missing.values()))
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
    exemptions = await read_or_note(around.unread, exemptions_of(arm, scope)) or []
    return [
        replace(
            policy,
            outside=policy.outside + tuple(exemption.scope for exemption in exemptions if exemption.ends(policy)),
        )
        for policy in policies
    ]


async def _shared_disks(arm: Arm, subscription: str) -> set[str]:
    doing = f"read the disks of the subscription {subscription}"
    items = await arm.pages(f"/subscriptions/{subscription}/providers/Microsoft.Compute/disks", DISK_API, doing=doing)
    shares = ((text(item, "id").lower(), child(item, "properties").get("maxShares")) for item in items)
    return {disk for disk, count in shares if isinstance(count, int) and count > 1}


async def _collections(arm: Arm, subscription: str) -> dict[str, list[str]]:
    doing = f"read the restore point collections of the subscription {subscription}"
    found: dict[str, list[str]] = {}
    for item in await list_collections(arm, subscription, doing):
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
            read_or_note(
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
