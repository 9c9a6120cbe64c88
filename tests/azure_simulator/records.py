"""The things the simulated subscription holds, as frozen records. A change replaces the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SNAPSHOT_PUBLISHER = "Microsoft.Azure.RecoveryServices"
SNAPSHOT_TYPE = {"windows": "VMSnapshot", "linux": "VMSnapshotLinux"}


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk in a VM's model. Ephemeral OS disks are no resource of their own."""

    id: str
    name: str
    size_gb: int
    sku: str = "Premium_LRS"
    caching: str = "ReadOnly"
    lun: int | None = None
    shared: bool = False
    ephemeral: bool = False
    write_accelerator: bool = False
    allocated: bool = True
    vault_missing: bool = False
    delete_option: str = "Detach"

    @property
    def is_os(self) -> bool:
        return self.lun is None


@dataclass(frozen=True, slots=True)
class Extension:
    id: str
    name: str
    publisher: str
    type: str
    version: str
    state: str = "Succeeded"
    message: str = ""
    location: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    # Only what the caller may read back: protectedSettings are never kept.
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_snapshot(self) -> bool:
        return self.publisher.lower() == SNAPSHOT_PUBLISHER.lower() and self.type.lower().startswith("vmsnapshot")


@dataclass(frozen=True, slots=True)
class Vm:
    """A virtual machine and how its guest behaves."""

    id: str
    name: str
    group: str
    subscription: str
    location: str
    os: str
    vm_id: str
    power: str = "running"
    agent: str = "ready"
    agent_version: str = ""
    size: str = "Standard_D4s_v5"
    tags: Mapping[str, str] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    security_type: str | None = None
    basic_protection: bool = False
    scale_set: str | None = None
    license_type: str | None = None
    user_data: str | None = None
    image: Mapping[str, str] = field(default_factory=dict)
    os_name: str = ""
    os_version: str = ""
    reboot_pending: bool = False
    provisioning_state: str = "Succeeded"
    disks: tuple[Disk, ...] = ()
    # What an application-consistent attempt meets in the guest.
    linux_scripts: str = "missing"
    vss: str = "ok"
    vss_recovers_after: int | None = None
    guest_socket: str | None = None
    create_seconds: float | None = None
    private_ip: str = "10.0.0.4"
    public_ip: str | None = None
    # Goes up with every change of the model; a create that sees it move fails.
    model: int = 0

    @property
    def key(self) -> str:
        return self.id.lower()


@dataclass(frozen=True, slots=True)
class Collection:
    id: str
    name: str
    group: str
    subscription: str
    location: str
    source_id: str
    source_location: str
    collection_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    instant_access: bool | None = None
    state: str = "Succeeded"

    @property
    def key(self) -> str:
        return self.id.lower()


@dataclass(frozen=True, slots=True)
class DiskPoint:
    """The copy of one disk inside a restore point."""

    id: str
    name: str
    disk: Disk
    unique_id: str
    family_id: str
    source_point: str | None = None
    sas: str | None = None
    sas_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    id: str
    name: str
    collection: str
    vm_key: str
    vm: Vm
    consistency: str
    created_at: float
    time_created: str
    state: str
    excluded: tuple[str, ...] = ()
    source_point: str | None = None
    instant_access_minutes: int | None = None
    disk_points: tuple[DiskPoint, ...] = ()
    replicated_from: float | None = None
    replicated_until: float | None = None

    @property
    def key(self) -> str:
        return self.id.lower()


@dataclass(frozen=True, slots=True)
class Lock:
    id: str
    name: str
    scope: str
    level: str
    notes: str | None = None
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation."""

    id: str
    kind: str
    target: str
    subscription: str
    location: str
    api_version: str
    ticks: int
    started: float
    ended: float | None = None
    status: str = "InProgress"
    error: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    monitor_status: int = 200


@dataclass(frozen=True, slots=True)
class GuestAnswer:
    """What a real guest said at last."""

    task_id: str
    run: str
    code: str | None
    error: str | None
    raw: Mapping[str, Any] = field(default_factory=dict)
