# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension of one machine: present and healthy, repaired, or removed."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._extension.guard_options import GUARD_SPEC, read_guard
from ..plugin_utils._extension.presence import ensure_absent, ensure_present, ensure_put
from ..plugin_utils._extension.repair import repair
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.options import SCHEDULE_SPEC, WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC, VM_SPEC, AzureAction
from ..plugin_utils._task.target import Target

# The wish without what makes no sense here: the extension comes with an application-consistent point only.
_POINT_SPEC = {name: spec for name, spec in WISH_SPEC.items() if name not in ("consistency", "minimum_consistency")}
# What is noted with the lock stays what it was.
_GUARD_SPEC = {name: spec for name, spec in GUARD_SPEC.items() if name != "notes"}
# Getting the extension back is worth one of the three points that Azure allows per hour.
_MIN_INTERVAL = "20m"


class ActionModule(AzureAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **VM_SPEC,
        **_POINT_SPEC,
        **SCHEDULE_SPEC,
        **_GUARD_SPEC,
        "min_interval": {"type": "str", "default": _MIN_INTERVAL},
        "state": {"type": "str", "choices": ["present", "repaired", "absent"], "default": "present"},
        "install_by": {"type": "str", "choices": ["restore_point", "extension_resource"], "default": "restore_point"},
        "handler_version": {"type": "str", "default": "1.0"},
        "reason": {"type": "str"},
    }
    RULES = {"required_if": [("state", "absent", ("reason",)), ("state", "repaired", ("reason",))]}

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        vm = self.vm_id(params)
        if params["state"] == "absent":
            return await ensure_absent(arm, vm, params["reason"], check=check)
        wish = read_wish({**params, "consistency": "ApplicationConsistent"})
        target = Target(self.host, vm)
        if params["state"] == "repaired":
            guard = read_guard(params)
            return await repair(arm, target, wish, guard, params["reason"], check=check)
        if params["install_by"] == "extension_resource":
            until = arm.until(arm.clock.monotonic() + wish.timeout.total_seconds())
            return await ensure_put(until, target, params["handler_version"], check=check)
        return await ensure_present(arm, target, wish, check=check)
