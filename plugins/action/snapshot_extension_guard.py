# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The guard of one machine's snapshot extension: a lock against deletion, a denyAction policy, or both."""

from __future__ import annotations

from datetime import timedelta

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse_duration
from ..plugin_utils._errors import InvalidInput
from ..plugin_utils._extension.guard import ensure_guarded, ensure_lifted, ensure_unguarded
from ..plugin_utils._extension.guard_options import GUARD_SPEC, read_guard
from ..plugin_utils._json import Json
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction

# Long enough for any repair, short enough that nobody forgets it.
_LONGEST_LIFT = timedelta(days=7)


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **GUARD_SPEC,
        "state": {"type": "str", "choices": ["present", "lifted", "absent"], "default": "present"},
        "reason": {"type": "str"},
        "lift_for": {"type": "str", "default": "1h"},
        "end_lift": {"type": "bool", "default": False},
    }
    RULES = {"required_if": [("state", "lifted", ("reason",))]}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        guard = read_guard(params)
        if params["state"] == "absent":
            return await ensure_unguarded(arm, vm, guard, check=check)
        if params["state"] == "lifted":
            span = parse_duration(params["lift_for"], "lift_for")
            if not timedelta(0) < span <= _LONGEST_LIFT:
                raise InvalidInput(
                    f"The option lift_for is {params['lift_for']!r}", advice="Lift the guard for up to 7 days."
                )
            return await ensure_lifted(arm, vm, guard, params["reason"], span, check=check)
        return await ensure_guarded(arm, vm, guard, check=check, end_lift=params["end_lift"], look_back=_LONGEST_LIFT)
