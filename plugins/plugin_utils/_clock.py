# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Time as the controller's side sees it, in one record, so that a test can hand in its own."""

from __future__ import annotations

import asyncio
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

S = t.TypeVar("S")


@dataclass(frozen=True)
class Timekeeper(t.Generic[S]):
    """`sleep` waits seconds, `monotonic` counts them, `utc_now` tells the wall time."""

    sleep: t.Callable[[float], S]
    monotonic: t.Callable[[], float] = time.monotonic
    utc_now: t.Callable[[], datetime] = lambda: datetime.now(timezone.utc)


@dataclass(frozen=True)
class Clock(Timekeeper[t.Awaitable[None]]):
    """For the Azure side, where others work while one waits."""

    sleep: t.Callable[[float], t.Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True)
class BlockingClock(Timekeeper[None]):
    """For the Windows side, where a task has one guest."""

    sleep: t.Callable[[float], None] = time.sleep
