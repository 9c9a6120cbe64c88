# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extensions of all machines of the play's batch, present, well and guarded, in one task."""

from __future__ import annotations

from dataclasses import replace

from ..plugin_utils._authorization.policy import ensure_assigned, not_effective_yet
from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse_duration
from ..plugin_utils._errors import AppConsistentError
from ..plugin_utils._extension.drift import Watch, watch_over
from ..plugin_utils._extension.guard import Guard
from ..plugin_utils._extension.guard_options import GUARD_SPEC, read_guard
from ..plugin_utils._json import Json
from ..plugin_utils._restore_points.options import PLACE_SPEC, SCHEDULE_SPEC, WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC, display
from ..plugin_utils._task.fleet_action import FLEET_SPEC, FleetAction, Telling, each_own
from ..plugin_utils._task.results import MachineReport, report_of_error
from ..plugin_utils._task.runner import reporting_job
from ..plugin_utils._task.target import Target

_POINT_SPEC = {name: spec for name, spec in WISH_SPEC.items() if name in ("exclude_disks", "timeout")}
TELLING = Telling[MachineReport]("snapshot extensions", "have a healthy and guarded snapshot extension")


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
        guard = read_guard(params)
        wish = read_wish({**params, "consistency": "ApplicationConsistent"})
        watch = Watch(
            guard=guard,
            wish=wish,
            grace=parse_duration(params["grace"], "grace"),
            look_back=parse_duration(params["look_back"], "look_back"),
            install=params["install"],
            repair=params["repair"],
        )
        fleet = self.fleet(params, arm, report_of_error)
        watches = each_own(
            fleet, lambda target: _own_watch(watch, params, target.plan) if target.plan else watch, report_of_error
        )
        assigned, refused, changed = await self._policies(fleet.arm, guard, fleet.targets, check=check)

        async def work(arm: Arm, target: Target) -> MachineReport:
            watch = replace(watches[target.host], assigned_at=assigned)
            error = refused.get(guard.policy_scope(target.vm))

            def tell(phase: str) -> None:
                fleet.board.put(target.host, phase)

            if error is None:
                return await watch_over(arm, target, watch, check=check, tell=tell)
            if not guard.lock:
                return report_of_error(target.host, error)
            only_lock = replace(watch, guard=replace(watch.guard, policy=False))
            return _half_guarded(await watch_over(arm, target, only_lock, check=check, tell=tell), error)

        job = reporting_job(wish.timeout.total_seconds(), work)
        _reports, result = await self.work(params, fleet, job, TELLING)
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


def _own_watch(watch: Watch, params: Json, plan: Json) -> Watch:
    """Return how a machine is watched over whose plan says which disks to leave out, and where its points are kept."""
    own = {name: value for name, value in plan.items() if name in ("exclude_disks", "schedule")}
    where = {name: value for name, value in plan.items() if name in PLACE_SPEC}
    wish = read_wish({**params, **own, "consistency": "ApplicationConsistent"})
    return replace(watch, guard=read_guard({**params, **where}), wish=wish)


def _half_guarded(report: MachineReport, error: AppConsistentError) -> MachineReport:
    """Say of a machine that has its lock and not its policy what is missing."""
    return replace(
        report,
        good=False,
        word="half-guarded",
        cause=". ".join(part for part in (report.cause, error.message) if part),
        advice=" ".join(part for part in (error.advice, report.advice) if part),
        failure=error.details(),
    )
