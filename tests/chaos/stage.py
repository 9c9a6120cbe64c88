# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Plays a story in virtual time and keeps what the simulator saw of it.

A kill cuts the run off at an instant: nothing of it reaches Azure any more but what is on its way, no clean-up of ours
runs, and whoever repeats it begins from nothing, with a connection and a token of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import tempfile
import typing as t
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import arm as _arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import Clock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.names import of_schedule
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.target import Target
from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest

from tests import virtual_time
from tests.azure_simulator import entra, fleet_file, fleet_world
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.records import Point
from tests.azure_simulator.resource_manager import Reply
from tests.azure_simulator.world import World
from tests.chaos.story import Run, Story
from tests.chaos.wire import Wire
from tests.fleet_run import take_all
from tests.virtual_azure import LoopClock, incoming, token_request

# The calendar second 2100-01-01: by its own clock a client never needs another token before it is refused.
LASTS = 4102444800


@dataclass(frozen=True)
class Seen:
    """A write that reached Azure, and the points of its machine before and after, by id."""

    at: float
    who: str
    method: str
    path: str
    status: int
    wire: str
    vm: str
    before: t.Mapping[str, Point]
    after: t.Mapping[str, Point]

    @property
    def made(self) -> Point | None:
        """The point that it began, whatever was answered."""
        key = self.path.lower()
        return self.after.get(key) if key not in self.before else None

    @property
    def deleted(self) -> Point | None:
        """The point whose deletion it began."""
        was, now = self.before.get(self.path.lower()), self.after.get(self.path.lower())
        return was if was and now and was.state != "Deleting" and now.state == "Deleting" else None


@dataclass
class Ended:
    """A run that was not killed."""

    who: str
    run: Run
    began: float
    seconds: float
    outcomes: list[Outcome]
    # The points of each machine when its run had ended, by the machine's id.
    points: dict[str, dict[str, Point]]


@dataclass
class Journal:
    """All that happened, in the simulator's own words."""

    story: Story
    world: World
    seen: list[Seen] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    # Each state that a point was in, by its id: when and which.
    states: dict[str, list[tuple[float, Point]]] = field(default_factory=dict)
    # The vmId of each machine when a run began, by the run and the machine's key.
    machines: dict[tuple[str, str], str] = field(default_factory=dict)
    # Points that somebody else deleted, by id.
    vanished: dict[str, Point] = field(default_factory=dict)


def play(story: Story) -> Journal:
    async def main(_clock: Clock) -> Journal:
        return await _Stage(story).play()

    return virtual_time.run(main)


@functools.cache
def the_cloud() -> Cloud:
    """One cloud for all stories of a process: its keys and certificates cost more than a story."""
    folder = tempfile.TemporaryDirectory(prefix="chaos-")
    atexit.register(folder.cleanup)
    return Cloud(fleet_file.load({"vms": []}), LoopClock(lambda: 0.0), Path(folder.name))


class _Stage:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.cloud = cloud = the_cloud()
        self.loop = asyncio.get_running_loop()
        cloud.clock = LoopClock(self.loop.time)
        cloud.tokens = entra.Tokens(cloud.directory)
        cloud.reset(story.fleet)
        self.world = cloud.world
        self.journal = Journal(story, self.world)
        self._keep_states()
        self._tasks: list[asyncio.Task[None]] = []

    def _keep_states(self) -> None:
        put = self.world.put_point

        def put_and_note(point: Point) -> None:
            put(point)
            self.journal.states.setdefault(point.key, []).append((self.loop.time(), point))

        for points in self.world.points.values():
            for point in points.values():
                self.journal.states[point.key] = [(point.created_at, point)]
        self.world.put_point = put_and_note  # type: ignore[method-assign]
        # A forgotten operation could not be held against anything.
        self.world.forget_operation = lambda operation_id: None  # type: ignore[method-assign]  # noqa: ARG005

    async def play(self) -> Journal:
        for number, run in enumerate(self.story.runs, start=1):
            await asyncio.sleep(run.after)
            self.world.faults.clear()
            if run.recreated:
                self._recreate()
            for fault in run.faults:
                self.world.faults.add(fault)
            begun = [self._begin(f"run {number}", run, 0.0)]
            if run.twin_after is not None:
                begun.append(self._begin(f"run {number} twin", run, run.twin_after))
            if run.vanish_after is not None:
                self.loop.call_later(run.vanish_after, self._vanish)
            await asyncio.wait(begun)
            for task in begun:
                task.result()
        self.world.advance()
        return self.journal

    def _begin(self, who: str, run: Run, after: float) -> asyncio.Task[None]:
        wire = Wire(functools.partial(self._ask, who), Random(f"{self.story.seed} {who}"))

        async def watch() -> None:
            await asyncio.sleep(after)
            work = asyncio.create_task(self._work(who, run, wire))
            self._tasks.append(work)
            await asyncio.wait([work], timeout=run.kill_after)
            wire.cut = True
            if work.done():
                work.result()

        return asyncio.create_task(watch())

    async def _work(self, who: str, run: Run, wire: Wire) -> None:
        clock = Clock(
            monotonic=self.loop.time,
            utc_now=lambda: virtual_time.START + timedelta(seconds=self.loop.time() + run.skew),
            sleep=asyncio.sleep,
        )
        ids = [vm.id for vm in self.world.vms.values()]
        self.journal.machines.update({(who, vm.key): vm.vm_id for vm in self.world.vms.values()})
        targets = [Target(vm_id.rsplit("/", 1)[-1], parse_vm_id(vm_id, "vm")) for vm_id in ids]
        credential = t.cast(t.Any, _Credential(self))
        async with AsyncExitStack() as stack:
            arm = await stack.enter_async_context(
                _arm.connect(Settings(), clock=clock, transport=wire, credential=credential)
            )
            wish = replace(self.story.wish, timeout=timedelta(seconds=run.timeout))
            began = self.loop.time()
            outcomes = await take_all(arm, targets, wish, check=run.check)
        if not wire.cut:
            self.world.advance()
            seconds = self.loop.time() - began
            points = {vm_id: self._points_of(vm_id.lower()) for vm_id in ids}
            self.journal.ended.append(Ended(who, run, began, seconds, outcomes, points))

    def _ask(self, who: str, request: HttpRequest) -> Reply:
        path = urlsplit(request.url).path
        self.world.advance()
        vm = _vm_of(self.world, path)
        before = self._points_of(vm)
        reply = self.cloud.handle(incoming(request.method, request.url, dict(request.headers), request.content))
        if request.method != "GET":
            status, after = reply.response.status, self._points_of(vm)
            self.journal.seen.append(
                Seen(self.loop.time(), who, request.method, path, status, reply.wire, vm, before, after)
            )
        return reply

    def token(self) -> str:
        return str(json.loads(self.cloud.handle(token_request(self.cloud)).response.body)["access_token"])

    def _points_of(self, vm_key: str) -> dict[str, Point]:
        """The machine's points by id, as they are."""
        return {
            point.key: point
            for points in self.world.points.values()
            for point in points.values()
            if point.vm_key == vm_key
        }

    def _recreate(self) -> None:
        """Somebody deletes the first machine and makes another one under its name."""
        self.world.advance()
        fleet_world.recreate(self.world, next(iter(self.world.vms.values())))

    def _vanish(self) -> None:
        """Somebody deletes each machine's newest point of the schedule, if it is made."""
        self.world.advance()
        for vm in self.world.vms:
            made = [
                point for point in self._points_of(vm).values() if of_schedule(point.name, self.story.wish.schedule)
            ]
            newest = max(made, key=lambda point: point.created_at, default=None)
            if newest is not None and newest.state != "Creating":
                self.journal.vanished[newest.key] = newest
                self.world.drop_point(newest)


def _vm_of(world: World, path: str) -> str:
    """The key of the machine whose collection a path leads to."""
    words = path.lower().split("/")
    collection = world.collections.get("/".join(words[:9]))
    return collection.source_id.lower() if collection is not None else ""


class _Credential:
    def __init__(self, stage: _Stage) -> None:
        self._stage = stage

    async def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        return AccessToken(self._stage.token(), LASTS)

    async def close(self) -> None: ...
