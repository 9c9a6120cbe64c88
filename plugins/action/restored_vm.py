# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine brought back to a restore point in place, and that undone."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse_duration
from ..plugin_utils._json import Json
from ..plugin_utils._restore.choice import CHOICE_SPEC, read_choice
from ..plugin_utils._restore.in_place import Order, restore, undo
from ..plugin_utils._restore_points.place import read_place
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction, tell


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **CHOICE_SPEC,
        "state": {"type": "str", "choices": ["present", "undone"], "default": "present"},
        "start": {"type": "bool", "default": True},
        "agent_timeout": {"type": "str", "default": "10m"},
        "timeout": {"type": "str", "default": "1h"},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        host = self.host
        within = parse_duration(params["agent_timeout"], "agent_timeout").total_seconds()
        order = Order(params["start"], within, lambda words: tell(f"{host}: {words}"))
        arm = arm.of(vm.subscription)
        arm = arm.until(arm.clock.monotonic() + parse_duration(params["timeout"], "timeout").total_seconds())
        if params["state"] == "undone":
            source = f"{read_place(params).of(vm).name}/{params['restore_point']}"
            return await undo(arm, vm, source, order, check=check)
        return await restore(arm, vm, await read_choice(arm, vm, params), order, check=check)
