# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A virtual machine as Azure describes it: power, agent, extensions, disks."""

from __future__ import annotations

from dataclasses import dataclass

from .._json import Json, child, children, text
from .arm import Arm
from .resource_ids import VmId

# Oldest version with every field that is read here; the SDK and the CLI send it or a newer one.
COMPUTE_API = "2024-11-01"
# The first version that shows a machine's periodicRestorePoints (github.com/Azure/Basic-VM-Protection, a preview).
VM_API = "2025-04-01"

# Publisher and types of the extension that takes the snapshot (azure-compute-docs, vmsnapshot-linux.md and
# virtual-machines-restore-points-vm-snapshot-extension.md). It is known by these, not by the resource's name.
SNAPSHOT_PUBLISHER = "Microsoft.Azure.RecoveryServices"
SNAPSHOT_TYPES = {"windows": "VMSnapshot", "linux": "VMSnapshotLinux"}


@dataclass(frozen=True)
class Extension:
    """One extension of a machine. `state` is its provisioning state, `message` what its handler last said."""

    id: str
    name: str
    publisher: str
    type: str
    version: str
    state: str
    message: str

    @property
    def takes_snapshots(self) -> bool:
        return self.publisher.lower() == SNAPSHOT_PUBLISHER.lower() and self._of_snapshot_type

    @property
    def looks_like_it(self) -> bool:
        """Whether it is called like the snapshot extension and comes from somebody else."""
        alike = self._of_snapshot_type or self.name.lower() in (kind.lower() for kind in SNAPSHOT_TYPES.values())
        return alike and not self.takes_snapshots

    @property
    def _of_snapshot_type(self) -> bool:
        return self.type.lower() in (kind.lower() for kind in SNAPSHOT_TYPES.values())

    @property
    def provisioned(self) -> bool:
        return self.state.lower() == "succeeded"

    @property
    def in_transition(self) -> bool:
        return self.state.lower() in ("creating", "updating", "deleting", "transitioning")


@dataclass(frozen=True)
class Disk:
    """One managed disk of a machine."""

    id: str
    name: str
    kind: str
    ephemeral: bool
    write_accelerator: bool
    caching: str = ""
    # The number of a data disk; the OS disk has none.
    lun: int | None = None


@dataclass(frozen=True)
class Handler:
    """An extension's handler as the guest agent reports it; `type` is "publisher.type"."""

    type: str
    version: str
    ready: bool
    message: str


@dataclass(frozen=True)
class Machine:
    """A virtual machine. `os` is linux or windows, `power` the last part of Azure's PowerState."""

    id: VmId
    location: str
    os: str
    state: str
    power: str
    agent_ready: bool
    agent_version: str
    agent_message: str
    extensions: tuple[Extension, ...]
    disks: tuple[Disk, ...]
    size: str = ""
    security_type: str = ""
    scale_set: str = ""
    os_name: str = ""
    os_version: str = ""
    reboot_pending: bool = False
    basic_protection: bool = False
    # Azure's vmId: new for a machine that is made anew under the same name.
    vm_uid: str = ""
    # None while the agent reports no handlers at all.
    handlers: tuple[Handler, ...] | None = None

    @property
    def snapshot_handler(self) -> Handler | None:
        wanted = [f"{SNAPSHOT_PUBLISHER}.{kind}".lower() for kind in SNAPSHOT_TYPES.values()]
        return next((handler for handler in self.handlers or () if handler.type.lower() in wanted), None)

    @property
    def snapshot_extension(self) -> Extension | None:
        return next((extension for extension in self.extensions if extension.takes_snapshots), None)


async def read_machine(arm: Arm, vm: VmId) -> Machine:
    """Read a machine with its instance view and its extensions, in one request."""
    body = await arm.get(
        vm.path, VM_API, doing=f"read the virtual machine {vm.name}", query={"$expand": "instanceView"}
    )
    return machine_from_json(vm, body)


def machine_from_json(vm: VmId, body: Json) -> Machine:
    properties = child(body, "properties")
    view = child(properties, "instanceView")
    agent = child(view, "vmAgent")
    agent_status = next(iter(children(agent, "statuses")), {})
    storage = child(properties, "storageProfile")
    os_disk = child(storage, "osDisk")
    periodic = child(child(properties, "resiliencyProfile"), "periodicRestorePoints")
    return Machine(
        id=vm,
        location=text(body, "location"),
        os=text(os_disk, "osType").lower(),
        state=text(properties, "provisioningState"),
        power=_status(view, "PowerState/"),
        agent_ready=text(agent_status, "code").lower() == "provisioningstate/succeeded"
        and text(agent_status, "displayStatus").lower() == "ready",
        agent_version=text(agent, "vmAgentVersion"),
        agent_message=str(agent_status.get("message") or agent_status.get("displayStatus") or ""),
        extensions=tuple(
            _extension(item, children(view, "extensions"))
            for item in children(body, "resources")
            if "/extensions" in str(item.get("type") or item.get("id") or "").lower()
        ),
        disks=tuple(_disk(disk) for disk in (os_disk, *children(storage, "dataDisks")) if disk),
        size=text(child(properties, "hardwareProfile"), "vmSize"),
        security_type=text(child(properties, "securityProfile"), "securityType"),
        scale_set=text(child(properties, "virtualMachineScaleSet"), "id"),
        os_name=text(view, "osName"),
        os_version=text(view, "osVersion"),
        reboot_pending=child(child(view, "patchStatus"), "availablePatchSummary").get("rebootPending") is True,
        basic_protection=periodic.get("isEnabled") is True,
        vm_uid=text(properties, "vmId"),
        handlers=tuple(_handler(item) for item in children(agent, "extensionHandlers"))
        if "extensionHandlers" in agent
        else None,
    )


def _extension(item: Json, views: list[Json]) -> Extension:
    properties = child(item, "properties")
    name = text(item, "name").rsplit("/", 1)[-1]
    view = next((view for view in views if text(view, "name").lower() == name.lower()), {})
    status = next(iter(children(view, "statuses")), {})
    return Extension(
        id=text(item, "id"),
        name=name,
        publisher=text(properties, "publisher"),
        type=text(properties, "type"),
        version=str(view.get("typeHandlerVersion") or properties.get("typeHandlerVersion") or ""),
        state=text(properties, "provisioningState"),
        message=text(status, "message"),
    )


def _disk(disk: Json) -> Disk:
    managed = child(disk, "managedDisk")
    return Disk(
        id=text(managed, "id"),
        name=text(disk, "name"),
        kind=text(managed, "storageAccountType"),
        ephemeral=text(child(disk, "diffDiskSettings"), "option").lower() == "local",
        write_accelerator=disk.get("writeAcceleratorEnabled") is True,
        caching=text(disk, "caching"),
        lun=lun if isinstance(lun := disk.get("lun"), int) else None,
    )


def _handler(item: Json) -> Handler:
    status = child(item, "status")
    return Handler(
        type=text(item, "type"),
        version=text(item, "typeHandlerVersion"),
        ready=text(status, "displayStatus").lower() == "ready",
        message=text(status, "message"),
    )


def _status(view: Json, prefix: str) -> str:
    for status in children(view, "statuses"):
        code = text(status, "code")
        if code.lower().startswith(prefix.lower()):
            return code[len(prefix) :].lower()
    return ""
