# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The transport on a real socket: what arrives at a server, what comes back, and which of azure-core's errors."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _errors
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import curl_transport
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import collect
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from tests.azure_simulator.tls import Files, make_files

GOOD = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-One: 1\r\n\r\n{}"

Story = t.Callable[[curl_transport.CurlTransport, "Server"], t.Awaitable[t.Any]]


class Server:
    """Keeps each request, head and body, and answers with the next of `answers`: bytes, or what to do instead."""

    def __init__(self, *answers: bytes | str) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []
        self.asked = asyncio.Event()
        self.over = asyncio.Event()
        self.serving: list[asyncio.Task[t.Any]] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.append(t.cast("asyncio.Task[t.Any]", asyncio.current_task()))
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next((int(line[16:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
                self.requests.append(head + (await reader.readexactly(length)).decode())
                self.asked.set()
                answer = self.answers.pop(0) if self.answers else GOOD
                if answer == "hang":
                    await self.over.wait()
                if not isinstance(answer, bytes):
                    return
                # As long as many are under way, each must wait for its own answer.
                await asyncio.sleep(0.01)
                writer.write(answer)
                if answer is not GOOD:
                    return

    async def end(self) -> None:
        self.over.set()
        await asyncio.gather(*self.serving)


def play(
    server: Server,
    story: Story,
    *,
    files: Files | None = None,
    ca_file: str | None = None,
    environment: dict[str, str] | None = None,
) -> t.Any:
    """Over TLS where there are files for it; their authority is trusted unless `ca_file` says otherwise."""
    tls = None
    if files:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(files.server_file)
        ca_file = str(files.ca_file) if ca_file is None else ca_file

    async def main() -> t.Any:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        server.url = f"{'https' if tls else 'http'}://localhost:{listening.sockets[0].getsockname()[1]}"
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(listening)
            stack.push_async_callback(server.end)
            place = server.url.rpartition("/")[2]
            given = {name: value.format(f"me:pass@{place}") for name, value in (environment or {}).items()}
            settings = collect({}, given)
            transport = curl_transport.CurlTransport(Clock(), ca_file or "", settings.proxy, settings.no_proxy)
            stack.push_async_callback(transport.end)
            return await story(transport, server)

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("target", ["/a%2fB/%7e/../x?sig=a%2Fb%3d&t=1%20+", "/operations/1?p=a%2fb&s=Zm9v%3d&e=(1)'!*"])
def test_a_signed_url_arrives_byte_for_byte(tmp_path: Path, target: str) -> None:
    server = Server()
    files = make_files(tmp_path)
    play(server, lambda transport, it: transport.send(HttpRequest("GET", it.url + target)), files=files)
    assert server.requests[0].split("\r\n")[0] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("method", "given", "has", "hasnt", "body"),
    [
        ("GET", {}, "accept-encoding: deflate, gzip", "content-", ""),
        ("PUT", {"json": {"a": 1}}, "content-type: application/json", "expect", '{"a": 1}'),
        ("POST", {"data": {"scope": "a b&c"}}, "application/x-www-form-urlencoded", "expect", "scope=a+b%26c"),
        ("POST", {}, "content-length: 0", "content-type", ""),
        ("DELETE", {}, "delete /", "content-", ""),
    ],
)
def test_a_body_arrives_with_its_type_and_none_without(
    method: str, given: dict[str, t.Any], has: str, hasnt: str, body: str
) -> None:
    server = Server()
    play(server, lambda transport, it: transport.send(HttpRequest(method, it.url + "/", **given)))
    head, _, came = server.requests[0].partition("\r\n\r\n")
    assert has in head.lower().replace("gzip, deflate", "deflate, gzip")
    assert hasnt not in head.lower()
    assert came == body


def test_the_answer_is_told_with_its_status_its_headers_in_any_case_and_its_unpacked_content() -> None:
    packed = gzip.compress(b'{"a": "\xc3\xa9"}')
    early = "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
    head = "HTTP/1.1 409 Conflict\r\nRetry-After: 7\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    server = Server(f"{early}{head}Content-Length: {len(packed)}\r\n\r\n".encode() + packed)
    answer = play(server, lambda transport, it: transport.send(HttpRequest("GET", it.url)))
    assert (answer.status_code, answer.reason, answer.headers["retry-after"]) == (409, "Conflict", "7")
    assert "x-early" not in answer.headers
    assert answer.json() == {"a": "é"}
    assert answer.text() == '{"a": "é"}'
    assert answer.content_type == "application/json"
    with pytest.raises(HttpResponseError):
        answer.raise_for_status()


def test_connections_are_kept_and_of_a_hundred_requests_no_more_than_sixteen_are_made_at_a_time() -> None:
    async def story(transport: curl_transport.CurlTransport, it: Server) -> None:
        for _number in range(3):
            await transport.send(HttpRequest("GET", it.url))
        assert it.connections == 1
        answers = await asyncio.gather(*(transport.send(HttpRequest("GET", f"{it.url}/{n}")) for n in range(100)))
        assert {answer.content for answer in answers} == {b"{}"}

    server = Server()
    play(server, story)
    assert server.connections == curl_transport.CONNECTIONS
    assert len(set(server.requests)) == 101


@pytest.mark.parametrize(
    ("answer", "words"),
    [("close", "error 52"), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "error 18"), ("hang", "error 28")],
    ids=["the server hangs up", "half a body", "silence"],
)
def test_what_may_have_arrived_is_another_error_than_what_cannot(answer: bytes | str, words: str) -> None:
    async def story(transport: curl_transport.CurlTransport, it: Server) -> None:
        await transport.send(HttpRequest("PUT", it.url, json={}), read_timeout=0.5)

    with pytest.raises(ServiceResponseError, match=words):
        play(Server(answer), story)


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServiceRequestError, match="connect"):
            play(Server(), lambda transport, _it: transport.send(HttpRequest("GET", url)))


def test_a_certificate_is_trusted_by_its_authority_only(tmp_path: Path) -> None:
    files = make_files(tmp_path)

    def story(transport: curl_transport.CurlTransport, it: Server) -> t.Awaitable[t.Any]:
        return transport.send(HttpRequest("GET", it.url))

    assert play(Server(), story, files=files).status_code == 200
    with pytest.raises(ServiceRequestError, match="certificate"):
        play(Server(), story, files=files, ca_file="")


def test_a_ca_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "empty.pem", tmp_path / "absent.pem"):
        with pytest.raises(_errors.InvalidInput, match=path.name):
            play(Server(), lambda transport, it: transport.send(HttpRequest("GET", it.url)), ca_file=str(path))


def test_a_request_that_is_cancelled_leaves_the_others_alone() -> None:
    async def story(transport: curl_transport.CurlTransport, it: Server) -> t.Any:
        silent = asyncio.create_task(transport.send(HttpRequest("GET", it.url)))
        await it.asked.wait()
        silent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await silent
        return [await transport.send(HttpRequest("GET", it.url)) for _number in range(curl_transport.CONNECTIONS + 1)]

    assert len(play(Server("hang"), story)) == curl_transport.CONNECTIONS + 1


def test_the_end_does_not_wait_for_what_is_under_way() -> None:
    async def story(transport: curl_transport.CurlTransport, it: Server) -> t.Any:
        silent = asyncio.create_task(transport.send(HttpRequest("GET", it.url)))
        await it.asked.wait()
        return silent

    silent = play(Server("hang"), story)
    assert silent.cancelled()


def test_a_header_cannot_smuggle_another_one() -> None:
    server = Server()
    with pytest.raises(ValueError, match="line break"):
        play(
            server,
            lambda transport, it: transport.send(HttpRequest("GET", it.url, headers={"User-Agent": "a\r\nX-Evil: 1"})),
        )
    assert server.requests == []


def test_a_machines_own_identity_is_not_asked_for_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    server = Server()
    play(server, lambda transport, it: transport.send(HttpRequest("GET", f"{it.url}/metadata/identity")))
    assert server.requests[0].startswith("GET /metadata/identity HTTP/1.1")


@pytest.mark.parametrize(
    ("environment", "through"),
    [
        ({}, False),
        ({"HTTPS_PROXY": "http://{}"}, True),
        ({"https_proxy": "{}"}, True),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": ".invalid"}, False),
        ({"HTTP_PROXY": "http://{}"}, False),
        ({"https_proxy": "", "ALL_PROXY": "http://{}"}, True),
        ({"https_proxy": "http://{}", "no_proxy": "*"}, False),
    ],
)
def test_the_proxy_variables_are_obeyed(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, through: bool
) -> None:
    """The proxy refuses the tunnel; what counts is that it was asked, and with whose name."""

    async def story(transport: curl_transport.CurlTransport, _it: Server) -> None:
        await transport.send(HttpRequest("GET", "https://management.invalid/x"))

    # That of the process is not that of the task, which may have put it out.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    server = Server(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(ServiceRequestError) as caught:
        play(server, story, environment=environment)
    assert "pass" not in str(caught.value)
    asked = [request for request in server.requests if request.startswith("CONNECT management.invalid:443 ")]
    assert bool(asked) is through
    assert all("proxy-authorization: basic bwu6cgfzcw==" in request.lower() for request in asked)
