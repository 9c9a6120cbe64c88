# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extensions of all machines of the play's batch, present, well and guarded, in one task."""

from __future__ import annotations

from dataclasses import replace

from ..plugin_utils._arm import Arm
from ..plugin_utils._azure_action import AZURE_SPEC, AzureAction, display, tell
from ..plugin_utils._each_machine import each, result_of, table
from ..plugin_utils._fleet_targets import targets_of
from ..plugin_utils._guard_drift import Watch, watch_over
from ..plugin_utils._guard_options import GUARD_SPEC, read_guard
from ..plugin_utils._json import Json
from ..plugin_utils._policy import ensure_assigned
from ..plugin_utils._spans import parse
from ..plugin_utils._wish_options import SCHEDULE_SPEC, WISH_SPEC, read_wish

_POINT_SPEC = {name: spec for name, spec in WISH_SPEC.items() if name in ("exclude_disks", "timeout")}


class ActionModule(AzureAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **GUARD_SPEC,
        **_POINT_SPEC,
        "schedule": SCHEDULE_SPEC["schedule"],
        "min_interval": {"type": "str", "default": "20m"},
        "vms": {"type": "dict"},
        "install": {"type": "bool", "default": True},
        "repair": {"type": "bool", "default": False},
        "grace": {"type": "str", "default": "5m"},
        "look_back": {"type": "str", "default": "7d"},
        "progress_interval": {"type": "str", "default": "10s"},
        "quiet": {"type": "bool", "default": False},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        if not self._task.run_once:
            display.warning(
                "snapshot_extension_guards works on the whole batch at once: without run_once only one host sees it."
            )
        guard = read_guard(params)
        wish = read_wish({**params, "consistency": "ApplicationConsistent"})
        watch = Watch(
            guard=guard,
            wish=wish,
            grace=parse(params["grace"], "grace"),
            look_back=parse(params["look_back"], "look_back"),
            install=params["install"],
            repair=params["repair"],
        )
        targets, wrong = targets_of(params.get("vms"), self.task_vars)
        changed, assigned_at = False, set()
        if guard.policy:
            # One policy guards many machines: it is seen to once, not by each of them at the same moment.
            for scope, subscription in sorted({(guard.policy_scope(t.vm), t.vm.subscription) for t in targets}):
                anew, _assignment = await ensure_assigned(arm, subscription, scope, guard.policy_name, check=check)
                changed = changed or anew
                assigned_at.add(scope)
            watch = replace(watch, assigned_at=frozenset(assigned_at))
        quiet = params["quiet"]
        reports = [
            *wrong,
            *await each(
                arm,
                targets,
                lambda arm, target: watch_over(arm, target, watch, check=check),
                noun="snapshot extensions",
                interval=0.0 if quiet else parse(params["progress_interval"], "progress_interval").total_seconds(),
                tell=tell,
                allowed=wish.timeout.total_seconds(),
            ),
        ]
        lines = table(reports, "have a healthy and guarded snapshot extension")
        if not quiet:
            for line in lines:
                tell(line)
        result = result_of(reports, lines)
        return {**result, "changed": result["changed"] or changed}
