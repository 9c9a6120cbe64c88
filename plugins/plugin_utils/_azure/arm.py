# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure Resource Manager over azure-core's asynchronous pipeline: requests, long-running operations, pages."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import typing as t
import uuid
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode, urlsplit

from .._clock import Clock
from .._errors import (
    AppConsistentError,
    AzureError,
    CredentialError,
    DeadlineExceeded,
    EndpointUnreachable,
    NotFound,
    OperationFailed,
    Throttled,
    from_answer,
)
from .._failures.explain import explain
from .._json import Json, child, children, text
from .credentials import Cloud, Settings, cloud_from_metadata, find_cloud, open_credential
from .curl_transport import CurlTransport
from .libraries import (
    AsyncARMChallengeAuthenticationPolicy,
    AsyncHTTPPolicy,
    AsyncHttpResponse,
    AsyncHttpTransport,
    AsyncPipeline,
    AsyncRetryPolicy,
    AsyncTokenCredential,
    ClientAuthenticationError,
    HttpRequest,
    PipelineRequest,
    PipelineResponse,
    ServiceRequestError,
    ServiceResponseError,
    UserAgentPolicy,
)
from .rate_limits import Budget, Call, call_of, counts_one_resource_only

# Codes of a 404 about the resource itself or what it lies in.
_MISSING_ITSELF = ("resourcenotfound", "notfound", "parentresourcenotfound")
USER_AGENT = "ansible-appconsistent.azure/0.1.0"
# Seconds between polls where Azure names none: a restore point takes seconds to minutes, and a bucket of 15 polls a
# minute and operation (azure-docs "compute-throttling-limits") is never drawn down by these.
POLL_PAUSES = (5.0, 5.0, 10.0, 15.0, 30.0)
# Seconds until a silent connection is given up. Resource Manager itself gives up on a provider after 60 (its answer
# GatewayTimeout says so); azure-core would wait 300, five times over.
CONNECT_TIMEOUT = 30.0
READ_TIMEOUT = 90.0


# In Arm.elsewhere: all subscriptions that are not named there.
REST = "*"


class PlainRequest(HttpRequest):
    """A request that is neither of several parts nor streamed; what it carries is in `content`.

    azure-core asks each request for these old names, which it answers in a slow way: for parts, and whether the body is
    a file to be rewound before it is sent again.
    """

    multipart_mixed_info: t.Any = None
    files: t.Any = None
    body: t.Any = None

    def prepare_multipart_body(self, content_index: int = 0) -> int:
        return content_index


@dataclass(frozen=True)
class Answer:
    """What Azure answered to one request. `operation_url` is set where it goes on working; it is a secret."""

    status: int
    body: Json
    operation_url: str = ""
    retry_after: float | None = None

    @property
    def operation(self) -> str:
        """The id of the operation, as support asks for it; the rest of the URL is signed."""
        return urlsplit(self.operation_url).path.rstrip("/").rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, operation={bool(self.operation_url)})"


@dataclass(frozen=True)
class Arm:
    """The door to Azure Resource Manager; make one with `connect`."""

    cloud: Cloud
    budget: Budget
    clock: Clock
    pipeline: AsyncPipeline[HttpRequest, AsyncHttpResponse]
    credential: AsyncTokenCredential
    # Monotonic second after which nothing is waited for any more.
    deadline: float = float("inf")
    # Where the resources are that are talked about; Compute counts calls per region.
    region: str = ""
    user_agent: str = USER_AGENT
    # What Azure keeps about each request begins with the same for all requests of a run, and ends with their number.
    run_id: str = field(default_factory=lambda: str(uuid.uuid4())[:24])
    numbers: t.Iterator[int] = field(default_factory=itertools.count)
    # Subscriptions that are behind another door, or behind one that stays shut, by lower-case id; REST for all others.
    elsewhere: t.Mapping[str, Arm | AppConsistentError] = field(default_factory=dict)

    def until(self, deadline: float) -> Arm:
        """Return the same door for somebody who has time until `deadline` only."""
        return self if deadline >= self.deadline else replace(self, deadline=deadline)

    def of(self, subscription: str) -> Arm:
        """Return the door to a subscription's resources; raise what keeps it shut."""
        door = self.elsewhere.get(subscription.lower()) or self.elsewhere.get(REST) or self
        if isinstance(door, AppConsistentError):
            raise door
        return door.until(self.deadline)

    def closed_for(self) -> float:
        """Return for how many seconds a rate limit of Azure holds requests back at the most."""
        doors = [self, *(door for door in self.elsewhere.values() if isinstance(door, Arm))]
        return max(door.budget.closed_for() for door in doors)

    def at(self, region: str) -> Arm:
        """Return the same door for requests about resources of a region."""
        region = region.lower()
        return self if region == self.region else replace(self, region=region)

    async def sign_in(self) -> None:
        """Get a token, so that wrong credentials show once and at once. Raise CredentialError."""
        try:
            await self.credential.get_token(self.cloud.scope)
        except ClientAuthenticationError as error:
            raise _credential_error(str(error.message)) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            raise _unreachable(self.cloud.authority, "sign in to Azure", str(error)) from error

    async def get(self, path: str, api_version: str, *, doing: str, query: t.Mapping[str, str] | None = None) -> Json:
        return (await self.request("GET", path, api_version, doing=doing, query=query)).body

    async def find(
        self, path: str, api_version: str, *, doing: str, query: t.Mapping[str, str] | None = None
    ) -> Json | None:
        """Read a resource that need not be there; None where only it, or what it lies in, is missing."""
        try:
            return (await self.request("GET", path, api_version, doing=doing, query=query, expected=(404,))).body
        except NotFound as error:
            # A missing group or subscription is another thing: nothing could be made there.
            if error.code.lower() in _MISSING_ITSELF:
                return None
            raise

    async def pages(
        self, path: str, api_version: str, *, doing: str, query: t.Mapping[str, str] | None = None
    ) -> list[Json]:
        """Return the items of a list, all pages of it."""
        items: list[Json] = []
        body = await self.get(path, api_version, doing=doing, query=query)
        while True:
            items.extend(item for item in body.get("value") or () if isinstance(item, dict))
            following = body.get("nextLink")
            if not isinstance(following, str) or not following:
                return items
            body = (await self._send("GET", self._own_url(following, doing), None, doing)).body

    async def request(
        self,
        method: str,
        path: str,
        api_version: str,
        *,
        doing: str,
        body: Json | None = None,
        query: t.Mapping[str, str] | None = None,
        expected: t.Container[int] = (),
    ) -> Answer:
        """Send one request; `doing` completes the sentence "Could not ...". Raise an AppConsistentError.

        A refusal whose status is `expected` is raised without looking for advice, which costs as much as the request.
        """
        parameters = _parameters(api_version, *(query or {}).items())
        url = f"{self.cloud.resource_manager}{quote(path, safe='/()')}?{parameters}"
        return await self._send(method, url, body, doing, expected)

    async def finish(self, answer: Answer, *, doing: str) -> None:
        """Wait until the long-running operation of `answer` has ended; return at once where there is none.

        Raise OperationFailed with the operation's own error, DeadlineExceeded when time is up.
        """
        if not answer.operation_url:
            return
        url = self._own_url(answer.operation_url, doing)
        began = self.clock.monotonic()
        self.budget.polling(url, +1)
        ended = False
        try:
            ended = await self._poll(url, answer.retry_after, doing)
        finally:
            self.budget.polling(url, -1, self.clock.monotonic() - began if ended else None)

    async def _poll(self, url: str, retry_after: float | None, doing: str) -> bool:
        for number, planned in enumerate(poll_pauses()):
            await self.sleep(self.budget.poll_pause(url, number, retry_after or planned), doing)
            polled = await self._send("GET", url, None, doing)
            retry_after = polled.retry_after
            status = text(polled.body, "status").lower()
            if polled.status == 202 or status not in ("succeeded", "failed", "canceled"):
                continue
            if status == "succeeded":
                break
            code, message, target = error_of(polled.body, default=status.capitalize())
            raise OperationFailed(
                doing,
                code=code,
                message=message,
                target=target,
                status=polled.status,
                advice=explain(code, message).remedy,
            )
        return True

    async def sleep(self, seconds: float, doing: str) -> None:
        """Sleep, but not beyond the deadline: raise DeadlineExceeded instead."""
        if self.clock.monotonic() + seconds > self.deadline:
            raise _too_late(doing)
        await self.clock.sleep(seconds)

    def _own_url(self, url: str, doing: str) -> str:
        """Return `url` if it leads to this Resource Manager: the token must not go anywhere else."""
        if url.startswith(f"{self.cloud.resource_manager}/"):
            return url
        ours = urlsplit(self.cloud.resource_manager)
        theirs = urlsplit(url)
        # Azure may name a regional host below the same domain (westeurope.management.azure.com).
        if theirs.scheme != ours.scheme or not f".{theirs.netloc}".lower().endswith(f".{ours.netloc}".lower()):
            raise AzureError(
                doing, code="ForeignOperationUrl", message=f"the answer leads to another host ({theirs.netloc})"
            )
        return url

    async def _send(
        self, method: str, url: str, body: Json | None, doing: str, expected: t.Container[int] = ()
    ) -> Answer:
        call = call_of(method, url, self.region)
        try:
            async with self.budget.room(call):
                answered = await self.pipeline.run(
                    self._request(method, url, body), gate_deadline=self.deadline, doing=doing, call=call
                )
                response = answered.http_response
        except ClientAuthenticationError as error:
            raise _credential_error(str(error.message)) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            raise _unreachable(self.cloud.resource_manager, doing, str(error)) from error
        answer = Answer(
            response.status_code,
            _json_object(response),
            response.headers.get("Azure-AsyncOperation") or response.headers.get("Location") or "",
            _seconds(response.headers.get("Retry-After")),
        )
        if response.status_code < 400:
            return answer
        raise _refusal(response, answer, doing, explained=response.status_code not in expected)

    def _request(self, method: str, url: str, body: Json | None) -> PlainRequest:
        headers = {
            "Accept": "application/json",
            "User-Agent": self.user_agent,
            "x-ms-client-request-id": f"{self.run_id}{next(self.numbers):012x}",
        }
        if body is None:
            return PlainRequest(method, url, headers=headers)
        headers["Content-Type"] = "application/json"
        return PlainRequest(method, url, headers=headers, content=json.dumps(body).encode())


@functools.lru_cache(maxsize=64)
def _parameters(api_version: str, *query: tuple[str, str]) -> str:
    return urlencode({"api-version": api_version, **dict(query)}, quote_via=quote)


def poll_pauses() -> t.Iterator[float]:
    """Yield pauses in seconds, growing to the last one, without end."""
    yield from POLL_PAUSES
    while True:
        yield POLL_PAUSES[-1]


def error_of(body: Json, *, default: str) -> tuple[str, str, str]:
    """Return code, message and target of an error body; the innermost detail speaks, it is mostly the root.

    Some throttled Compute answers carry the object without the `error` around it.
    """
    error = child(body, "error") or body
    for _depth in range(5):
        inner = next((item for item in children(error, "details") if item.get("code")), None)
        if inner is None:
            break
        error = {"message": error.get("message"), "target": error.get("target"), **inner}
    return str(error.get("code") or default), str(error.get("message") or "no message"), str(error.get("target") or "")


@contextlib.asynccontextmanager
async def connect(
    settings: Settings,
    *,
    clock: Clock | None = None,
    transport: AsyncHttpTransport[t.Any, t.Any] | None = None,
    credential: AsyncTokenCredential | None = None,
) -> t.AsyncIterator[Arm]:
    """Open the door to Azure for `settings`. Transport and credential may be handed in by a test."""
    clock = clock or Clock()
    budget = Budget(clock)
    async with contextlib.AsyncExitStack() as stack:
        if transport is None:
            transport = curl = CurlTransport(clock, settings.ca_file)
            stack.push_async_callback(curl.end)
        cloud = find_cloud(settings.cloud_environment)
        if cloud is None:
            cloud = await _ask_for_cloud(settings.cloud_environment.rstrip("/"), transport)
        if credential is None:
            credential = open_credential(settings, cloud, transport)
            stack.push_async_callback(credential.close)
        yield Arm(
            cloud,
            budget,
            clock,
            AsyncPipeline(transport, _policies(cloud, credential, budget)),
            credential,
            # With AZURE_HTTP_USER_AGENT behind it, as in every Azure SDK.
            user_agent=UserAgentPolicy(USER_AGENT).user_agent,
        )


def _policies(
    cloud: Cloud, credential: AsyncTokenCredential, budget: Budget
) -> list[AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]]:
    # No logging policy: operation URLs are signed and the headers hold the token. Headers that are the same for all
    # requests are set where a request is made: three policies for them take as long as the TLS of a request.
    return [
        AsyncRetryPolicy(retry_total=4, retry_backoff_factor=0.5, retry_backoff_max=20),
        GatePolicy(budget),
        AsyncARMChallengeAuthenticationPolicy(credential, cloud.scope),
    ]


class GatePolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Holds requests back while their bucket is empty and sends a throttled one again when it is not."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        options = request.context.options
        # Put aside, for the retry policy sends the same request again and the transport does not know these options.
        gate = request.context.setdefault("gate", {})
        gate.update({name: options.pop(name) for name in ("gate_deadline", "doing", "call") if name in options})
        deadline = float(gate.get("gate_deadline", "inf"))
        doing = str(gate.get("doing", "send a request"))
        call: Call = gate["call"]
        signed_in_again = False
        while True:
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
                    raise _too_late(doing)
                options["connection_timeout"] = min(CONNECT_TIMEOUT, left)
                options["read_timeout"] = min(READ_TIMEOUT, left)
                response = await self.next.send(request)
                headers = response.http_response.headers
            finally:
                self._budget.leave(call, taken, headers)
            if response.http_response.status_code == 401 and not signed_in_again:
                # The token ran out under way, or was revoked; the policy below has thrown it away and gets another.
                signed_in_again = True
                continue
            if response.http_response.status_code != 429:
                return response
            retry_after = _seconds(headers.get("Retry-After"))
            code, message, target = error_of(_json_object(response.http_response), default="TooManyRequests")
            if counts_one_resource_only(target):
                # Only this machine has to wait: what to do about it is not the gate's to decide.
                raise Throttled(
                    doing,
                    code=code,
                    message=message,
                    status=429,
                    target=target,
                    retry_after=retry_after,
                    advice=explain(code, message, status=429).remedy,
                )
            self._budget.throttled(call, target, retry_after)


async def _ask_for_cloud(address: str, transport: AsyncHttpTransport[t.Any, t.Any]) -> Cloud:
    doing = "ask the Resource Manager for its endpoints"
    request = HttpRequest("GET", f"{address}/metadata/endpoints?api-version=2022-09-01")
    try:
        response = await transport.send(request)
    except (ServiceRequestError, ServiceResponseError) as error:
        raise _unreachable(address, doing, str(error)) from error
    return cloud_from_metadata(address, _json_object(response))


def _json_object(response: AsyncHttpResponse) -> Json:
    try:
        # JSON tells its encoding itself; the SDK would look for it in the headers, which takes longer than reading it.
        body = json.loads(response.content or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After; Azure sends whole seconds, never a date."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


def _refusal(response: AsyncHttpResponse, answer: Answer, doing: str, *, explained: bool) -> AzureError:
    code, message, target = error_of(answer.body, default=f"HTTP{answer.status}")
    return from_answer(answer.status, code)(
        doing,
        code=code,
        message=message,
        status=answer.status,
        target=target,
        retry_after=answer.retry_after,
        request_id=response.headers.get("x-ms-request-id") or "",
        advice=explain(code, message, status=answer.status).remedy if explained else "",
    )


def _credential_error(text: str) -> CredentialError:
    """Word what Microsoft Entra ID said: its text begins with AADSTS and a number, which tells the cause."""
    code = next((word.strip(":,.'\"") for word in text.split() if word.startswith("AADSTS")), "")
    first_line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    if not code:
        return CredentialError(
            f"Could not sign in to Azure: {first_line}", advice="Check the credentials given to this task."
        )
    explanation = explain(code, text)
    return CredentialError(f"Could not sign in to Azure: {first_line}", advice=explanation.remedy)


def _too_late(doing: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"Could not {doing} in the time allowed",
        advice="What was begun goes on in Azure: run the same again to take it up, or allow more time.",
    )


def _unreachable(address: str, doing: str, text: str) -> EndpointUnreachable:
    advice = "Check cloud_environment, the network and the proxy variables."
    if "certificate" in text.lower():
        advice = "Name the CA that signed its certificate with the option ca_file."
    return EndpointUnreachable(f"Could not {doing}: {address} does not answer ({text})", advice=advice)
