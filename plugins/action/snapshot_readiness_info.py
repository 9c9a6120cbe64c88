# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether the machines of the play's batch can get their restore points now, in one task that changes nothing."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._json import Json
from ..plugin_utils._readiness.report import Question, readiness
from ..plugin_utils._readiness.survey import Survey
from ..plugin_utils._restore_points.options import PLACE_SPEC, WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC
from ..plugin_utils._task.fleet_action import FLEET_SPEC, FleetAction, Telling, each_own
from ..plugin_utils._task.results import MachineReport, report_of_error
from ..plugin_utils._task.runner import reporting_job
from ..plugin_utils._task.target import Target

_NAMES = ("consistency", "exclude_disks", *PLACE_SPEC, "collection_tags", "min_interval")
TELLING = Telling[MachineReport]("readiness", "are ready")


class ActionModule(FleetAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **FLEET_SPEC,
        **{name: WISH_SPEC[name] for name in _NAMES},
        "timeout": {"type": "str", "default": "15m"},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        del check
        common = read_wish(params)
        seconds = common.timeout.total_seconds()
        fleet = self.fleet(params, arm, report_of_error)

        def own(target: Target) -> Question:
            wish = read_wish({**params, **target.plan}) if target.plan else common
            # A name that Azure would not take costs its machine only.
            wish.place.of(target.vm)
            return Question(wish.consistency, wish.exclude_disks, wish.place, wish.min_interval)

        questions = each_own(fleet, own, report_of_error)
        kept_in = [questions[target.host].place.of(target.vm) for target in fleet.targets]
        survey = Survey(fleet.arm, fleet.targets, kept_in=kept_in, patience=seconds)
        job = reporting_job(seconds, lambda arm, target: readiness(arm, target, survey, questions[target.host]))
        _reports, result = await self.work(params, fleet, job, TELLING)
        return result
