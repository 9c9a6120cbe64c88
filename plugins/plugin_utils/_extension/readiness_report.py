# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The readiness of a whole fleet, from one survey per subscription and one or two reads per machine."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .._azure.arm import Arm
from .._azure.machine import Machine, read_machine
from .._json import Json
from .._readiness.machine import findings
from .._readiness.surroundings import (
    POINTS_LIMIT,
    Survey,
    newest,
    owner_of,
    read_collections,
    surrounding_findings,
)
from .._restore_points.points import Collection, CollectionId, Consistency, default_collection
from .._task.each_machine import Report
from .._task.target import Target
from .presence import describe_extension


@dataclass(frozen=True)
class Question:
    """What readiness is asked about."""

    wanted: Consistency = Consistency.ApplicationConsistent
    exclude_disks: tuple[str, ...] = ()
    collection_group: str = ""
    min_interval: timedelta | None = None


async def readiness(arm: Arm, target: Target, survey: Survey, question: Question) -> Report:
    """Tell whether a machine can get its point now, and everything that speaks against it."""
    machine = await read_machine(arm, target.vm)
    around = await survey.around(target.vm)
    own = default_collection(target.vm, question.collection_group)
    collections = await read_collections(arm, around, machine, own)
    found = [
        *findings(machine, question.wanted, question.exclude_disks),
        *surrounding_findings(
            machine,
            around,
            collections,
            own,
            question.wanted,
            arm.clock.utc_now(),
            exclude_disks=question.exclude_disks,
            min_interval=question.min_interval,
        ),
    ]
    found.sort(key=lambda finding: not finding.blocks)
    blockers = [finding for finding in found if finding.blocks]
    shown = blockers or found
    return Report(
        host=target.host,
        ok=not blockers,
        word="blocked" if blockers else "warned" if found else "ready",
        cause=". ".join(finding.message for finding in shown),
        advice=" ".join(dict.fromkeys(finding.remedy for finding in shown)),
        result={
            "vm_id": target.vm.path,
            "ready": not blockers,
            "findings": [finding.describe() for finding in found],
            "facts": _facts(machine, collections, own),
        },
    )


def _facts(machine: Machine, collections: t.Sequence[Collection], own: CollectionId) -> Json:
    described = describe_extension(machine)
    return {
        **described["vm"],
        "size": machine.size,
        "provisioning_state": machine.state,
        "operating_system": f"{machine.os_name} {machine.os_version}".strip(),
        "security_type": machine.security_type,
        "scale_set": machine.scale_set,
        "snapshot_extension": {name: described[name] for name in ("state", "type", "version", "message")},
        "other_extensions": described["other_extensions"],
        "points": sum(len(collection.points) for collection in collections),
        "points_limit": POINTS_LIMIT,
        "collections": [
            {
                "id": collection.id,
                "owner": owner_of(collection, own),
                "points": len(collection.points),
                "newest": last.created.isoformat() if (last := newest(collection)) and last.created else "",
            }
            for collection in collections
        ],
    }
