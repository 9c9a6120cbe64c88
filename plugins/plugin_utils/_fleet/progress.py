# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Progress of a fleet run: one line at a steady pace, and a table at the end that a person can read."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
import typing as t
from collections import Counter

from .._azure.arm import Arm
from .._errors import sentence
from .engine import Board
from .verdict import Outcome, Verdict

_COLUMNS = ("VM", "asked", "reached", "seconds", "verdict", "cause and advice")
_SHORT = {"ApplicationConsistent": "application", "FileSystemConsistent": "file system", "CrashConsistent": "crash"}
_WIDTH = 120


def line(board: Board, arm: Arm, seconds: float) -> str:
    """Return one line about where the run stands."""
    ended = Counter(outcome.verdict.value for outcome in board.outcomes)
    total = len(board.outcomes) + len(board.phases)
    parts = [f"{len(board.outcomes)} of {total} done"]
    if ended:
        parts.append(", ".join(f"{count} {verdict}" for verdict, count in sorted(ended.items())))
    if board.phases:
        parts.append(", ".join(f"{count} {phase}" for phase, count in sorted(board.counts().items())))
    if (closed := arm.closed_for()) > 0:
        parts.append(f"Azure's rate limit holds us for {closed:.0f} s")
    return f"restore points: {'; '.join(parts)} ({seconds:.0f} s)"


@contextlib.asynccontextmanager
async def reporting(board: Board, arm: Arm, interval: float, tell: t.Callable[[str], None]) -> t.AsyncIterator[None]:
    """Tell a line every `interval` seconds while the body runs, and a last one when it ends. 0 tells nothing."""
    began = arm.clock.monotonic()

    async def report() -> None:
        told = ""
        while True:
            await arm.clock.sleep(interval)
            text = line(board, arm, arm.clock.monotonic() - began)
            if text != told:
                tell(text)
            told = text

    task = asyncio.create_task(report()) if interval > 0 else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            tell(line(board, arm, arm.clock.monotonic() - began))


def table(outcomes: t.Sequence[Outcome]) -> list[str]:
    """Return the lines of a table, those that fell short last, each with its cause and advice."""
    if not outcomes:
        return ["no VMs"]
    ordered = sorted(outcomes, key=lambda outcome: (not outcome.good, outcome.host))
    rows = [_row(outcome) for outcome in ordered]
    widths = [max(len(row[column]) for row in (_COLUMNS[:5], *rows)) for column in range(5)]
    indent = sum(widths) + 2 * len(widths)
    lines = [_join((*_COLUMNS[:5],), widths) + _COLUMNS[5]]
    for outcome, row in zip(ordered, rows, strict=True):
        notes = _notes(outcome)
        first, *others = textwrap.wrap(notes, max(40, _WIDTH - indent), break_on_hyphens=False) if notes else [""]
        lines.append((_join(row, widths) + first).rstrip())
        lines.extend(" " * indent + rest for rest in others)
    short = [outcome for outcome in outcomes if not outcome.good]
    lines.append(f"{len(outcomes) - len(short)} of {len(outcomes)} VMs have what was asked for.")
    return lines


def _row(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.host,
        _SHORT.get(outcome.requested.label, "-"),
        _SHORT.get(outcome.reached.label, "-"),
        f"{outcome.seconds:.0f}",
        outcome.verdict.value,
    )


def _notes(outcome: Outcome) -> str:
    if outcome.verdict is Verdict.PLANNED:
        return "would be made"
    if outcome.good:
        return outcome.pruned.warning if outcome.pruned else ""
    cause = sentence(outcome.cause)
    return f"{cause} -> {outcome.advice}" if outcome.advice else cause


def _join(cells: t.Sequence[str], widths: t.Sequence[int]) -> str:
    return "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
