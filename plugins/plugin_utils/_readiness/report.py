# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The readiness of a whole fleet, from one survey per subscription and one or two reads per machine."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

from .._azure.arm import Arm
from .._azure.machine import Machine, read_machine
from .._json import Json
from .._restore_points.holding import left_out
from .._restore_points.place import Place
from .._restore_points.points import MOST_POINTS, Collection, CollectionId, Consistency
from .._task.results import MachineReport
from .._task.target import Target
from .extension_state import describe_others, describe_vm, view_extension
from .machine import obstacles
from .surroundings import newest, owner_of, surrounding_findings
from .survey import Survey, read_collections


@dataclass(frozen=True)
class Question:
    """What readiness is asked about."""

    wanted: Consistency = Consistency.ApplicationConsistent
    exclude_disks: tuple[str, ...] = ()
    place: Place = field(default_factory=Place)
    min_interval: timedelta | None = None


async def readiness(arm: Arm, target: Target, survey: Survey, question: Question) -> MachineReport:
    """Tell whether a machine can get its point now, and everything that speaks against it."""
    machine = await read_machine(arm, target.vm)
    around = await survey.around(target.vm)
    own = question.place.of(target.vm)
    collections = await read_collections(arm, around, machine, own)
    excluded = left_out(machine, question.exclude_disks).disks
    found = [
        *obstacles(machine, question.wanted, excluded),
        *surrounding_findings(
            machine,
            around,
            collections,
            own,
            question.wanted,
            arm.time.now(),
            exclude_disks=excluded,
            min_interval=question.min_interval,
            tags=question.place.tags,
        ),
    ]
    found.sort(key=lambda finding: not finding.blocks)
    blockers = [finding for finding in found if finding.blocks]
    shown = blockers or found
    return MachineReport(
        host=target.host,
        good=not blockers,
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
    view = view_extension(machine)
    extension = machine.snapshot_extension
    return {
        **describe_vm(machine),
        "size": machine.size,
        "provisioning_state": machine.state,
        "operating_system": f"{machine.os_name} {machine.os_version}".strip(),
        "security_type": machine.security_type,
        "scale_set": machine.scale_set,
        "snapshot_extension": {
            "state": view.state,
            "type": view.type,
            "version": extension.version if extension else "",
            "message": extension.message if extension else "",
        },
        "other_extensions": describe_others(machine),
        "points": sum(len(collection.points) for collection in collections),
        "points_limit": MOST_POINTS,
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
