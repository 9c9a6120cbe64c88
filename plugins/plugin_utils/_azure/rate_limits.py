# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What Azure's rate limits leave, shared by all requests of a run.

Azure counts calls per subscription, principal and region, not per request. A request that retries by itself therefore
makes things worse: with the SDKs' own policy 400 of 1,000 machines were lost under throttling. Here the answers'
headers tell how much is left of each bucket, requests wait in line until there is something for them, and the first
429 stops everybody who would draw from the same bucket until the moment that Retry-After names.
"""

from __future__ import annotations

import asyncio
import math
import typing as t
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from .._clock import Clock
from .answers import LONGEST_RETRY_AFTER
from .rate_bucket import RateBucket

# Without a Retry-After, ask again after this many seconds: ARM's buckets refill within seconds.
DEFAULT_PAUSE = 15.0
# Seconds after which ARM's own buckets are full again: 250 tokens at 25 a second for reads, 200 at 10 for the others.
LONGEST_OF_ARM = 60.0
# Tokens per second of ARM's own buckets: azure-docs, request-limits-and-throttling.md (public cloud); of Resource Graph
# 15 queries in 5 seconds: azure-docs, governance/resource-graph/concepts/guidance-for-throttled-requests.md.
ARM_RATES = {"reads": 25.0, "writes": 10.0, "deletes": 10.0, "graph": 3.0}
# The part of ARM's reads that polling may use up; the rest is for requests that move things on.
POLLING_SHARE = 0.5
# Requests of one kind that are on their way or at the gate at once: more than the connections carry. Each of the others
# waits where nothing is made for it yet, which takes a part of the memory.
ON_THEIR_WAY = 32

_ARM_HEADER = "x-ms-ratelimit-remaining-subscription-"
_COMPUTE_HEADER = "x-ms-ratelimit-remaining-resource"
_GRAPH_HEADER = "x-ms-user-quota-remaining"
_GRAPH_RESETS_HEADER = "x-ms-user-quota-resets-after"

Call = tuple[str, str, str]
Key = tuple[str, ...]


@dataclass
class _Line:
    """Requests of one kind, waiting one behind the other.

    The first one goes ahead alone: only its answer tells which buckets there are and how much is left.
    """

    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ON_THEIR_WAY))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    buckets: tuple[RateBucket, ...] = ()
    scout_sent: bool = False
    scout_back: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Budget:
    """Knows the buckets of a run. Times are seconds of `clock.monotonic`."""

    clock: Clock = field(default_factory=Clock)
    waited: float = 0.0
    _buckets: dict[Key, RateBucket] = field(default_factory=dict)
    _lines: defaultdict[Call, _Line] = field(default_factory=lambda: defaultdict(_Line))
    _polling: Counter[str] = field(default_factory=Counter)
    _durations: deque[float] = field(default_factory=lambda: deque(maxlen=200))

    def room(self, call: Call) -> asyncio.Semaphore:
        """Return what to hold while a request of that kind is made and sent; it is handed on in the order of asking.

        Requests of one kind wait for the same buckets, so one that waits here could not go earlier anyway.
        """
        return self._lines[call].room

    async def enter(self, call: Call, deadline: float) -> tuple[RateBucket, ...] | None:
        """Wait until a request of that kind may go; return what it drew from, None if it is too late for it.

        Requests of one kind go in the order in which they came. Hand what is returned to `leave`.
        """
        line = self._lines[call]
        if not line.scout_sent:
            line.scout_sent = True
        elif not line.scout_back.is_set():
            await line.scout_back.wait()
        if line.lock.locked() or self._wait(line) > 0:
            async with line.lock:
                while (pause := self._wait(line)) > 0:
                    if self.clock.monotonic() + pause > deadline:
                        return None
                    self.waited += pause
                    await self.clock.sleep(pause)
                if self.clock.monotonic() > deadline:
                    return None
                return self._take(line)
        return self._take(line)

    def leave(self, call: Call, taken: tuple[RateBucket, ...], headers: t.Mapping[str, str]) -> None:
        """Note an answer and what its headers say is left."""
        line = self._lines[call]
        line.scout_back.set()
        for bucket in taken:
            bucket.give_back()
        now = self.clock.monotonic()
        named = []
        for key, left in remaining(call, headers):
            known = self._buckets.get(key)
            if known is not None:
                known.observe(left, now)
            named.append(known or self._first_seen(key, left))
            if key[-1] == "graph" and left < 1:
                named[-1].refused(now, _clock_seconds(headers.get(_GRAPH_RESETS_HEADER)))
        if named:
            line.buckets = tuple(named)

    def throttled(self, call: Call, policy: str, retry_after: float | None) -> None:
        """Note a 429 about the bucket that Compute calls `policy`; without a name it is ARM's own.

        ARM's own is full again within a minute, so one that asks for longer is the provider's, for this kind of call.
        """
        now = self.clock.monotonic()
        own = _arm_kind(call) if (retry_after or 0.0) <= LONGEST_OF_ARM else call[2]
        key = (call[0], call[1], policy.lower()) if policy else (call[0], own)
        bucket = self._buckets.get(key) or self._first_seen(key, 0.0)
        bucket.refused(now, DEFAULT_PAUSE if retry_after is None else retry_after)
        line = self._lines[call]
        if bucket not in line.buckets:
            line.buckets = (*line.buckets, bucket)

    def closed_for(self) -> float:
        """Return the longest pause that a 429 has put in force, in seconds, for progress lines."""
        now = self.clock.monotonic()
        return max((bucket.closed_until - now for bucket in self._buckets.values()), default=0.0)

    def poll_pause(self, url: str, polled: int, planned: float) -> float:
        """Return how many seconds to wait before polling an operation for the `polled`-th time (from 0).

        The first time, about as long as such operations have taken in this run; never so often that all pollers of
        a subscription together use up more than their share of its reads.
        """
        if polled == 0 and len(self._durations) >= 5:
            middle = sorted(self._durations)[len(self._durations) // 2]
            planned = max(planned, min(middle, 60.0))
        subscription = _subscription(url)
        reads = self._buckets.get((subscription, "reads"))
        if reads is None:
            return planned
        too_many = self._polling[subscription] - reads.level * POLLING_SHARE
        return max(planned, too_many / (max(reads.rate, 1.0) * POLLING_SHARE))

    def polling(self, url: str, change: int, seconds: float | None = None) -> None:
        """Note that one more (or one less) operation is polled, and how long one that ended had taken."""
        self._polling[_subscription(url)] += change
        if seconds is not None:
            self._durations.append(seconds)

    def _first_seen(self, key: Key, left: float) -> RateBucket:
        bucket = self._buckets[key] = RateBucket.first_seen(left, self.clock.monotonic(), ARM_RATES.get(key[-1]))
        return bucket

    def _wait(self, line: _Line) -> float:
        now = self.clock.monotonic()
        return max((bucket.wait(now) for bucket in line.buckets), default=0.0)

    def _take(self, line: _Line) -> tuple[RateBucket, ...]:
        for bucket in line.buckets:
            bucket.take()
        return line.buckets


def call_of(method: str, url: str, region: str) -> Call:
    """Return what tells which buckets a request draws from: subscription, region, and the kind of call."""
    path = url.lower().partition("?")[0]
    return (_subscription(path), region, f"{method} {kind_of(path)}")


def kind_of(path: str) -> str:
    """Return the type of the resource that a path leads to, in small letters."""
    _before, found, provider = path.lower().partition("/providers/")
    # Of ".../microsoft.compute/restorepointcollections/c/restorepoints/p" the types are every second part.
    parts = provider.split("/")
    return "/".join([parts[0], *parts[1::2]]) if found else "resources"


def remaining(call: Call, headers: t.Mapping[str, str]) -> list[tuple[Key, float]]:
    """Return what an answer's headers say is left, by bucket; those of a single resource are left out."""
    found: list[tuple[Key, float]] = []
    kind = _arm_kind(call)
    if (left := _number(headers.get(_ARM_HEADER + kind))) is not None:
        found.append(((call[0], kind), left))
    if (left := _number(headers.get(_GRAPH_HEADER))) is not None:
        found.append(((call[0], "graph"), left))
    for entry in (headers.get(_COMPUTE_HEADER) or "").split(","):
        policy, _separator, count = entry.rpartition(";")
        name = policy.rpartition("/")[2].strip()
        left = _number(count)
        if name and left is not None and not counts_one_resource_only(name):
            found.append(((call[0], call[1], name.lower()), left))
    return found


def counts_one_resource_only(policy: str) -> bool:
    """Tell whether a Compute rate-limit policy counts the calls for one resource and not for a subscription.

    Names seen in recorded traffic and in azure-compute-docs, compute-throttling-limits.md: the ones of a subscription
    name it, those of one machine or collection don't.
    """
    return bool(policy) and "subscription" not in policy.lower()


def _subscription(url: str) -> str:
    path = url.lower().partition("?")[0]
    return path.partition("/subscriptions/")[2].partition("/")[0] or "-"


def _arm_kind(call: Call) -> str:
    return {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(call[2].partition(" ")[0], "writes")


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    # Neither infinity, nor what is not a number, nor less than nothing can be left of a bucket.
    return number if 0 <= number < math.inf else None


def _clock_seconds(text: str | None) -> float:
    """Return the seconds of Resource Graph's "hh:mm:ss"."""
    parts = [_number(part) for part in (text or "").split(":")]
    if len(parts) != 3 or None in parts:
        return DEFAULT_PAUSE
    seconds = sum((part or 0.0) * unit for part, unit in zip(parts, (3600.0, 60.0, 1.0), strict=True))
    return min(seconds, LONGEST_RETRY_AFTER)
