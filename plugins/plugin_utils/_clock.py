# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Time as the Azure side sees it, in one record, so that a test can hand in its own."""

from __future__ import annotations

import asyncio
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class Clock:
    """`monotonic` counts seconds, `utc_now` tells the wall time, `sleep` waits seconds."""

    monotonic: t.Callable[[], float] = time.monotonic
    utc_now: t.Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    sleep: t.Callable[[float], t.Awaitable[None]] = asyncio.sleep
