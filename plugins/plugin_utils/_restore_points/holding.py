# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether a restore point holds a machine: this machine, not an earlier one of its name, and each of its disks.

A machine that is deleted and made anew keeps its resource id and with it the collection of its points. Only Azure's
vmId, which a point carries in its sourceMetadata, tells the two apart (OpenAPI, RestorePointSourceMetadata).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._azure.machine import Disk, Machine
from .points import RestorePoint

_LUN = re.compile(r"lun:\s*([0-9]{1,3})")


@dataclass(frozen=True)
class Needed:
    """What a point has to hold: the machine of this vmId, and the disks of these ids."""

    vm_uid: str
    disks: tuple[str, ...]

    def is_source_of(self, point: RestorePoint) -> bool:
        """Tell whether the point was taken of this very machine.

        Azure names the source once it has read it, so a point that is not finished yet may have none: it keeps its name
        and its place, and is judged when it is finished. A finished one that names no source proves nothing.
        """
        if not point.vm_uid:
            return not point.finished
        return point.vm_uid.lower() == self.vm_uid.lower()

    def missing_in(self, point: RestorePoint) -> tuple[str, ...]:
        """Return the ids of the disks that a finished point lacks; all of them where it is of another machine."""
        held = {disk.lower() for disk in point.disks} if self.is_source_of(point) else set()
        return tuple(disk for disk in self.disks if disk.lower() not in held)

    def held_by(self, point: RestorePoint) -> bool:
        return self.is_source_of(point) and not self.missing_in(point)


@dataclass(frozen=True)
class LeftOut:
    """The disks (ids) of a machine that its points leave out on purpose, and the words that name none of its disks."""

    disks: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


def left_out(machine: Machine, words: t.Iterable[str]) -> LeftOut:
    """Return which disks of the machine are meant: each word is an id, a name, or "lun:" and a number."""
    found: dict[str, None] = {}
    strange = []
    for word in words:
        meant = [disk.id for disk in machine.disks if disk.id and _is_meant(disk, word.strip().lower())]
        found.update(dict.fromkeys(meant))
        if not meant:
            strange.append(word)
    return LeftOut(tuple(found), tuple(strange))


def _is_meant(disk: Disk, word: str) -> bool:
    return names_disk(word, disk.lun, disk.id, disk.name)


def names_disk(word: str, lun: int | None, *names: str) -> bool:
    """Tell whether a word in small letters means the disk with that LUN and those names: one of them, or "lun:2"."""
    number = _LUN.fullmatch(word)
    return word in {name.lower() for name in names} or bool(number and lun == int(number[1]))


def needed_of(machine: Machine, left_out: t.Collection[str] = ()) -> Needed:
    """Return what a point of the machine has to hold but for the disks (ids) that are left out on purpose."""
    excluded = {disk.lower() for disk in left_out}
    return Needed(
        machine.vm_uid, tuple(disk.id for disk in machine.disks if disk.id and disk.id.lower() not in excluded)
    )
