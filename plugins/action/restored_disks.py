# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Disks made of the disks in a restore point, that no machine has."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse_duration
from ..plugin_utils._json import Json
from ..plugin_utils._restore.choice import CHOICE_SPEC, read_choice
from ..plugin_utils._restore.loose_disks import Where, restore_disks
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **CHOICE_SPEC,
        "resource_group": {"type": "str"},
        "zone": {"type": "str"},
        "sku": {"type": "str"},
        "disk_encryption_set": {"type": "str"},
        "timeout": {"type": "str", "default": "1h"},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        arm = arm.of(vm.subscription)
        arm = arm.until(arm.clock.monotonic() + parse_duration(params["timeout"], "timeout").total_seconds())
        where = Where(
            params["resource_group"] or vm.group,
            params["zone"] or "",
            params["sku"] or "",
            params["disk_encryption_set"] or "",
        )
        return await restore_disks(arm, vm, await read_choice(arm, vm, params), where, check=check)
