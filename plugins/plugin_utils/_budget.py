# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One gate in front of Azure's rate limits, shared by all requests of a run.

Azure counts calls per subscription (and principal and region), not per request. A request that retries by itself
therefore makes things worse: with the SDKs' own policy 400 of 1,000 machines were lost under throttling. Here the
first 429 closes the gate for everybody who would draw from the same bucket, until the moment that Retry-After names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ._clock import Clock

# Without a Retry-After, ask again after this many seconds: ARM's buckets refill within seconds.
DEFAULT_PAUSE = 15.0
# After the gate opens again, requests go out at this pace (per second) until one gets through unthrottled: the slowest
# refill of ARM's buckets (writes and deletes, azure-docs "request-limits-and-throttling").
REOPENING_PACE = 10.0

_SUBSCRIPTION = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)
_TYPE = re.compile(r"/providers/(.+)", re.IGNORECASE)


@dataclass
class _Bucket:
    closed_until: float = 0.0
    next_slot: float = 0.0
    reopening: bool = False


@dataclass
class Budget:
    """Knows which buckets are empty. Times are seconds of `clock.monotonic`."""

    clock: Clock = field(default_factory=Clock)
    throttled_answers: int = 0
    waited: float = 0.0
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    async def enter(self, bucket: str, deadline: float) -> bool:
        """Wait until a request may draw from `bucket`; return False if that would be after `deadline`."""
        state = self._buckets.get(bucket)
        while state is not None:
            now = self.clock.monotonic()
            if now < state.closed_until:
                pause = state.closed_until - now
            elif state.reopening:
                slot = max(state.next_slot, now)
                state.next_slot = slot + 1.0 / REOPENING_PACE
                pause = slot - now
            else:
                break
            if now + pause > deadline:
                return False
            self.waited += pause
            await self.clock.sleep(pause)
            if self.clock.monotonic() >= max(state.closed_until, now + pause) and now >= state.closed_until:
                break
        return True

    def throttled(self, bucket: str, retry_after: float | None) -> None:
        """Note a 429: close the bucket for `retry_after` seconds."""
        state = self._buckets.setdefault(bucket, _Bucket())
        until = self.clock.monotonic() + (DEFAULT_PAUSE if retry_after is None else retry_after)
        state.closed_until = max(state.closed_until, until)
        state.next_slot = state.closed_until
        state.reopening = True
        self.throttled_answers += 1

    def passed(self, bucket: str) -> None:
        """Note an answer that was no 429."""
        state = self._buckets.get(bucket)
        if state is not None and state.reopening and self.clock.monotonic() >= state.closed_until:
            state.reopening = False

    def closed_for(self) -> float:
        """Return the longest pause that is in force, in seconds, for progress lines."""
        now = self.clock.monotonic()
        return max((state.closed_until - now for state in self._buckets.values()), default=0.0)


def bucket_of(method: str, path: str) -> str:
    """Return the name of the bucket that a request draws from: subscription, kind of call and resource type."""
    subscription = _SUBSCRIPTION.search(path)
    provider = _TYPE.search(path)
    # Of ".../Microsoft.Compute/restorePointCollections/c/restorePoints/p" the types are every second part.
    parts = provider[1].split("/") if provider else []
    kind = "/".join([parts[0], *parts[1::2]]).lower() if parts else "resources"
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")
    return f"{subscription[1].lower() if subscription else '-'} {verb} {kind}"


def counts_one_resource_only(policy: str) -> bool:
    """Tell whether a Compute rate-limit policy counts the calls for one resource and not for a subscription.

    Names seen in recorded traffic and in azure-docs "compute-throttling-limits": the ones of a subscription end in
    SubscriptionMaximum (or name the subscription), those of one machine or collection don't.
    """
    return bool(policy) and "subscription" not in policy.lower()
