# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One restore point of one machine: present, absent, or copied from another region."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._azure.resource_ids import VmId, check_name
from ..plugin_utils._errors import InvalidInput, sentence
from ..plugin_utils._fleet.engine import take
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.copy import copy_point
from ..plugin_utils._restore_points.names import LONGEST_NAME
from ..plugin_utils._restore_points.options import WISH_SPEC, read_wish
from ..plugin_utils._restore_points.place import read_place
from ..plugin_utils._restore_points.points import (
    CollectionId,
    delete_point,
    describe_point,
    read_point,
)
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction, display
from ..plugin_utils._task.target import Target


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **WISH_SPEC,
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "source_restore_point": {"type": "str"},
        "location": {"type": "str"},
        "wait": {"type": "bool", "default": True},
    }
    RULES = {"required_by": {"source_restore_point": ("location",)}}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        check_name(params["name"], "name", LONGEST_NAME)
        where = collection_of(params, vm)
        if params["state"] == "absent":
            result = await remove(arm, where, params["name"], check=check)
        elif params.get("source_restore_point"):
            result = await copy_point(arm, where, params, check=check)
        else:
            result = await present(arm, Target(self.host, vm, where), params, check=check)
        return {**result, "vm_id": vm.path}


def collection_of(params: Json, vm: VmId) -> CollectionId:
    return read_place(params).of(vm)


async def present(arm: Arm, target: Target, params: Json, *, check: bool) -> Json:
    outcome = await take(arm, target, read_wish(params), check=check)
    if outcome.told_of_disks:
        display.warning(outcome.told_of_disks)
    diff = _diff("", params["name"]) if outcome.changed else _diff(params["name"], params["name"])
    result: Json = {**outcome.describe(), "diff": diff}
    if outcome.good or (outcome.verdict.value == "running" and (check or not params["wait"])):
        return result
    lacks = f"The VM {target.vm.name} has no restore point {params['name']} as asked for ({outcome.verdict.value})"
    return {**result, "failed": True, "msg": f"{lacks}: {sentence(outcome.cause)} {outcome.advice}".strip()}


async def remove(arm: Arm, where: CollectionId, name: str, *, check: bool) -> Json:
    point = await read_point(arm, where, name)
    if point is None:
        return {"changed": False, "restore_point": {}, "diff": _diff("", "")}
    if point.in_progress:
        raise InvalidInput(
            f"The restore point {name} is still in the making and cannot be deleted yet",
            advice="Run this again when it is finished.",
        )
    if not check:
        await delete_point(arm, where, name)
    return {"changed": True, "restore_point": describe_point(point), "diff": _diff(name, "")}


def _diff(before: str, after: str) -> Json:
    return {
        "before": f"restore point {before}\n" if before else "",
        "after": f"restore point {after}\n" if after else "",
    }
