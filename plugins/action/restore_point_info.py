# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The restore points of one machine."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.listing import collections_of, newest_good
from ..plugin_utils._restore_points.points import describe
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction
from .restore_point import collection_of


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        "collection_name": {"type": "str"},
        "collection_resource_group": {"type": "str"},
        "all_collections": {"type": "bool", "default": False},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        del check
        vm = self.vm_id(params)
        collections = await collections_of(arm, vm, collection_of(params, vm), everywhere=params["all_collections"])
        points = [(collection, point) for collection in collections for point in collection.points]
        newest = newest_good([point for _collection, point in points])
        return {
            "changed": False,
            "vm_id": vm.path,
            "restore_points": [{**describe(point), "collection_id": collection.id} for collection, point in points],
            "latest_application_consistent": describe(newest) if newest else {},
            "restore_point_collections": [
                {"id": collection.id, "name": collection.name, "location": collection.location}
                for collection in collections
            ],
        }
