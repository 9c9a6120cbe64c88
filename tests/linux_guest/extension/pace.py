"""How fast a run goes: documented seconds by default, parts of them where a test must not wait."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Pace(NamedTuple):
    """`waits` scales the extension's own sleeps and polls, `limits` its time limits. 1 and 1 is the real thing."""

    waits: float = 1.0
    limits: float = 1.0

    def wait(self, seconds: float) -> float:
        return seconds * self.waits

    def limit(self, seconds: float) -> float:
        return seconds * self.limits

    def polls(self, limit: Any, poll: float) -> float:
        """How often something is polled before it is given up. `limit` is a value out of the JSON."""
        waits = self.wait(poll)
        return self.limit(limit) / waits if waits else math.inf


DOCUMENTED = Pace()
