# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is to be restored: one point, and which of its disks."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.resource_ids import VmId
from .._errors import InvalidInput
from .._json import Json
from .._restore_points.disk_copies import DiskCopy
from .._restore_points.holding import names_disk
from .._restore_points.options import CONSISTENCIES, PLACE_SPEC
from .._restore_points.place import read_place
from .._restore_points.points import Collection, Consistency, RestorePoint, check_owner, read_collection, read_point

# Documented in the fragment appconsistent.azure.restore.
CHOICE_SPEC: dict[str, Json] = {
    **PLACE_SPEC,
    "restore_point": {"type": "str", "required": True},
    "disks": {"type": "list", "elements": "str", "default": []},
    "minimum_consistency": {"type": "str", "choices": CONSISTENCIES, "default": "ApplicationConsistent"},
}


@dataclass(frozen=True)
class Choice:
    """A point, the collection that it lies in, and the disks that are wanted of it; all, unless some are named."""

    collection: Collection
    point: RestorePoint
    copies: tuple[DiskCopy, ...]
    named: bool
    minimum: Consistency

    @property
    def source(self) -> str:
        """How restored disks name it in a tag."""
        return f"{self.collection.name}/{self.point.name}"


async def read_choice(arm: Arm, vm: VmId, params: Json) -> Choice:
    """Return what the options name; raise InvalidInput where there is no such point or disk."""
    where = read_place(params).of(vm)
    name = params["restore_point"]
    collection = await read_collection(arm, where)
    point = None
    if collection is not None:
        check_owner(collection, vm.path, f"the VM {vm.name}")
        point = await read_point(arm, where, name, with_copies=True)
    if collection is None or point is None:
        names = [held.name for held in collection.points[-5:]] if collection else []
        there = f"; the newest there are {', '.join(names)}" if names else ""
        raise InvalidInput(
            f"The VM {vm.name} has no restore point {name} in the collection {where.name}{there}",
            advice="restore_point_info lists the points of a VM.",
        )
    copies = _named(point, params["disks"]) if params["disks"] else point.copies
    return Choice(collection, point, copies, bool(params["disks"]), Consistency.read(params["minimum_consistency"]))


def _named(point: RestorePoint, words: t.Sequence[str]) -> tuple[DiskCopy, ...]:
    found: dict[DiskCopy, None] = {}
    for word in words:
        meant = [copy for copy in point.copies if _is_meant(copy, word.strip().lower())]
        if not meant:
            raise InvalidInput(
                f"The option disks names {word!r}, which is none of the disks in the restore point {point.name}: "
                f"{', '.join(_word(copy) for copy in point.copies) or 'it holds none'}",
                advice='Name a disk by its name or resource ID, by "lun:" and a number, or with "os".',
            )
        found.update(dict.fromkeys(meant))
    return tuple(found)


def _is_meant(copy: DiskCopy, word: str) -> bool:
    return (word == "os" and copy.lun is None) or names_disk(word, copy.lun, copy.name, copy.source_id)


def _word(copy: DiskCopy) -> str:
    return f"{copy.name} ({'os' if copy.lun is None else f'lun:{copy.lun}'})"
