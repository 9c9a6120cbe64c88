# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is wanted for a machine, and, from what Azure holds already, what has to be done for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._errors import InvalidInput
from .holding import Needed
from .names import Naming, of_schedule, window_key
from .place import Place
from .points import Collection, Consistency, RestorePoint
from .retention import Retention

# Least time between two points of one machine: the support matrix (azure-compute-docs, concepts-restore-points.md)
# says 3 hours for application-consistent and 1 hour for crash-consistent ones. The overview says three per hour; both
# are current, and the stricter one is safe.
LEAST_INTERVAL = {
    Consistency.ApplicationConsistent: timedelta(hours=3),
    Consistency.CrashConsistent: timedelta(hours=1),
}


def least_interval(consistency: Consistency, wanted: timedelta | None) -> timedelta:
    """Return the least time between two points: what is wanted, else what Azure supports."""
    return LEAST_INTERVAL[consistency] if wanted is None else wanted


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
    place: Place = field(default_factory=Place)
    # Ids, names or LUNs of disks; a machine leaves out those that are its own.
    exclude_disks: tuple[str, ...] = ()
    wait: bool = True
    timeout: timedelta = timedelta(hours=1)
    attempts: int = 2
    retention: Retention = field(default_factory=Retention)

    @property
    def interval(self) -> timedelta:
        return least_interval(self.consistency, self.min_interval)

    def naming(self, now: datetime) -> Naming:
        """Return the names of the points that are wanted at this time."""
        return Naming(self.schedule, self.key or window_key(now, self.max_age), keyed=bool(self.key))


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


def next_step(wish: Wish, collection: Collection | None, now: datetime, needed: Needed) -> Step:
    """Decide for one machine. The same state at the same time always gives the same names.

    Points of an earlier machine of the name only keep their names taken.
    """
    points = collection.points if collection else ()
    own = tuple(point for point in points if needed.is_source_of(point))
    if wish.name:
        return _named_step(wish, points, now, needed)
    naming = wish.naming(now)
    attempts = {naming.attempt_of(point.name): point for point in points}
    attempts.pop(0, None)
    candidates = (
        list(attempts.values()) if wish.key else [point for point in points if of_schedule(point.name, wish.schedule)]
    )
    candidates = [point for point in candidates if needed.is_source_of(point)]
    good = [point for point in candidates if is_good(point, wish, now) and needed.held_by(point)]
    if good:
        return Keep(good[-1])
    making = [point for point in candidates if point.in_progress]
    if making:
        return Adopt(making[-1])
    return _unless_too_early(wish, own, now, naming.name(max(attempts, default=0) + 1))


def _named_step(wish: Wish, points: tuple[RestorePoint, ...], now: datetime, needed: Needed) -> Step:
    point = next((point for point in points if point.name.lower() == wish.name.lower()), None)
    if point is None:
        own = tuple(point for point in points if needed.is_source_of(point))
        return _unless_too_early(wish, own, now, wish.name)
    if not needed.is_source_of(point):
        raise InvalidInput(
            f"The restore point {point.name} exists already and holds an earlier VM of this name, not this one",
            advice="Choose another name, or delete the point if nobody needs the earlier VM.",
        )
    if point.in_progress:
        return Adopt(point)
    if point.finished and (missing := needed.missing_in(point)):
        raise InvalidInput(
            f"The restore point {point.name} exists already and lacks the disks {', '.join(missing)}",
            advice="Choose another name, or name these disks in exclude_disks if they are left out on purpose.",
        )
    if point.finished and point.consistency >= wish.minimum and point.asked_for is wish.consistency:
        return Keep(point)
    state = point.consistency.label if point.finished else point.state
    raise InvalidInput(
        f"The restore point {point.name} exists already and is {state}, but {wish.consistency.label} was asked for",
        advice="A restore point cannot be changed: choose another name, or delete this one first.",
    )


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


def _last_of_kind(points: tuple[RestorePoint, ...], asked: Consistency) -> RestorePoint | None:
    """Return the newest point that was asked for as `asked`; a failed one counts, Azure counted it too."""
    kin = [point for point in points if point.created is not None and point.asked_for is asked]
    return kin[-1] if kin else None
