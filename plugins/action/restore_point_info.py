# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The restore points of one machine."""

from __future__ import annotations

import typing as t

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._azure.machine import Machine, read_machine
from ..plugin_utils._azure.resource_ids import VmId
from ..plugin_utils._errors import NotFound
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.holding import needed_of
from ..plugin_utils._restore_points.left_behind import Kept, all_kept
from ..plugin_utils._restore_points.listing import collections_of, newest_good
from ..plugin_utils._restore_points.options import PLACE_SPEC
from ..plugin_utils._restore_points.points import Collection, RestorePoint, describe_point
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction
from .restore_point import collection_of


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **PLACE_SPEC,
        "all_collections": {"type": "bool", "default": False},
        "subscription_id": {"type": "str"},
    }
    RULES = {"mutually_exclusive": [("subscription_id", "vm_id"), ("subscription_id", "all_collections")]}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        del check
        if subscription := params.get("subscription_id"):
            kept = await all_kept(arm.of(subscription), subscription)
            return of_subscription(kept)
        vm = self.vm_id(params)
        machine = await find_machine(arm, vm)
        collections = await collections_of(arm, vm, collection_of(params, vm), everywhere=params["all_collections"])
        points = [(collection, point) for collection in collections for point in collection.points]
        newest = newest_good([point for _collection, point in points if machine and holds(point, machine)])
        return {
            "changed": False,
            "vm_id": vm.path,
            "restore_points": [
                {
                    **describe_point(point),
                    "collection_id": collection.id,
                    **_held(point, machine),
                    "disks": [copy.describe() for copy in point.copies],
                    "security_type": point.security_type,
                }
                for collection, point in points
            ],
            "latest_application_consistent": describe_point(newest) if newest else {},
            "restore_point_collections": [describe_collection(collection) for collection in collections],
        }


def of_subscription(kept: t.Sequence[Kept]) -> Json:
    """Return what a whole subscription holds; a point's machine may be gone, so nothing is said of its disks."""
    return {
        "changed": False,
        "vm_id": "",
        "restore_points": [
            {
                **describe_point(point),
                "collection_id": each.collection.id,
                "of_this_vm": False,
                "disks_missing": [],
                "disks": [copy.describe() for copy in point.copies],
                "security_type": point.security_type,
            }
            for each in kept
            for point in each.collection.points
        ],
        "latest_application_consistent": {},
        "restore_point_collections": [{**describe_collection(each.collection), "source": each.source} for each in kept],
    }


def describe_collection(collection: Collection) -> Json:
    return {
        "id": collection.id,
        "name": collection.name,
        "location": collection.location,
        "source_id": collection.source_id,
        "points": len(collection.points),
    }


async def find_machine(arm: Arm, vm: VmId) -> Machine | None:
    """Read the machine, None when there is none: its points may be all that is left of it."""
    try:
        return await read_machine(arm, vm)
    except NotFound:
        return None


def holds(point: RestorePoint, machine: Machine) -> bool:
    """Tell whether a point holds the machine but for the disks that it was told to leave out."""
    return needed_of(machine, point.exclude_disks).held_by(point)


def _held(point: RestorePoint, machine: Machine | None) -> Json:
    needed = needed_of(machine) if machine else None
    return {
        "of_this_vm": needed is not None and needed.is_source_of(point),
        "disks_missing": list(needed.missing_in(point)) if needed is not None and point.finished else [],
    }
