# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How one machine's snapshot extension is guarded, and who removed it or its guard."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse_duration
from ..plugin_utils._extension.drift import inspect
from ..plugin_utils._extension.guard_options import GUARD_SPEC, read_guard
from ..plugin_utils._json import Json
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction
from ..plugin_utils._task.target import Target

_SPEC = {name: spec for name, spec in GUARD_SPEC.items() if name != "notes"}


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {**AZURE_SPEC, **VM_SPEC, **_SPEC, "look_back": {"type": "str", "default": "7d"}}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        del check
        look_back = parse_duration(params["look_back"], "look_back")
        target = Target(self.host, self.vm_id(params))
        return {
            "changed": False,
            "snapshot_extension_guard": await inspect(arm, target, read_guard(params), look_back),
        }
