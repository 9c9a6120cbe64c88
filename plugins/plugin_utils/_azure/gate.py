# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The gate before Azure's rate limits: requests wait here, all for all, instead of being refused one by one."""

from __future__ import annotations

import asyncio
import math
import typing as t

from .._errors import DeadlineExceeded, Throttled
from .answers import error_of, json_object, seconds_of, too_late
from .curl_transport import AnswerTooLong
from .libraries import (
    AsyncHTTPPolicy,
    AsyncHttpResponse,
    HttpRequest,
    PipelineRequest,
    PipelineResponse,
    ServiceRequestError,
    ServiceResponseError,
)
from .rate_limits import Budget, Call, counts_one_resource_only

# Seconds until a silent connection is given up. Resource Manager itself gives up on a provider after 60 (its answer
# GatewayTimeout says so); azure-core would wait 300, five times over.
CONNECT_TIMEOUT = 30.0
READ_TIMEOUT = 90.0
# Seconds for one answer as a whole, however it drips: the largest honest one comes in far less.
WHOLE_TIMEOUT = 300.0
# How often a request is sent again after faults that pass, and the longest pause in seconds that is waited between two
# tries because a server asks for it. A rate limit has no such bound but the task's own.
MOST_RETRIES = 4
LONGEST_PAUSE = 300.0
# Statuses of faults that pass by themselves, as in azure-core's RetryPolicy: what is not idempotent is sent again only
# where the server says that it did not do it.
PASSING = frozenset({408, 500, 502, 503, 504})
PASSING_POST = frozenset({500, 503, 504})


class GatePolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Holds requests back while their bucket is empty; sends again what was throttled or met a fault that passes.

    Every pause is one that the request's own deadline has room for, which azure-core's RetryPolicy does not know of.
    """

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        # Taken out: the transport does not know these options.
        options = request.context.options
        deadline, doing, call = float(options.pop("gate_deadline")), str(options.pop("doing")), options.pop("call")
        signed_in_again = False
        faults = 0
        while True:
            outcome = await self._once(request, call, deadline, doing)
            if isinstance(outcome, PipelineResponse):
                response = outcome.http_response
                if response.status_code == 401 and not signed_in_again:
                    # The token ran out under way, or was revoked; the policy below has thrown it away and gets another.
                    signed_in_again = True
                    continue
                if response.status_code == 429:
                    self._throttled(call, response, doing)
                    continue
                pause = pause_after(request.http_request.method, response, faults)
                if pause is None or pause > min(LONGEST_PAUSE, deadline - self._budget.clock.monotonic()):
                    # Not waited for: what to do about it is for whoever knows what else there is to do.
                    return outcome
            else:
                if faults == MOST_RETRIES or not may_repeat(request.http_request.method, outcome):
                    raise outcome
                pause = backoff(faults)
                if self._budget.clock.monotonic() + pause > deadline:
                    raise too_late(doing)
            faults += 1
            await self._budget.clock.sleep(pause)

    async def _once(
        self, request: PipelineRequest[HttpRequest], call: Call, deadline: float, doing: str
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse] | ServiceRequestError | ServiceResponseError:
        """Send the request when there is room for it; return the answer, or why there is none."""
        taken = await self._budget.enter(call, deadline)
        if taken is None:
            raise DeadlineExceeded(
                f"Could not {doing} in the time allowed: Azure's rate limit leaves no room before it is up",
                advice="Allow more time, or try again in some minutes.",
            )
        headers: t.Mapping[str, str] = {}
        try:
            left = deadline - self._budget.clock.monotonic()
            if left <= 0:
                raise too_late(doing)
            options = request.context.options
            options["connection_timeout"] = min(CONNECT_TIMEOUT, left)
            options["read_timeout"] = min(READ_TIMEOUT, left)
            options["timeout"] = min(WHOLE_TIMEOUT, left)
            # A new token may have to be fetched before, with pauses of azure-identity's own.
            async with asyncio.timeout(None if math.isinf(left) else left):
                answered = await self.next.send(request)
            headers = answered.http_response.headers
            return answered
        except TimeoutError as error:
            raise too_late(doing) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            return error
        finally:
            self._budget.leave(call, taken, headers)

    def _throttled(self, call: Call, response: AsyncHttpResponse, doing: str) -> None:
        """Close the bucket of a 429, or raise it where it counts for one machine only."""
        retry_after = seconds_of(response.headers.get("Retry-After"))
        code, message, target = error_of(json_object(response), default="TooManyRequests")
        if counts_one_resource_only(target):
            # Only this machine has to wait: what to do about it is not the gate's to decide.
            raise Throttled(doing, code=code, message=message, status=429, target=target, retry_after=retry_after)
        self._budget.throttled(call, target, retry_after)


def pause_after(method: str, response: AsyncHttpResponse, faults: int) -> float | None:
    """Return the seconds until a request is sent again after an answer; None where the answer stands."""
    if faults == MOST_RETRIES or response.status_code not in (PASSING_POST if method == "POST" else PASSING):
        return None
    asked = seconds_of(response.headers.get("Retry-After"))
    return backoff(faults) if asked is None else asked


def may_repeat(method: str, error: Exception) -> bool:
    """Tell whether a request without an answer may be sent again: it did not arrive, or twice is as good as once."""
    if isinstance(error, AnswerTooLong):
        return False
    return isinstance(error, ServiceRequestError) or method != "POST"


def backoff(faults: int) -> float:
    """Return the seconds before the next try after so many faults before this one: none, 1, 2, 4, as azure-core."""
    return 0.0 if faults == 0 else 2.0 ** (faults - 1)
