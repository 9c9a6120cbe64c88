# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure Resource Manager over azure-core's asynchronous pipeline: requests, long-running operations, pages."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import typing as t
import uuid
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from .._clock import Clock
from .._errors import (
    AppConsistentError,
    AzureError,
    EndpointUnreachable,
    NotFound,
    OperationFailed,
)
from .._json import Json, children, text
from .answers import Answer, answer_of, credential_error, error_of, json_object, refusal, too_late, unreachable
from .api_versions import ApiVersions
from .azure_time import AzureTime
from .clouds import Cloud, cloud_from_metadata, find_cloud
from .credentials import Settings, open_credential
from .curl_transport import AnswerTooLong, CurlTransport
from .gate import GatePolicy
from .libraries import (
    AsyncARMChallengeAuthenticationPolicy,
    AsyncHTTPPolicy,
    AsyncHttpResponse,
    AsyncHttpTransport,
    AsyncPipeline,
    AsyncTokenCredential,
    ClientAuthenticationError,
    HttpRequest,
    ServiceRequestError,
    ServiceResponseError,
    UserAgentPolicy,
)
from .links import note_page, own_link
from .rate_limits import Budget, call_of, kind_of
from .version import collection_version
from .waiting import ENDED_BADLY, LONGEST_POLL_PAUSE, SUCCEEDED, UNSEEN, end_of, poll_pauses

# Seconds for a first token, tries and pauses together.
SIGN_IN_TIMEOUT = 120.0
# Codes of a 404 about the resource itself or what it lies in.
_MISSING_ITSELF = ("resourcenotfound", "notfound", "parentresourcenotfound")
USER_AGENT = f"ansible-appconsistent.azure/{collection_version()}"
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
class Arm:
    """The connection to Azure Resource Manager; make one with `connect`."""

    cloud: Cloud
    budget: Budget
    clock: Clock
    pipeline: AsyncPipeline[HttpRequest, AsyncHttpResponse]
    credential: AsyncTokenCredential
    time: AzureTime
    versions: ApiVersions
    # Monotonic second after which nothing is waited for any more.
    deadline: float = float("inf")
    # Where the resources are that are talked about; Compute counts calls per region.
    region: str = ""
    user_agent: str = USER_AGENT
    # What Azure keeps about each request begins with the same for all requests of a run, and ends with their number.
    run_id: str = field(default_factory=lambda: str(uuid.uuid4())[:24])
    numbers: t.Iterator[int] = field(default_factory=itertools.count)
    # Subscriptions of another connection, or of one that could not be made, by lower-case id; REST for all others.
    elsewhere: t.Mapping[str, Arm | AppConsistentError] = field(default_factory=dict)

    def until(self, deadline: float) -> Arm:
        """Return the same connection for somebody who has time until `deadline` only."""
        return self if deadline >= self.deadline else replace(self, deadline=deadline)

    def of(self, subscription: str) -> Arm:
        """Return the connection to a subscription's resources; raise what kept it from being made."""
        connection = self.elsewhere.get(subscription.lower()) or self.elsewhere.get(REST) or self
        if isinstance(connection, AppConsistentError):
            raise connection
        return connection.until(self.deadline)

    def connections(self) -> list[Arm]:
        """Return this connection and the others that could be made."""
        return [self, *(connection for connection in self.elsewhere.values() if isinstance(connection, Arm))]

    def closed_for(self) -> float:
        """Return for how many seconds a rate limit of Azure holds requests back at the most."""
        return max(connection.budget.closed_for() for connection in self.connections())

    def at(self, region: str) -> Arm:
        """Return the same connection for requests about resources of a region."""
        region = region.lower()
        return self if region == self.region else replace(self, region=region)

    async def sign_in(self) -> None:
        """Get a token, so that wrong credentials show once and at once. Raise CredentialError."""
        try:
            async with asyncio.timeout(SIGN_IN_TIMEOUT):
                await self.credential.get_token(self.cloud.scope)
        except TimeoutError as error:
            why = f"no token within {SIGN_IN_TIMEOUT:.0f} seconds"
            raise unreachable(self.cloud.authority, "sign in to Azure", why) from error
        except ClientAuthenticationError as error:
            raise credential_error(str(error.message)) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            raise unreachable(self.cloud.authority, "sign in to Azure", str(error)) from error

    async def get(self, path: str, api_version: str, *, doing: str, query: t.Mapping[str, str] | None = None) -> Json:
        """Return the object at `path`. Raise an AppConsistentError, also where the answer holds none."""
        return self._read(await self.request("GET", path, api_version, doing=doing, query=query), doing)

    async def find(
        self, path: str, api_version: str, *, doing: str, query: t.Mapping[str, str] | None = None
    ) -> Json | None:
        """Read a resource that need not be there; None where only it, or what it lies in, is missing."""
        try:
            return await self.get(path, api_version, doing=doing, query=query)
        except NotFound as error:
            # A missing group or subscription is another thing: nothing could be made there.
            if error.code.lower() in _MISSING_ITSELF:
                return None
            raise

    async def pages(
        self, path: str, api_version: str, *, doing: str, query: t.Mapping[str, str] | None = None
    ) -> list[Json]:
        """Return the items of a list, all pages of it; raise AzureError (EndlessList) for one without end."""
        items: list[Json] = []
        body = await self.get(path, api_version, doing=doing, query=query)
        seen: set[str] = set()
        while True:
            if not isinstance(body.get("value"), list):
                raise self._no_answer(doing, "HTTP 200 without a list")
            items.extend(children(body, "value"))
            following = text(body, "nextLink")
            if not following:
                return items
            note_page(seen, following, doing)
            body = self._read(await self._send("GET", self._own_link(following, doing), None, doing), doing)

    def _read(self, answer: Answer, doing: str) -> Json:
        if answer.status != 200:
            raise self._no_answer(doing, f"HTTP {answer.status} without an object")
        return answer.body

    def _no_answer(self, doing: str, said: str) -> EndpointUnreachable:
        return unreachable(self.cloud.resource_manager, doing, said, answered=True)

    async def request(
        self,
        method: str,
        path: str,
        api_version: str,
        *,
        doing: str,
        body: Json | None = None,
        query: t.Mapping[str, str] | None = None,
        if_match: str = "",
    ) -> Answer:
        """Send one request; `doing` completes the sentence "Could not ...". Raise an AppConsistentError.

        With `if_match`, an ETag, Azure refuses it where the resource has changed since (412, Conflict).
        """
        kind = kind_of(path)
        while True:
            parameters = _parameters(self.versions.now(kind, api_version), *(query or {}).items())
            url = f"{self.cloud.resource_manager}{quote(path, safe='/()')}?{parameters}"
            try:
                return await self._send(method, url, body, doing, if_match)
            except AzureError as error:
                if not self.versions.fall_back(kind, api_version, error):
                    raise

    async def finish(self, answer: Answer, *, doing: str) -> None:
        """Wait until the long-running operation of `answer` has ended; return at once where there is none.

        Raise OperationFailed with the operation's own error, DeadlineExceeded when time is up.
        """
        if not answer.operation_url:
            return
        url = self._own_link(answer.operation_url, doing)
        began = self.clock.monotonic()
        self.budget.polling(url, +1)
        ended = False
        try:
            await self._poll(url, answer, doing)
            ended = True
        finally:
            self.budget.polling(url, -1, self.clock.monotonic() - began if ended else None)

    async def _poll(self, url: str, answer: Answer, doing: str) -> None:
        retry_after = answer.retry_after
        unseen_until = self.clock.monotonic() + UNSEEN
        for number, planned in enumerate(poll_pauses()):
            await self.sleep(
                self.budget.poll_pause(url, number, min(retry_after or planned, LONGEST_POLL_PAUSE)), doing
            )
            try:
                polled = await self._send("GET", url, None, doing)
            except NotFound:
                # Another of Azure's servers may not know of it yet.
                if self.clock.monotonic() > unseen_until:
                    raise
                continue
            retry_after = polled.retry_after
            state = end_of(polled, tells_status=answer.tells_status)
            if state in SUCCEEDED:
                return
            if state in ENDED_BADLY:
                code, message, target = error_of(polled.body, default=state.capitalize())
                raise OperationFailed(doing, code=code, message=message, target=target, status=polled.status)

    async def sleep(self, seconds: float, doing: str) -> None:
        """Sleep, but not beyond the deadline: raise DeadlineExceeded instead."""
        if self.clock.monotonic() + seconds > self.deadline:
            raise too_late(doing)
        await self.clock.sleep(seconds)

    def _own_link(self, link: str, doing: str) -> str:
        return own_link(self.cloud.resource_manager, link, doing)

    async def _send(self, method: str, url: str, body: Json | None, doing: str, if_match: str = "") -> Answer:
        call = call_of(method, url, self.region)
        try:
            async with self.budget.room(call):
                answered = await self.pipeline.run(
                    self._request(method, url, body, if_match), gate_deadline=self.deadline, doing=doing, call=call
                )
                response = answered.http_response
        except ClientAuthenticationError as error:
            raise credential_error(str(error.message)) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            too_long = isinstance(error, AnswerTooLong)
            raise unreachable(self.cloud.resource_manager, doing, str(error), answered=too_long) from error
        try:
            answer = answer_of(response)
        except ValueError as error:
            raise self._no_answer(doing, str(error)) from error
        self.time.note(response.headers.get("Date"))
        if method == "PUT" and answer.status == 204:
            # A resource is made with an answer that shows it, or not at all.
            raise self._no_answer(doing, "HTTP 204 without an object")
        if answer.status < 400:
            return answer
        raise refusal(response, answer, doing)

    def _request(self, method: str, url: str, body: Json | None, if_match: str) -> PlainRequest:
        headers = {
            "Accept": "application/json",
            "User-Agent": self.user_agent,
            "x-ms-client-request-id": f"{self.run_id}{next(self.numbers):012x}",
        }
        if if_match:
            headers["If-Match"] = if_match
        if body is None:
            return PlainRequest(method, url, headers=headers)
        headers["Content-Type"] = "application/json"
        return PlainRequest(method, url, headers=headers, content=json.dumps(body).encode())


@functools.lru_cache(maxsize=64)
def _parameters(api_version: str, *query: tuple[str, str]) -> str:
    return urlencode({"api-version": api_version, **dict(query)}, quote_via=quote)


@contextlib.asynccontextmanager
async def connect(
    settings: Settings,
    *,
    clock: Clock | None = None,
    transport: AsyncHttpTransport[t.Any, t.Any] | None = None,
    credential: AsyncTokenCredential | None = None,
) -> t.AsyncIterator[Arm]:
    """Connect to Azure for `settings`. Transport and credential may be handed in by a test."""
    clock = clock or Clock()
    budget = Budget(clock)
    async with contextlib.AsyncExitStack() as stack:
        if transport is None:
            transport = curl = CurlTransport(clock, settings.ca_file, settings.proxy, settings.no_proxy)
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
            AzureTime(clock),
            ApiVersions(),
            # With AZURE_HTTP_USER_AGENT behind it, as in every Azure SDK.
            user_agent=UserAgentPolicy(USER_AGENT).user_agent,
        )


def _policies(
    cloud: Cloud, credential: AsyncTokenCredential, budget: Budget
) -> list[AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]]:
    # No logging policy: operation URLs are signed and the headers hold the token. Headers that are the same for all
    # requests are set where a request is made: three policies for them take as long as the TLS of a request.
    return [
        GatePolicy(budget),
        AsyncARMChallengeAuthenticationPolicy(credential, cloud.scope),
    ]


async def _ask_for_cloud(address: str, transport: AsyncHttpTransport[t.Any, t.Any]) -> Cloud:
    doing = "ask the Resource Manager for its endpoints"
    request = HttpRequest("GET", f"{address}/metadata/endpoints?api-version=2022-09-01")
    try:
        response = await transport.send(request)
    except (ServiceRequestError, ServiceResponseError) as error:
        raise unreachable(address, doing, str(error)) from error
    return cloud_from_metadata(address, json_object(response))
