# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension of a machine: in which state it is, and how it is described."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._azure.arm import Arm
from .._azure.machine import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES, Machine, read_machine
from .._azure.obstacle import ObstacleResult
from .._azure.waiting import until
from .._restore_points.points import Consistency
from .machine import in_transition, obstacles


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


class HandlerResult(t.TypedDict):
    version: str
    ready: bool
    message: str


class VmResult(t.TypedDict):
    id: str
    os: str
    location: str
    power_state: str
    agent_ready: bool
    agent_version: str
    agent_message: str


class OtherExtensionResult(t.TypedDict):
    name: str
    publisher: str
    type: str
    provisioning_state: str


class ExtensionResult(t.TypedDict):
    """The snapshot extension of a machine, as modules return it."""

    installed: bool
    healthy: bool
    id: str
    name: str
    publisher: str
    type: str
    version: str
    provisioning_state: str
    message: str
    state: str
    handler: HandlerResult | dict[str, t.Never]
    vm: VmResult
    other_extensions: list[OtherExtensionResult]
    findings: list[ObstacleResult]


@dataclass(frozen=True)
class ExtensionView:
    """The snapshot extension of a machine, as it is or as it would be."""

    machine: Machine
    installed: bool
    healthy: bool
    state: str

    @property
    def type(self) -> str:
        extension = self.machine.snapshot_extension
        return extension.type if extension else SNAPSHOT_TYPES.get(self.machine.os, "")

    def with_it(self) -> ExtensionView:
        """Return what an installation would bring."""
        return replace(self, installed=True, healthy=True, state="healthy")

    def without_it(self) -> ExtensionView:
        return replace(self, installed=False, healthy=False, state="missing")


def view_extension(machine: Machine) -> ExtensionView:
    extension = machine.snapshot_extension
    healthy = extension is not None and extension.provisioned and machine.agent_ready
    return ExtensionView(machine, extension is not None, healthy, state_of(machine))


def describe_extension(view: ExtensionView) -> ExtensionResult:
    """Return the snapshot extension of a machine as modules return it, and what stands in its way."""
    machine = view.machine
    extension = machine.snapshot_extension
    handler = machine.snapshot_handler
    return {
        "installed": view.installed,
        "healthy": view.healthy,
        "id": extension.id if extension else "",
        "name": extension.name if extension else "",
        "publisher": extension.publisher if extension else SNAPSHOT_PUBLISHER,
        "type": view.type,
        "version": extension.version if extension else "",
        "provisioning_state": extension.state if extension else "",
        "message": extension.message if extension else "",
        "state": view.state,
        "handler": {"version": handler.version, "ready": handler.ready, "message": handler.message} if handler else {},
        "vm": describe_vm(machine),
        "other_extensions": describe_others(machine),
        "findings": [finding.describe() for finding in obstacles(machine, Consistency.ApplicationConsistent)],
    }


def describe_vm(machine: Machine) -> VmResult:
    """Return what modules say of a machine beside its extensions."""
    return {
        "id": machine.id.path,
        "os": machine.os,
        "location": machine.location,
        "power_state": machine.power,
        "agent_ready": machine.agent_ready,
        "agent_version": machine.agent_version,
        "agent_message": machine.agent_message,
    }


def describe_others(machine: Machine) -> list[OtherExtensionResult]:
    """Return the extensions that take no snapshots."""
    return [
        {"name": other.name, "publisher": other.publisher, "type": other.type, "provisioning_state": other.state}
        for other in machine.extensions
        if not other.takes_snapshots
    ]


async def extensions_settled(arm: Arm, machine: Machine, *, patient: bool = True) -> Machine:
    """Wait until Azure works on no extension of the machine any more, and return it as it is then."""
    return await until(
        arm,
        lambda seen: not in_transition(seen),
        machine,
        lambda: read_machine(arm, machine.id),
        lambda seen: f"see the extensions {', '.join(in_transition(seen))} of the VM {seen.id.name} provisioned",
        patient=patient,
    )
