"""Which disks a restore point captures, and the copies of them that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .records import Disk, DiskPoint, Point, Vm

if TYPE_CHECKING:
    from .world import World


def captured_disks(vm: Vm, excluded: tuple[str, ...]) -> list[Disk]:
    left_out = {disk_id.lower() for disk_id in excluded}
    return [disk for disk in vm.disks if disk.id.lower() not in left_out]


def made_for(world: World, point: Point, source: Point | None = None) -> tuple[DiskPoint, ...]:
    """The copies of the disks, made when the point is."""
    sources = {copy.disk.id: copy.id for copy in source.disk_points} if source else {}
    made = []
    for disk in captured_disks(point.vm, point.excluded):
        name = f"{disk.name}_{world.guid()}"
        resource = world.disks.get(disk.id.lower())
        made.append(
            DiskPoint(
                id=f"{point.id}/diskRestorePoints/{name}",
                name=name,
                disk=disk,
                # Ephemeral disks are no resource and have no id of their own.
                unique_id=resource["properties"]["uniqueId"] if resource else world.guid(),
                family_id=world.guid(),
                source_point=sources.get(disk.id),
            )
        )
    return tuple(made)
