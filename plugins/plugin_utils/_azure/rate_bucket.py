# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One of Azure's rate-limit buckets, as far as it can be known from outside.

Azure tells what is left after each call, mostly as a whole number, and never how fast it comes back. So the level is
taken from the answers, less what is under way, and the refill is learnt: what came back between two answers is the
change of the level and the calls that were counted meanwhile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Where nothing is documented: a third of the size in a minute, the proportion that the Compute policies have
# (azure-compute-docs, compute-throttling-limits.md: 4 of 12, 12 of 36, 500 of 1500, 15 of 45).
PRIOR_MINUTES = 3.0
# The learnt refill is used a little short, because the level is known in whole tokens only.
SHARE = 0.98
# Seconds and answers of observation before what was learnt counts, and seconds after which it is learnt anew.
SHORTEST, FEWEST, LONGEST = 5.0, 20, 120.0
# Seconds for which answers have to agree before more is believed to be left than was reckoned.
STEADY = 1.0
# However slow the refill seems, ask again after this many seconds: it may come in one piece each minute.
LONGEST_WAIT = 15.0


@dataclass
class RateBucket:
    """Tokens at `at` and the refill in tokens per second. Times are monotonic seconds."""

    level: float
    at: float
    rate: float
    under_way: int = 0
    closed_until: float = 0.0
    _since: float = 0.0
    _left_then: float = 0.0
    _rate_then: float = 0.0
    _answered: int = 0
    _blurred: bool = False
    _surplus: float = math.inf
    _watched_since: float = 0.0

    @classmethod
    def first_seen(cls, left: float, now: float, rate: float | None) -> RateBucket:
        """A bucket that an answer names for the first time: it was full before, so its size is known."""
        bucket = cls(left, now, (left + 1) / PRIOR_MINUTES / 60 if rate is None else rate)
        bucket._begin(left, now)
        return bucket

    def wait(self, now: float) -> float:
        """Return how many seconds the next call has to wait, 0 when it may go."""
        if now < self.closed_until:
            return self.closed_until - now
        self._refill(now)
        if self.level >= 1:
            return 0.0
        # A thousandth of a second more than computed, or rounding would leave it a hair below one token for ever.
        return min((1 - self.level) / max(self.rate * SHARE, 1e-6), LONGEST_WAIT) + 0.001

    def take(self) -> None:
        """Note a call that is sent."""
        self.level -= 1
        self.under_way += 1

    def give_back(self) -> None:
        """Note that a call has ended, whatever came of it."""
        self.under_way -= 1

    def observe(self, left: float, now: float) -> None:
        """Note what an answer says is left."""
        self._answered += 1
        self._learn(left, now)
        self._refill(now)
        # Calls under way may or may not be counted in what is left; taken as not counted, none is sent in vain.
        surplus = left - self.under_way - self.level
        if surplus < 0:
            self.level += surplus
            self._watch(now)
            return
        # Answers overtake each other, and an old one says too much: only what all of a second say is believed.
        self._surplus = min(self._surplus, surplus)
        if now - self._watched_since >= STEADY:
            self.level += self._surplus
            self._watch(now)

    def refused(self, now: float, seconds: float) -> None:
        """Note a 429: no call for `seconds`, then one."""
        self.closed_until = max(self.closed_until, now + seconds)
        self.level, self.at = 1.0, self.closed_until
        self._watch(self.closed_until)
        self._begin(1.0, self.closed_until)

    def _watch(self, now: float) -> None:
        self._surplus, self._watched_since = math.inf, now

    def _refill(self, now: float) -> None:
        if now > self.at:
            self.level += (now - self.at) * self.rate * SHARE
            self.at = now

    def _learn(self, left: float, now: float) -> None:
        # What is left may count calls that are still under way; while there are many, nothing can be learnt.
        if self.under_way > 1:
            self._blurred = True
            return
        if self._blurred:
            self._begin(left, now)
            return
        seconds = now - self._since
        if seconds < SHORTEST or self._answered < FEWEST:
            return
        came_back = (left - self._left_then + self._answered) / seconds
        # A refill in pieces shows as nothing for a while; a quarter of what was reckoned before keeps the calls coming.
        self.rate = max(came_back, self._rate_then / 4)
        if seconds >= LONGEST:
            self._begin(left, now)

    def _begin(self, left: float, now: float) -> None:
        self._since, self._left_then, self._rate_then = now, left, self.rate
        self._answered, self._blurred = 0, False
