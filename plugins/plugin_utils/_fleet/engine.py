# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The main job: every machine of a fleet gets its restore point, each by itself, all at once.

What a machine needs is decided from what Azure holds, under names that a repeated run derives again, so a run that is
killed and repeated adopts what it had begun.
"""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from .._azure.arm import Arm
from .._readiness.survey import Survey
from .._restore_points.next_step import Wish
from .._task.runner import Board, Job, run_one
from .._task.target import Target
from .one_machine import OneMachine
from .verdict import Outcome, Verdict


async def take(arm: Arm, target: Target, wish: Wish, *, check: bool, survey: Survey | None = None) -> Outcome:
    """Take care of one machine. Whatever goes wrong is in the outcome, nothing is raised.

    Without a `survey` only what stands in the machine's own description is judged before Azure is asked.
    """
    board: Board[Outcome] = Board()
    return await run_one(restore_point_job(wish, board, survey, check=check), arm, target, board)


def restore_point_job(
    common: Wish,
    board: Board[Outcome],
    survey: Survey | None,
    *,
    check: bool,
    own: t.Mapping[str, Wish] = MappingProxyType({}),
) -> Job[Outcome]:
    """Return what the runner has to do for each machine; `own` are the wishes of hosts that have one of their own."""

    def begin(arm: Arm, target: Target) -> OneMachine:
        wish = own.get(target.host, common)
        where = target.collection or wish.place.of(target.vm)
        return OneMachine(arm, target, wish, check, board, where, survey=survey, began=arm.clock.monotonic())

    def not_begun(target: Target, cause: str, advice: str) -> Outcome:
        wish = own.get(target.host, common)
        return Outcome(
            target.host,
            target.vm.path,
            Verdict.NOT_BEGUN,
            wish.consistency,
            wish.minimum,
            cause=cause,
            advice=advice,
        )

    return Job(common.timeout.total_seconds(), begin, not_begun, waves=True)
