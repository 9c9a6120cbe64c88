# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The job of restore points done for all targets, as the task does it, without Ansible."""

from __future__ import annotations

import typing as t

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.engine import restore_point_job
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.survey import Survey
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.runner import Board, run_all
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.target import Target


async def take_all(
    arm: Arm,
    targets: t.Sequence[Target],
    wish: Wish,
    *,
    check: bool,
    board: Board[Outcome] | None = None,
    survey: Survey | None = None,
) -> list[Outcome]:
    """Take care of all targets at once and return an outcome for each, in their order. Raises for none of them."""
    board = Board() if board is None else board
    if survey is None:
        survey = Survey(arm, targets, kept_in=[wish.place.of(target.vm) for target in targets], patience=1e6)
    return await run_all(restore_point_job(wish, board, survey, check=check), arm, targets, board)
