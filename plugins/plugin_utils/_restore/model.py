# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine's model as far as a restore changes it: which disks hang on it, how, and at which ETag."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass, field

from .._azure.arm import Arm
from .._azure.machine import VM_API, Machine, machine_from_json
from .._azure.resource_ids import VmId
from .._json import Json, child, children, text

# Oldest version with every field that is sent here (facts from Azure/azure-rest-api-specs; the Azure CLI sends it too).
DISK_API = "2025-01-02"


@dataclass(frozen=True)
class HeldDisk:
    """A disk as it hangs on the machine, with the resource behind it; `lun` is None for the OS disk."""

    id: str
    name: str
    lun: int | None
    caching: str
    write_accelerator: bool
    delete_option: str
    create_option: str
    resource: Json = field(compare=False)

    @property
    def tags(self) -> dict[str, str]:
        return {str(name): str(value) for name, value in child(self.resource, "tags").items()}

    @property
    def made_of(self) -> str:
        """The disk restore point that it was made of, empty for a disk that was not restored."""
        creation = child(child(self.resource, "properties"), "creationData")
        return text(creation, "sourceResourceId") if text(creation, "createOption").lower() == "restore" else ""

    @property
    def sku(self) -> str:
        return text(child(self.resource, "sku"), "name")


@dataclass(frozen=True)
class Model:
    """A machine, the ETag of what was read, and its disks, the OS disk first."""

    machine: Machine
    etag: str
    disks: tuple[HeldDisk, ...]
    generation: str
    encrypted_by_guest: bool

    @property
    def runs(self) -> bool:
        return self.machine.power == "running"

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(disk.id.lower() for disk in self.disks)


async def read_model(arm: Arm, vm: VmId) -> Model:
    """Read a machine and its disks: one request, and one for each disk."""
    doing = f"read the virtual machine {vm.name}"
    body = await arm.get(vm.path, VM_API, doing=doing, query={"$expand": "instanceView"})
    properties = child(body, "properties")
    storage = child(properties, "storageProfile")
    os_disk = child(storage, "osDisk")
    shown = [os_disk, *children(storage, "dataDisks")]
    resources = await asyncio.gather(*(_resource(arm, disk) for disk in shown))
    return Model(
        machine=machine_from_json(vm, body),
        etag=text(body, "etag"),
        disks=tuple(_held(disk, resource) for disk, resource in zip(shown, resources, strict=True)),
        generation=text(child(properties, "instanceView"), "hyperVGeneration"),
        encrypted_by_guest=child(os_disk, "encryptionSettings").get("enabled") is True
        or any(_guest_encrypted(resource) for resource in resources),
    )


async def _resource(arm: Arm, disk: Json) -> Json:
    path = text(child(disk, "managedDisk"), "id")
    if not path or text(child(disk, "diffDiskSettings"), "option"):
        # An ephemeral disk is no resource.
        return {}
    return await arm.get(path, DISK_API, doing=f"read the disk {text(disk, 'name')}")


def _guest_encrypted(resource: Json) -> bool:
    """Whether BitLocker or dm-crypt of Azure Disk Encryption is on (OpenAPI, EncryptionSettingsCollection)."""
    return child(child(resource, "properties"), "encryptionSettingsCollection").get("enabled") is True


def _held(disk: Json, resource: Json) -> HeldDisk:
    lun: t.Any = disk.get("lun")
    return HeldDisk(
        id=text(child(disk, "managedDisk"), "id"),
        name=text(disk, "name"),
        lun=lun if isinstance(lun, int) else None,
        caching=text(disk, "caching") or "None",
        write_accelerator=disk.get("writeAcceleratorEnabled") is True,
        delete_option=text(disk, "deleteOption") or "Detach",
        create_option=text(disk, "createOption"),
        resource=resource,
    )
