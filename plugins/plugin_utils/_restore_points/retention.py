# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which old restore points of a machine may go. Decided from what Azure holds, and never the last good ones.

Only points of the run's own schedule are touched. Those of other schedules, of other tools and of people stay.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._json import Json
from .points import Consistency, RestorePoint

# Most restore points of one machine over all collections (azure-compute-docs, concepts-restore-points.md), and the
# share of it from which on a result warns.
MOST_POINTS = 500
WARN_SHARE = 0.8


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


@dataclass(frozen=True)
class Pruned:
    """What became of the old points: names and reasons, and what could not be deleted."""

    removed: tuple[Surplus, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    kept: int = 0
    others: int = 0

    @property
    def warning(self) -> str:
        """What a person has to know although the new point is good; empty when there is nothing."""
        parts = []
        if self.failed:
            name, cause = self.failed[0]
            parts.append(f"{len(self.failed)} old points could not be deleted, {name} for one: {cause}")
        if self.kept + self.others >= MOST_POINTS * WARN_SHARE:
            parts.append(f"{self.kept + self.others} of at most {MOST_POINTS} restore points are used")
        return ". ".join(parts)

    def describe(self) -> Json:
        return {
            "removed": [{"name": surplus.point.name, "reason": surplus.reason} for surplus in self.removed],
            "failed": [{"name": name, "cause": cause} for name, cause in self.failed],
            "kept": self.kept,
            "others": self.others,
            "warning": self.warning,
        }


def surplus(
    own: t.Sequence[RestorePoint], retention: Retention, now: datetime, *, interval: timedelta, coming: int = 0
) -> list[Surplus]:
    """Return which of a schedule's own points may go, oldest first.

    A failed point holds nothing and goes whatever is kept, but only after `interval`: until then it tells the next
    run that it would come too early. `coming` is the number of points that a run in check mode would have made.
    """
    dated = sorted((point for point in own if point.created is not None), key=lambda p: str(p.created), reverse=True)
    finished = [point for point in dated if point.finished]
    good = [point for point in finished if point.consistency is Consistency.ApplicationConsistent]
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
