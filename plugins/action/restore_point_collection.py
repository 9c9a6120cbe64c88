# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A restore point collection whose machine is gone, deleted with the points in it."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.left_behind import Kept, check_left_behind, delete_collection, state_of_source
from ..plugin_utils._restore_points.listing import parse_collection_id
from ..plugin_utils._restore_points.points import read_collection
from ..plugin_utils._task.action import AZURE_SPEC, AzureAction


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        "id": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["absent"], "required": True},
        "points": {"type": "int", "default": 0},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        where = parse_collection_id(params["id"])
        arm = arm.of(where.subscription)
        collection = await read_collection(arm, where)
        if collection is None:
            return {"changed": False, "restore_points": [], "diff": {"before": "", "after": ""}}
        check_left_behind(Kept(collection, await state_of_source(arm, collection)), params["points"])
        if not check:
            await delete_collection(arm, where)
        names = [point.name for point in collection.points]
        before = "".join(f"{name}\n" for name in (collection.id, *names))
        return {"changed": True, "restore_points": names, "diff": {"before": before, "after": ""}}
