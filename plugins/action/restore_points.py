# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Application-consistent restore points for all machines of the play's batch, in one task."""

from __future__ import annotations

import json
import tempfile
import textwrap
import typing as t
from collections import Counter
from pathlib import Path

from ..plugin_utils._azure.arm import Arm
from ..plugin_utils._durations import parse
from ..plugin_utils._errors import EndpointUnreachable, InvalidInput
from ..plugin_utils._fleet.engine import Board, take_all
from ..plugin_utils._fleet.progress import reporting, table
from ..plugin_utils._fleet.verdict import Outcome, Verdict, from_error
from ..plugin_utils._json import Json
from ..plugin_utils._readiness.surroundings import Survey
from ..plugin_utils._restore_points.next_step import Wish
from ..plugin_utils._restore_points.options import RETENTION_SPEC, SCHEDULE_SPEC, WISH_SPEC, read_wish
from ..plugin_utils._task.action import AZURE_SPEC, FLEET_SPEC, FleetAction, display, tell
from ..plugin_utils._task.targets import find_targets
from ..plugin_utils._task.termination import ending

# Custom statistics travel to every later node of an AWX workflow as extra variables: 10,000 machines stay below 3 MB.
LONGEST_CAUSE = 160


class ActionModule(FleetAction):
    ARGUMENT_SPEC = {
        **AZURE_SPEC,
        **FLEET_SPEC,
        **WISH_SPEC,
        **SCHEDULE_SPEC,
        **RETENTION_SPEC,
        "wait": {"type": "bool", "default": True},
        "run_timeout": {"type": "str"},
        "results_file": {"type": "path"},
        "stats_key": {"type": "str", "no_log": False},
    }

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        self.warn_of_lone_host()
        wish = read_wish(params)
        targets, refused = find_targets(params.get("vms"), self.task_vars, place_of)
        wrong = [from_error(_outcome_without_vm(host, wish), error) for host, error in refused]
        board = Board(outcomes=list(wrong))
        if params.get("run_timeout"):
            arm = arm.until(arm.clock.monotonic() + parse(params["run_timeout"], "run_timeout").total_seconds())
        survey = Survey(arm, targets)
        async with ending(board.stop) as told:
            async with reporting(board, arm, self.interval(params), tell):
                taken = await take_all(arm, targets, wish, check=check, board=board, survey=survey)
            outcomes = [*wrong, *taken]
            lines = table(outcomes)
            if params.get("results_file"):
                write_results(params["results_file"], outcomes)
            if told.why:
                told.say(["", f"restore_points: {told.why}. Where each VM stands:", *lines])
        _raise_if_nobody_answered(outcomes)
        for sentence in survey.unread:
            display.warning(f"A part of the readiness was not checked: {sentence}")
        self.show(params, lines)
        return {**result_of(outcomes, lines), **statistics_of(outcomes, params.get("stats_key") or "")}


def result_of(outcomes: list[Outcome], lines: list[str]) -> Json:
    """Return the task's result; it never fails for a part of the fleet, or the play would end for all of it."""
    counts = Counter(outcome.verdict.value for outcome in outcomes)
    changed = [outcome for outcome in outcomes if outcome.changed]
    return {
        "changed": bool(changed),
        "hosts": {outcome.host: outcome.describe() for outcome in outcomes},
        "summary": {
            "total": len(outcomes),
            "ok": sum(outcome.good for outcome in outcomes),
            "changed": len(changed),
            **{verdict.value: counts[verdict.value] for verdict in Verdict},
        },
        "table": lines,
        "diff": [
            {
                "before_header": outcome.vm_id,
                "after_header": outcome.vm_id,
                "before": "",
                "after": f"a restore point, {outcome.reached.label or outcome.requested.label}\n",
            }
            for outcome in changed
        ],
    }


def statistics_of(outcomes: list[Outcome], key: str) -> Json:
    """Return what Ansible takes up as custom statistics, which AWX keeps and hands on: little for each machine."""
    if not key:
        return {}
    hosts = {
        outcome.host: {
            # A planned point is none: what reads this (a report, a later job) asks for what is there.
            "ok": outcome.good and outcome.verdict is not Verdict.PLANNED,
            "verdict": outcome.verdict.value,
            "reached": outcome.reached.label,
            "point": outcome.point.name if outcome.point else "",
            "cause": textwrap.shorten(outcome.cause, LONGEST_CAUSE, placeholder=" [...]"),
        }
        for outcome in outcomes
    }
    # Aggregated, so that the batches of a play with `serial` join under one key.
    return {"ansible_stats": {"data": {key: {"hosts": hosts}}, "per_host": False, "aggregate": True}}


def place_of(variables: t.Mapping[str, t.Any], host: str) -> tuple[str, int]:
    """Return the application and the wave that a host's variables put it in."""
    wave = variables.get("azure_wave", 0)
    if isinstance(wave, bool) or not str(wave).strip().lstrip("-").isdigit():
        raise InvalidInput(
            f"{host}: azure_wave is {wave!r}, which is no whole number", advice="Number the waves 1, 2, 3."
        )
    return str(variables.get("azure_application") or ""), int(wave)


def write_results(path: str, outcomes: list[Outcome]) -> None:
    """Write what came out for each host to a file that only its owner can read, in one step."""
    target = Path(path)
    text = json.dumps({outcome.host: outcome.describe() for outcome in outcomes}, indent=2)
    try:
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            file.write(text + "\n")
        Path(file.name).replace(target)
    except OSError as error:
        display.warning(f"The results could not be written to {path}: {error}")


def _outcome_without_vm(host: str, wish: Wish) -> Outcome:
    return Outcome(host, "", Verdict.FAILED, wish.consistency, wish.minimum)


def _raise_if_nobody_answered(outcomes: list[Outcome]) -> None:
    """Say once what is true for the whole run: that Azure cannot be reached."""
    kind = EndpointUnreachable.__name__
    if outcomes and all(outcome.failure.get("kind") == kind for outcome in outcomes):
        raise EndpointUnreachable(outcomes[0].cause, advice=outcomes[0].advice)
