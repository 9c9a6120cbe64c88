# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What keeps a machine from being restored from a point, all of it at once, before anything is changed."""

from __future__ import annotations

import typing as t

from .._authorization.locks import Lock
from .._azure.obstacle import Obstacle
from .._errors import InvalidInput
from .._json import child
from .._restore_points.disk_copies import DiskCopy
from .._restore_points.holding import needed_of
from .._restore_points.points import Collection, RestorePoint
from .choice import Choice
from .model import HeldDisk, Model

_PAGE = "Manage VM restore points"


def of_point(choice: Choice) -> t.Iterator[Obstacle]:
    """Yield what is wrong with the point itself, whatever is made of it."""
    point = choice.point
    if not point.finished:
        state = "still in the making" if point.in_progress else f"in the state {point.state}"
        yield _blocks("not_finished", f"The restore point {point.name} is {state}", "Choose a finished point.")
        return
    if point.consistency < choice.minimum:
        yield _blocks(
            "too_weak",
            f"The restore point {point.name} is {point.consistency.label or 'of no known consistency'}, less than "
            f"{choice.minimum.label}",
            "Choose a better point, or accept this one with minimum_consistency.",
        )
    for copy in choice.copies:
        if copy.percent is not None and copy.percent < 100:
            yield _blocks(
                "not_replicated",
                f"Only {copy.percent:g} % of the disk {copy.name} has been copied to {choice.collection.location}",
                "Run this again when the copy is complete.",
            )
        if copy.access_state.lower() == "pending":
            yield _blocks(
                "not_accessible",
                f"Azure has not made the disk {copy.name} of the restore point {point.name} accessible yet",
                "Run this again later; disks of the kinds Premium SSD v2 and Ultra take their time.",
            )
    if not choice.copies:
        yield _blocks("no_disks", f"The restore point {point.name} holds no disk", "Choose another point.")


def in_place(choice: Choice, model: Model, locks: t.Iterable[Lock]) -> list[Obstacle]:
    """Return everything that speaks against restoring the machine in place from the point."""
    return [
        *of_point(choice),
        *_of_machine(model, locks),
        *_of_making(choice.collection, choice.point),
        *_of_match(choice, model),
    ]


def _of_machine(model: Model, locks: t.Iterable[Lock]) -> t.Iterator[Obstacle]:
    machine = model.machine
    name = machine.id.name
    if machine.state.lower() != "succeeded":
        yield _blocks(
            "vm_not_ready", f"The VM {name} is in the state {machine.state}", "Put that right in Azure first."
        )
    if machine.scale_set:
        yield _blocks(
            "scale_set",
            f"The VM {name} is in a scale set, whose disks Azure places by fault domain",
            "Make disks with restored_disks and a new VM of them.",
        )
    if machine.security_type.lower() == "confidentialvm":
        yield _blocks("confidential", f"The VM {name} is a confidential one", "Azure restores none from a point.")
    if model.encrypted_by_guest:
        yield _blocks(
            "disk_encryption",
            f"The VM {name} has Azure Disk Encryption, with which Azure exchanges no OS disk",
            "Make a new VM of the point's disks.",
        )
    for disk in machine.disks:
        if disk.ephemeral:
            yield _blocks(
                "ephemeral_disk", f"The OS disk of the VM {name} is ephemeral", "There is nothing to exchange."
            )
    for held in model.disks:
        shares = child(held.resource, "properties").get("maxShares")
        if isinstance(shares, int) and shares > 1:
            yield _blocks("shared_disk", f"The disk {held.name} is shared between machines", "Detach it first.")
    for lock in locks:
        if lock.forbids_writing:
            yield _blocks(
                "read_only_lock",
                f"The ReadOnly lock {lock.name} covers the VM {name}, so that its disks cannot be exchanged",
                f"Remove the lock {lock.name} for the time of the restore.",
            )


def _of_making(collection: Collection, point: RestorePoint) -> t.Iterator[Obstacle]:
    for other in collection.points:
        if other.in_progress and other.name != point.name:
            yield _blocks(
                "restore_point_in_the_making",
                f"The restore point {other.name} is in the making, which a change of the VM would break",
                "Run this again when it is finished.",
            )


def _of_match(choice: Choice, model: Model) -> t.Iterator[Obstacle]:
    point, machine = choice.point, model.machine
    if point.finished and not needed_of(machine).is_source_of(point):
        yield _blocks(
            "earlier_vm",
            f"The restore point {point.name} was taken of an earlier VM of the name {machine.id.name}",
            "Make disks with restored_disks, and a VM of them.",
        )
        return
    if choice.collection.location.lower() != machine.location.lower():
        yield _blocks(
            "other_region",
            f"The restore point {point.name} lies in {choice.collection.location}, the VM in {machine.location}",
            "Restore from a point in the VM's own region.",
        )
    if point.generation and model.generation and point.generation.lower() != model.generation.lower():
        yield _blocks(
            "other_generation",
            f"The point is of generation {point.generation}, the VM of {model.generation}",
            "Make a new VM of the point's disks.",
        )
    for copy in choice.copies:
        if replaced_by(copy.source_id, copy.lun, model) is None:
            yield from _of_lost(copy, choice, model)
    if choice.named:
        return
    replaced = {held.id.lower() for copy in choice.copies if (held := replaced_by(copy.source_id, copy.lun, model))}
    for held in model.disks:
        if held.id.lower() not in replaced:
            yield _blocks(
                "disk_not_in_point",
                f"The VM {machine.id.name} has the disk {held.name}, which the restore point {point.name} does not "
                "hold: it would stay as it is, beside older ones",
                "Name the disks that are to be restored with disks.",
            )


def _of_lost(copy: DiskCopy, choice: Choice, model: Model) -> t.Iterator[Obstacle]:
    """A disk of the point that the machine has lost comes back where it is asked for by name and its place is free."""
    taken = next((held for held in model.disks if held.lun == copy.lun), None)
    if taken is not None:
        yield _blocks(
            "place_taken",
            f"The disk {taken.name} hangs where the restore point {choice.point.name} has {copy.name}",
            "Leave that disk out with disks, or make it with restored_disks.",
        )
    elif not choice.named:
        yield _blocks(
            "disk_gone",
            f"The restore point {choice.point.name} holds the disk {copy.name}, which the VM does not have any more",
            "Name the disks that are to be restored with disks, that one too if it is to come back.",
        )


def replaced_by(source_id: str, lun: int | None, model: Model) -> HeldDisk | None:
    """Return the disk of the machine whose place a copy takes.

    It is the disk that the copy was taken of; or, after an earlier restore, the restored one in its place.
    """
    same = next((held for held in model.disks if held.id.lower() == source_id.lower()), None)
    if same is not None:
        return same
    return next((held for held in model.disks if held.lun == lun and (lun is None or held.made_of)), None)


def refuse(subject: str, found: t.Sequence[Obstacle]) -> None:
    """Raise InvalidInput that names every obstacle."""
    if found:
        said = "; ".join(each.message for each in found)
        raise InvalidInput(f"Could not restore {subject}: {said}", advice=" ".join(_once(found)))


def _once(found: t.Iterable[Obstacle]) -> list[str]:
    return list(dict.fromkeys(each.remedy for each in found))


def _blocks(code: str, message: str, remedy: str) -> Obstacle:
    return Obstacle(code, True, message, remedy, _PAGE)
