"""The control API: plain HTTP and JSON on a port of its own. Tests and the demo switch things here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from . import fleet_file, fleet_world, machines
from .cloud import Cloud
from .faults import FaultError
from .records import Extension, Vm
from .strict_reader import FleetError, Reader

# What PATCH /vms/{name} may change, and to what.
CHOICES: dict[str, tuple[str, ...]] = {
    "power": ("running", "stopped", "deallocated"),
    "agent": ("ready", "not_ready"),
    "vss": ("ok", "bad"),
    "linux_scripts": ("ok", "missing", "refused"),
    "provisioning_state": ("Succeeded", "Failed", "Updating", "Creating"),
}
EXTENSION_STATES = ("Succeeded", "Failed", "Creating", "Updating", "Deleting", "Transitioning", "Absent")


class ControlError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Control:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._handlers: dict[tuple[str, str], Callable[[str, dict[str, Any]], Any]] = {
            ("GET", "vms"): self._get_vm,
            ("PUT", "vms"): self._put_vm,
            ("PATCH", "vms"): self._patch_vm,
            ("DELETE", "vms"): self._delete_vm,
            ("POST", "recreate"): self._recreate,
            ("POST", "attach"): self._attach,
            ("POST", "detach"): self._detach,
            ("GET", "faults"): lambda _, __: {"faults": cloud.world.faults.describe()},
            ("POST", "faults"): lambda _, body: cloud.world.faults.add(body).describe(),
            ("DELETE", "faults"): self._delete_faults,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._forget_requests,
            ("GET", "points"): self._points,
            ("DELETE", "points"): self._delete_point,
            ("GET", "operations"): self._operations,
            ("GET", "locks"): lambda _, __: {
                "locks": [lock.id for held in cloud.world.locks.values() for lock in held.values()]
            },
            ("POST", "advance"): self._advance,
            ("POST", "reset"): self._reset,
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if "Origin" in request.headers:
                raise ControlError(403, "Web pages have no business here.")
            body = await self._body(request)
            path = request.path.strip("/")
            kind, _, name = path.partition("/")
            handler = self._handlers.get((request.method, kind))
            if handler is None:
                known = ", ".join(f"{method} /{kind}" for method, kind in self._handlers)
                raise ControlError(404, f"There is no {request.method} /{path}. There are: {known}.")
            self._cloud.world.advance()
            return web.json_response(handler(name, body))
        except ControlError as error:
            return web.json_response({"error": str(error)}, status=error.status)
        except (FaultError, FleetError, machines.MachineError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _body(self, request: web.BaseRequest) -> dict[str, Any]:
        raw = await request.read()
        if not raw:
            return {}
        if request.content_type != "application/json":
            raise ControlError(415, "The body must be sent as application/json.")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise ControlError(400, f"The body is no JSON: {error}.") from None
        if not isinstance(body, dict):
            raise ControlError(400, "The body must be a JSON object.")
        return body

    def _vm(self, name: str) -> Vm:
        """By name, or by resource id where a name is used twice."""
        world = self._cloud.world
        by_id = world.vms.get(f"/{name.strip('/').lower()}")
        found = [by_id] if by_id else [vm for vm in world.vms.values() if vm.name.lower() == name.lower()]
        if len(found) != 1:
            raise ControlError(404, f"There is no VM '{name}'." if not found else f"'{name}' names several VMs.")
        return found[0]

    def _get_vm(self, name: str, _: dict[str, Any]) -> Any:
        world = self._cloud.world
        if not name:
            return {"vms": [vm.id for vm in world.vms.values()]}
        vm = self._vm(name)
        said = world.guest_answers.get(vm.key)
        return {
            "id": vm.id,
            "vm_id": vm.vm_id,
            "disks": [disk.id for disk in vm.disks],
            "power": vm.power,
            "agent": vm.agent,
            "vss": vm.vss,
            "vss_fallbacks_left": world.vss_history(vm.key).fallbacks_left,
            "linux_scripts": vm.linux_scripts,
            "extensions": {held.name: held.state for held in world.extensions.get(vm.key, {}).values()},
            "creating": vm.key in world.creating,
            "points": world.points_of[vm.key],
            "guest": None
            if said is None
            else {"run": said.run, "task_id": said.task_id, "code": said.code, "error": said.error, **said.raw},
        }

    def _put_vm(self, name: str, body: dict[str, Any]) -> Any:
        """A new VM, or another one in its place: an entry of the fleet file."""
        fleet = fleet_file.load({"subscriptions": self._subscriptions(), "vms": [{"name": name, **body}]})
        vm = fleet_world.add_vm(self._cloud.world, fleet.vms[0])
        return self._get_vm(vm.id, {})

    def _subscriptions(self) -> list[dict[str, str]]:
        return [{"id": held.id, "name": held.name} for held in self._cloud.world.subscriptions.values()]

    def _patch_vm(self, name: str, body: dict[str, Any]) -> Any:
        world = self._cloud.world
        vm = self._vm(name)
        states = body.pop("extensions", {})
        for key, value in body.items():
            if key not in CHOICES:
                raise ControlError(400, f"'{key}' cannot be changed; one can change {', '.join(CHOICES)}, extensions.")
            if value not in CHOICES[key]:
                raise ControlError(400, f"'{key}' must be one of {', '.join(CHOICES[key])}, not {value!r}.")
        for extension, state in states.items():
            if state not in EXTENSION_STATES:
                raise ControlError(400, f"An extension's state must be one of {', '.join(EXTENSION_STATES)}.")
            self._set_extension(vm, extension, state)
        if "vss" in body:
            body["vss_recovers_after"] = None
        if body:
            world.change_vm(vm.key, **body)
        return self._get_vm(vm.id, {})

    def _set_extension(self, vm: Vm, name: str, state: str) -> None:
        """`Absent` takes it away without a trace, as a removal inside the guest or by the service does."""
        world = self._cloud.world
        held = world.extensions.get(vm.key, {}).get(name.lower())
        if state == "Absent":
            world.extensions.get(vm.key, {}).pop(name.lower(), None)
        elif held is not None:
            message = "" if state != "Failed" else held.message or "Switched to failed."
            world.put_extension(vm.key, replace(held, state=state, message=message))
        else:
            made: Extension = fleet_world.snapshot_extension(vm, state)
            if made.name.lower() != name.lower():
                raise ControlError(404, f"VM '{vm.name}' has no extension '{name}'.")
            world.put_extension(vm.key, made)

    def _delete_vm(self, name: str, _: dict[str, Any]) -> Any:
        vm = self._vm(name)
        machines.delete(self._cloud.world, vm)
        return {"deleted": vm.id}

    def _recreate(self, name: str, _: dict[str, Any]) -> Any:
        return self._get_vm(fleet_world.recreate(self._cloud.world, self._vm(name)).id, {})

    def _attach(self, name: str, body: dict[str, Any]) -> Any:
        """A new data disk: an entry of the fleet file's `disks.data`, and the LUN if it matters."""
        vm = self._vm(name)
        reader = Reader(body, "disk")
        lun = reader.maybe("lun", int)
        if lun is None:
            lun = machines.free_lun(vm)
        group = vm.id.rsplit("/providers/", 1)[0]
        disk = fleet_world.make_disk(group, fleet_file.disk(reader), f"{vm.name}_DataDisk_{lun}", lun)
        machines.attach(self._cloud.world, vm, disk)
        return self._get_vm(vm.id, {})

    def _detach(self, name: str, body: dict[str, Any]) -> Any:
        vm = self._vm(name)
        machines.detach(self._cloud.world, vm, Reader(body, "disk").take("name", str))
        return self._get_vm(vm.id, {})

    def _delete_faults(self, name: str, _: dict[str, Any]) -> Any:
        faults = self._cloud.world.faults
        if not name:
            faults.clear()
        elif not name.isdigit() or not faults.remove(int(name)):
            raise ControlError(404, f"There is no fault '{name}'.")
        return {"faults": faults.describe()}

    def _requests(self, _: str, __: dict[str, Any]) -> Any:
        world = self._cloud.world
        return {
            "counts": dict(world.request_counts),
            "requests": [seen._asdict() for seen in list(world.requests)[-1000:]],
        }

    def _forget_requests(self, _: str, __: dict[str, Any]) -> Any:
        self._cloud.world.requests.clear()
        self._cloud.world.request_counts.clear()
        return {}

    def _points(self, name: str, _: dict[str, Any]) -> Any:
        world = self._cloud.world
        vm = self._vm(name) if name else None
        return {
            "points": [
                {"id": point.id, "state": point.state, "consistency": point.consistency, "vm": point.vm.id}
                for held in world.points.values()
                for point in held.values()
                if vm is None or point.vm_key == vm.key
            ]
        }

    def _delete_point(self, name: str, _: dict[str, Any]) -> Any:
        """A point that vanishes behind the client's back."""
        world = self._cloud.world
        key = f"/{name.strip('/').lower()}"
        found = world.points.get(key.rsplit("/", 2)[0], {}).get(key.rsplit("/", 1)[-1])
        if found is None:
            raise ControlError(404, f"There is no restore point '{name}'.")
        world.drop_point(found)
        return {"deleted": found.id}

    def _operations(self, _: str, __: dict[str, Any]) -> Any:
        return {
            "operations": [
                {"id": held.id, "kind": held.kind, "target": held.target, "status": held.status}
                for held in self._cloud.world.operations.values()
            ]
        }

    def _advance(self, _: str, body: dict[str, Any]) -> Any:
        seconds = body.get("seconds")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise ControlError(400, "'seconds' must be a number.")
        self._cloud.advance(seconds)
        return {"now": self._cloud.clock.stamp()}

    def _reset(self, _: str, body: dict[str, Any]) -> Any:
        self._cloud.reset(body or None)
        return {"vms": len(self._cloud.world.vms)}
