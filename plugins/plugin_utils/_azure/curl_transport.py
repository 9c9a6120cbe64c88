# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""azure-core's transport over libcurl, which takes less CPU per request and loads faster than aiohttp.

libcurl's own rules hold for what is not said here: kept connections, no redirects, credentials in a proxy's address.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import typing as t
from urllib.parse import urlencode

from .._clock import Clock
from .._errors import InvalidInput, shown
from .libraries import (
    AsyncHttpResponse,
    AsyncHttpTransport,
    CaseInsensitiveDict,
    HttpRequest,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
    pycurl,
)

# 16 connections carry 1,000 machines in flight; as many connections as machines cost five times the memory (measured).
CONNECTIONS = 16
# Seconds where a request names none: those that sign in, whose answers are small.
PATIENCE = 60.0
# Seconds between two tries to sign in that are waited because the server asks for them.
LONGEST_SIGN_IN_PAUSE = 60.0
# Bytes of one answer, unpacked. The largest honest one, a collection with 500 points of machines with many disks, has a
# third of it; what is unpacked has no other bound.
LONGEST_ANSWER = 64 * 1024 * 1024


class AnswerTooLong(ServiceResponseError):
    """The answer has more bytes than any honest one."""


class CurlResponse(AsyncHttpResponse):
    """An answer that is there as a whole."""

    def __init__(self, request: HttpRequest, status: int, reason: str, headers: dict[str, str], content: bytes) -> None:
        self._request = request
        self._status = status
        self._reason = reason
        self._headers = CaseInsensitiveDict(headers)
        self._content = content
        self._encoding: str | None = None

    @property
    def request(self) -> HttpRequest:
        return self._request

    @property
    def status_code(self) -> int:
        return self._status

    @property
    def headers(self) -> t.MutableMapping[str, str]:
        return self._headers

    @property
    def reason(self) -> str:
        return self._reason

    @property
    def content_type(self) -> str | None:
        return self._headers.get("Content-Type")

    @property
    def is_closed(self) -> bool:
        return True

    @property
    def is_stream_consumed(self) -> bool:
        return True

    @property
    def encoding(self) -> str | None:
        return self._encoding

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def url(self) -> str:
        return self._request.url

    @property
    def content(self) -> bytes:
        return self._content

    def text(self, encoding: str | None = None) -> str:
        """Return the content as text; RFC 8259 has JSON in UTF-8, and nothing else is asked for."""
        return self._content.decode(encoding or self._encoding or "utf-8-sig", "replace")

    def json(self) -> t.Any:
        return json.loads(self._content)

    def raise_for_status(self) -> None:
        if self._status >= 400:
            raise HttpResponseError(response=self)

    async def read(self) -> bytes:
        return self._content

    async def iter_raw(self, **_options: t.Any) -> t.AsyncIterator[bytes]:
        yield self._content

    async def iter_bytes(self, **_options: t.Any) -> t.AsyncIterator[bytes]:
        yield self._content

    async def close(self) -> None:
        """Nothing to do: the connection went back when the answer was whole."""

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()


class _Handle:
    """One of libcurl's handles, with what has come back of the request that it sends just now."""

    def __init__(self, ca_file: str, ca_path: str, proxy: str, no_proxy: str) -> None:
        self._proxy = proxy
        self.curl = pycurl.Curl()
        self._lines: list[bytes] = []
        self._parts: list[bytes] = []
        self._came = 0
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)
        for option, place in ((pycurl.CAINFO, ca_file), (pycurl.CAPATH, ca_path)):
            if place:
                self.curl.setopt(option, place)
            else:
                self.curl.unsetopt(option)
        # Said even where they are empty: libcurl would read the process's environment, which is not the task's.
        self.curl.setopt(pycurl.NOPROXY, no_proxy)
        self.curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate")
        self.curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        self.curl.setopt(pycurl.NOSIGNAL, 1)
        self.curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)

    @property
    def too_long(self) -> bool:
        return self._came > LONGEST_ANSWER

    def _take(self, part: bytes) -> int:
        self._came += len(part)
        if self.too_long:
            self._parts.clear()
            # Another number than that of the bytes given ends the transfer.
            return 0
        self._parts.append(part)
        return len(part)

    def prepare(self, request: HttpRequest, *, connection_timeout: float, read_timeout: float, timeout: float) -> None:
        self._lines.clear()
        self._parts.clear()
        self._came = 0
        headers = [f"{name}: {value}" for name, value in request.headers.items()]
        # libcurl would wait for a "100 Continue" before a large body, and name a type where there is none.
        headers += ("Expect:",) if "Content-Type" in request.headers else ("Expect:", "Content-Type:")
        lines = "\n".join(headers)
        if "\r" in lines or lines.count("\n") >= len(headers):
            raise ValueError("a header of a request holds a line break")
        self.curl.setopt(pycurl.URL, request.url)
        # libcurl would write the escapes of a path in capitals.
        scheme, _colon, rest = request.url.partition("://")
        self.curl.setopt(pycurl.REQUEST_TARGET, f"/{rest.partition('/')[2]}")
        # A machine's own identity is asked for without TLS, at an address that is not for a proxy.
        self.curl.setopt(pycurl.PROXY, self._proxy if scheme == "https" else "")
        # azure-identity before 1.25.2 signs in with azure-core's older kind of request.
        content = request.content if hasattr(request, "content") else request.data
        if isinstance(content, dict):
            content = urlencode(content)
        elif content is None and request.method in ("POST", "PUT", "PATCH"):
            content = b""
        if content is None:
            self.curl.setopt(pycurl.HTTPGET, 1)
        else:
            self.curl.setopt(pycurl.POSTFIELDS, content)
        self.curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        self.curl.setopt(pycurl.HTTPHEADER, lines.encode().split(b"\n"))
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, math.ceil(connection_timeout * 1000))
        self.curl.setopt(pycurl.TIMEOUT_MS, math.ceil(timeout * 1000))
        # libcurl looks at the speed once a second.
        self.curl.setopt(pycurl.LOW_SPEED_TIME, math.ceil(read_timeout))

    def answer(self, request: HttpRequest) -> CurlResponse:
        reason = ""
        headers: dict[str, str] = {}
        for line in b"".join(self._lines).decode("latin-1").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                headers[name] = value.strip()
            elif name:
                # A status line. What came before it (an interim answer, or that of a proxy) is not part of the answer.
                reason = name.partition(" ")[2].partition(" ")[2]
                headers.clear()
        return CurlResponse(request, self.curl.getinfo(pycurl.RESPONSE_CODE), reason, headers, b"".join(self._parts))


class CurlTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Sends azure-core's requests, at most CONNECTIONS at a time; sleeps on the injected clock.

    URLs go out byte for byte: that of an operation is signed. Only the certificates of `ca_file` are trusted where one
    is given, else those that Python's ssl trusts. `proxy` is an address, `no_proxy` the hosts that it is not for, as
    libcurl takes them. Whoever makes one ends it with `end`; a pipeline that is lent one closes and opens it as it
    likes.
    """

    def __init__(self, clock: Clock, ca_file: str = "", proxy: str = "", no_proxy: str = "") -> None:
        self._clock = clock
        self._network = (*_trusted(ca_file), proxy, no_proxy)
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[_Handle] = []
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS)

    async def open(self) -> None:
        """Nothing to do: connections are opened when they are needed."""

    async def close(self) -> None:
        """Nothing to do; see `end`."""

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def end(self) -> None:
        """Close all connections, also those of requests under way."""
        await self._multi.aclose()

    async def sleep(self, duration: float) -> None:
        """Wait between two tries to sign in: azure-identity does as long as the server asks, which has no bound."""
        if not duration <= LONGEST_SIGN_IN_PAUSE:
            raise ServiceResponseError(f"it asks to be left alone for {duration:.0f} seconds")
        await self._clock.sleep(max(0.0, duration))

    async def send(self, request: HttpRequest, **options: t.Any) -> CurlResponse:
        """Send one request. Options, in seconds: `connection_timeout`, `read_timeout` without a byte of answer, and
        `timeout` for all of it.

        Raise ServiceRequestError where it cannot have arrived, ServiceResponseError where it may have.
        """
        async with self._room:
            handle = self._idle.pop() if self._idle else _Handle(*self._network)
            handle.prepare(
                request,
                connection_timeout=options.get("connection_timeout", PATIENCE),
                read_timeout=options.get("read_timeout", PATIENCE),
                timeout=options.get("timeout", PATIENCE),
            )
            try:
                await self._multi.perform(handle.curl)
                return handle.answer(request)
            except pycurl.error as error:
                if handle.too_long:
                    raise AnswerTooLong(f"more than {LONGEST_ANSWER >> 20} MiB of answer", error=error) from error
                code, message = error.args
                kind = ServiceResponseError if handle.curl.getinfo(pycurl.REQUEST_SIZE) else ServiceRequestError
                raise kind(f"{message or 'no details'} (libcurl error {code})", error=error) from error
            finally:
                # The connection is not the handle's: it stays open.
                self._idle.append(handle)


def _trusted(ca_file: str) -> tuple[str, str]:
    """Return the file and the folder of the certificates that are trusted, empty where there is none."""
    if not ca_file:
        paths = ssl.get_default_verify_paths()
        return paths.cafile or "", paths.capath or ""
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(
            f"The option ca_file names {shown(ca_file)}, which cannot be read as PEM certificates: {error}",
            advice="Name a readable file with the CA's certificate.",
        ) from error
    return ca_file, ""
