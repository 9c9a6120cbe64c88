# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether the machines of the play's batch can get their restore points now, in one task that changes nothing."""

from __future__ import annotations

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._extension.readiness_report import Question, readiness
from ..plugin_utils._json import Json
from ..plugin_utils._readiness.surroundings import Survey
from ..plugin_utils._restore_points.options import WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC, FLEET_SPEC, FleetAction, tell
from ..plugin_utils._task.each_machine import each, raise_if_nobody_answered, result_of, table
from ..plugin_utils._task.reported_targets import targets_of

_NAMES = ("consistency", "exclude_disks", "collection_resource_group", "min_interval")


class ActionModule(FleetAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **FLEET_SPEC,
        **{name: WISH_SPEC[name] for name in _NAMES},
        "timeout": {"type": "str", "default": "15m"},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        del check
        self.warn_of_lone_host()
        wish = read_wish(params)
        question = Question(wish.consistency, wish.exclude_disks, wish.collection_group, wish.min_interval)
        targets, wrong = targets_of(params.get("vms"), self.task_vars)
        survey = Survey(arm.until(arm.clock.monotonic() + wish.timeout.total_seconds()), targets)
        reports = [
            *wrong,
            *await each(
                arm,
                targets,
                lambda arm, target: readiness(arm, target, survey, question),
                noun="readiness",
                interval=self.interval(params),
                tell=tell,
                allowed=wish.timeout.total_seconds(),
            ),
        ]
        raise_if_nobody_answered(reports)
        lines = table(reports, "are ready")
        self.show(params, lines)
        return result_of(reports, lines)
