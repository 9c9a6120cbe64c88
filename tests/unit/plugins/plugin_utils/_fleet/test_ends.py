# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A run that has to end before all machines are done says of each where it stands, and the next one takes it up."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.results import MachineReport
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.runner import Board, reporting_job, run_all
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.target import Target
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.termination import ending

from tests.fleet_run import take_all
from tests.unit.plugins.conftest import Stage

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
SLOW = {**READY, "create_seconds": 300}


def in_waves(azure: Stage) -> list[Target]:
    return [replace(target, application="shop", wave=number) for number, target in enumerate(azure.targets())]


def test_the_time_for_the_whole_run_leaves_later_waves_not_begun(azure: Stage) -> None:
    azure.vms({"name": "db", **SLOW}, {"name": "app", **READY})

    async def story(arm: Arm) -> list[Outcome]:
        return await take_all(arm.until(arm.clock.monotonic() + 60), in_waves(azure), Wish(), check=False)

    db, app = azure.run(story)
    assert (db.verdict, app.verdict) == (Verdict.RUNNING, Verdict.NOT_BEGUN)
    assert "is still in the making as far as this run knows: Could not make the restore point" in db.cause
    assert db.operation
    assert "because db in an earlier one is running" in app.cause
    assert len(azure.simulator.writes) == 2


def test_a_machine_whose_turn_comes_after_the_time_is_not_begun(azure: Stage) -> None:
    azure.vms({"name": "db", **READY})

    async def story(arm: Arm) -> list[Outcome]:
        return await take_all(arm.until(arm.clock.monotonic()), azure.targets(), Wish(), check=False)

    (db,) = azure.run(story)
    assert (db.verdict, db.cause) == (Verdict.NOT_BEGUN, "It was not begun: the time for the whole run is up")
    assert [seen.path for seen in azure.simulator.requests if "/virtualMachines/" in seen.path] == []


def test_a_rate_limit_that_leaves_no_time_is_no_failure(azure: Stage) -> None:
    azure.vms({"name": "db", **READY})
    azure.simulator.add_fault("throttle", method="PUT", retry_after=7200, times=1)
    outcome = azure.take(wish=Wish(timeout=timedelta(minutes=10)))["db"]
    assert outcome.verdict is Verdict.NOT_BEGUN
    assert "Azure has confirmed no request for a point" in outcome.cause
    assert "rate limit leaves no room" in outcome.cause


def test_a_run_that_is_told_to_end_says_of_each_machine_where_it_stands(azure: Stage) -> None:
    azure.vms({"name": "db", **READY}, {"name": "slow", **SLOW}, {"name": "app", **READY})
    db, slow, app = azure.targets("db", "slow", "app")
    targets = [db, replace(slow, application="shop", wave=1), replace(app, application="shop", wave=2)]

    async def story(arm: Arm) -> list[Outcome]:
        board: Board[Outcome] = Board()
        run = asyncio.create_task(take_all(arm, targets, Wish(), check=False, board=board))
        while len(board.results) < 1 or board.phases["slow"] != "creating":
            await arm.clock.sleep(5)
        board.stop("the run was told to end (SIGTERM)")
        return await run

    ended = {outcome.host: outcome for outcome in azure.run(story)}
    assert {name: outcome.verdict for name, outcome in ended.items()} == {
        "db": Verdict.REACHED,
        "slow": Verdict.RUNNING,
        "app": Verdict.NOT_BEGUN,
    }
    assert ended["slow"].cause.endswith("the run was told to end (SIGTERM)")
    taken_up = azure.take("slow")["slow"]
    assert (taken_up.verdict, taken_up.changed) == (Verdict.REACHED, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_work_and_then_does_what_it_would_have_done(number: signal.Signals) -> None:
    heard: list[object] = []
    before = signal.signal(number, lambda *_arguments: heard.append("as before"))

    async def main() -> str:
        stopped = asyncio.Event()

        def stop(why: str) -> None:
            heard.append(why)
            stopped.set()

        async with ending(stop) as told:
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stopped.wait(), 10)
        return told.why

    try:
        why = asyncio.run(main())
    finally:
        signal.signal(number, before)
    assert why == f"the run was told to end ({number.name})"
    assert heard == [why, "as before"]


def test_work_that_nobody_interrupts_leaves_signals_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> str:
        async with ending(pytest.fail) as told:
            await asyncio.sleep(0)
        return told.why

    assert asyncio.run(main()) == ""
    assert signal.getsignal(signal.SIGTERM) is before


def test_machines_of_no_application_do_not_wait_for_each_other(azure: Stage) -> None:
    azure.vms({"name": "broken", **READY, "power": "deallocated"}, {"name": "db{n}", "count": 3, **READY})
    targets = [replace(target, wave=-1 if target.host == "broken" else 0) for target in azure.targets()]
    outcomes = azure.run(lambda arm: take_all(arm, targets, Wish(), check=False))
    ended = {outcome.host: outcome.verdict for outcome in outcomes}
    assert ended.pop("broken") is Verdict.REFUSED
    assert set(ended.values()) == {Verdict.REACHED}


def test_readiness_and_guards_end_when_they_are_told_to_and_say_so(azure: Stage) -> None:
    azure.vms({"name": "db{n}", "count": 2, **READY})
    targets = azure.targets()

    async def hangs(arm: Arm, target: Target) -> MachineReport:
        if target.host == targets[0].host:
            return MachineReport(target.host, True, "ready")
        await arm.clock.sleep(10_000)
        raise AssertionError(target.host)

    async def story(arm: Arm) -> list[MachineReport]:
        board: Board[MachineReport] = Board()
        run = asyncio.create_task(run_all(reporting_job(20_000, hangs), arm, targets, board))
        while not board.results:
            await arm.clock.sleep(1)
        board.stop("the run was told to end (SIGTERM)")
        return await run

    first, second = azure.run(story)
    assert (first.word, second.word, second.good) == ("ready", "unfinished", False)
    assert second.cause == "It is not known how it ends: the run was told to end (SIGTERM)"
