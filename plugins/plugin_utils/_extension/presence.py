# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension of a machine: is it healthy, how it gets there, how it is taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from .._azure.arm import Arm, poll_pauses
from .._azure.machine import COMPUTE_API, SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES, Extension, Machine, read_machine
from .._azure.resource_ids import VmId
from .._errors import AppConsistentError, InvalidInput, NotFound
from .._fleet.engine import take
from .._fleet.verdict import Outcome, Verdict
from .._json import Json
from .._readiness.machine import findings, in_transition
from .._restore_points.next_step import Wish
from .._restore_points.points import Consistency, describe
from .._task.target import Target


def state_of(machine: Machine) -> str:
    """Return missing, updating, failed, disabled (inside the guest), or healthy."""
    extension = machine.snapshot_extension
    if extension is None:
        return "missing"
    if extension.in_transition:
        return "updating"
    if not extension.provisioned:
        return "failed"
    handler = machine.snapshot_handler
    if machine.agent_ready and machine.handlers is not None and (handler is None or not handler.ready):
        return "disabled"
    return "healthy" if machine.agent_ready else "unknown"


def describe_extension(machine: Machine) -> Json:
    """Return the snapshot extension of a machine as modules return it, and what stands in its way."""
    extension = machine.snapshot_extension
    handler = machine.snapshot_handler
    return {
        "installed": extension is not None,
        "healthy": extension is not None and extension.provisioned and machine.agent_ready,
        "id": extension.id if extension else "",
        "name": extension.name if extension else "",
        "publisher": extension.publisher if extension else SNAPSHOT_PUBLISHER,
        "type": extension.type if extension else SNAPSHOT_TYPES.get(machine.os, ""),
        "version": extension.version if extension else "",
        "provisioning_state": extension.state if extension else "",
        "message": extension.message if extension else "",
        "state": state_of(machine),
        "handler": {"version": handler.version, "ready": handler.ready, "message": handler.message} if handler else {},
        "vm": {
            "id": machine.id.path,
            "os": machine.os,
            "location": machine.location,
            "power_state": machine.power,
            "agent_ready": machine.agent_ready,
            "agent_version": machine.agent_version,
            "agent_message": machine.agent_message,
        },
        "other_extensions": [
            {"name": other.name, "publisher": other.publisher, "type": other.type, "provisioning_state": other.state}
            for other in machine.extensions
            if not other.takes_snapshots
        ],
        "findings": [finding.describe() for finding in findings(machine, Consistency.ApplicationConsistent)],
    }


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
    machine = await settled(arm, target, await read_machine(arm, target.vm), check=check)
    before = describe_extension(machine)
    if machine.snapshot_extension is not None:
        raise_for_blockers(machine, target)
        return _present_result(before, before, None)
    outcome = await provision(arm, target, wish, check=check)
    if outcome.verdict is Verdict.PLANNED:
        return _present_result(before, {**before, "installed": True, "healthy": True}, outcome)
    machine = await settled(arm, target, await read_machine(arm, target.vm), check=check)
    if machine.snapshot_extension is None:
        raise AppConsistentError(
            f"Could not get the snapshot extension installed on the VM {target.vm.name}: the restore point was "
            f"{outcome.verdict.value}, but Azure lists no such extension",
            advice="Wait a few minutes and run this again; if it stays so, look at the VM's activity log.",
        )
    raise_for_blockers(machine, target)
    return _present_result(before, describe_extension(machine), outcome)


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
    machine = await settled(arm, target, await read_machine(arm, target.vm), check=check)
    before = describe_extension(machine)
    if machine.snapshot_extension is not None:
        raise_for_blockers(machine, target)
        return {**_present_result(before, before, None), "installed_by": ""}
    kind = SNAPSHOT_TYPES.get(machine.os)
    if kind is None:
        raise InvalidInput(f"Azure names no operating system of the VM {target.vm.name}, so no extension fits it")
    if check:
        after = {**before, "installed": True}
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
    machine = await settled(arm, target, await read_machine(arm, target.vm), check=check)
    extension = machine.snapshot_extension
    if extension is None or not extension.provisioned:
        said = f": {extension.message.rstrip('. ')}" if extension and extension.message else ""
        raise AppConsistentError(
            f"The extension {kind} of the VM {target.vm.name} is {extension.state if extension else 'gone'} after its "
            f"installation by hand{said}. Its settings come from the service only, and as it is now it blocks restore "
            "points",
            advice="Run snapshot_extension with state=repaired and a reason, which has Azure install it.",
        )
    after = describe_extension(machine)
    return {**_present_result(before, after, None), "changed": True, "installed_by": "extension resource"}


async def ensure_absent(arm: Arm, vm: VmId, reason: str, *, check: bool) -> Json:
    """Remove the snapshot extension, as the documented repair does; a lock in the way is an error, not a hurdle."""
    machine = await read_machine(arm, vm)
    before = describe_extension(machine)
    extension = machine.snapshot_extension
    if extension is None:
        return {"changed": False, "snapshot_extension": before, "diff": _diff(before, before)}
    if not check:
        await delete_extension(arm, extension, vm.name)
    after = {**before, "installed": False, "healthy": False}
    return {
        "changed": True,
        "snapshot_extension": after if check else describe_extension(await read_machine(arm, vm)),
        "reason": reason,
        "diff": _diff(before, after),
    }


async def settled(arm: Arm, target: Target, machine: Machine, *, check: bool) -> Machine:
    """Wait until Azure works on no extension of the machine any more; check mode looks and does not wait."""
    for pause in poll_pauses():
        names = in_transition(machine)
        if not names or check:
            break
        await arm.sleep(pause, f"see the extensions {', '.join(names)} of the VM {target.vm.name} provisioned")
        machine = await read_machine(arm, target.vm)
    return machine


def raise_for_blockers(machine: Machine, target: Target) -> None:
    blockers = [finding for finding in findings(machine, Consistency.ApplicationConsistent) if finding.blocks]
    if blockers:
        raise AppConsistentError(
            f"The snapshot extension of the VM {target.vm.name} cannot do its work: "
            + ". ".join(finding.message for finding in blockers),
            advice=" ".join(finding.remedy for finding in blockers),
        )


def _present_result(before: Json, after: Json, outcome: Outcome | None) -> Json:
    return {
        "changed": outcome is not None and (outcome.changed or before["installed"] != after["installed"]),
        "snapshot_extension": after,
        "installed_by": "restore point" if outcome is not None else "",
        "restore_point": describe(outcome.point) if outcome is not None and outcome.point else {},
        "diff": _diff(before, after),
    }


def _diff(before: Json, after: Json) -> Json:
    return {"before": _state(before), "after": _state(after)}


def _state(described: Json) -> str:
    return f"{described['type']}: {'installed' if described['installed'] else 'not installed'}\n"
