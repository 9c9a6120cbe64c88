"""Puts a cloud on the wire: Resource Manager over HTTPS, the control API over plain HTTP, both on loopback only."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import weakref
from typing import Any

from aiohttp import web

from .cloud import Cloud
from .control import Control
from .exchange import Incoming
from .resource_manager import Reply

HOST = "127.0.0.1"
LARGEST_BODY = 4 << 20
# How long a hanging request is held when nobody hangs up.
HANG_SECONDS = 3600


class Server:
    def __init__(self, cloud: Cloud, port: int = 0, control_port: int = 0) -> None:
        self.cloud = cloud
        self._ports = (port, control_port)
        self._runners: list[web.ServerRunner] = []
        self._transports: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self.arm_url = ""
        self.control_url = ""

    async def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cloud.files.server_file)
        arm = await self._listen(self._answer, self._ports[0], context)
        self.arm_url = f"https://{HOST}:{arm}"
        control = await self._listen(Control(self.cloud).answer, self._ports[1], None)
        self.control_url = f"http://{HOST}:{control}"

    async def _listen(self, handler: Any, port: int, context: ssl.SSLContext | None) -> int:
        # Without cancellation a client that hangs up would leave its slow or hanging request behind.
        server = web.Server(handler, handler_cancellation=True, access_log=None, max_line_size=16384)
        runner = web.ServerRunner(server)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, HOST, port, ssl_context=context, backlog=1024)
        await site.start()
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        # A polite TLS goodbye would wait for the other side, which may be gone.
        for transport in list(self._transports):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        await self.cloud.close()
        await asyncio.sleep(0.01)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        body = await request.read() if request.body_exists else b""
        incoming = Incoming(
            request.method, request.raw_path, request.headers, body, f"https://{request.host}", request.remote or ""
        )
        reply = self.cloud.handle(incoming)
        if reply.seconds:
            await asyncio.sleep(reply.seconds)
        if reply.wire == "send":
            return _response(reply)
        if reply.wire == "hang":
            await asyncio.sleep(HANG_SECONDS)
        elif reply.wire == "truncate":
            await _send_half(request, reply)
        elif reply.wire.startswith("drip "):
            await _drip(request, reply, float(reply.wire.removeprefix("drip ")))
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)


def _response(reply: Reply) -> web.Response:
    response = reply.response
    made = web.Response(status=response.status, body=response.body or None, headers=list(response.headers))
    if response.body:
        made.headers["Content-Type"] = response.content_type
    return made


async def _send_half(request: web.BaseRequest, reply: Reply) -> None:
    """Promises the whole body and sends half of it."""
    body = reply.response.body
    made = web.StreamResponse(status=reply.response.status, headers=list(reply.response.headers))
    made.content_type = "application/json"
    made.content_length = len(body) + 1
    with contextlib.suppress(ConnectionError):
        await made.prepare(request)
        await made.write(body[: len(body) // 2])


async def _drip(request: web.BaseRequest, reply: Reply, seconds: float) -> None:
    """Sends two bytes at a time, each after so many (real) seconds."""
    body = reply.response.body
    made = web.StreamResponse(status=reply.response.status, headers=list(reply.response.headers))
    made.content_type = "application/json"
    made.content_length = len(body)
    with contextlib.suppress(ConnectionError):
        await made.prepare(request)
        for start in range(0, len(body), 2):
            await made.write(body[start : start + 2])
            await asyncio.sleep(seconds)
