# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Time limits hold, whatever a server asks for: Retry-After of any kind, and servers that never come to an end."""

from __future__ import annotations

import asyncio
import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _errors
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.answers import LONGEST_RETRY_AFTER, seconds_of
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import SIGN_IN_TIMEOUT, Arm, connect
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.gate import MOST_RETRIES
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.rate_limits import call_of, remaining
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from azure.core.rest import HttpRequest

from tests.virtual_time import FixedCredential, FunctionTransport, Reply, run

SUB = "/subscriptions/00000000-0000-0000-0000-000000000001"
OPERATION = f"https://management.azure.com{SUB}/providers/Microsoft.Compute/locations/we/operations/1?s=x"
LONG = ("45", "86400", "31536000", "1e300", "inf", "Infinity")
NO_TIME = ("0", "-5", "-inf", "nan", "", "soon", "Fri, 01 Jan 2100 00:00:00 GMT", "٣٠ s")


class Ended(t.NamedTuple):
    sent: list[HttpRequest]
    error: Exception | None
    seconds: float


def talk(
    answer: t.Callable[[HttpRequest], Reply | Exception],
    story: t.Callable[[Arm], t.Awaitable[t.Any]],
    credential: t.Any = None,
) -> Ended:
    """Return what was sent, how it ended, and after how many seconds."""
    transport = FunctionTransport(answer)

    async def main(clock: Clock) -> Ended:
        signed_in: t.Any = credential or FixedCredential()
        async with connect(Settings(), clock=clock, transport=transport, credential=signed_in) as arm:
            error = None
            try:
                await story(arm)
            except _errors.AppConsistentError as caught:
                error = caught
            return Ended(transport.sent, error, clock.monotonic())

    return run(main)


def refusing(status: int, retry_after: str) -> t.Callable[[HttpRequest], Reply]:
    return lambda _request: Reply(status, {"error": {"code": "Busy"}}, {"Retry-After": retry_after})


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
@pytest.mark.parametrize("retry_after", LONG)
def test_a_server_that_asks_for_more_than_the_time_there_is_does_not_get_it(status: int, retry_after: str) -> None:
    ended = talk(refusing(status, retry_after), lambda arm: arm.until(20).get(SUB, "v", doing="read"))
    assert isinstance(ended.error, (_errors.DeadlineExceeded, _errors.AzureError))
    assert ended.seconds <= 20
    assert len(ended.sent) == 1


@pytest.mark.parametrize("retry_after", LONG[1:])
def test_a_refusal_that_asks_for_a_day_is_told_at_once_where_the_task_has_no_limit(retry_after: str) -> None:
    ended = talk(refusing(503, retry_after), lambda arm: arm.get(SUB, "v", doing="read"))
    assert isinstance(ended.error, _errors.AzureError)
    assert ended.error.retry_after is not None
    assert 3600 < ended.error.retry_after <= LONGEST_RETRY_AFTER
    assert ended.seconds == 0


@pytest.mark.parametrize("retry_after", NO_TIME)
def test_a_429_that_names_no_time_makes_no_storm(retry_after: str) -> None:
    ended = talk(
        refusing(429, retry_after), lambda arm: arm.until(20).request("PUT", SUB, "v", doing="make it", body={})
    )
    assert isinstance(ended.error, _errors.DeadlineExceeded)
    assert len(ended.sent) == 2
    assert ended.seconds <= 20


@pytest.mark.parametrize("retry_after", ["0.001", "1e-9", "1"])
def test_a_429_that_asks_for_next_to_nothing_is_asked_once_a_second(retry_after: str) -> None:
    ended = talk(refusing(429, retry_after), lambda arm: arm.until(20).get(SUB, "v", doing="read"))
    assert isinstance(ended.error, _errors.DeadlineExceeded)
    assert len(ended.sent) <= 21


@pytest.mark.parametrize("retry_after", NO_TIME)
def test_a_503_that_names_no_time_is_tried_as_often_as_one_without(retry_after: str) -> None:
    ended = talk(refusing(503, retry_after), lambda arm: arm.get(SUB, "v", doing="read"))
    assert len(ended.sent) == MOST_RETRIES + 1
    assert ended.seconds == 1 + 2 + 4


def test_a_503_that_asks_for_a_time_there_is_gets_it() -> None:
    queue = [Reply(503, None, {"Retry-After": "45"}), Reply(200, {"ok": 1})]
    ended = talk(lambda _request: queue.pop(0), lambda arm: arm.until(60).get(SUB, "v", doing="read"))
    assert (ended.error, ended.seconds) == (None, 45)


@pytest.mark.parametrize(("status", "tries"), [(503, MOST_RETRIES + 1), (502, 1), (408, 1)])
def test_a_post_is_sent_again_only_where_the_server_did_nothing(status: int, tries: int) -> None:
    ended = talk(refusing(status, "1"), lambda arm: arm.request("POST", SUB, "v", doing="ask", body={}))
    assert len(ended.sent) == tries


@pytest.mark.parametrize("retry_after", ["86400", "inf"])
def test_an_operation_that_asks_to_be_left_alone_for_a_day_is_seen_to_end(retry_after: str) -> None:
    def answer(request: HttpRequest) -> Reply:
        headers = {"Retry-After": retry_after, "Azure-AsyncOperation": OPERATION}
        return Reply(202, None, headers) if request.method == "PUT" else Reply(200, {"status": "Succeeded"})

    async def story(arm: Arm) -> None:
        await arm.finish(await arm.request("PUT", SUB, "v", doing="make it", body={}), doing="make it")

    ended = talk(answer, lambda arm: story(arm.until(900)))
    assert (ended.error, ended.seconds) == (None, 300)


class SlowCredential(FixedCredential):
    """Microsoft Entra ID, or the machine's own identity, keeps everybody waiting."""

    async def get_token(self, *_scopes: str, **_options: t.Any) -> t.Any:
        await asyncio.sleep(100_000)


def test_a_sign_in_that_takes_for_ever_ends_with_the_time_of_the_request() -> None:
    ended = talk(lambda _request: Reply(), lambda arm: arm.until(50).get(SUB, "v", doing="read"), SlowCredential())
    assert isinstance(ended.error, _errors.DeadlineExceeded)
    assert (ended.sent, ended.seconds) == ([], 50)


def test_the_first_sign_in_has_a_limit_of_its_own() -> None:
    ended = talk(lambda _request: Reply(), lambda arm: arm.sign_in(), SlowCredential())
    assert isinstance(ended.error, _errors.EndpointUnreachable)
    assert ended.seconds == SIGN_IN_TIMEOUT


@pytest.mark.parametrize("text", [None, *NO_TIME])
def test_a_retry_after_without_a_time_is_none(text: str | None) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize("left", ["nan", "inf", "-inf", "-5", "many"])
def test_what_cannot_be_left_of_a_bucket_is_not_believed(left: str) -> None:
    call = call_of("GET", f"https://management.azure.com{SUB}/x", "we")
    headers = {
        "x-ms-ratelimit-remaining-subscription-reads": left,
        "x-ms-ratelimit-remaining-resource": f"Microsoft.Compute/LowCostGetSubscriptionMaximum;{left}",
    }
    assert remaining(call, headers) == []
