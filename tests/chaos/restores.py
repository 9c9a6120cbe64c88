# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Restores in place that are killed and meet faults, repeated until one ends; what the machine has after each.

A seed gives everything: what is asked of each run, when it is killed, which requests and operations go wrong.
"""

from __future__ import annotations

import asyncio
import json
import typing as t
from dataclasses import dataclass, field
from random import Random

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm, connect
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import VmId
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import AppConsistentError
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.choice import read_choice
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.in_place import Order, restore, undo
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place
from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest

from tests import virtual_time
from tests.azure_simulator import entra
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.resource_manager import Reply
from tests.chaos.stage import LASTS, the_cloud
from tests.chaos.wire import Wire
from tests.virtual_azure import LoopClock, incoming, token_request

SUBSCRIPTION = "5d1f0a52-0000-4000-a000-000000000001"
VM = VmId(SUBSCRIPTION, "rg-fleet", "db1")
POINT = "before"
# Longer than any restore takes without a fault, in virtual seconds.
_LONGEST = 240.0
_OPERATIONS = ("disk_create", "disk_update", "vm_deallocate", "vm_update", "vm_start")
_ACTIONS = (
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/*/action",
    "Microsoft.Compute/*/read",
)
_WIRE = ("reset", "hang", "lose_answer", "truncate", "throttle", "throttle_after_accept")


@dataclass(frozen=True)
class Attempt:
    """One run: what is asked, the second at which it is killed (None: it is not), and what goes wrong meanwhile."""

    state: str
    kill_after: float | None
    faults: tuple[dict[str, t.Any], ...]


@dataclass
class Course:
    """What each run returned (None: it was killed), and the machine's disks after it."""

    attempts: list[Attempt]
    results: list[dict[str, t.Any] | None] = field(default_factory=list)
    disks: list[frozenset[str]] = field(default_factory=list)
    # Disks that a machine has run on and that were taken off it since, by their ids.
    worn: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def ended_well(self) -> bool:
        last = self.results[-1]
        return last is not None and not last.get("failed")

    @property
    def said(self) -> str:
        return str((self.results[-1] or {}).get("msg", ""))


def attempts_of(seed: int) -> list[Attempt]:
    random = Random(f"restore {seed}")
    drawn = [_attempt(random) for _ in range(random.randint(1, 4))]
    return [*drawn, Attempt(random.choice(("present", "undone")), None, ())]


def _attempt(random: Random) -> Attempt:
    kill = random.uniform(0, _LONGEST) if random.random() < 0.7 else None
    faults = tuple(_fault(random) for _ in range(random.randint(0, 2)))
    return Attempt(random.choice(("present", "present", "undone")), kill, faults)


def _fault(random: Random) -> dict[str, t.Any]:
    skip = random.randint(0, 4)
    if random.random() < 0.5:
        about = {"operation": random.choice(_OPERATIONS), "times": 1, "skip": skip % 3}
        if random.random() < 0.3:
            return {"kind": "operation_canceled", **about}
        code = random.choice(("AllocationFailed", "InternalExecutionError"))
        return {"kind": "operation_fails", "code": code, "message": "It went wrong.", **about}
    return {
        "kind": random.choice(_WIRE),
        "action": random.choice(_ACTIONS),
        "times": random.randint(1, 2),
        "skip": skip,
    }


def play(attempts: list[Attempt], seed: int = 0) -> Course:
    """Play the runs one after the other in virtual time."""

    async def main(_clock: Clock) -> Course:
        return await _Stage(Course(attempts), seed).play()

    return virtual_time.run(main)


class _Stage:
    def __init__(self, course: Course, seed: int) -> None:
        self.course, self.seed = course, seed
        # Kept, so that no clean-up of a killed run's runs.
        self.abandoned: list[asyncio.Task[dict[str, t.Any]]] = []
        self.loop = asyncio.get_running_loop()
        self.cloud: Cloud = the_cloud()
        self.cloud.clock = LoopClock(self.loop.time)
        self.cloud.tokens = entra.Tokens(self.cloud.directory)
        collection = Place().of(VM).name
        point = {"collection": collection, "name": POINT, "age": "2h", "consistency": "ApplicationConsistent"}
        ready = {"linux_scripts": "ok", "snapshot_extension": "present"}
        vm = {"name": VM.name, **ready, "disks": {"data": [{}, {}]}, "points": [point]}
        self.cloud.reset({"vms": [vm]})
        self.world = self.cloud.world
        self.first = self._disks()
        (held,) = (point for points in self.world.points.values() for point in points.values())
        self.copies = frozenset(copy.id.lower() for copy in held.disk_points)

    async def play(self) -> Course:
        for number, attempt in enumerate(self.course.attempts):
            self.world.faults.clear()
            for fault in attempt.faults:
                self.world.faults.add(fault)
            self.course.results.append(await self._run(number, attempt))
            # What is on its way goes on in Azure, until long after the run is gone.
            self.world.faults.clear()
            await asyncio.sleep(600)
            before = self._disks()
            self.world.advance()
            self.course.worn |= before - self._disks()
            self.course.disks.append(self._disks())
            self._judge(number, attempt)
        return self.course

    async def _run(self, number: int, attempt: Attempt) -> dict[str, t.Any] | None:
        wire = Wire(self._ask, Random(f"{self.seed} {number}"))
        work = asyncio.create_task(self._work(attempt, wire))
        await asyncio.wait([work], timeout=attempt.kill_after)
        if work.done():
            return work.result()
        wire.cut = True
        self.abandoned.append(work)
        return None

    async def _work(self, attempt: Attempt, wire: Wire) -> dict[str, t.Any]:
        clock = Clock(monotonic=self.loop.time, utc_now=self.cloud.clock.wall, sleep=asyncio.sleep)
        credential = t.cast(t.Any, _Credential(self.cloud))
        async with connect(Settings(), clock=clock, transport=wire, credential=credential) as arm:
            try:
                return await self._asked(arm.until(self.loop.time() + 3600), attempt.state)
            except AppConsistentError as error:
                return {"failed": True, "verdict": "refused", "msg": str(error)}

    async def _asked(self, arm: Arm, state: str) -> dict[str, t.Any]:
        order = Order(start=True, agent_within=300)
        if state == "undone":
            return await undo(arm, VM, f"{Place().of(VM).name}/{POINT}", order, check=False)
        options = {"restore_point": POINT, "disks": [], "minimum_consistency": "ApplicationConsistent"}
        return await restore(arm, VM, await read_choice(arm, VM, options), order, check=False)

    def _ask(self, request: HttpRequest) -> Reply:
        before = self._disks()
        self.world.advance()
        self.course.worn |= before - self._disks()
        return self.cloud.handle(incoming(request.method, request.url, dict(request.headers), request.content))

    def _disks(self) -> frozenset[str]:
        return (
            frozenset(disk.id.lower() for disk in self.world.vms[VM.key].disks)
            if hasattr(self, "key")
            else (frozenset(disk.id.lower() for disk in next(iter(self.world.vms.values())).disks))
        )

    def _judge(self, number: int, attempt: Attempt) -> None:
        """Note what must never be: after no run, whatever became of it."""
        held, result = self.course.disks[-1], self.course.results[-1]
        earlier = self.course.disks[-2] if number else self.first
        gone = [disk for disk in self.first if disk not in self.world.disks]
        if gone:
            self._note(number, f"the machine's own disks are gone: {gone}")
        if len(held) != len(self.first) or (held & self.first and held != self.first):
            self._note(number, f"a mixture of disks: {sorted(held)}")
        if held != self.first and self._made_of(held) != self.copies:
            self._note(number, "the new disks are not those of the point")
        if held != earlier and held != self.first and held & self.course.worn:
            self._note(number, "a disk that a machine had run on was taken for a fresh one")
        if result is not None and not result.get("failed"):
            self._judge_success(number, attempt, held)
        elif result is not None:
            self._judge_words(number, result["msg"], held, earlier)

    def _judge_success(self, number: int, attempt: Attempt, held: frozenset[str]) -> None:
        if (held == self.first) is not (attempt.state == "undone"):
            self._note(number, f"{attempt.state} ended well, and the machine has the other disks")
        if self.world.vms[VM.key].power != "running":
            self._note(number, "it ended well, and the machine does not run")

    def _judge_words(self, number: int, said: str, held: frozenset[str], earlier: frozenset[str]) -> None:
        if "still has the disks that it had" in said and held != earlier:
            self._note(number, f"it has other disks than is said: {said}")
        if "has the disks that it was to get" in said and held == earlier:
            self._note(number, f"it has none of the disks that are said: {said}")

    def _made_of(self, held: frozenset[str]) -> frozenset[str]:
        creations = [self.world.disks[disk]["properties"]["creationData"] for disk in held]
        return frozenset(str(creation.get("sourceResourceId")).lower() for creation in creations)

    def _note(self, number: int, what: str) -> None:
        self.course.problems.append(f"after run {number + 1}: {what}")


class _Credential:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        return AccessToken(
            str(json.loads(self._cloud.handle(token_request(self._cloud)).response.body)["access_token"]), LASTS
        )

    async def close(self) -> None: ...
