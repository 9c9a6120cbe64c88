# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure's own clock, as the Date of its answers shows it: the age of a point is a matter of Azure's time alone.

A controller whose clock is weeks ahead would find every point too old and delete it, one that is behind would find an
old point fresh.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from .._clock import Clock
from .._durations import words

# A Date has whole seconds, and the answer was on its way for some: what is less is no difference.
_SAME = timedelta(seconds=5)
# From here on a difference is told.
_TOLD = timedelta(minutes=5)
# From here on one of the two clocks is not to be trusted with what cannot be undone.
LARGE_SKEW = timedelta(hours=1)


@dataclass
class AzureTime:
    """How far this machine's clock is ahead of Azure's, by its latest answer; never told, the machine's own is used."""

    clock: Clock
    skew: timedelta = timedelta(0)
    _seen: list[timedelta] = field(default_factory=list)

    def note(self, date: str | None) -> None:
        """Take the Date header of an answer that has just come; one that is no date of this age is not believed."""
        here = self.clock.utc_now()
        try:
            told = parsedate_to_datetime(date or "")
            told = told.replace(tzinfo=timezone.utc) if told.tzinfo is None else told
            ahead = here - told
        except (TypeError, ValueError, OverflowError):
            return
        self.skew = ahead if abs(ahead) > _SAME else timedelta(0)
        self._seen = [min(ahead, *self._seen), max(ahead, *self._seen)] if self._seen else [ahead]

    def now(self) -> datetime:
        return self.clock.utc_now() - self.skew

    def told(self) -> str:
        """Return a sentence about the difference for people; empty while it is small."""
        if abs(self.skew) <= _TOLD:
            return ""
        side = "ahead of" if self.skew > timedelta(0) else "behind"
        # A Date is no more exact.
        minutes = timedelta(minutes=round(abs(self.skew) / timedelta(minutes=1)))
        return f"This machine's clock is {words(minutes)} {side} Azure's"

    def doubt(self) -> str:
        """Return why no age is certain enough to delete by; empty where it is."""
        if abs(self.skew) >= LARGE_SKEW:
            return self.told()
        if self._seen and self._seen[-1] - self._seen[0] >= LARGE_SKEW:
            return f"The times that Azure's answers tell differ by {words(self._seen[-1] - self._seen[0])}"
        return ""

    def doubt_of_new(self, made: datetime, spent: timedelta) -> str:
        """Return why the clocks are in doubt after a point that Azure dates `made` took `spent`; empty where not."""
        apart = abs(self.now() - made) - spent
        return f"Azure dates the new point {words(apart)} away from its own clock" if apart >= LARGE_SKEW else ""
