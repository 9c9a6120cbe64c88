# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Progress of a fleet task: one line at a steady pace."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t
from collections import Counter

from .._azure.arm import Arm
from .results import MachineResult
from .runner import Board

R = t.TypeVar("R", bound=MachineResult)


def line(noun: str, board: Board[R], arm: Arm, seconds: float) -> str:
    """Return one line about where the run stands."""
    ended = Counter(result.word for result in board.results)
    total = len(board.results) + len(board.phases)
    parts = [f"{len(board.results)} of {total} done"]
    if ended:
        parts.append(", ".join(f"{count} {word}" for word, count in sorted(ended.items())))
    if board.phases:
        parts.append(", ".join(f"{count} {phase}" for phase, count in sorted(board.counts().items())))
    if (closed := arm.closed_for()) > 0:
        parts.append(f"Azure's rate limit holds us for {closed:.0f} s")
    return f"{noun}: {'; '.join(parts)} ({seconds:.0f} s)"


@contextlib.asynccontextmanager
async def progress(
    noun: str, board: Board[R], arm: Arm, interval: float, tell: t.Callable[[str], None]
) -> t.AsyncIterator[None]:
    """Tell a line every `interval` seconds while the body runs, and a last one when it ends. 0 tells nothing."""
    began = arm.clock.monotonic()

    async def watch() -> None:
        told = ""
        while True:
            await arm.clock.sleep(interval)
            text = line(noun, board, arm, arm.clock.monotonic() - began)
            if text != told:
                tell(text)
            told = text

    task = asyncio.create_task(watch()) if interval > 0 else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            tell(line(noun, board, arm, arm.clock.monotonic() - began))
