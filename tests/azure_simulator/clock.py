"""Simulated time. Every duration in the simulator is in simulated seconds; stamps in bodies stay wall-clock time.

Dividing durations by the speed instead of running the calendar faster keeps what a client computes from a stamp
("this point is two hours old") true while a demo runs at many times real speed.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's clock, `speed` simulated seconds to each real one."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = datetime.now(UTC)
        self._origin = time.monotonic()

    def now(self) -> float:
        """Simulated seconds since the start."""
        return (time.monotonic() - self._origin) * self.speed

    def wall(self, at: float | None = None) -> datetime:
        """The calendar time that belongs to a simulated instant (the present one by default)."""
        return self._start + timedelta(seconds=(self.now() if at is None else at) / self.speed)

    def shift(self, by: timedelta) -> None:
        """Set the calendar, as somebody sets a wrong clock right or a right one wrong."""
        self._start += by

    def stamp(self, at: float | None = None) -> str:
        """The way Azure writes times: seven fractional digits and a numeric offset."""
        return f"{self.wall(at).isoformat(timespec='microseconds')[:26]}1+00:00"

    def client_seconds(self, simulated: float) -> int:
        """A wait as the client must be told it (Retry-After counts the client's own seconds)."""
        return max(1, math.ceil(simulated / self.speed))


class ManualClock(Clock):
    """Stands still until it is advanced."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._given = start
        self.rewind()

    def rewind(self) -> None:
        """Back to the given start, or to the present time, which is what clients' own clocks show."""
        self._start = self._given or datetime.now(UTC)
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time only goes forward")
        self._now += seconds
