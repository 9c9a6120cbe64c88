"""Virtual machines: their model, their instance view, their lists. Read and deleted here, changed through the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import machines, network, operations, pages
from .errors import invalid_parameter, resource_not_found
from .exchange import Call, Response, answer
from .extensions import instance_view as extension_instance_view
from .extensions import render as render_extension
from .records import Disk, Vm

if TYPE_CHECKING:
    from .world import World

POWER = {"running": "VM running", "stopped": "VM stopped", "deallocated": "VM deallocated"}


def find(world: World, key: str, name: str, group: str) -> Vm:
    vm = world.vms.get(key)
    if vm is None:
        raise resource_not_found("Microsoft.Compute/virtualMachines", name, group)
    return vm


# The first version in which a VM tells its ETag (azure-rest-api-specs, Microsoft.Compute).
ETAG_API = "2024-11-01"
# The first version with a VM's setting for Basic VM Protection (a preview; github.com/Azure/Basic-VM-Protection).
PERIODIC_POINTS_API = "2025-04-01"


def get(world: World, call: Call) -> Response:
    vm = find(world, call.target.key, call.target.name, call.target.group)
    wanted = _expansions(call)
    shown = render(world, vm, "instanceview" in wanted, "userdata" in wanted)
    if vm.basic_protection and call.api_version >= PERIODIC_POINTS_API:
        shown["properties"]["resiliencyProfile"] = {"periodicRestorePoints": {"isEnabled": True}}
    if call.api_version >= ETAG_API:
        shown["etag"] = etag(vm)
    return answer(200, shown)


def etag(vm: Vm) -> str:
    return f'"{vm.model}"'


def delete(world: World, call: Call) -> Response:
    """The machine goes with its extensions. Its disks stay, as where no deleteOption is set, and so do its points."""
    vm = world.vms.get(call.target.key)
    if vm is None:
        return Response(204)
    operation = operations.start(world, call, "vm_delete", vm.location)

    def gone(_at: float) -> None:
        if vm.key in world.vms:
            machines.delete(world, world.vms[vm.key])

    operations.run(world, operation, world.settings.durations.delete, vm.name, gone)
    return Response(202, headers=operations.headers(world, call, operation, with_location=True))


def get_instance_view(world: World, call: Call) -> Response:
    vm = find(world, call.target.parent, call.target.name, call.target.group)
    return answer(200, instance_view(world, vm))


def list_in_scope(world: World, call: Call) -> Response:
    """VMs of a subscription or a resource group."""
    status_only = call.query.get("statusonly", "").lower() == "true"
    keys, link = pages.cut(world, call, world.vms_in.get(call.target.scope, {}))
    expanded = status_only or "instanceview" in _expansions(call)
    return pages.answer([_listed(world, world.vms[key], expanded) for key in keys], link)


def _listed(world: World, vm: Vm, expanded: bool) -> dict[str, Any]:
    """In lists Azure names the extensions and tells nothing else of them (azure-sdk-for-net issue 13378)."""
    shown = render(world, vm, expanded, False)
    if "resources" in shown:
        shown["resources"] = [{"id": extension["id"]} for extension in shown["resources"]]
    return shown


def list_by_location(world: World, call: Call) -> Response:
    location = call.target.names[0].lower()
    in_subscription = world.vms_in.get(f"/subscriptions/{call.target.subscription.lower()}", {})
    keys, link = pages.cut(world, call, {key: None for key in in_subscription if world.vms[key].location == location})
    return pages.answer([_listed(world, world.vms[key], False) for key in keys], link)


def _expansions(call: Call) -> set[str]:
    wanted = {word.strip().lower() for word in call.query.get("$expand", "").split(",") if word.strip()}
    unknown = wanted - {"instanceview", "userdata"}
    if unknown:
        raise invalid_parameter(f"The value '{call.query['$expand']}' of parameter '$expand' is invalid.", "$expand")
    return wanted


def render(world: World, vm: Vm, with_instance_view: bool, with_user_data: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": vm.size},
        "provisioningState": vm.provisioning_state,
        "vmId": vm.vm_id,
        "storageProfile": storage_profile(vm),
        "osProfile": os_profile(vm),
        "networkProfile": {"networkInterfaces": [{"id": network.interface_id(vm)}]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        "timeCreated": world.clock.stamp(0),
    }
    if vm.security_type is not None:
        properties["securityProfile"] = {
            "securityType": vm.security_type,
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
        }
    if vm.scale_set is not None:
        properties["virtualMachineScaleSet"] = {"id": vm.scale_set}
    if vm.license_type is not None:
        properties["licenseType"] = vm.license_type
    if with_user_data and vm.user_data is not None:
        properties["userData"] = vm.user_data
    if with_instance_view:
        properties["instanceView"] = instance_view(world, vm)
    body: dict[str, Any] = {
        "name": vm.name,
        "id": vm.id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": vm.location,
        "properties": properties,
    }
    if vm.tags:
        body["tags"] = dict(vm.tags)
    if vm.zones:
        body["zones"] = list(vm.zones)
    extensions = world.extensions.get(vm.key)
    if extensions:
        body["resources"] = [render_extension(extension) for extension in extensions.values()]
    return body


def storage_profile(vm: Vm) -> dict[str, Any]:
    profile: dict[str, Any] = {"dataDisks": []}
    if vm.image:
        profile["imageReference"] = dict(vm.image)
    for disk in vm.disks:
        shown: dict[str, Any] = {
            "name": disk.name,
            "createOption": "FromImage" if disk.is_os else "Attach",
            "caching": disk.caching,
            "managedDisk": {"storageAccountType": disk.sku, "id": disk.id},
            "deleteOption": disk.delete_option,
            "diskSizeGB": disk.size_gb,
        }
        if disk.write_accelerator:
            shown["writeAcceleratorEnabled"] = True
        if disk.is_os:
            shown["osType"] = vm.os.capitalize()
            if disk.ephemeral:
                shown["diffDiskSettings"] = {"option": "Local", "placement": "CacheDisk"}
            profile["osDisk"] = shown
        else:
            shown["lun"] = disk.lun
            shown["toBeDetached"] = False
            profile["dataDisks"].append(shown)
    profile["diskControllerType"] = "SCSI"
    return profile


def os_profile(vm: Vm) -> dict[str, Any]:
    profile: dict[str, Any] = {
        "computerName": vm.name,
        "adminUsername": "azureuser",
        "secrets": [],
        "allowExtensionOperations": True,
        "requireGuestProvisionSignal": True,
    }
    if vm.os == "windows":
        profile["windowsConfiguration"] = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
    else:
        profile["linuxConfiguration"] = {"disablePasswordAuthentication": True, "provisionVMAgent": True}
    return profile


def instance_view(world: World, vm: Vm) -> dict[str, Any]:
    booted = world.clock.stamp(0)
    view: dict[str, Any] = {
        "hyperVGeneration": "V2",
        "disks": [_disk_view(disk, booted) for disk in vm.disks],
        "statuses": [
            _status(f"ProvisioningState/{vm.provisioning_state.lower()}", "Info", "Provisioning succeeded", time=booted)
            if vm.provisioning_state == "Succeeded"
            else _status(
                f"ProvisioningState/{vm.provisioning_state.lower()}",
                "Error" if vm.provisioning_state == "Failed" else "Info",
                f"Provisioning {vm.provisioning_state.lower()}",
                time=booted,
            ),
            _status(f"PowerState/{vm.power}", "Info", POWER[vm.power]),
        ],
        "isVMInStandbyPool": False,
    }
    if vm.power == "deallocated":
        return view
    view["vmAgent"] = _agent_view(world, vm)
    view["bootDiagnostics"] = {}
    view["extensions"] = [extension_instance_view(extension) for extension in world.extensions.get(vm.key, {}).values()]
    if _agent_reports(vm):
        view |= {"computerName": vm.name, "osName": vm.os_name, "osVersion": vm.os_version}
        if vm.os == "windows":
            view["patchStatus"] = {
                "availablePatchSummary": {"status": "Succeeded", "rebootPending": vm.reboot_pending},
            }
    return view


def _agent_reports(vm: Vm) -> bool:
    return vm.power == "running" and vm.agent == "ready"


def _agent_view(world: World, vm: Vm) -> dict[str, Any]:
    now = world.clock.stamp()
    if not _agent_reports(vm):
        return {
            "vmAgentVersion": "Unknown",
            "statuses": [
                _status(
                    "ProvisioningState/Unavailable",
                    "Warning",
                    "Not Ready",
                    "VM status blob is found but not yet populated.",
                    now,
                )
            ],
        }
    handlers = [
        {
            "type": f"{extension.publisher}.{extension.type}",
            "typeHandlerVersion": extension.version,
            "status": _status("ProvisioningState/succeeded", "Info", "Ready")
            if extension.state != "Failed"
            else _status("ProvisioningState/failed", "Error", "Not Ready", extension.message),
        }
        for extension in world.extensions.get(vm.key, {}).values()
    ]
    message = "Guest Agent is running" if vm.os == "linux" else ("GuestAgent is running and processing the extensions.")
    view: dict[str, Any] = {
        "vmAgentVersion": vm.agent_version,
        "statuses": [_status("ProvisioningState/succeeded", "Info", "Ready", message, now)],
    }
    if handlers:
        view["extensionHandlers"] = handlers
    return view


def _disk_view(disk: Disk, time: str) -> dict[str, Any]:
    return {
        "name": disk.name,
        "statuses": [_status("ProvisioningState/succeeded", "Info", "Provisioning succeeded", time=time)],
    }


def _status(code: str, level: str, display: str, message: str | None = None, time: str | None = None) -> dict[str, Any]:
    status = {"code": code, "level": level, "displayStatus": display}
    if message is not None:
        status["message"] = message
    if time is not None:
        status["time"] = time
    return status
