# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A fleet under Azure's documented rate limits, in virtual time: as fast as they allow, and hardly ever refused."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.rate_bucket import RateBucket
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.rate_limits import call_of, remaining
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish

from tests.azure_simulator.settings import POLICIES
from tests.virtual_azure import VirtualAzure, take_fleet

PATIENT = Wish(timeout=timedelta(hours=12))
READY = {"snapshot_extension": "present", "linux_scripts": "ok"}


def fleet(count: int, **vm: t.Any) -> dict[str, t.Any]:
    return {"vms": [{"name": "vm{n}", "count": count, **READY, **vm}]}


def least_seconds(count: int) -> float:
    """The time in which the tightest bucket can let that many creates through."""
    bucket = POLICIES["PutRestorePointSubscriptionMaximum"]
    return (count - bucket.size) / (bucket.per_minute / 60)


def test_a_fleet_is_as_fast_as_the_buckets_allow_and_is_hardly_ever_refused() -> None:
    course = take_fleet(fleet(400), PATIENT)
    assert all(outcome.verdict is Verdict.REACHED for outcome in course.outcomes)
    assert course.seconds <= 1.10 * least_seconds(400) + 60
    assert course.throttled < course.requests / 100


def test_regions_have_buckets_of_their_own_and_go_side_by_side() -> None:
    north = {"name": "north{n}", "count": 300, "location": "northeurope", "resource_group": "rg-north", **READY}
    groups = [{"name": "rg-north", "location": "northeurope"}]
    course = take_fleet({"resource_groups": groups, "vms": [*fleet(300)["vms"], north]}, PATIENT)
    assert all(outcome.good for outcome in course.outcomes)
    assert course.seconds <= 1.10 * least_seconds(300) + 60


def test_operations_are_polled_seldom_once_it_is_known_how_long_they_take() -> None:
    course = take_fleet({**fleet(400), "durations": {"create": 45}}, PATIENT)
    polls = sum("/operations/" in request for request, _status in course.azure.answers)
    # Unplanned, at 5, 10, 20, 35 and 65 seconds, each would be polled five times.
    assert polls <= 3 * 400


def test_somebody_else_who_draws_from_the_same_bucket_costs_time_and_no_machine() -> None:
    def refuse_some(azure: VirtualAzure) -> None:
        azure.cloud.world.faults.add(
            {"kind": "throttle", "method": "PUT", "form": "arm", "retry_after": 30, "times": 5}
        )
        azure.cloud.world.faults.add(
            {
                "kind": "throttle",
                "method": "PUT",
                "form": "compute",
                "policy": "PutRestorePointSubscriptionMaximum",
                "retry_after": 60,
                "times": 5,
                "skip": 50,
            }
        )

    course = take_fleet(fleet(120), PATIENT, before=refuse_some)
    assert all(outcome.verdict is Verdict.REACHED for outcome in course.outcomes)
    assert course.seconds >= 60


def test_a_refusal_is_waited_out_to_the_second() -> None:
    bucket = RateBucket.first_seen(10, now=0, rate=1)
    bucket.refused(now=100, seconds=17)
    assert bucket.wait(100) == 17
    assert bucket.wait(116.5) == 0.5
    assert bucket.wait(117) == 0


def test_calls_under_way_are_taken_as_not_yet_counted() -> None:
    bucket = RateBucket.first_seen(5, now=0, rate=0.001)
    for _number in range(5):
        assert bucket.wait(0) == 0
        bucket.take()
    bucket.give_back()
    bucket.observe(4, now=0)
    assert bucket.wait(0) > 0


def test_an_answer_that_was_overtaken_does_not_bring_tokens_back() -> None:
    bucket = RateBucket.first_seen(100, now=0, rate=0.001)
    for _number in range(3):
        bucket.take()
    for left in (97, 99, 98):
        bucket.give_back()
        bucket.observe(left, now=0.1)
    assert bucket.level < 97.5


def test_the_refill_is_learnt_from_the_answers() -> None:
    bucket = RateBucket.first_seen(50, now=0, rate=1)
    left = 50.0
    for second in range(1, 40):
        bucket.take()
        bucket.give_back()
        left += 3 - 1
        bucket.observe(left, now=float(second))
    assert 2.9 <= bucket.rate <= 3.1


def test_a_bucket_that_seems_never_to_refill_is_asked_again_all_the_same() -> None:
    bucket = RateBucket.first_seen(0, now=0, rate=0.0)
    assert bucket.wait(0) < 20


def test_headers_name_the_buckets_of_a_subscription_and_not_those_of_one_resource() -> None:
    call = call_of(
        "PUT",
        "/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/restorePointCollections/c/restorePoints/p",
        "westeurope",
    )
    headers = {
        "x-ms-ratelimit-remaining-resource": "Microsoft.Compute/PutRestorePointResource;5,"
        "Microsoft.Compute/PutRestorePointSubscriptionMaximum;149",
        "x-ms-ratelimit-remaining-subscription-writes": "199",
        "x-ms-ratelimit-remaining-tenant-writes": "nonsense",
    }
    assert remaining(call, headers) == [
        (("s", "writes"), 199.0),
        (("s", "westeurope", "putrestorepointsubscriptionmaximum"), 149.0),
    ]
