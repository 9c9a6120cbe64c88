# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The guard of one machine's snapshot extension: a lock against deletion."""

from __future__ import annotations

from ..plugin_utils._arm import Arm
from ..plugin_utils._azure_action import AZURE_SPEC, VM_SPEC, AzureAction
from ..plugin_utils._guard import LOCK_NAME, NOTE, ensure_guarded, ensure_unguarded
from ..plugin_utils._json import Json


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "lock_name": {"type": "str", "default": LOCK_NAME},
        "notes": {"type": "str", "default": NOTE},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        if params["state"] == "absent":
            return await ensure_unguarded(arm, vm, params["lock_name"], check=check)
        return await ensure_guarded(arm, vm, params["lock_name"], params["notes"], check=check)
