"""VM extensions: one per handler, only on a running VM, protected settings never shown again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import activity_log, bodies, operations
from .errors import ArmError, not_allowed, parent_not_found, resource_not_found
from .exchange import Call, Response, answer
from .extension_images import CATALOGUE
from .records import Extension, GuestAnswer, Vm

if TYPE_CHECKING:
    from .world import World

SETTABLE: Mapping[str, bodies.Shape] = {
    "forceUpdateTag": str,
    "publisher": str,
    "type": str,
    "typeHandlerVersion": str,
    "autoUpgradeMinorVersion": bool,
    "enableAutomaticUpgrade": bool,
    "settings": dict,
    "protectedSettings": dict,
    "suppressFailures": bool,
    "protectedSettingsFromKeyVault": {"secretUrl": str, "sourceVault": {"id": str}},
}
PUT_BODY: Mapping[str, bodies.Shape] = {
    **bodies.RESOURCE,
    "location": str,
    "tags": dict,
    "properties": {
        **SETTABLE,
        "provisionAfterExtensions": [str],
        "provisioningState": str,
        "instanceView": dict,
    },
}
PATCH_BODY: Mapping[str, bodies.Shape] = {"tags": dict, "properties": SETTABLE}

# Properties that are kept as sent and shown again.
ECHOED = (
    "autoUpgradeMinorVersion",
    "enableAutomaticUpgrade",
    "forceUpdateTag",
    "settings",
    "suppressFailures",
    "protectedSettingsFromKeyVault",
    "provisionAfterExtensions",
)
MOVING = frozenset({"Creating", "Updating", "Deleting", "Transitioning"})


def render(extension: Extension, with_instance_view: bool = False) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "autoUpgradeMinorVersion": True,
        **extension.properties,
        "provisioningState": extension.state,
        "publisher": extension.publisher,
        "type": extension.type,
        "typeHandlerVersion": ".".join(extension.version.split(".")[:2]),
    }
    if with_instance_view:
        properties["instanceView"] = instance_view(extension)
    body: dict[str, Any] = {
        "name": extension.name,
        "id": extension.id,
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": extension.location,
        "properties": properties,
    }
    if extension.tags:
        body["tags"] = dict(extension.tags)
    return body


def instance_view(extension: Extension) -> dict[str, Any]:
    state = extension.state.lower()
    status: dict[str, Any] = {
        "code": f"ProvisioningState/{'transitioning' if extension.state in MOVING else state}",
        "level": "Error" if extension.state == "Failed" else "Info",
        "displayStatus": "Provisioning succeeded" if state == "succeeded" else f"Provisioning {state}",
    }
    if extension.message:
        status["message"] = extension.message
    return {
        "name": extension.name,
        "type": f"{extension.publisher}.{extension.type}",
        "typeHandlerVersion": extension.version,
        "statuses": [status],
    }


def _vm_of(world: World, call: Call, key: str) -> Vm:
    vm = world.vms.get(key)
    if vm is None:
        name, group = call.target.names[0], call.target.group
        if call.incoming.method in ("PUT", "PATCH"):
            raise parent_not_found("Microsoft.Compute/virtualMachines/extensions", f"virtualMachines/{name}")
        raise resource_not_found("Microsoft.Compute/virtualMachines", name, group)
    return vm


def _find(world: World, call: Call, vm: Vm) -> Extension:
    found = world.extensions.get(vm.key, {}).get(call.target.name.lower())
    if found is None:
        raise resource_not_found(
            "Microsoft.Compute/virtualMachines", f"{vm.name}/extensions/{call.target.name}", vm.group
        )
    return found


def _expanded(call: Call) -> bool:
    wanted = call.query.get("$expand", "")
    if wanted and wanted.lower() != "instanceview":
        raise ArmError(400, "InvalidParameter", f"The value '{wanted}' of parameter '$expand' is invalid.", "$expand")
    return bool(wanted)


def get(world: World, call: Call) -> Response:
    vm = _vm_of(world, call, call.target.parent)
    return answer(200, render(_find(world, call, vm), _expanded(call)))


def list_of_vm(world: World, call: Call) -> Response:
    vm = _vm_of(world, call, call.target.parent)
    expanded = _expanded(call)
    found = world.extensions.get(vm.key, {}).values()
    return answer(200, {"value": [render(extension, expanded) for extension in found]})


def put(world: World, call: Call) -> Response:
    vm = _vm_of(world, call, call.target.parent)
    body = call.json()
    bodies.check(body, PUT_BODY, "VirtualMachineExtension")
    bodies.required(body.get("location"), "location")
    properties = body.get("properties") or {}
    for name in ("publisher", "type", "typeHandlerVersion"):
        bodies.required(properties.get(name), name)
    _must_run(vm)
    offered = CATALOGUE.get((properties["publisher"].lower(), properties["type"].lower()))
    if offered is None:
        raise ArmError(
            404,
            "ArtifactNotFound",
            f"The VM extension with publisher '{properties['publisher']}' and type '{properties['type']}' could not be "
            f"found in location '{vm.location}'.",
        )
    _must_offer(offered, properties["typeHandlerVersion"], vm)
    held = world.extensions.get(vm.key, {})
    existing = held.get(call.target.name.lower())
    publisher, kind, version = offered
    for other in held.values():
        if other is not existing and (other.publisher, other.type) == (publisher, kind):
            raise ArmError(
                400,
                "BadRequest",
                f"Multiple VMExtensions per handler not supported for OS type '{vm.os.capitalize()}'. VMExtension "
                f"'{call.target.name}' with handler '{publisher}.{kind}' already added or specified in input.",
            )
    if existing is not None and (existing.publisher, existing.type) != (publisher, kind):
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'type' is not allowed.", "type")
    extension = Extension(
        id=f"{vm.id}/extensions/{call.target.name if existing is None else existing.name}",
        name=call.target.name if existing is None else existing.name,
        publisher=publisher,
        type=kind,
        version=version,
        state="Creating" if existing is None else "Updating",
        location=vm.location,
        tags=body.get("tags") or {},
        properties={name: properties[name] for name in ECHOED if properties.get(name) is not None},
    )
    protected = properties.get("protectedSettings") or {}
    headers = _provision(world, call, vm, extension, "extension_write", _settings_fault(extension, protected))
    return answer(201 if existing is None else 200, render(extension), *headers)


def patch(world: World, call: Call) -> Response:
    vm = _vm_of(world, call, call.target.parent)
    existing = _find(world, call, vm)
    body = call.json()
    bodies.check(body, PATCH_BODY, "VirtualMachineExtensionUpdate")
    _must_run(vm)
    sent = body.get("properties") or {}
    changed = {name: sent[name] for name in ECHOED if sent.get(name) is not None}
    extension = replace(
        existing,
        state="Updating",
        tags=existing.tags if body.get("tags") is None else body["tags"],
        properties={**existing.properties, **changed},
    )
    headers = _provision(world, call, vm, extension, "extension_write", None)
    return answer(200, render(extension), *headers)


def delete(world: World, call: Call) -> Response:
    vm = _vm_of(world, call, call.target.parent)
    existing = world.extensions.get(vm.key, {}).get(call.target.name.lower())
    if existing is None:
        return Response(204)
    _must_run(vm)
    world.put_extension(vm.key, replace(existing, state="Deleting"))
    world.model_changed(vm.key)
    operation = operations.start(world, call, "extension_delete", vm.location)
    activity = activity_log.begin(world, call, existing.id)

    def gone(at: float) -> None:
        world.extensions[vm.key].pop(existing.name.lower(), None)
        activity_log.end(world, activity, at)

    def stays(_: float) -> None:
        world.put_extension(vm.key, replace(existing, state="Failed", message="The extension could not be removed."))

    if existing.is_snapshot and vm.guest_socket is not None:

        def heard(said: GuestAnswer) -> None:
            world.guest_answers[vm.key] = said
            now = world.clock.now()
            if said.error is None:
                gone(now)
                operations.finish(world, operation.id, now)
            else:
                stays(now)
                operations.finish(world, operation.id, now, "Failed", _failure(existing, said.error))

        world.ask_guest(vm.guest_socket, {"run": "uninstall", "task_id": operation.id}, heard)
    else:
        operations.run(world, operation, world.settings.durations.extension, vm.name, gone, stays)
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))


def _must_run(vm: Vm) -> None:
    if vm.power != "running":
        raise not_allowed(
            "Cannot modify extensions in the VM when the VM is not running.",
        )


def _must_offer(offered: tuple[str, str, str], asked: str, vm: Vm) -> None:
    publisher, kind, version = offered
    if asked.split(".")[0] != version.split(".")[0]:
        raise ArmError(
            404,
            "ArtifactVersionNotFound",
            f"The VM extension with publisher '{publisher}', type '{kind}' and version '{asked}' could not be found "
            f"in location '{vm.location}'.",
        )


def _settings_fault(extension: Extension, protected: Mapping[str, Any]) -> str | None:
    """The snapshot handler fails without the settings that only the service can give it."""
    settings = extension.properties.get("settings") or {}
    if extension.is_snapshot and not (protected.get("objectStr") or settings.get("objectStr")):
        return "Enable failed with exit code 1: the settings hold no objectStr."
    return None


def _failure(extension: Extension, message: str) -> dict[str, Any]:
    return {
        "code": "VMExtensionProvisioningError",
        "message": f"VM has reported a failure when processing extension '{extension.name}' (publisher "
        f"'{extension.publisher}' and type '{extension.type}'). Error message: '{message}'.",
    }


def _provision(
    world: World, call: Call, vm: Vm, extension: Extension, kind: str, fault: str | None
) -> tuple[tuple[str, str], ...]:
    world.put_extension(vm.key, extension)
    world.model_changed(vm.key)
    operation = operations.start(world, call, kind, vm.location)

    def settle(at: float, error: Mapping[str, Any] | None) -> None:
        state, message = ("Succeeded", "") if error is None else ("Failed", str(error["message"]))
        world.put_extension(vm.key, replace(extension, state=state, message=message))
        operations.finish(world, operation.id, at, state, error)

    ending = world.faults.operation_ending(kind, vm.name)
    if ending is not None and ending.status == "InProgress":
        return operations.headers(world, call, operation, with_location=False)

    def end(at: float) -> None:
        if ending is not None:
            settle(at, ending.error)
        elif fault is not None:
            settle(at, _failure(extension, fault))
        elif world.vms[vm.key].agent != "ready":
            settle(
                at,
                {
                    "code": "VMExtensionProvisioningTimeout",
                    "message": f"Provisioning of VM extension {extension.name} has timed out. Extension provisioning "
                    "has taken too long to complete. The extension did not report a message.",
                },
            )
        else:
            settle(at, None)

    world.agenda.add(operation.started + world.settings.durations.extension, end)
    return operations.headers(world, call, operation, with_location=False)
