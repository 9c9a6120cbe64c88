# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which old restore points of a machine may go. Decided from what Azure holds, and never the last good ones.

Only points of the run's own schedule are touched. Those of other schedules, of other tools and of people stay.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .holding import Needed
from .points import MANY_POINTS, MOST_POINTS, Consistency, RestorePoint


@dataclass(frozen=True)
class Retention:
    """What is kept of a schedule: the newest `keep`, and what is younger than `keep_for`; None does not limit.

    At least `keep_good` application-consistent points stay in any case.
    """

    keep: int | None = None
    keep_for: timedelta | None = None
    keep_good: int = 1

    @property
    def limits(self) -> bool:
        return self.keep is not None or self.keep_for is not None


@dataclass(frozen=True)
class Surplus:
    """A point that may go, and why."""

    point: RestorePoint
    reason: str


class GonePoint(t.TypedDict):
    name: str
    reason: str


class StayingPoint(t.TypedDict):
    name: str
    cause: str


class RetentionResult(t.TypedDict):
    """What retention did, as modules return it: points of the schedule, and how many of others were left alone."""

    removed: list[GonePoint]
    failed: list[StayingPoint]
    kept: int
    others: int
    warning: str


@dataclass(frozen=True)
class Pruned:
    """What became of the old points: names and reasons, and what could not be deleted."""

    removed: tuple[Surplus, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    kept: int = 0
    others: int = 0
    # Why nothing was looked at, let alone deleted.
    held: str = ""

    @property
    def warning(self) -> str:
        """What a person has to know although the new point is good; empty when there is nothing."""
        parts = [f"{self.held}, so no old point was deleted"] if self.held else []
        if self.failed:
            name, cause = self.failed[0]
            parts.append(f"{len(self.failed)} old points could not be deleted, {name} for one: {cause}")
        if self.kept + self.others >= MANY_POINTS:
            parts.append(f"{self.kept + self.others} of at most {MOST_POINTS} restore points are used")
        return ". ".join(parts)

    def describe(self) -> RetentionResult:
        return {
            "removed": [{"name": surplus.point.name, "reason": surplus.reason} for surplus in self.removed],
            "failed": [{"name": name, "cause": cause} for name, cause in self.failed],
            "kept": self.kept,
            "others": self.others,
            "warning": self.warning,
        }


def surplus(
    own: t.Sequence[RestorePoint],
    retention: Retention,
    now: datetime,
    needed: Needed,
    *,
    interval: timedelta,
    coming: int = 0,
) -> list[Surplus]:
    """Return which of a schedule's own points may go, oldest first.

    A failed point holds nothing and goes whatever is kept, but only after `interval`: until then it tells the next
    run that it would come too early. Only a point that holds all that is `needed` counts for keep_good, and one of an
    earlier machine of the name is never among what may go. `coming` is the number of points that a run in check mode
    would have made.
    """
    mine = [point for point in own if point.created is not None and needed.is_source_of(point)]
    dated = sorted(mine, key=lambda point: str(point.created), reverse=True)
    finished = [point for point in dated if point.finished]
    good = [
        point for point in finished if point.consistency is Consistency.ApplicationConsistent and needed.held_by(point)
    ]
    protected = {point.name for point in good[: max(0, retention.keep_good - coming)]}
    found = []
    for rank, point in enumerate(finished, start=coming):
        reason = _reason(rank, point, retention, now)
        if reason and point.name not in protected:
            found.append(Surplus(point, reason))
    found += [
        Surplus(point, "it failed")
        for point in dated
        if point.failed and point.created is not None and now - point.created >= interval
    ]
    return sorted(found, key=lambda each: str(each.point.created))


def _reason(rank: int, point: RestorePoint, retention: Retention, now: datetime) -> str:
    if retention.keep is not None and rank >= retention.keep:
        return f"there are {retention.keep} newer ones (keep)"
    if retention.keep_for is not None and point.created is not None and now - point.created > retention.keep_for:
        return "it is older than keep_for"
    return ""
