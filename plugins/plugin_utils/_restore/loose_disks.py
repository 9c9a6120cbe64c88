# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Disks of a point that no machine has: for a look at single files, or for a machine that somebody makes of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.resource_ids import VmId
from .._json import Json, child, text
from .._restore_points.disk_copies import DiskCopy
from .._restore_points.points import describe_point
from .choice import Choice
from .disks import FROM, NewDisk, find_made, made, new_disk
from .refusals import of_point, refuse

# Customer-managed keys alone; azure-rest-api-specs, EncryptionType.
_OWN_KEY = "EncryptionAtRestWithCustomerKey"


@dataclass(frozen=True)
class Where:
    """Where the disks are made, and of what kind; an empty word is as the point has it."""

    group: str
    zone: str
    sku: str
    encryption_set: str


async def restore_disks(arm: Arm, vm: VmId, choice: Choice, where: Where, *, check: bool) -> Json:
    """Make a disk of each disk that is wanted; those that are there already, and untouched, stay as they are."""
    refuse(f"disks of the VM {vm.name} from {choice.point.name}", list(of_point(choice)))
    wanted = [_wanted(copy, vm, choice, where) for copy in choice.copies]
    places = await asyncio.gather(*(find_made(arm, disk) for disk in wanted))
    new = [path for path, there in places if there is None]
    resources = [there or {} for _path, there in places]
    if new and not check:
        resources = await made(arm, wanted)
    names = "".join(f"{path.rpartition('/')[2]}\n" for path, _there in places)
    kept = "".join(f"{path.rpartition('/')[2]}\n" for path, there in places if there is not None)
    return {
        "changed": bool(new),
        "vm_id": vm.path,
        "restore_point": describe_point(choice.point),
        "disks": [_shown(*each) for each in zip(wanted, [path for path, _there in places], resources, strict=True)],
        "diff": {"before": kept, "after": names},
    }


def _wanted(copy: DiskCopy, vm: VmId, choice: Choice, where: Where) -> NewDisk:
    zones = [where.zone] if where.zone else []
    disk = new_disk(
        copy, (vm.subscription, where.group), choice.collection.location, sku=where.sku or copy.sku, zones=zones
    )
    if where.encryption_set:
        disk.body["properties"]["encryption"] = {"type": _OWN_KEY, "diskEncryptionSetId": where.encryption_set}
    disk.body["tags"] = {FROM: choice.source}
    return disk


def _shown(disk: NewDisk, path: str, resource: Json) -> Json:
    size = child(resource, "properties").get("diskSizeGB")
    return {
        "role": disk.copy.role,
        "lun": disk.copy.lun,
        "id": path,
        "name": path.rpartition("/")[2],
        "source_disk": disk.copy.source_id,
        "size_gb": size if isinstance(size, int) else disk.copy.size_gb,
        "sku": text(child(resource, "sku"), "name") or str(disk.body["sku"]["name"]),
    }
