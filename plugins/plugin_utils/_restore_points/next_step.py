# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is wanted for a machine, and, from what Azure holds already, what has to be done for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._errors import InvalidInput
from .points import Collection, Consistency, RestorePoint, attempt_of, point_name, window_key
from .retention import Retention

# Least time between two points of one machine: the support matrix (azure-compute-docs, concepts-restore-points.md)
# says 3 hours for application-consistent and 1 hour for crash-consistent ones. The overview says three per hour; both
# are current, and the stricter one is safe.
LEAST_INTERVAL = {
    Consistency.ApplicationConsistent: timedelta(hours=3),
    Consistency.CrashConsistent: timedelta(hours=1),
}


@dataclass(frozen=True)
class Wish:
    """What is wanted for every machine of a run.

    `name` is the exact name of the one point that is wanted; `key` names it within the schedule. With neither, any
    good point of the schedule younger than `max_age` will do.
    `min_interval` None stands for LEAST_INTERVAL. `timeout` is for one machine.
    """

    schedule: str = "appconsistent"
    name: str = ""
    key: str = ""
    max_age: timedelta = timedelta(hours=24)
    consistency: Consistency = Consistency.ApplicationConsistent
    minimum: Consistency = Consistency.ApplicationConsistent
    min_interval: timedelta | None = None
    collection_group: str = ""
    exclude_disks: tuple[str, ...] = ()
    wait: bool = True
    timeout: timedelta = timedelta(hours=1)
    attempts: int = 2
    retention: Retention = field(default_factory=Retention)

    @property
    def interval(self) -> timedelta:
        return LEAST_INTERVAL[self.consistency] if self.min_interval is None else self.min_interval


@dataclass(frozen=True)
class Keep:
    """A good point is there: nothing to do."""

    point: RestorePoint


@dataclass(frozen=True)
class Adopt:
    """A point is in the making, by an earlier or another run: wait for that one."""

    point: RestorePoint


@dataclass(frozen=True)
class TooEarly:
    """The last attempt is so recent that Azure may refuse the next one before `next_at`."""

    last: RestorePoint
    next_at: datetime


@dataclass(frozen=True)
class Make:
    """A point of this name has to be made."""

    name: str


Step = Keep | Adopt | TooEarly | Make


def next_step(wish: Wish, collection: Collection | None, now: datetime) -> Step:
    """Decide for one machine. The same state at the same time always gives the same names."""
    points = collection.points if collection else ()
    if wish.name:
        return _named_step(wish, points, now)
    key = wish.key or window_key(now, wish.max_age)
    attempts = {attempt_of(point.name, wish.schedule, key): point for point in points}
    attempts.pop(0, None)
    candidates = (
        list(attempts.values()) if wish.key else [point for point in points if of_schedule(point, wish.schedule)]
    )
    good = [point for point in candidates if is_good(point, wish, now)]
    if good:
        return Keep(good[-1])
    making = [point for point in candidates if point.in_progress]
    if making:
        return Adopt(making[-1])
    return _unless_too_early(wish, points, now, point_name(wish.schedule, key, max(attempts, default=0) + 1))


def _named_step(wish: Wish, points: tuple[RestorePoint, ...], now: datetime) -> Step:
    point = next((point for point in points if point.name.lower() == wish.name.lower()), None)
    if point is None:
        return _unless_too_early(wish, points, now, wish.name)
    if point.in_progress:
        return Adopt(point)
    if point.finished and point.consistency >= wish.minimum and _as_asked(point, wish):
        return Keep(point)
    state = point.consistency.label if point.finished else point.state
    raise InvalidInput(
        f"The restore point {point.name} exists already and is {state}, but {wish.consistency.label} was asked for",
        advice="A restore point cannot be changed: choose another name, or delete this one first.",
    )


def _as_asked(point: RestorePoint, wish: Wish) -> bool:
    """Tell whether a finished point can have come from this wish: crash-consistent ones are asked for by name."""
    return (point.consistency is Consistency.CrashConsistent) == (wish.consistency is Consistency.CrashConsistent)


def _unless_too_early(wish: Wish, points: tuple[RestorePoint, ...], now: datetime, name: str) -> Step:
    last = _last_of_kind(points, wish.consistency)
    if last is not None and last.created is not None and now < last.created + wish.interval:
        return TooEarly(last, last.created + wish.interval)
    return Make(name)


def is_good(point: RestorePoint, wish: Wish, now: datetime) -> bool:
    """Tell whether a point fulfils the wish: finished, consistent enough and, without a key, young enough."""
    if not point.finished or point.consistency < wish.minimum:
        return False
    return bool(wish.key) or (point.created is not None and now - point.created < wish.max_age)


def of_schedule(point: RestorePoint, schedule: str) -> bool:
    """Tell whether a name is one that this schedule makes: the schedule, a key and perhaps the attempt."""
    return re.match(rf"{re.escape(schedule)}-", point.name, re.IGNORECASE) is not None


def _last_of_kind(points: tuple[RestorePoint, ...], asked: Consistency) -> RestorePoint | None:
    """Return the newest point that was asked for as `asked`; a failed one counts, Azure counted it too.

    What Azure says of a point is what was reached. Only crash-consistent ones can be asked for by name, so all
    others (and failed ones, which say nothing) were asked for as application-consistent.
    """
    crash = asked is Consistency.CrashConsistent
    kin = [
        point
        for point in points
        if point.created is not None and (point.consistency is Consistency.CrashConsistent) == crash
    ]
    return kin[-1] if kin else None
