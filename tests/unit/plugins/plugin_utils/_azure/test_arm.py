# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The connection to Azure: what it sends, what it says when Azure refuses, and how it waits."""

from __future__ import annotations

import asyncio
import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _errors
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import arm as _arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import rate_limits
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.answers import Answer, error_of
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.explain import next_step_after
from azure.core.exceptions import ServiceRequestError, ServiceResponseError, ServiceResponseTimeoutError
from azure.core.rest import HttpRequest

from tests.virtual_time import FixedCredential, FunctionTransport, Reply, run

SUB = "/subscriptions/00000000-0000-0000-0000-000000000001"
SIGNED = (
    f"https://management.azure.com{SUB}/providers/Microsoft.Compute/locations/we/operations/1?p=a%2fb&s=Zm9v%3d&t=1"
)


def talk(
    answer: t.Callable[[HttpRequest], Reply | Exception], story: t.Callable[[_arm.Arm], t.Awaitable[t.Any]]
) -> tuple[FunctionTransport, t.Any]:
    transport = FunctionTransport(answer)
    return transport, talk_over(transport, story)


def talk_over(
    transport: FunctionTransport, story: t.Callable[[_arm.Arm], t.Awaitable[t.Any]], credential: t.Any = None
) -> t.Any:
    async def main(clock: Clock) -> t.Any:
        async with _arm.connect(
            Settings(), clock=clock, transport=transport, credential=t.cast(t.Any, credential or FixedCredential())
        ) as arm:
            return await story(arm)

    return run(main)


class SilentTransport(FunctionTransport):
    """Nobody answers; the caller's time-out ends each request, as azure-core's transport does it."""

    def __init__(self) -> None:
        super().__init__(lambda _request: Reply())

    async def send(self, request: HttpRequest, **options: t.Any) -> t.Any:
        self.sent.append(request)
        await asyncio.sleep(options["read_timeout"])
        raise ServiceResponseTimeoutError("Timeout on reading data from socket")


def replies(*queue: Reply | Exception) -> t.Callable[[HttpRequest], Reply | Exception]:
    waiting = list(queue)
    return lambda _request: waiting.pop(0)


def test_a_request_carries_token_version_and_id() -> None:
    transport, body = talk(
        replies(Reply(200, {"name": "x"})), lambda arm: arm.get(f"{SUB}/resourceGroups/a b", "2024-11-01", doing="read")
    )
    (request,) = transport.sent
    assert body == {"name": "x"}
    assert request.url == f"https://management.azure.com{SUB}/resourceGroups/a%20b?api-version=2024-11-01"
    assert request.headers["Authorization"] == "Bearer fake-bearer-token"
    assert request.headers["x-ms-client-request-id"]
    assert "appconsistent.azure" in request.headers["User-Agent"]


def test_a_refusal_names_what_was_tried_and_what_azure_said() -> None:
    refusal = Reply(409, {"error": {"code": "ScopeLocked", "message": "locked by x"}}, {"x-ms-request-id": "r1"})
    with pytest.raises(_errors.Locked) as caught:
        talk(replies(refusal), lambda arm: arm.request("DELETE", SUB, "2020-05-01", doing="delete the extension e"))
    assert str(caught.value).startswith("Could not delete the extension e: ScopeLocked: locked by x.")
    assert caught.value.details()["request_id"] == "r1"
    assert next_step_after(caught.value)


def test_the_innermost_detail_of_an_error_speaks() -> None:
    body = {"error": {"code": "A", "message": "outer", "details": [{"code": "B", "details": [{"code": "C"}]}]}}
    assert error_of(body, default="-") == ("C", "outer", "")


def test_an_error_without_the_word_error_around_it_is_understood() -> None:
    assert error_of({"code": "OperationNotAllowed", "message": "m"}, default="-") == (
        "OperationNotAllowed",
        "m",
        "",
    )


def test_an_operation_is_polled_at_its_url_byte_for_byte_until_it_ends() -> None:
    begun = Reply(201, {}, {"Azure-AsyncOperation": SIGNED, "Retry-After": "7"})
    going = Reply(200, {"status": "InProgress"}, {"Retry-After": "11"})
    done = Reply(200, {"status": "Succeeded"})

    async def story(arm: _arm.Arm) -> float:
        answer = await arm.request("PUT", SUB, "2025-04-01", doing="make it", body={})
        await arm.finish(answer, doing="make it")
        return arm.clock.monotonic()

    transport, seconds = talk(replies(begun, going, done), story)
    assert [request.url for request in transport.sent[1:]] == [SIGNED, SIGNED]
    assert seconds == 18


def test_a_failed_operation_is_an_error_with_its_own_code() -> None:
    begun = Reply(202, None, {"Azure-AsyncOperation": SIGNED})
    failed = Reply(200, {"status": "Failed", "error": {"code": "VMRestorePointInternalError", "message": "no luck"}})

    async def story(arm: _arm.Arm) -> None:
        await arm.finish(await arm.request("PUT", SUB, "2025-04-01", doing="make p", body={}), doing="make p")

    with pytest.raises(_errors.OperationFailed, match="Could not make p: VMRestorePointInternalError: no luck"):
        talk(replies(begun, failed), story)


def test_an_operation_is_not_waited_for_beyond_the_deadline() -> None:
    def answer(request: HttpRequest) -> Reply:
        return Reply(201, {}, {"Location": SIGNED}) if request.method == "PUT" else Reply(202)

    async def story(arm: _arm.Arm) -> None:
        arm = arm.until(60)
        await arm.finish(await arm.request("PUT", SUB, "2025-04-01", doing="make p", body={}), doing="make p")

    with pytest.raises(_errors.DeadlineExceeded, match="Could not make p in the time allowed"):
        talk(answer, story)


def test_the_token_goes_to_no_other_host() -> None:
    elsewhere = Reply(201, {}, {"Azure-AsyncOperation": "https://management.azure.com.evil.example/op"})

    async def story(arm: _arm.Arm) -> None:
        await arm.finish(await arm.request("PUT", SUB, "2025-04-01", doing="make p", body={}), doing="make p")

    transport = FunctionTransport(replies(elsewhere))
    with pytest.raises(_errors.AzureError, match="leads to another host"):
        talk(transport.answer, story)


def test_all_pages_of_a_list_are_read() -> None:
    following = f"https://management.azure.com{SUB}/things?page=2"
    _transport, items = talk(
        replies(Reply(200, {"value": [{"n": 1}], "nextLink": following}), Reply(200, {"value": [{"n": 2}]})),
        lambda arm: arm.pages(f"{SUB}/things", "2025-04-01", doing="list"),
    )
    assert items == [{"n": 1}, {"n": 2}]


def test_a_server_error_is_tried_again() -> None:
    transport, body = talk(
        replies(Reply(503, None), Reply(502, None), Reply(200, {"ok": 1})),
        lambda arm: arm.get(SUB, "2025-04-01", doing="read"),
    )
    assert body == {"ok": 1}
    assert len(transport.sent) == 3


def test_an_endpoint_that_does_not_answer_is_named() -> None:
    with pytest.raises(_errors.EndpointUnreachable) as caught:
        talk(lambda _r: ServiceRequestError("connect failed"), lambda arm: arm.get(SUB, "v", doing="read the VM a"))
    assert "Could not read the VM a: https://management.azure.com does not answer" in str(caught.value)


def test_a_body_that_is_cut_short_each_time_is_a_sentence_like_any_other_that_does_not_arrive() -> None:
    with pytest.raises(_errors.EndpointUnreachable, match="Could not read the VM a"):
        talk(lambda _r: ServiceResponseError("cut short"), lambda arm: arm.get(SUB, "v", doing="read the VM a"))


def test_a_silent_connection_is_given_up_and_tried_again_but_not_beyond_the_deadline() -> None:
    seconds = []

    async def story(arm: _arm.Arm) -> None:
        try:
            await arm.until(200).get(SUB, "v", doing="read the VM a")
        finally:
            seconds.append(arm.clock.monotonic())

    transport = SilentTransport()
    with pytest.raises(_errors.DeadlineExceeded, match="Could not read the VM a in the time allowed"):
        talk_over(transport, story)
    assert len(transport.sent) == 3
    # Beside the time allowed, the pause before the try that was not made any more.
    assert 200 <= seconds[0] <= 210


def test_a_request_that_is_tried_again_still_knows_its_deadline_and_its_bucket() -> None:
    throttled = Reply(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "600"})
    with pytest.raises(_errors.DeadlineExceeded, match=r"Could not read the VM a in the .* no room before it is up"):
        talk(replies(Reply(503), throttled), lambda arm: arm.until(60).get(SUB, "v", doing="read the VM a"))


def test_a_token_that_has_run_out_under_way_is_replaced_once() -> None:
    expired = Reply(401, {"error": {"code": "ExpiredAuthenticationToken", "message": "too old"}})
    credential = FixedCredential()
    transport = FunctionTransport(replies(expired, Reply(200, {"ok": 1})))
    assert talk_over(transport, lambda arm: arm.get(SUB, "v", doing="read"), credential) == {"ok": 1}
    assert credential.asked == 2
    with pytest.raises(_errors.Forbidden, match="ExpiredAuthenticationToken"):
        talk(replies(expired, expired), lambda arm: arm.get(SUB, "v", doing="read"))


def test_one_429_holds_back_everybody_who_draws_from_the_same_bucket() -> None:
    times: list[float] = []

    def answer(_request: HttpRequest) -> Reply:
        times.append(asyncio.get_running_loop().time())
        return Reply(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "17"}) if len(times) <= 1 else Reply()

    async def story(arm: _arm.Arm) -> float:
        await arm.clock.sleep(0)
        first = asyncio.create_task(arm.get(f"{SUB}/a", "v", doing="read"))
        await arm.clock.sleep(1)
        await asyncio.gather(first, *(arm.get(f"{SUB}/a", "v", doing="read") for _ in range(20)))
        return arm.budget.closed_for()

    _transport, closed = talk(answer, story)
    assert closed <= 0
    assert times[0] == 0
    assert min(times[1:]) >= 17
    # They come out one after the other, not as a herd, until one got through.
    assert max(times[1:]) <= 17 + 21 / 10


def test_a_429_about_one_machine_is_not_waited_out() -> None:
    inner = {"code": "TooManyRequests", "target": "CreateApplicationConsistentRestorePoint", "message": "{}"}
    reply = Reply(429, {"error": {"code": "OperationNotAllowed", "details": [inner]}}, {"Retry-After": "1200"})
    with pytest.raises(_errors.Throttled) as caught:
        talk(replies(reply), lambda arm: arm.request("PUT", SUB, "v", doing="make p", body={}))
    assert caught.value.retry_after == 1200


def test_a_throttled_request_gives_up_when_its_time_would_be_over() -> None:
    reply = Reply(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "600"})
    with pytest.raises(_errors.DeadlineExceeded, match="no room before it is up"):
        talk(replies(reply), lambda arm: arm.until(60).get(SUB, "v", doing="read"))


def test_no_signed_url_and_no_token_gets_into_an_answer_or_an_error() -> None:
    answer = Answer(201, {}, SIGNED)
    assert "Zm9v" not in repr(answer)
    error = _errors.AzureError("read", code="X", message=f"see {SIGNED} or eyJhbGciOiJSUzI1NiJ9.abc.def")
    assert "Zm9v" not in str(error)
    assert "eyJ" not in str(error)


def test_control_characters_of_an_answer_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(_errors.AzureError("read", code="X", message="a\x1b[2Jb\x07"))


def test_of_many_requests_of_one_kind_only_some_are_made_at_once_and_another_kind_passes_them() -> None:
    transport = FunctionTransport(lambda _request: Reply(), seconds=1)

    async def story(arm: _arm.Arm) -> tuple[int, list[str]]:
        async def read(path: str) -> None:
            await arm.get(path, "2025-04-01", doing="read")

        # The first one of a kind goes ahead alone.
        await asyncio.gather(*(read(f"{SUB}/providers/{kind}/x") for kind in ("A/b", "C/d")))
        first = len(transport.sent)
        many = [asyncio.create_task(read(f"{SUB}/providers/A/b/{number}")) for number in range(200)]
        many.append(asyncio.create_task(read(f"{SUB}/providers/C/d/other")))
        await arm.clock.sleep(0.5)
        under_way = [request.url for request in transport.sent[first:]]
        await asyncio.gather(*many)
        return len(under_way), under_way[-1:]

    made, last = talk_over(transport, story)
    assert made == rate_limits.ON_THEIR_WAY + 1
    assert "/C/d/other" in last[0]
    assert len(transport.sent) == 203


def test_the_users_own_words_stand_in_the_user_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_HTTP_USER_AGENT", "nightly/1")
    transport, _ = talk(lambda _request: Reply(), lambda arm: arm.get(SUB, "2025-04-01", doing="read"))
    assert transport.sent[0].headers["User-Agent"] == f"{_arm.USER_AGENT} nightly/1"
