# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An event loop whose time jumps to the next timer instead of passing, and a transport that is a function.

A test that sleeps for hours of it takes milliseconds, and the order of events is that of real time.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import typing as t
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl

START = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 and moves only when nothing else is left to do."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


T = t.TypeVar("T")


def run(main: t.Callable[[Clock], t.Coroutine[t.Any, t.Any, T]]) -> T:
    """Run `main(clock)` in virtual time and return what it returns."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        clock = Clock(monotonic=loop.time, utc_now=lambda: START + timedelta(seconds=loop.time()))
        return runner.run(main(clock))


class Reply(t.NamedTuple):
    """What the pretended server answers."""

    status: int = 200
    body: t.Any = None
    headers: t.Mapping[str, str] = MappingProxyType({})


class FunctionTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponseImpl]):
    """A transport that asks a function for the answer and keeps what was sent."""

    def __init__(self, answer: t.Callable[[HttpRequest], Reply | Exception], seconds: float = 0.0) -> None:
        self.answer = answer
        self.seconds = seconds
        self.sent: list[HttpRequest] = []

    async def send(self, request: HttpRequest, **_options: t.Any) -> AsyncHttpResponseImpl:
        self.sent.append(request)
        reply = self.answer(request)
        await asyncio.sleep(self.seconds)
        if isinstance(reply, Exception):
            raise reply
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        return Response(request, reply.status, reply.headers, content)

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(self, *_exception: t.Any) -> None: ...


class Response(AsyncHttpResponseImpl):
    """An answer that is there as a whole."""

    def __init__(self, request: HttpRequest, status: int, headers: t.Mapping[str, str], content: bytes) -> None:
        super().__init__(
            request=request,
            internal_response=None,
            status_code=status,
            headers=headers,
            reason="",
            content_type="application/json",
            stream_download_generator=None,
        )
        self._content = content


class FixedCredential:
    """A credential that always has a token."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        self.asked += 1
        return AccessToken("fake-bearer-token", 4102444800)

    async def close(self) -> None: ...
