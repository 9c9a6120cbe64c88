"""The network interface of a VM and its public IP address, to be read. Nothing else of the network.

Shapes: azure-rest-api-specs, Microsoft.Network, examples NetworkInterfaceGet and PublicIpAddressGet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import pages
from .errors import resource_not_found
from .exchange import Call, Response, answer

if TYPE_CHECKING:
    from .records import Vm
    from .world import World


def _id(vm: Vm, kind: str, name: str) -> str:
    return f"/subscriptions/{vm.subscription}/resourceGroups/{vm.group}/providers/Microsoft.Network/{kind}/{name}"


def interface_id(vm: Vm) -> str:
    return _id(vm, "networkInterfaces", f"{vm.name}-nic")


def _public_id(vm: Vm) -> str:
    return _id(vm, "publicIPAddresses", f"{vm.name}-ip")


def interface(vm: Vm) -> dict[str, Any]:
    address: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "privateIPAddress": vm.private_ip,
        "privateIPAllocationMethod": "Dynamic",
        "privateIPAddressVersion": "IPv4",
        "subnet": {"id": f"{_id(vm, 'virtualNetworks', 'vnet')}/subnets/default"},
        "primary": True,
    }
    if vm.public_ip is not None:
        address["publicIPAddress"] = {"id": _public_id(vm)}
    return {
        "id": interface_id(vm),
        "name": f"{vm.name}-nic",
        "type": "Microsoft.Network/networkInterfaces",
        "location": vm.location,
        "properties": {
            "provisioningState": "Succeeded",
            "ipConfigurations": [
                {"name": "ipconfig1", "id": f"{interface_id(vm)}/ipConfigurations/ipconfig1", "properties": address}
            ],
            "primary": True,
            "virtualMachine": {"id": vm.id},
        },
    }


def public_address(vm: Vm) -> dict[str, Any]:
    """A dynamic address is given back when its machine is deallocated, and the resource then has none."""
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Dynamic",
        "ipConfiguration": {"id": f"{interface_id(vm)}/ipConfigurations/ipconfig1"},
    }
    if vm.power != "deallocated":
        properties["ipAddress"] = vm.public_ip
    return {
        "id": _public_id(vm),
        "name": f"{vm.name}-ip",
        "type": "Microsoft.Network/publicIPAddresses",
        "location": vm.location,
        "sku": {"name": "Basic", "tier": "Regional"},
        "properties": properties,
    }


def _owner(world: World, call: Call, suffix: str) -> Vm | None:
    """The VM whose interface or address the call names."""
    name = call.target.name.lower()
    return world.vms.get(
        f"{call.target.scope}/providers/microsoft.compute/virtualmachines/{name.removesuffix(suffix)}"
        if name.endswith(suffix)
        else ""
    )


def list_interfaces(world: World, call: Call) -> Response:
    keys, link = pages.cut(world, call, world.vms_in.get(call.target.scope, {}))
    return pages.answer([interface(world.vms[key]) for key in keys], link)


def get_interface(world: World, call: Call) -> Response:
    vm = _owner(world, call, "-nic")
    if vm is None:
        raise resource_not_found("Microsoft.Network/networkInterfaces", call.target.name, call.target.group)
    return answer(200, interface(vm))


def get_public_address(world: World, call: Call) -> Response:
    vm = _owner(world, call, "-ip")
    if vm is None or vm.public_ip is None:
        raise resource_not_found("Microsoft.Network/publicIPAddresses", call.target.name, call.target.group)
    return answer(200, public_address(vm))
