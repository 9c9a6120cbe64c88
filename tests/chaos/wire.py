# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The network between one run and the simulated Azure, and the end of it when the run is killed."""

from __future__ import annotations

import asyncio
import typing as t
from random import Random

from azure.core.exceptions import ServiceResponseError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl

from tests.azure_simulator.resource_manager import Reply
from tests.virtual_time import Response

# Seconds that a request is on its way, and its answer too.
WAY = (0.01, 0.4)
# azure-core's own time-out on a silent socket (ConnectionConfiguration), where a request names none.
READ_TIMEOUT = 300.0

Ask = t.Callable[[HttpRequest], Reply]


class Wire(AsyncHttpTransport[HttpRequest, AsyncHttpResponseImpl]):
    """Raises what the product's transport raises for what the simulator's faults do to a connection."""

    def __init__(self, ask: Ask, random: Random) -> None:
        self._ask = ask
        self._random = random
        self.cut = False

    async def send(self, request: HttpRequest, **options: t.Any) -> AsyncHttpResponseImpl:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[AsyncHttpResponseImpl] = loop.create_future()
        if self.cut:
            return await answer
        # What is on its way arrives, whether or not the sender still lives then.
        loop.call_later(self._random.uniform(*WAY), self._arrive, request, answer)
        try:
            async with asyncio.timeout(float(options.get("read_timeout", READ_TIMEOUT))):
                return await answer
        except TimeoutError as error:
            raise ServiceResponseTimeoutError("Timeout on reading data from socket", error=error) from error

    def _arrive(self, request: HttpRequest, answer: asyncio.Future[AsyncHttpResponseImpl]) -> None:
        reply = self._ask(request)
        if reply.wire != "hang":
            asyncio.get_running_loop().call_later(
                reply.seconds + self._random.uniform(*WAY), self._return, request, reply, answer
            )

    def _return(self, request: HttpRequest, reply: Reply, answer: asyncio.Future[AsyncHttpResponseImpl]) -> None:
        if self.cut or answer.done():
            return
        if reply.wire == "reset":
            answer.set_exception(ServiceResponseError("Recv failure: Connection reset by peer (libcurl error 56)"))
        elif reply.wire == "truncate":
            answer.set_exception(ServiceResponseError("transfer closed with 9 bytes remaining (libcurl error 18)"))
        else:
            answer.set_result(
                Response(request, reply.response.status, dict(reply.response.headers), reply.response.body)
            )

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(self, *_exception: t.Any) -> None: ...
