"""The moments of one run, on both clocks: the wall's for people, the monotonic one to compare with a writer's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MOMENTS = (
    "pre_started",
    "pre_ended",
    "freeze_called_at",
    "frozen_at",
    "copied_at",
    "thaw_called_at",
    "thawed_at",
    "post_started",
    "post_ended",
)


class Moment(NamedTuple):
    """An instant in seconds, on both clocks."""

    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.time(), time.monotonic())


class RunRecord:
    def __init__(self, tell: Callable[[dict[str, object]], None] = lambda _words: None) -> None:
        self._tell = tell
        self.wall: dict[str, float] = {}
        self.monotonic: dict[str, float] = {}
        self._lock = threading.Lock()

    def mark_once(self, moment: str, *, after: str) -> None:
        """Mark the end of something that began, unless somebody has."""
        with self._lock:
            if after in self.wall and moment not in self.wall:
                self.mark(moment)

    def mark(self, moment: str, at: Moment | None = None) -> None:
        self.note(moment, *(at or Moment.now()))
        self._tell({"moment": moment, "at": self.wall[moment], "monotonic": self.monotonic[moment]})

    def note(self, moment: str, wall: float, monotonic: float) -> None:
        if moment not in MOMENTS:
            raise ValueError(f"{moment} is no moment of a run")
        self.wall[moment] = wall
        self.monotonic[moment] = monotonic

    def seconds(self, start: str, end: str) -> float | None:
        if start not in self.monotonic or end not in self.monotonic:
            return None
        return round(self.monotonic[end] - self.monotonic[start], 6)

    def final(self, *, code: int, health: int, image: str | None, error: str | None) -> dict[str, object]:
        """The last line of an answer. hold_seconds is the least that the application was held: from the end of pre
        to the start of post."""
        return {
            "final": True,
            "code": str(code),
            "health": str(health),
            "image": image,
            "error": error,
            "frozen_seconds": self.seconds("frozen_at", "thawed_at"),
            "hold_seconds": self.seconds("pre_ended", "post_started"),
            **{moment: self.wall.get(moment) for moment in MOMENTS},
            "monotonic": {moment: self.monotonic.get(moment) for moment in MOMENTS},
        }
