# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Application-consistent restore points for all machines of the play's batch, in one task."""

from __future__ import annotations

import typing as t

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._errors import AppConsistentError
from ..plugin_utils._fleet.engine import restore_point_job
from ..plugin_utils._fleet.verdict import COLUMNS, Outcome, Verdict, from_error
from ..plugin_utils._json import Json
from ..plugin_utils._readiness.survey import Survey
from ..plugin_utils._restore_points.next_step import Wish
from ..plugin_utils._restore_points.options import RETENTION_SPEC, SCHEDULE_SPEC, WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC, display
from ..plugin_utils._task.fleet_action import FLEET_SPEC, FleetAction, Telling, each_own
from ..plugin_utils._task.target import Target

TELLING = Telling[Outcome](
    "restore points", "have what was asked for", COLUMNS, tuple(verdict.value for verdict in Verdict)
)


class ActionModule(FleetAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **FLEET_SPEC,
        **WISH_SPEC,
        **SCHEDULE_SPEC,
        **RETENTION_SPEC,
        "wait": {"type": "bool", "default": True},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        wish = read_wish(params)

        def refused(host: str, error: AppConsistentError) -> Outcome:
            return from_error(Outcome(host, "", Verdict.FAILED, wish.consistency, wish.minimum), error)

        fleet = self.fleet(params, arm, refused)
        own = each_own(fleet, lambda target: own_wish(wish, params, target), refused)
        kept_in = [own[target.host].place.of(target.vm) for target in fleet.targets]
        survey = Survey(fleet.arm, fleet.targets, kept_in=kept_in)
        job = restore_point_job(wish, fleet.board, survey, check=check, own=own)
        outcomes, result = await self.work(params, fleet, job, TELLING)
        for sentence in survey.unread:
            display.warning(f"A part of the readiness was not checked: {sentence}")
        for sentence in strange_disks(outcomes, wish, {target.host: target.plan for target in fleet.targets}):
            display.warning(sentence)
        return {**result, "diff": diff_of(outcomes)}


def own_wish(common: Wish, params: Json, target: Target) -> Wish:
    """Return what is wanted for a machine; raise InvalidInput, also where its points could not be kept."""
    # Most machines of a large fleet have no plan, and the options are the same for all of them.
    wish = read_wish({**params, **target.plan}) if target.plan else common
    wish.place.of(target.vm)
    return wish


def strange_disks(outcomes: t.Iterable[Outcome], wish: Wish, plans: t.Mapping[str, Json]) -> t.Iterator[str]:
    """Tell which words of exclude_disks name no disk: in a plan none of its machine, in the option none of any."""
    nobodys = set(wish.exclude_disks)
    read = False
    for outcome in outcomes:
        if outcome.strange_disks is None:
            continue
        if "exclude_disks" not in plans.get(outcome.host, {}):
            read = True
            nobodys &= set(outcome.strange_disks)
        elif outcome.told_of_disks:
            yield outcome.told_of_disks
    if read and nobodys:
        yield f"No VM of this task has a disk {', '.join(sorted(nobodys))}, which exclude_disks names"


def diff_of(outcomes: t.Iterable[Outcome]) -> list[Json]:
    return [
        {
            "before_header": outcome.vm_id,
            "after_header": outcome.vm_id,
            "before": "",
            "after": f"a restore point, {outcome.reached.label or outcome.requested.label}\n",
        }
        for outcome in outcomes
        if outcome.changed
    ]
