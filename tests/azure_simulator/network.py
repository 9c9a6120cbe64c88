"""The network interface of a VM and its public IP address, as Resource Graph shows them. Nothing else of the network.

Shapes: azure-rest-api-specs, Microsoft.Network, examples NetworkInterfaceGet and PublicIpAddressGet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .records import Vm


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
        "location": vm.location,
        "sku": {"name": "Basic", "tier": "Regional"},
        "properties": properties,
    }
