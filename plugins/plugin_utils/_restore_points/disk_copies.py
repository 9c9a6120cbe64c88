# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The disks that a restore point holds: each with what a disk that is made of it has to be like."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._json import Json, child, children, text


class CopyResult(t.TypedDict):
    """A disk in a point as modules return it; `lun` is None for the OS disk, sizes are in GiB."""

    id: str
    role: str
    lun: int | None
    name: str
    source_disk: str
    size_gb: int | None
    sku: str
    caching: str
    write_accelerator: bool
    encryption_type: str
    disk_encryption_set: str
    replication_percent: float | None
    access_state: str


@dataclass(frozen=True)
class DiskCopy:
    """One disk as a point holds it (OpenAPI, RestorePointSourceVMStorageProfile and DiskRestorePointInstanceView).

    `id` is the disk restore point's, `source_id` that of the disk it was taken of. The last two fields are None and
    empty where the point was read without its instance view.
    """

    id: str
    source_id: str
    name: str
    lun: int | None
    size_gb: int | None
    sku: str
    caching: str
    write_accelerator: bool
    encryption_type: str
    encryption_set: str
    percent: float | None
    access_state: str

    @property
    def role(self) -> str:
        return "data" if self.lun is not None else "os"

    def describe(self) -> CopyResult:
        return {
            "id": self.id,
            "role": self.role,
            "lun": self.lun,
            "name": self.name,
            "source_disk": self.source_id,
            "size_gb": self.size_gb,
            "sku": self.sku,
            "caching": self.caching,
            "write_accelerator": self.write_accelerator,
            "encryption_type": self.encryption_type,
            "disk_encryption_set": self.encryption_set,
            "replication_percent": self.percent,
            "access_state": self.access_state,
        }


def copies_of(properties: Json) -> tuple[DiskCopy, ...]:
    """Return the disks that the properties of a point tell of, the OS disk first; none while it is being made."""
    views = {
        text(view, "id").lower(): view for view in children(child(properties, "instanceView"), "diskRestorePoints")
    }
    storage = child(child(properties, "sourceMetadata"), "storageProfile")
    shown = [(child(storage, "osDisk"), None), *((disk, _lun(disk)) for disk in children(storage, "dataDisks"))]
    return tuple(
        _copy(disk, lun, views.get(text(child(disk, "diskRestorePoint"), "id").lower(), {}))
        for disk, lun in shown
        if text(child(disk, "diskRestorePoint"), "id")
    )


def _lun(disk: Json) -> int:
    lun = disk.get("lun")
    # Azure numbers from 0 to 63; one that it does not tell can be that of no disk.
    return lun if isinstance(lun, int) else -1


def _copy(disk: Json, lun: int | None, view: Json) -> DiskCopy:
    managed, held = child(disk, "managedDisk"), child(disk, "diskRestorePoint")
    encryption, percent = child(held, "encryption"), child(view, "replicationStatus").get("completionPercent")
    size = disk.get("diskSizeGB")
    return DiskCopy(
        id=text(held, "id"),
        source_id=text(managed, "id"),
        name=text(disk, "name"),
        lun=lun,
        size_gb=size if isinstance(size, int) else None,
        sku=text(managed, "storageAccountType"),
        caching=text(disk, "caching"),
        write_accelerator=disk.get("writeAcceleratorEnabled") is True,
        encryption_type=text(encryption, "type"),
        encryption_set=text(child(encryption, "diskEncryptionSet"), "id"),
        percent=float(percent) if isinstance(percent, (int, float)) else None,
        access_state=text(view, "snapshotAccessState"),
    )
