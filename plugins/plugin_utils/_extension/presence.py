# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension of a machine: is it healthy, how it gets there, how it is taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from .._azure.arm import Arm
from .._azure.machine import COMPUTE_API, SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES, Extension, Machine, read_machine
from .._azure.resource_ids import VmId
from .._errors import AppConsistentError, InvalidInput, NotFound
from .._fleet.engine import take
from .._fleet.verdict import Outcome, Verdict
from .._json import Json
from .._readiness.extension_state import ExtensionView, describe_extension, extensions_settled, view_extension
from .._readiness.machine import obstacles
from .._restore_points.next_step import Wish
from .._restore_points.points import Consistency, describe_point
from .._task.target import Target


async def delete_extension(arm: Arm, extension: Extension, vm_name: str) -> None:
    """Delete an extension and wait until it is gone."""
    doing = f"delete the extension {extension.name} of the VM {vm_name}"
    try:
        answer = await arm.request("DELETE", extension.id, COMPUTE_API, doing=doing)
    except NotFound:
        return
    await arm.finish(answer, doing=doing)


async def ensure_present(arm: Arm, target: Target, wish: Wish, *, check: bool) -> Json:
    """See that the snapshot extension is there and healthy; have Azure install it where it is missing.

    Azure installs it with the first application-consistent restore point. It cannot usefully be installed by hand:
    its settings come from the service, and without them its handler fails.
    """
    arm = arm.until(arm.clock.monotonic() + wish.timeout.total_seconds())
    machine = await settled(arm, await read_machine(arm, target.vm), check=check)
    before = view_extension(machine)
    if machine.snapshot_extension is not None:
        raise_for_blockers(machine, target)
        return _present_result(before, before, None)
    outcome = await provision(arm, target, wish, check=check)
    if outcome.verdict is Verdict.PLANNED:
        return _present_result(before, before.with_it(), outcome)
    machine = await settled(arm, await read_machine(arm, target.vm), check=check)
    if machine.snapshot_extension is None:
        raise AppConsistentError(
            f"Could not get the snapshot extension installed on the VM {target.vm.name}: the restore point was "
            f"{outcome.verdict.value}, but Azure lists no such extension",
            advice="Wait a few minutes and run this again; if it stays so, look at the VM's activity log.",
        )
    raise_for_blockers(machine, target)
    return _present_result(before, view_extension(machine), outcome)


async def provision(arm: Arm, target: Target, wish: Wish, *, check: bool) -> Outcome:
    """Have Azure install the extension, by a restore point that is made however fresh the last one is.

    The last point may be older than the removal, so freshness says nothing here. The distance to it still counts.
    """
    outcome = await take(arm, target, replace(wish, key="", max_age=timedelta(0)), check=check)
    if outcome.verdict in (Verdict.REFUSED, Verdict.FAILED, Verdict.RUNNING):
        raise AppConsistentError(
            f"Could not get the snapshot extension installed on the VM {target.vm.name}: {outcome.cause}",
            advice=outcome.advice,
        )
    return outcome


async def ensure_put(arm: Arm, target: Target, version: str, *, check: bool) -> Json:
    """Install the extension as a resource, without the settings that only the service has. Not advised."""
    machine = await settled(arm, await read_machine(arm, target.vm), check=check)
    before = view_extension(machine)
    if machine.snapshot_extension is not None:
        raise_for_blockers(machine, target)
        return {**_present_result(before, before, None), "installed_by": ""}
    kind = SNAPSHOT_TYPES.get(machine.os)
    if kind is None:
        raise InvalidInput(f"Azure names no operating system of the VM {target.vm.name}, so no extension fits it")
    if check:
        after = replace(before, installed=True)
        return {**_present_result(before, after, None), "changed": True, "installed_by": "extension resource"}
    doing = f"install the extension {kind} on the VM {target.vm.name}"
    body = {
        "location": machine.location,
        "properties": {
            "publisher": SNAPSHOT_PUBLISHER,
            "type": kind,
            "typeHandlerVersion": version,
            "autoUpgradeMinorVersion": True,
        },
    }
    answer = await arm.request("PUT", f"{target.vm.path}/extensions/{kind}", COMPUTE_API, doing=doing, body=body)
    await arm.finish(answer, doing=doing)
    machine = await settled(arm, await read_machine(arm, target.vm), check=check)
    extension = machine.snapshot_extension
    if extension is None or not extension.provisioned:
        said = f": {extension.message.rstrip('. ')}" if extension and extension.message else ""
        raise AppConsistentError(
            f"The extension {kind} of the VM {target.vm.name} is {extension.state if extension else 'gone'} after its "
            f"installation by hand{said}. Its settings come from the service only, and as it is now it blocks restore "
            "points",
            advice="Run snapshot_extension with state=repaired and a reason, which has Azure install it.",
        )
    after = view_extension(machine)
    return {**_present_result(before, after, None), "changed": True, "installed_by": "extension resource"}


async def ensure_absent(arm: Arm, vm: VmId, reason: str, *, check: bool) -> Json:
    """Remove the snapshot extension, as the documented repair does; a lock in the way is an error, not a hurdle."""
    machine = await read_machine(arm, vm)
    before = view_extension(machine)
    extension = machine.snapshot_extension
    if extension is None:
        return {"changed": False, "snapshot_extension": describe_extension(before), "diff": _diff(before, before)}
    if not check:
        await delete_extension(arm, extension, vm.name)
    after = before.without_it() if check else view_extension(await read_machine(arm, vm))
    return {
        "changed": True,
        "snapshot_extension": describe_extension(after),
        "reason": reason,
        "diff": _diff(before, before.without_it()),
    }


async def settled(arm: Arm, machine: Machine, *, check: bool) -> Machine:
    """Wait until Azure works on no extension of the machine any more; check mode looks and does not wait."""
    return machine if check else await extensions_settled(arm, machine)


def raise_for_blockers(machine: Machine, target: Target) -> None:
    blockers = [finding for finding in obstacles(machine, Consistency.ApplicationConsistent) if finding.blocks]
    if blockers:
        raise AppConsistentError(
            f"The snapshot extension of the VM {target.vm.name} cannot do its work: "
            + ". ".join(finding.message for finding in blockers),
            advice=" ".join(finding.remedy for finding in blockers),
        )


def _present_result(before: ExtensionView, after: ExtensionView, outcome: Outcome | None) -> Json:
    return {
        "changed": outcome is not None and (outcome.changed or before.installed != after.installed),
        "snapshot_extension": describe_extension(after),
        "installed_by": "restore point" if outcome is not None else "",
        "restore_point": describe_point(outcome.point) if outcome is not None and outcome.point else {},
        "diff": _diff(before, after),
    }


def _diff(before: ExtensionView, after: ExtensionView) -> Json:
    return {"before": _line(before), "after": _line(after)}


def _line(view: ExtensionView) -> str:
    return f"{view.type}: {'installed' if view.installed else 'not installed'}\n"
