# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The simulator in virtual time: no sockets, no waiting, and hours of rate limits in seconds.

The simulator's core is called as a function; its clock is the event loop's, which jumps to the next timer.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import typing as t
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import arm as _arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import curl_transport
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.target import Target
from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest

from tests.azure_simulator import fleet_file
from tests.azure_simulator.clock import Clock as SimulatorClock
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.exchange import Incoming
from tests.fleet_run import take_all
from tests.virtual_time import START, FunctionTransport, Reply, run

BASE = "https://management.azure.com"
# Seconds from a request to its answer.
ROUND_TRIP = 0.05


class LoopClock(SimulatorClock):
    """The simulator's time is the event loop's."""

    def __init__(self, loop_time: t.Callable[[], float]) -> None:
        super().__init__()
        self._loop_time = loop_time
        self._start = START

    def now(self) -> float:
        return self._loop_time()


def incoming(method: str, url: str, headers: t.Mapping[str, str], content: t.Any) -> Incoming:
    """Return a request as the simulator's core takes it."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    body = content if isinstance(content, bytes) else str(content or "").encode()
    return Incoming(method, target, Headers(headers), body, BASE, "127.0.0.1")


def token_request(cloud: Cloud) -> Incoming:
    """Return the request of the cloud's main identity for a token."""
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud.main.client_id,
        "client_secret": cloud.client_secret,
        "scope": f"{BASE}/.default",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{BASE}/{cloud.fleet.tenant_id}/oauth2/v2.0/token"
    return incoming("POST", url, headers, urlencode(form).encode())


class VirtualAzure:
    """A simulated Azure whose time is that of the running (virtual) event loop."""

    def __init__(self, fleet: dict[str, t.Any], directory: Path) -> None:
        self.cloud = Cloud(fleet_file.load(fleet), LoopClock(asyncio.get_running_loop().time), directory)
        self.answers: list[tuple[str, int]] = []

    def answer(self, request: HttpRequest) -> Reply:
        reply = self._handle(incoming(request.method, request.url, dict(request.headers), request.content))
        self.answers.append((f"{request.method} {urlsplit(request.url).path}", reply.status))
        return reply

    def token(self) -> str:
        return str(self._handle(token_request(self.cloud)).body["access_token"])

    def _handle(self, request: Incoming) -> Reply:
        response = self.cloud.handle(request).response
        return Reply(response.status, json.loads(response.body) if response.body else None, dict(response.headers))

    @property
    def throttled(self) -> int:
        return sum(status == 429 for _request, status in self.answers)


class Headers(dict[str, str]):
    """Header names without regard to case, as aiohttp gives them."""

    def __init__(self, headers: t.Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: t.Any = None) -> t.Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


class _Credential:
    def __init__(self, azure: VirtualAzure) -> None:
        self._azure = azure

    async def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        # Asked again in good time: the simulator's tokens last an hour of its own time, this one says half of that.
        return AccessToken(self._azure.token(), int(time.time()) + 1800)

    async def close(self) -> None: ...


class Course(t.NamedTuple):
    """How a run over a fleet went. Times are seconds of virtual time."""

    outcomes: list[Outcome]
    seconds: float
    requests: int
    throttled: int
    azure: VirtualAzure


def take_fleet(
    fleet: dict[str, t.Any], wish: Wish, *, connections: int = curl_transport.CONNECTIONS, before: t.Any = None
) -> Course:
    """Take restore points of a whole fleet in virtual time."""

    async def main(clock: Clock) -> Course:
        with tempfile.TemporaryDirectory() as folder:
            azure = VirtualAzure(fleet, Path(folder))
            if before is not None:
                before(azure)
            transport = _LimitedTransport(azure.answer, ROUND_TRIP, connections)
            ids = [vm.id for vm in azure.cloud.world.vms.values()]
            targets = [Target(vm_id.rsplit("/", 1)[-1], parse_vm_id(vm_id, "vm")) for vm_id in ids]
            credential = t.cast(t.Any, _Credential(azure))
            async with _arm.connect(Settings(), clock=clock, transport=transport, credential=credential) as arm:
                began = clock.monotonic()
                outcomes = await take_all(arm, targets, wish, check=False)
                return Course(outcomes, clock.monotonic() - began, len(azure.answers), azure.throttled, azure)

    return run(main)


class _LimitedTransport(FunctionTransport):
    """No more requests at a time than the real transport has connections."""

    def __init__(self, answer: t.Callable[[HttpRequest], Reply | Exception], seconds: float, connections: int) -> None:
        super().__init__(answer, seconds)
        self._free = asyncio.Semaphore(connections)

    async def send(self, request: HttpRequest, **options: t.Any) -> t.Any:
        async with self._free:
            self.sent.clear()
            return await super().send(request, **options)
