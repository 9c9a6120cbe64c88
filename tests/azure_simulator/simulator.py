"""The simulator inside a test process: a thread of its own, and handles on its state."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from . import fleet_file
from .clock import Clock, ManualClock
from .cloud import Cloud
from .faults import Fault
from .server import Server
from .world import Seen, World

T = TypeVar("T")
START_SECONDS = 30


class Simulator:
    """Use as a context manager. With `manual=True` time stands still until `advance()` is called."""

    def __init__(
        self,
        fleet: str | Path | Mapping[str, Any] | None = None,
        *,
        port: int = 0,
        control_port: int = 0,
        directory: str | Path | None = None,
        speed: float = 1.0,
        manual: bool = False,
        start: datetime | None = None,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="azure-simulator-") if directory is None else None
        self.directory = Path(self._temporary.name if self._temporary is not None else str(directory))
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        clock = ManualClock(start) if manual else Clock(speed)
        self.cloud = Cloud(fleet_file.load(fleet), clock, self.directory)
        self.clock = clock
        self._server = Server(self.cloud, port, control_port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        self._thread = threading.Thread(target=loop.run_forever, name="azure-simulator", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._server.start(), loop).result(START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(START_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_SECONDS)
            self._loop.close()
            self._loop = self._thread = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def call(self, function: Callable[[World], T]) -> T:
        """Runs a function on the world, between two requests."""
        if self._loop is None:
            raise RuntimeError("the simulator is not running")

        async def run() -> T:
            self.cloud.world.advance()
            return function(self.cloud.world)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_SECONDS)

    def advance(self, seconds: float) -> None:
        self.call(lambda _: self.cloud.advance(seconds))

    def reset(self, fleet: Mapping[str, Any] | None = None) -> None:
        """The fleet as at the start, or another one; tokens and addresses stay; a manual clock starts again."""
        self.call(lambda _: self.cloud.reset(fleet))

    def add_fault(self, kind: str, **spec: Any) -> Fault:
        return self.call(lambda world: world.faults.add({"kind": kind, **spec}))

    def clear_faults(self) -> None:
        self.call(lambda world: world.faults.clear())

    @property
    def requests(self) -> list[Seen]:
        return self.call(lambda world: list(world.requests))

    @property
    def writes(self) -> list[Seen]:
        """The requests to Resource Manager that were meant to change something."""
        harmless = ("GET", "HEAD")
        return [
            seen
            for seen in self.requests
            if seen.method not in harmless
            and not seen.path.lower().endswith(("/oauth2/v2.0/token", "/microsoft.resourcegraph/resources"))
        ]

    @property
    def arm_url(self) -> str:
        return self._server.arm_url

    @property
    def authority_url(self) -> str:
        return self._server.arm_url

    @property
    def control_url(self) -> str:
        return self._server.control_url

    @property
    def ca_file(self) -> str:
        return str(self.cloud.files.ca_file)

    @property
    def tenant_id(self) -> str:
        return self.cloud.fleet.tenant_id

    @property
    def client_id(self) -> str:
        return self.cloud.main.client_id

    @property
    def client_secret(self) -> str:
        return self.cloud.client_secret

    @property
    def certificate_file(self) -> str:
        return str(self.cloud.certificate_file)

    @property
    def federated_token_file(self) -> str:
        return str(self.cloud.federated_token_file)

    @property
    def identity_header(self) -> str:
        return self.cloud.directory.identity_header

    @property
    def subscription_id(self) -> str:
        return self.cloud.fleet.subscriptions[0][0]

    @property
    def vm_ids(self) -> list[str]:
        return self.call(lambda world: [vm.id for vm in world.vms.values()])

    def vm_id(self, name: str) -> str:
        return next(vm_id for vm_id in self.vm_ids if vm_id.rsplit("/", 1)[1] == name)
