# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The names of a schedule's points, from which alone it is decided whose a point is.

SCHEDULE-WINDOW[-ATTEMPT] where any young point will do, the window being its start, and SCHEDULE--KEY[--ATTEMPT] for a
key. Neither a schedule nor a key may hold two hyphens in a row or have one at an end, so every name is read in one way
only: `daily` and `daily-db` do not share any, nor does a name that a person gave, such as nightly-before-upgrade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .._azure.resource_ids import check_name
from .._errors import InvalidInput

# Longest names of a point and of a collection: azure-docs, "Naming rules and restrictions for Azure resources".
LONGEST_NAME = 80
# Characters that stay for what follows: a hyphen, a window of 14, a hyphen and an attempt of up to four digits.
_LONGEST_SCHEDULE = LONGEST_NAME - 20
_LONGEST_WITH_KEY = LONGEST_NAME - 6
# The last window of a name is the point's: a schedule may itself end in what looks like one.
_ATTEMPT = r"(?P<attempt>[2-9]|[1-9][0-9]{1,3})"
_OF_WINDOW = re.compile(rf"(?P<schedule>.+)-(?P<key>[0-9]{{8}}T[0-9]{{4}}Z)(?:-{_ATTEMPT})?", re.IGNORECASE)
_OF_KEY = re.compile(rf"(?P<schedule>.+?)--(?P<key>.+?)(?:--{_ATTEMPT})?")


@dataclass(frozen=True)
class ScheduledName:
    """A name taken apart. `attempt` counts from 1. Azure does not tell upper from lower case, so none is kept."""

    schedule: str
    key: str
    attempt: int
    of_window: bool


def read_name(name: str) -> ScheduledName | None:
    """Return whose point a name is, None for one that no schedule makes."""
    match = (_OF_KEY if "--" in name else _OF_WINDOW).fullmatch(name)
    if match is None or not (_is_plain(match["schedule"]) and _is_plain(match["key"])):
        return None
    return ScheduledName(
        match["schedule"].lower(), match["key"].lower(), int(match["attempt"] or 1), match.re is _OF_WINDOW
    )


def of_schedule(name: str, schedule: str) -> bool:
    """Tell whether a name is one that this schedule makes, for a window or a key."""
    read = read_name(name)
    return read is not None and read.schedule == schedule.lower()


def window_key(now: datetime, length: timedelta) -> str:
    """Return the name of the window of `length` that `now` (UTC) lies in; windows are counted from 1970."""
    seconds = max(60, int(length.total_seconds()))
    start = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, timezone.utc)
    return start.strftime("%Y%m%dT%H%MZ")


@dataclass(frozen=True)
class Naming:
    """Names of the points of a schedule for one window or, with `keyed`, one key."""

    schedule: str
    key: str
    keyed: bool

    def name(self, attempt: int) -> str:
        """Return the name of an attempt, counted from 1."""
        mark = "--" if self.keyed else "-"
        return f"{self.schedule}{mark}{self.key}" + (f"{mark}{attempt}" if attempt > 1 else "")

    def attempt_of(self, name: str) -> int:
        """Return which attempt a point of that name is, 0 when it belongs to another schedule, window or key."""
        read = read_name(name)
        own = (self.schedule.lower(), self.key.lower(), not self.keyed)
        return read.attempt if read and (read.schedule, read.key, read.of_window) == own else 0


def check_schedule(schedule: str, key: str) -> None:
    """Raise InvalidInput for a schedule or a key whose points could not be told from others' by their names."""
    check_name(schedule, "schedule", _LONGEST_SCHEDULE)
    if key:
        check_name(f"{schedule}--{key}", "schedule and schedule_key together", _LONGEST_WITH_KEY)
    for option, given in (("schedule", schedule), ("schedule_key", key)):
        if not _is_plain(given):
            raise InvalidInput(
                f"The option {option} is {given!r}: points under it could not be told from those of others",
                advice="Use single hyphens, and none at the beginning or the end.",
            )


def _is_plain(part: str) -> bool:
    return "--" not in part and part == part.strip("-")
