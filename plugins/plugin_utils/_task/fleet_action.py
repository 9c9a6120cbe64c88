# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A task that works on all machines of the batch at once, whatever it does for each of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._azure.arm import Arm
from .._durations import parse_duration
from .._errors import AppConsistentError, InvalidInput
from .._json import Json
from .action import AZURE_SPEC, AzureAction, display, tell
from .plans import PLAN
from .progress import progress
from .results import MachineResult, raise_if_nobody_answered, result_of, statistics_of, write_results
from .runner import Board, Job, run_all
from .table import Column, table
from .target import Target
from .targets import find_targets
from .termination import ending

# Documented in the fragment appconsistent.azure.azure.FLEET.
FLEET_SPEC: dict[str, Json] = {
    "vms": {"type": "dict"},
    "progress_interval": {"type": "str", "default": "10s"},
    "quiet": {"type": "bool", "default": False},
    "run_timeout": {"type": "str"},
    "results_file": {"type": "path"},
    "stats_key": {"type": "str", "no_log": False},
    "credentials": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {"subscriptions": {"type": "list", "elements": "str", "required": True}, **AZURE_SPEC},
    },
}
R = t.TypeVar("R", bound=MachineResult)
T = t.TypeVar("T")


@dataclass(frozen=True)
class Fleet(t.Generic[R]):
    """The machines of a task, where they stand, and the results of those whose host gives no usable machine."""

    arm: Arm
    targets: list[Target]
    board: Board[R]


@dataclass(frozen=True)
class Telling(t.Generic[R]):
    """How a task speaks of its machines: `noun` begins a line of progress, `good` ends the table's last line.

    `words` are the verdicts that the summary counts even where there are none.
    """

    noun: str
    good: str
    columns: t.Sequence[Column[R]] = ()
    words: t.Sequence[str] = ()


def each_own(
    fleet: Fleet[R], read: t.Callable[[Target], T], refused: t.Callable[[str, AppConsistentError], R]
) -> dict[str, T]:
    """Return what `read` makes of each machine's plan, by host; a machine whose plan is wrong gets nothing else."""
    found: dict[str, T] = {}
    for target in list(fleet.targets):
        try:
            found[target.host] = read(target)
        except AppConsistentError as error:
            fleet.targets.remove(target)
            where = f" ({PLAN})" if target.plan else ""
            wrong = InvalidInput(f"{target.host}: {error.message}{where}", advice=error.advice)
            fleet.board.results.append(refused(target.host, wrong))
    return found


class FleetAction(AzureAction):
    """Its ARGUMENT_SPEC holds FLEET_SPEC."""

    BYPASS_HOST_LOOP = True

    def fleet(self, params: Json, arm: Arm, refused: t.Callable[[str, AppConsistentError], R]) -> Fleet[R]:
        """Return the machines of the task; `refused` makes the result of a host that gives no usable machine."""
        if not self._task.run_once:
            name = self._task.action.rpartition(".")[2]
            display.warning(f"{name} works on the whole batch at once: without run_once only one host sees it.")
        targets, wrong = find_targets(params.get("vms"), self.task_vars)
        if params.get("run_timeout"):
            arm = arm.until(
                arm.clock.monotonic() + parse_duration(params["run_timeout"], "run_timeout").total_seconds()
            )
        return Fleet(arm, targets, Board(results=[refused(host, error) for host, error in wrong]))

    async def work(self, params: Json, fleet: Fleet[R], job: Job[R], telling: Telling[R]) -> tuple[list[R], Json]:
        """Do the job for all machines, tell of it, and return the results and what the task returns."""
        board, wrong = fleet.board, list(fleet.board.results)
        async with ending(board.stop) as told:
            interval = parse_duration(params["progress_interval"], "progress_interval").total_seconds()
            async with progress(telling.noun, board, fleet.arm, 0.0 if params["quiet"] else interval, tell):
                results = [*wrong, *await run_all(job, fleet.arm, fleet.targets, board)]
            lines = table(results, telling.columns, telling.good)
            if params.get("results_file"):
                self._write(params["results_file"], results)
            if told.why:
                told.say(["", f"{telling.noun}: {told.why}. Where each VM stands:", *lines])
        raise_if_nobody_answered(results)
        if not params["quiet"] and not told.orphaned:
            # At once: Ansible sends whatever is told from the task's process to its own by itself.
            tell("\n".join(lines))
        statistics = statistics_of(results, params.get("stats_key") or "")
        return results, {**result_of(results, telling.words, lines), **statistics}

    def _write(self, path: str, results: t.Sequence[MachineResult]) -> None:
        try:
            write_results(path, results)
        except OSError as error:
            display.warning(f"The results could not be written to {path}: {error}")
