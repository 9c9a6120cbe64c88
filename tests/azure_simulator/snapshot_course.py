"""The course of a create: readiness, the snapshot extension, what the guest makes of it, the point's end.

1. The VM runs and its agent reports; every extension is provisioned (one that is moving is waited for).
2. The snapshot extension is installed when it is absent.
3. The guest: a real one is asked; otherwise the fleet file says how scripts and writers behave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import disk_copies, operations, policies
from .errors import ArmError
from .extension_images import CATALOGUE
from .extensions import MOVING
from .failures import AGENT_SILENT, BY_EXTENSION_CODE, INTERNAL, MODEL_CHANGED, VAULT_MISSING, VSS_WRITERS
from .faults import Ending
from .paths import parse
from .records import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPE, Extension, GuestAnswer, Operation, Point, Vm

if TYPE_CHECKING:
    from .world import VssHistory, World

INSTALL_ACTION = "Microsoft.Compute/virtualMachines/extensions/write"
# How long Azure takes to look at the VM before anything happens, and how often it looks again.
LOOK_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 5.0
# Attempts that only yield file-system consistency after a VSS writer failed.
VSS_FALLBACKS = 3


def create(world: World, operation: Operation, point: Point) -> None:
    ending = world.faults.operation_ending("restore_point_create", point.vm.name)
    if ending is not None and ending.status == "InProgress":
        return
    course = _Course(world, operation, point, ending)
    if point.consistency == "CrashConsistent" or ending is not None:
        course.later(operation.started + course.create_seconds, course.finish_plain)
    else:
        course.later(operation.started + min(LOOK_SECONDS, course.create_seconds), course.look)


def copy(world: World, operation: Operation, point: Point) -> None:
    """The copy of a point into another region: the operation ends soon, the data arrives later."""

    def done(at: float) -> None:
        source_key = str(point.source_point).lower()
        source = world.points.get(source_key.rsplit("/", 2)[0], {}).get(source_key.rsplit("/", 1)[1])
        world.put_point(
            replace(
                point,
                state="Succeeded",
                disk_points=disk_copies.made_for(world, point, source),
                replicated_from=at,
                replicated_until=at + world.settings.durations.replicate,
            )
        )

    def failed(_: float) -> None:
        world.put_point(replace(point, state="Failed"))

    operations.run(world, operation, world.settings.durations.create, point.vm.name, done, failed)


class _Course:
    """One create on its way."""

    def __init__(self, world: World, operation: Operation, point: Point, ending: Ending | None) -> None:
        self.world = world
        self.operation = operation
        self.point = point
        self.ending = ending
        own = point.vm.create_seconds
        self.create_seconds = world.settings.durations.create if own is None else own
        self.model = point.vm.model

    def later(self, at: float, event: Any) -> None:
        self.world.agenda.add(at, event)
        if self.point.vm.guest_socket is not None:
            self.world.wake_at(at)

    def look(self, at: float) -> None:
        world = self.world
        vm = world.vms.get(self.point.vm_key)
        if vm is None:
            return self.fail(at, INTERNAL)
        if vm.power != "running":
            if world.settings.rules.stopped_vm == "crash_consistent":
                return self.later(at + self.create_seconds, lambda end: self.succeed(end, "CrashConsistent"))
            return self.fail(at, AGENT_SILENT)
        if vm.agent != "ready":
            return self.fail(at, AGENT_SILENT)
        extensions = list(world.extensions.get(vm.key, {}).values())
        if any(extension.state == "Failed" for extension in extensions):
            return self.fail(at, INTERNAL)
        if any(extension.state in MOVING for extension in extensions):
            if at - self.operation.started >= world.settings.durations.extension_wait:
                return self.fail(at, INTERNAL)
            return self.later(at + LOOK_AGAIN_SECONDS, self.look)
        if world.snapshot_extension(vm.key) is None:
            return self.install(at, vm)
        return self.snapshot(at)

    def install(self, at: float, vm: Vm) -> None:
        """The service puts its extension there itself; a policy can forbid it that."""
        world = self.world
        denial = world.faults.take(frozenset({"policy"}), action=INSTALL_ACTION, vm=vm.name, method="PUT")
        kind = SNAPSHOT_TYPE[vm.os]
        if denial is not None:
            return self.fail(
                at,
                {
                    "code": "RequestDisallowedByPolicy",
                    "message": f"Resource '{kind}' was disallowed by policy. Policy identifiers: "
                    f"'{denial.parameters.get('assignment', 'simulated-policy')}'.",
                },
            )
        target = parse(f"{vm.id}/extensions/{kind}")
        asked = {"location": vm.location, "properties": {"publisher": SNAPSHOT_PUBLISHER, "type": kind}}
        try:
            policies.refuse(world, "PUT", target.key, policies.resource_fields(world, target, asked), kind)
        except ArmError as refusal:
            return self.fail(at, {"code": refusal.code, "message": refusal.message})
        extension = Extension(
            id=f"{vm.id}/extensions/{kind}",
            name=kind,
            publisher=SNAPSHOT_PUBLISHER,
            type=kind,
            version=CATALOGUE[SNAPSHOT_PUBLISHER.lower(), kind.lower()][2],
            state="Creating",
            location=vm.location,
        )
        world.put_extension(vm.key, extension)

        def installed(end: float) -> None:
            if extension.name.lower() in world.extensions.get(vm.key, {}):
                world.put_extension(vm.key, replace(extension, state="Succeeded"))
            self.snapshot(end)

        def heard(said: GuestAnswer) -> None:
            world.guest_answers[vm.key] = said
            now = world.clock.now()
            if said.error is None:
                installed(now)
            else:
                world.put_extension(vm.key, replace(extension, state="Failed", message=said.error))
                self.fail(now, AGENT_SILENT)

        if vm.guest_socket is not None:
            return world.ask_guest(vm.guest_socket, {"run": "install", "task_id": self.operation.id}, heard)
        return self.later(at + world.settings.durations.install, installed)

    def snapshot(self, at: float) -> None:
        vm = self.world.vms.get(self.point.vm_key)
        if vm is None:
            return self.fail(at, INTERNAL)
        if vm.guest_socket is not None:
            message = {"run": "snapshot", "task_id": self.operation.id, "consistency": "application"}
            return self.world.ask_guest(vm.guest_socket, message, self.heard)
        return self.later(at + self.create_seconds, self.finish_application)

    def heard(self, said: GuestAnswer) -> None:
        """A real guest's last word. Its code is the Linux extension's."""
        now = self.world.clock.now()
        self.world.guest_answers[self.point.vm_key] = said
        if said.error is not None and said.code is None:
            self.fail(now, AGENT_SILENT)
        elif said.code == "0":
            self.succeed(now, "ApplicationConsistent")
        elif said.code == "1":
            self.succeed(now, "FileSystemConsistent")
        else:
            self.fail(now, BY_EXTENSION_CODE.get(str(said.code), INTERNAL))

    def finish_plain(self, at: float) -> None:
        """A crash-consistent point, or one that a fault ends."""
        if self.ending is not None:
            return self.fail(at, self.ending.error or INTERNAL, self.ending.status)
        vm = self.world.vms.get(self.point.vm_key)
        if vm is not None and vm.guest_socket is not None:
            message = {"run": "snapshot", "task_id": self.operation.id, "consistency": "crash"}
            return self.world.ask_guest(vm.guest_socket, message, self.heard_crash)
        return self.succeed(at, "CrashConsistent")

    def heard_crash(self, said: GuestAnswer) -> None:
        self.world.guest_answers[self.point.vm_key] = said
        now = self.world.clock.now()
        if said.error is None:
            self.succeed(now, "CrashConsistent")
        else:
            self.fail(now, BY_EXTENSION_CODE.get(str(said.code), INTERNAL))

    def finish_application(self, at: float) -> None:
        vm = self.world.vms.get(self.point.vm_key)
        if vm is None or vm.power != "running" or vm.agent != "ready":
            return self.fail(at, AGENT_SILENT)
        if vm.os == "linux":
            reached = "ApplicationConsistent" if vm.linux_scripts == "ok" else "FileSystemConsistent"
            return self.succeed(at, reached)
        history = self.world.vss_history(vm.key)
        healthy = _writers_healthy(vm, history)
        history.attempts += 1
        if history.fallbacks_left > 0:
            history.fallbacks_left -= 1
            return self.succeed(at, "FileSystemConsistent")
        if healthy:
            return self.succeed(at, "ApplicationConsistent")
        history.fallbacks_left = VSS_FALLBACKS
        if self.world.settings.rules.vss_failure == "fails":
            return self.fail(at, VSS_WRITERS)
        # The failing attempt is itself the first of those that fall back.
        history.fallbacks_left -= 1
        return self.succeed(at, "FileSystemConsistent")

    def succeed(self, at: float, consistency: str) -> None:
        if not self.still_there(at):
            return None
        vm = self.world.vms.get(self.point.vm_key)
        if vm is None or vm.model != self.model or vm.vm_id != self.point.vm.vm_id:
            return self.fail(at, MODEL_CHANGED)
        if any(disk.vault_missing for disk in disk_copies.captured_disks(vm, self.point.excluded)):
            return self.fail(at, VAULT_MISSING)
        made = disk_copies.made_for(self.world, self.point)
        self.end(replace(self.point, state="Succeeded", consistency=consistency, disk_points=made))
        return operations.finish(self.world, self.operation.id, at)

    def fail(self, at: float, error: Mapping[str, Any], status: str = "Failed") -> None:
        """The point stays, in state Failed."""
        if not self.still_there(at):
            return
        self.end(replace(self.point, state="Failed"))
        operations.finish(self.world, self.operation.id, at, status, error)

    def end(self, point: Point) -> None:
        self.world.put_point(point)
        if self.world.creating.get(point.vm_key) == point.key:
            del self.world.creating[point.vm_key]

    def still_there(self, at: float) -> bool:
        if self.point.name.lower() in self.world.points.get(self.point.collection, {}):
            return True
        gone = {"code": "ResourceNotFound", "message": f"The restore point '{self.point.name}' was not found."}
        operations.finish(self.world, self.operation.id, at, "Failed", gone)
        return False


def _writers_healthy(vm: Vm, history: VssHistory) -> bool:
    if vm.vss_recovers_after is not None:
        return history.attempts >= vm.vss_recovers_after
    return vm.vss == "ok"
