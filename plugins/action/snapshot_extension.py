# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension of one machine: present and healthy, or removed as a stated repair."""

from __future__ import annotations

from ..plugin_utils._arm import Arm
from ..plugin_utils._azure_action import AZURE_SPEC, VM_SPEC, AzureAction
from ..plugin_utils._extension import ensure_absent, ensure_present
from ..plugin_utils._fleet import Target
from ..plugin_utils._json import Json
from ..plugin_utils._wish_options import SCHEDULE_SPEC, WISH_SPEC, read_wish

# The wish without what makes no sense here: the extension comes with an application-consistent point only.
_POINT_SPEC = {name: spec for name, spec in WISH_SPEC.items() if name not in ("consistency", "minimum_consistency")}


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **_POINT_SPEC,
        **SCHEDULE_SPEC,
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "reason": {"type": "str"},
    }
    RULES = {"required_if": [("state", "absent", ("reason",))]}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        if params["state"] == "absent":
            return await ensure_absent(arm, vm, params["reason"], check=check)
        wish = read_wish({**params, "consistency": "ApplicationConsistent"})
        return await ensure_present(arm, Target(self.host, vm), wish, check=check)
