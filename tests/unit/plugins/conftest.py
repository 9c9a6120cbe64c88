# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A simulated Azure for the tests of the collection's own code, shared by all and put back before each."""

from __future__ import annotations

import asyncio
import time
import typing as t
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm, connect
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.target import Target

from tests.azure_simulator import Simulator
from tests.fleet_run import take_all

# Simulated seconds to a real one, for the simulator and for the code under test alike.
SPEED = 100.0
T = t.TypeVar("T")


class Stage:
    """The simulator with a client of ours whose clock runs as fast."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        # How far the client's clock is ahead of the simulator's.
        self.ahead = timedelta(0)

    def vms(self, *vms: dict[str, t.Any], **fleet: t.Any) -> None:
        """Put another fleet on the stage."""
        self.simulator.reset({"vms": list(vms), **fleet})

    def settings(self, **changes: str) -> Settings:
        simulator = self.simulator
        given = {
            "cloud_environment": simulator.arm_url,
            "ca_file": simulator.ca_file,
            "client_id": simulator.client_id,
            "secret": simulator.client_secret,
            "tenant": simulator.tenant_id,
        }
        return Settings(**{**given, **changes})

    @asynccontextmanager
    async def arm(self, **changes: str) -> t.AsyncIterator[Arm]:
        clock = Clock(
            monotonic=lambda: time.monotonic() * SPEED,
            utc_now=lambda: self.simulator.clock.wall() + self.ahead,
            sleep=lambda seconds: asyncio.sleep(seconds / SPEED),
        )
        async with connect(self.settings(**changes), clock=clock) as arm:
            yield arm

    def run(self, story: t.Callable[[Arm], t.Awaitable[T]], **changes: str) -> T:
        """Run a story with an open connection to the simulator."""

        async def main() -> T:
            async with self.arm(**changes) as arm:
                return await story(arm)

        return asyncio.run(main())

    def targets(self, *names: str) -> list[Target]:
        ids = {vm_id.rsplit("/", 1)[-1]: vm_id for vm_id in self.simulator.vm_ids}
        return [Target(name, parse_vm_id(ids[name], name)) for name in names or ids]

    def lapse(self) -> None:
        """Let the end of every break-glass lie in the past, without waiting for it."""

        def change(world: t.Any) -> None:
            for collection in list(world.collections.values()):
                tags = {name: value.replace("20", "19", 1) for name, value in collection.tags.items()}
                world.put_collection(replace(collection, tags=tags))
            for held in world.policies.values():
                if "expiresOn" in held["properties"]:
                    held["properties"]["expiresOn"] = "2001-01-01T00:00:00+00:00"

        self.simulator.call(change)

    def collection(self, name: str) -> str:
        """Return the name of the collection that the collection's code keeps a machine's points in."""
        return Place().of(self.targets(name)[0].vm).name

    def take(self, *names: str, wish: Wish | None = None, check: bool = False) -> dict[str, Outcome]:
        """Take care of the named machines, or of all."""
        targets = self.targets(*names)
        outcomes = self.run(lambda arm: take_all(arm, targets, wish or Wish(), check=check))
        return {outcome.host: outcome for outcome in outcomes}


@pytest.fixture(scope="session")
def _simulator() -> t.Iterator[Simulator]:
    with Simulator({"vms": []}, speed=SPEED) as simulator:
        yield simulator


@pytest.fixture
def azure(_simulator: Simulator) -> Stage:
    _simulator.clear_faults()
    _simulator.reset({"vms": []})
    return Stage(_simulator)
