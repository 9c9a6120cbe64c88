# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A thousand VMs under the documented rate limits, in virtual time: how near to what the buckets allow."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish

from tests.azure_simulator.settings import POLICIES
from tests.virtual_azure import take_fleet

VMS = 1000


class Throttled(t.NamedTuple):
    """Seconds are virtual. `bound` is what the tightest bucket allows, `arithmetic` says how it is reckoned."""

    seconds: float
    bound: float
    arithmetic: str
    requests: int
    refused: int
    good: int


def measure() -> Throttled:
    bucket = POLICIES["PutRestorePointSubscriptionMaximum"]
    bound = (VMS - bucket.size) / (bucket.per_minute / 60)
    arithmetic = (
        f"({VMS} creates - {bucket.size:.0f} in the full bucket) / {bucket.per_minute:.0f} a minute; the collections "
        "have an equal bucket and are made meanwhile"
    )
    fleet = {"vms": [{"name": "vm{n}", "count": VMS, "snapshot_extension": "present", "linux_scripts": "ok"}]}
    course = take_fleet(fleet, Wish(timeout=timedelta(hours=12)))
    good = sum(outcome.good for outcome in course.outcomes)
    return Throttled(course.seconds, bound, arithmetic, course.requests, course.throttled, good)


def section(say: t.Callable[[str], None]) -> list[str]:
    """The part of docs/benchmarks.md."""
    found = measure()
    say(f"throttled: {found.seconds:.0f} s of {found.bound:.0f} s, {found.refused} refused")
    return [
        f"{VMS:,} VMs of one subscription and region, in virtual time: the same on every machine. Wanted: at most 1.10",
        "times the least that the buckets allow, and under 1 % of the requests refused.",
        "",
        "| | |",
        "| --- | --- |",
        f"| the least that is possible | {found.bound:.0f} s = {found.arithmetic} |",
        f"| taken | {found.seconds:.0f} s, {found.seconds / found.bound:.3f} times that |",
        f"| good points | {found.good:,} of {VMS:,} |",
        f"| refused with 429 | {found.refused} of {found.requests:,} requests, "
        f"{100 * found.refused / found.requests:.2f} % |",
    ]
