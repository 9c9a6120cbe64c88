# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine brought back to a point in place, and back again.

Nothing of it is atomic in Azure but one update of the machine's model. So everything before it can be done again, the
machine has its old disks until then and all new ones from then on, and the old ones are kept.
"""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass, field

from .._authorization.locks import Lock, locks_at
from .._azure.arm import Arm
from .._azure.optional import read_or_note
from .._azure.resource_ids import VmId
from .._errors import AppConsistentError, Conflict, InvalidInput
from .._failures.explain import in_words, next_step_after
from .._json import Json, child, text
from .._restore_points.disk_copies import DiskCopy
from .._restore_points.points import describe_point
from .choice import Choice
from .disks import FROM, NewDisk, find_made, made, mark_attached, new_disk
from .exchange import Hung, check_free, exchange, hung_as, note_of, start, stop, way_back
from .model import DISK_API, HeldDisk, Model, read_model
from .refusals import in_place, refuse, replaced_by

_SPEED_IS_SET = ("diskIOPSReadWrite", "diskMBpsReadWrite")


@dataclass(frozen=True)
class Order:
    """What is asked for beside the point: whether the machine runs afterwards, and the seconds its agent may take."""

    start: bool
    agent_within: float
    tell: t.Callable[[str], None] = field(default=lambda _words: None)


@dataclass(frozen=True)
class Swap:
    """A copy and the disk whose place it takes, None where the machine has none there any more."""

    copy: DiskCopy
    held: HeldDisk | None

    @property
    def done(self) -> bool:
        return self.held is not None and self.held.made_of.lower() == self.copy.id.lower()


async def restore(arm: Arm, vm: VmId, choice: Choice, order: Order, *, check: bool) -> Json:
    """Bring the machine back to the point; a machine that has its disks already stays as it is."""
    model = await read_model(arm, vm)
    unread: list[str] = []
    locks: list[Lock] = await read_or_note(unread, locks_at(arm, vm.path, f"the VM {vm.name}")) or []
    refuse(f"the VM {vm.name} from {choice.point.name}", in_place(choice, model, locks))
    swaps = [Swap(copy, replaced_by(copy.source_id, copy.lun, model)) for copy in choice.copies]
    result: Json = {"vm_id": vm.path, "restore_point": describe_point(choice.point), "not_read": unread}
    if all(swap.done for swap in swaps):
        told = (
            f"The VM {vm.name} has had the disks of {choice.point.name} since an earlier restore, with what was "
            "written to them since. To have them anew as the point holds them, undo that restore and restore again."
        )
        held = {**result, "msg": told, "disks": _shown(swaps), "kept_disks": []}
        return await _started(arm, model, order, held, check=check)
    wanted = [_new(swap, model, choice) for swap in swaps]
    if check:
        places = await asyncio.gather(*(find_made(arm, disk) for disk in wanted))
        ids = [path for path, _there in places]
        plan = {"verdict": "planned", "steps": _steps(model, swaps, order), "disks": _shown(swaps, ids)}
        return {**result, **plan, "changed": True, "kept_disks": _kept(swaps), "diff": _diff(model, swaps, ids)}
    order.tell(f"making {_disks(len(wanted))} of {choice.point.name}")
    resources = await made(arm, wanted)
    ids = [text(resource, "id") for resource in resources]
    target = _target(model, swaps, ids)
    result |= {"disks": _shown(swaps, ids), "kept_disks": _kept(swaps), "diff": _diff(model, swaps, ids)}

    async def change() -> Model:
        stopped = await _stopped(arm, model, order)
        await asyncio.gather(*(mark_attached(arm, resource) for resource in resources))
        return await _exchanged(arm, stopped, target, order)

    return await _told(arm, vm, {disk.lower() for disk in ids}, "restored", change, result)


async def undo(arm: Arm, vm: VmId, source: str, order: Order, *, check: bool) -> Json:
    """Give the machine back the disks that a restore from `source` replaced; without such disks it stays as it is.

    `source` is "collection/point". The point itself may be gone. An earlier restore is not undone with it.
    """
    model = await read_model(arm, vm)
    back = {
        held: hung
        for held in model.disks
        if held.tags.get(FROM, "").lower() == source.lower() and (hung := way_back(held, vm.subscription)) is not None
    }
    result: Json = {"vm_id": vm.path, "restore_point": {}, "not_read": []}
    if not back:
        return await _started(arm, model, order, {**result, "disks": [], "kept_disks": []}, check=check)
    missing = [said for hung in back.values() if (said := await check_free(arm, hung, DISK_API))]
    if missing:
        raise InvalidInput(
            f"Could not undo the restore of the VM {vm.name}: {'; '.join(missing)}",
            advice="Restore the VM from a point instead.",
        )
    target = [back.get(held) or hung_as(held) for held in model.disks]
    shown = [_pair(held.lun, held.id, hung.id) for held, hung in back.items()]
    result |= {"disks": shown, "kept_disks": [held.id for held in back], "diff": _lines(model, target)}
    if check:
        steps = [*_stop_steps(model), f"exchange {_disks(len(back))} for what was replaced", *_start_steps(order)]
        return {**result, "verdict": "planned", "steps": steps, "changed": True}

    async def change() -> Model:
        return await _exchanged(arm, await _stopped(arm, model, order), target, order)

    return await _told(arm, vm, {hung.id.lower() for hung in back.values()}, "undone", change, result)


async def _stopped(arm: Arm, model: Model, order: Order) -> Model:
    order.tell("stopping the VM")
    return await stop(arm, model)


async def _exchanged(arm: Arm, stopped: Model, target: t.Sequence[Hung], order: Order) -> Model:
    order.tell("exchanging its disks")
    await exchange(arm, stopped, target)
    if not order.start:
        return await read_model(arm, stopped.machine.id)
    order.tell("starting the VM and waiting for its agent")
    return await start(arm, stopped.machine.id, agent_within=order.agent_within)


async def _told(
    arm: Arm, vm: VmId, new: set[str], verdict: str, change: t.Callable[[], t.Awaitable[Model]], result: Json
) -> Json:
    """Carry out the change, and say which disks the machine has, also when it failed half-way."""
    try:
        model = await change()
    except AppConsistentError as error:
        stands = await _standing(arm, vm, new)
        failure = {**error.details(), "advice": next_step_after(error)}
        told = f"{in_words(error)} {stands}"
        return {**result, "changed": True, "verdict": "failed", "failed": True, "msg": told, "failure": failure}
    if not new <= model.ids:
        raise Conflict(f"restore the VM {vm.name}", code="OtherDisks", message="it has other disks than it was given")
    return {**result, "changed": True, "verdict": verdict, **_running(model)}


async def _standing(arm: Arm, vm: VmId, new: set[str]) -> str:
    """Return a sentence: which disks the machine has now, and what to do."""
    try:
        model = await read_model(arm, vm)
    except AppConsistentError:
        return f"Which disks the VM {vm.name} has now could not be read."
    held = len(new & model.ids)
    which = f"has {held} of the {len(new)} disks that it was to get, beside older ones: do not start it"
    if held in (0, len(new)):
        which = "has the disks that it was to get" if held else "still has the disks that it had"
    return f"The VM {vm.name} {which} and is {model.machine.power or 'in an unknown state'}; run this again to finish."


async def _started(arm: Arm, model: Model, order: Order, result: Json, *, check: bool) -> Json:
    """Return the result for a machine whose disks are as they are to be; it is started where it was to run."""
    if not order.start or model.runs:
        return {**result, "changed": False, "verdict": "unchanged", "diff": _lines(model, ()), **_running(model)}
    if not check:
        model = await start(arm, model.machine.id, agent_within=order.agent_within)
    return {**result, "changed": True, "verdict": "started", "diff": _lines(model, ()), **_running(model)}


def _running(model: Model) -> Json:
    return {"power": model.machine.power, "agent_ready": model.machine.agent_ready}


def _new(swap: Swap, model: Model, choice: Choice) -> NewDisk:
    """Return the disk that takes the place: like the one that is there now, with the content of the copy."""
    held, copy, vm = swap.held, swap.copy, model.machine.id
    resource = held.resource if held else {}
    zones = resource.get("zones")
    group = held.id.split("/")[4] if held else vm.group
    disk = new_disk(
        copy,
        (vm.subscription, group),
        model.machine.location,
        sku=(held.sku if held else "") or copy.sku,
        zones=[str(zone) for zone in zones] if isinstance(zones, list) else (),
    )
    _keep_settings(disk.body["properties"], resource)
    kept = {name: value for name, value in (held.tags if held else {}).items() if not name.startswith("appconsistent-")}
    ours = {FROM: choice.source, **(note_of(held) if held else {})}
    disk.body["tags"] = {**kept, **ours}
    return disk


def _keep_settings(properties: Json, resource: Json) -> None:
    """Encrypt as the present disk is, and make the new one as fast: a point's own copy tells nothing of either.

    (Support matrix for VM restore points; OpenAPI, DiskProperties.)
    """
    present, sku = child(resource, "properties"), text(child(resource, "sku"), "name")
    encryption = child(present, "encryption")
    if text(encryption, "diskEncryptionSetId"):
        properties["encryption"] = {name: encryption[name] for name in ("type", "diskEncryptionSetId")}
    # Azure shows IOPS and throughput of every disk, and takes them for these types only.
    names = _SPEED_IS_SET if sku in ("UltraSSD_LRS", "PremiumV2_LRS") else ("tier", "burstingEnabled")
    properties |= {name: present[name] for name in names if present.get(name)}


def _target(model: Model, swaps: t.Sequence[Swap], ids: t.Sequence[str]) -> list[Hung]:
    """Return how all disks of the machine are to hang: the new ones as those that they replace, the rest as it is."""
    new = {swap.held: disk for swap, disk in zip(swaps, ids, strict=True) if swap.held is not None}
    added = [
        Hung(disk, swap.copy.lun, swap.copy.caching or "None", swap.copy.write_accelerator, "Detach")
        for swap, disk in zip(swaps, ids, strict=True)
        if swap.held is None
    ]
    return [*(hung_as(held, new.get(held, "")) for held in model.disks), *added]


def _steps(model: Model, swaps: t.Sequence[Swap], order: Order) -> list[str]:
    sizes = sum(swap.copy.size_gb or 0 for swap in swaps)
    return [
        f"make {_disks(len(swaps))}, {sizes} GiB in all",
        *_stop_steps(model),
        f"exchange {_disks(len(swaps))} in one update, and keep what was there",
        *_start_steps(order),
    ]


def _disks(count: int) -> str:
    return "1 disk" if count == 1 else f"{count} disks"


def _stop_steps(model: Model) -> list[str]:
    return [] if model.machine.power == "deallocated" else ["stop the VM (deallocate)"]


def _start_steps(order: Order) -> list[str]:
    return ["start the VM and wait for its agent"] if order.start else []


def _shown(swaps: t.Sequence[Swap], ids: t.Sequence[str] = ()) -> list[Json]:
    new = ids or [swap.held.id if swap.held else "" for swap in swaps]
    return [
        {
            **_pair(swap.copy.lun, "" if swap.done or not swap.held else swap.held.id, disk),
            "size_gb": swap.copy.size_gb,
            "sku": (swap.held.sku if swap.held else "") or swap.copy.sku,
        }
        for swap, disk in zip(swaps, new, strict=True)
    ]


def _pair(lun: int | None, before: str, after: str) -> Json:
    return {"role": "os" if lun is None else "data", "lun": lun, "replaces": before, "disk": after}


def _kept(swaps: t.Sequence[Swap]) -> list[str]:
    return [swap.held.id for swap in swaps if swap.held is not None]


def _diff(model: Model, swaps: t.Sequence[Swap], ids: t.Sequence[str]) -> Json:
    return _lines(model, _target(model, swaps, ids))


def _lines(model: Model, target: t.Sequence[Hung]) -> Json:
    """Return the disks by place, before and after."""
    before = [(held.lun, held.name) for held in model.disks]
    after = [(hung.lun, hung.name) for hung in target] or before

    def text_of(disks: t.Sequence[tuple[int | None, str]]) -> str:
        return "".join(f"{'os' if lun is None else f'lun {lun}'}: {name}\n" for lun, name in disks)

    return {"before": text_of(before), "after": text_of(after)}
