# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extensions of all machines of the play's batch, present, well and guarded, in one task."""

from __future__ import annotations

from dataclasses import replace

from ..plugin_utils._authorization.policy import ensure_assigned, not_effective_yet
from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse
from ..plugin_utils._errors import AppConsistentError
from ..plugin_utils._extension.drift import Watch, watch_over
from ..plugin_utils._extension.guard import Guard
from ..plugin_utils._extension.guard_options import GUARD_SPEC, read_guard
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.options import SCHEDULE_SPEC, WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC, FLEET_SPEC, FleetAction, display, tell
from ..plugin_utils._task.each_machine import Report, each, failed, raise_if_nobody_answered, result_of, table
from ..plugin_utils._task.reported_targets import targets_of
from ..plugin_utils._task.target import Target

_POINT_SPEC = {name: spec for name, spec in WISH_SPEC.items() if name in ("exclude_disks", "timeout")}


class ActionModule(FleetAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **FLEET_SPEC,
        **GUARD_SPEC,
        **_POINT_SPEC,
        "schedule": SCHEDULE_SPEC["schedule"],
        "min_interval": {"type": "str", "default": "20m"},
        "install": {"type": "bool", "default": True},
        "repair": {"type": "bool", "default": False},
        "grace": {"type": "str", "default": "5m"},
        "look_back": {"type": "str", "default": "7d"},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        self.warn_of_lone_host()
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
        assigned, refused, changed = await self._policies(arm, guard, targets, check=check)
        watch = replace(watch, assigned_at=assigned)

        async def work(arm: Arm, target: Target) -> Report:
            error = refused.get(guard.policy_scope(target.vm))
            if error is None:
                return await watch_over(arm, target, watch, check=check)
            if not guard.lock:
                return failed(target.host, error)
            only_lock = replace(watch, guard=replace(guard, policy=False))
            return _half_guarded(await watch_over(arm, target, only_lock, check=check), error)

        reports = [
            *wrong,
            *await each(
                arm,
                targets,
                work,
                noun="snapshot extensions",
                interval=self.interval(params),
                tell=tell,
                allowed=wish.timeout.total_seconds(),
            ),
        ]
        raise_if_nobody_answered(reports)
        lines = table(reports, "have a healthy and guarded snapshot extension")
        self.show(params, lines)
        result = result_of(reports, lines)
        return {**result, "changed": result["changed"] or changed}

    async def _policies(
        self, arm: Arm, guard: Guard, targets: list[Target], *, check: bool
    ) -> tuple[frozenset[str], dict[str, AppConsistentError], bool]:
        """See to the policy once per scope, not by each machine at the same moment; one scope does not stop another."""
        assigned: set[str] = set()
        refused: dict[str, AppConsistentError] = {}
        changed = False
        if guard.policy:
            for scope, subscription in sorted({(guard.policy_scope(t.vm), t.vm.subscription) for t in targets}):
                try:
                    anew, _assignment = await ensure_assigned(
                        arm.of(subscription), subscription, scope, guard.policy_name, check=check
                    )
                except AppConsistentError as error:
                    refused[scope] = error
                else:
                    assigned.add(scope)
                    if anew and not check:
                        display.warning(not_effective_yet(guard.policy_name, scope))
                    changed = changed or anew
        return frozenset(assigned), refused, changed


def _half_guarded(report: Report, error: AppConsistentError) -> Report:
    """Say of a machine that has its lock and not its policy what is missing."""
    return replace(
        report,
        ok=False,
        word="half-guarded",
        cause=". ".join(part for part in (report.cause, error.message) if part),
        advice=" ".join(part for part in (error.advice, report.advice) if part),
        result={**report.result, "failure": error.details()},
    )
