# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension of one machine, and what stands in its way."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._azure.machine import read_machine
from ..plugin_utils._json import Json
from ..plugin_utils._readiness.extension_state import describe_extension, view_extension
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {**AZURE_SPEC, **VM_SPEC}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        del check
        machine = await read_machine(arm, self.vm_id(params))
        return {"changed": False, "snapshot_extension": describe_extension(view_extension(machine))}
