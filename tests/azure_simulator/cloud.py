"""One simulator's lasting parts (tenant, tokens, certificates, clock) and the world that a reset makes anew."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import entra, fleet_file, fleet_world, guest, tls
from .clock import Clock, ManualClock
from .exchange import Incoming
from .identities import Application, Directory, Federation
from .records import GuestAnswer
from .resource_manager import Reply, handle
from .world import World

FEDERATION_ISSUER = "https://cluster.simulated/"
FEDERATION_SUBJECT = "system:serviceaccount:ansible:runner"


class Cloud:
    def __init__(self, fleet: fleet_file.Fleet, clock: Clock, directory: Path) -> None:
        self.fleet = fleet
        self._first_fleet = fleet
        self.clock = clock
        self.files = tls.make_files(directory)
        self.client_secret = secrets.token_urlsafe(24)
        self.certificate_file = directory / "client-certificate.pem"
        self.federated_token_file = directory / "federated-token"
        self.directory = self._directory()
        self.tokens = entra.Tokens(self.directory)
        self.world = self._build()
        self._tasks: set[asyncio.Task[None]] = set()

    def _directory(self) -> Directory:
        tenant = self.fleet.tenant_id
        private, public = tls.make_signing_key()
        federation = Federation(FEDERATION_ISSUER, FEDERATION_SUBJECT, public)
        main = Application(
            client_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"operator.{tenant}")),
            object_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"operator-object.{tenant}")),
            name="operator",
            secrets=(self.client_secret,),
            certificates_pem=(tls.make_client_certificate(self.certificate_file, "operator"),),
            federations=(federation,),
        )
        expires = self.clock.wall().timestamp() + tls.LIFE.total_seconds()
        tls.write_private(self.federated_token_file, entra.federated_token(private, federation, expires).encode())
        machine = Application(
            client_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"machine.{tenant}")),
            object_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"machine-object.{tenant}")),
            name="machine",
        )
        applications = {main.client_id: main}
        for spec in self.fleet.identities:
            applications[spec.client_id] = Application(
                client_id=spec.client_id,
                object_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"object.{spec.client_id}")),
                name=spec.name,
                secrets=spec.secrets,
                expired_secrets=spec.expired_secrets,
                denied=spec.denied,
            )
        self.main = main
        return Directory(tenant, applications, machine, secrets.token_hex(16))

    def _build(self) -> World:
        world = fleet_world.build(self.fleet, self.clock)
        world.ask_guest = self._ask_guest
        world.wake_at = self._wake_at
        return world

    def reset(self, fleet: Mapping[str, Any] | None = None) -> None:
        """The fleet as it was at the start, or for now another one in the same tenant; tokens stay valid.

        A manual clock goes back to its start.
        """
        if isinstance(self.clock, ManualClock):
            self.clock.rewind()
        tenant = self._first_fleet.tenant_id
        self.fleet = self._first_fleet if fleet is None else fleet_file.load({"tenant_id": tenant, **fleet})
        self.world = self._build()

    def handle(self, incoming: Incoming) -> Reply:
        return handle(self.world, self.tokens, incoming)

    def advance(self, seconds: float) -> None:
        """Moves a manual clock, step by step from one thing that is due to the next."""
        if not isinstance(self.clock, ManualClock):
            raise ValueError("the clock runs by itself; start the simulator with a manual clock to advance it")
        self.clock.advance(seconds)
        self.world.advance()

    def _ask_guest(self, socket: str, message: dict[str, Any], done: Any) -> None:
        world = self.world
        limit = world.settings.rules.guest_seconds

        async def talk() -> None:
            said: GuestAnswer = await guest.ask(socket, message, limit)
            world.advance()
            done(said)

        task = asyncio.get_running_loop().create_task(talk())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wake_at(self, at: float) -> None:
        """A real guest must be asked when it is time, also when nobody polls."""
        if isinstance(self.clock, ManualClock):
            return
        world = self.world
        delay = max(0.0, (at - self.clock.now()) / self.clock.speed)
        asyncio.get_running_loop().call_later(delay + 0.001, world.advance)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
