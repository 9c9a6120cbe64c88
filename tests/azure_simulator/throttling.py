"""Rate limits: Resource Manager's own buckets, and those of the Compute and restore-point policies."""

from __future__ import annotations

import json
import math
from collections import deque

from .clock import Clock
from .errors import ArmError
from .settings import ARM_DELETES, ARM_GLOBAL_FACTOR, ARM_READS, ARM_WRITES, GRAPH_QUERIES, Bucket, Settings, Window

ARM_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
ARM_SIZES = {"reads": ARM_READS, "writes": ARM_WRITES, "deletes": ARM_DELETES}


class _Tokens:
    __slots__ = ("at", "left", "rate", "size")

    def __init__(self, size: float, per_minute: float, now: float) -> None:
        self.size, self.rate, self.left, self.at = size, per_minute / 60, size, now

    def wait(self, now: float) -> float:
        """Refills; the seconds until a token is there, 0 when one is."""
        self.left = min(self.size, self.left + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.left >= 1 else (1 - self.left) / self.rate


class Throttle:
    """All buckets of one simulator. Every key gets its bucket at first use."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._tokens: dict[tuple[str, ...], _Tokens] = {}
        self._uses: dict[tuple[str, str], deque[float]] = {}
        self._blocked: dict[tuple[str, str, str], float] = {}

    def _bucket(self, key: tuple[str, ...], size: Bucket, factor: float, now: float) -> _Tokens:
        found = self._tokens.get(key)
        if found is None:
            found = self._tokens[key] = _Tokens(size.size * factor, size.per_minute * factor, now)
        return found

    def arm(self, method: str, subscription: str, principal: str) -> tuple[str, str] | None:
        """Takes from Resource Manager's buckets; the header that tells what is left."""
        if not self._settings.limits_enabled:
            return None
        now = self._clock.now()
        kind = ARM_KINDS.get(method, "writes")
        scope = subscription or "tenant"
        size = ARM_SIZES[kind]
        own = self._bucket(("arm", scope, kind, principal), size, 1, now)
        everyone = self._bucket(("arm", scope, kind), size, ARM_GLOBAL_FACTOR, now)
        wait = max(own.wait(now), everyone.wait(now), self._blocked.get((scope, kind, principal), 0) - now)
        if wait > 0:
            seconds = self._clock.client_seconds(wait)
            # A call before the time is refused too, and the wait starts again.
            self._blocked[scope, kind, principal] = now + seconds * self._clock.speed
            raise arm_throttled(subscription, principal, kind, seconds)
        own.left -= 1
        everyone.left -= 1
        level = "subscription" if subscription else "tenant"
        return (f"x-ms-ratelimit-remaining-{level}-{kind}", str(int(own.left)))

    def compute(
        self, policies: tuple[str, ...], resource: str, subscription: str, region: str, remaining: list[str]
    ) -> None:
        """Takes from each policy's bucket and appends what is left to `remaining`; refuses when one is empty."""
        if not self._settings.limits_enabled:
            return
        now = self._clock.now()
        buckets = []
        for policy in policies:
            place = (policy, resource) if policy.endswith("Resource") else (policy, subscription, region)
            bucket = self._bucket(place, self._settings.policies[policy], 1, now)
            wait = bucket.wait(now)
            if wait > 0:
                raise self._refusal(policy, wait, now - 60, now, int(bucket.size), int(bucket.size) + 1)
            buckets.append(bucket)
        for policy, bucket in zip(policies, buckets, strict=True):
            bucket.left -= 1
            remaining.append(f"Microsoft.Compute/{policy};{int(bucket.left)}")

    def create(self, policy: str, resource: str, remaining: list[str]) -> None:
        """The few-per-hour limits on creating points."""
        window = self._settings.windows[policy]
        now = self._clock.now()
        uses = self._window(policy, resource, window, now)
        if len(uses) >= window.limit:
            if self._settings.limits_enabled:
                wait = uses[0] + window.seconds - now
                raise self._refusal(policy, wait, uses[0], uses[0] + window.seconds, window.limit, window.limit + 1)
            return
        uses.append(now)
        if self._settings.limits_enabled:
            remaining.append(f"Microsoft.Compute/{policy};{window.limit - len(uses)}")

    def seed_create(self, policy: str, resource: str, at: float) -> None:
        """A create that lies before the start, for points the fleet file says are there already."""
        self._uses.setdefault((policy, resource), deque()).append(at)

    def forget(self, resource: str) -> None:
        """An operation that is gone needs no bucket of its own any more."""
        self._tokens.pop(("GetOperationResource", resource), None)

    def graph(self, principal: str) -> tuple[tuple[str, str], ...]:
        now = self._clock.now()
        uses = self._window("graph", principal, GRAPH_QUERIES, now)
        resets = math.ceil((uses[0] + GRAPH_QUERIES.seconds - now) if uses else GRAPH_QUERIES.seconds)
        if len(uses) >= GRAPH_QUERIES.limit and self._settings.limits_enabled:
            raise ArmError(
                429,
                "RateLimiting",
                "Please provide below info when asking for support: timestamp = "
                f"{self._clock.stamp()}, client application = {principal}.",
                headers=(
                    ("x-ms-user-quota-remaining", "0"),
                    ("x-ms-user-quota-resets-after", _clock_text(resets)),
                    ("Retry-After", str(self._clock.client_seconds(resets))),
                ),
            )
        uses.append(now)
        return (
            ("x-ms-user-quota-remaining", str(max(0, GRAPH_QUERIES.limit - len(uses)))),
            ("x-ms-user-quota-resets-after", _clock_text(resets)),
        )

    def _window(self, policy: str, resource: str, window: Window, now: float) -> deque[float]:
        uses = self._uses.setdefault((policy, resource), deque())
        while uses and uses[0] <= now - window.seconds:
            uses.popleft()
        return uses

    def _refusal(self, policy: str, wait: float, start: float, end: float, allowed: int, measured: int) -> ArmError:
        seconds = self._clock.client_seconds(wait)
        return compute_throttled(policy, self._clock.stamp(start), self._clock.stamp(end), allowed, measured, seconds)


def _clock_text(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def arm_throttled(subscription: str, principal: str, kind: str, retry_after: int | str | None) -> ArmError:
    scope = f"subscription '{subscription}'" if subscription else "tenant"
    return ArmError(
        429,
        "SubscriptionRequestsThrottled" if subscription else "TenantRequestsThrottled",
        f"Number of '{kind}' requests for {scope} actor '{principal}' exceeded. Please try again after "
        f"'{retry_after or 1}' seconds after additional tokens are available. Refer to "
        "https://aka.ms/arm-throttling for additional information.",
        headers=_retry_after(retry_after),
    )


def compute_throttled(
    policy: str,
    start: str,
    end: str,
    allowed: int,
    measured: int,
    retry_after: int | str | None,
    wrapped: bool = True,
) -> ArmError:
    facts = {
        "operationGroup": policy,
        "startTime": start,
        "endTime": end,
        "allowedRequestCount": allowed,
        "measuredRequestCount": measured,
    }
    return ArmError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this subscription.",
        details=[
            {"code": "TooManyRequests", "target": policy, "message": json.dumps(facts, separators=(",", ":"))},
        ],
        headers=_retry_after(retry_after),
        wrapped=wrapped,
    )


def _retry_after(seconds: int | str | None) -> tuple[tuple[str, str], ...]:
    return () if seconds is None else (("Retry-After", str(seconds)),)
