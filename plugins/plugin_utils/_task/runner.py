# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The one runner over machines: all at once, in waves where an application asks for it, each by itself.

Whatever goes wrong with a machine is in its result; nobody fails for another. The run can be ended from outside, and
then says of each machine how far it got.
"""

from __future__ import annotations

import asyncio
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from .._azure.arm import Arm
from .._errors import AppConsistentError
from .results import MachineReport, MachineResult, report_of_error
from .target import Target

AGAIN = "Run this again."
R = t.TypeVar("R", bound=MachineResult)
R_co = t.TypeVar("R_co", bound=MachineResult, covariant=True)


class Work(t.Protocol[R_co]):
    """The work on one machine."""

    async def run(self) -> R_co:
        """Do it. An error that is raised ends the work on this machine only."""

    def failed(self, error: AppConsistentError) -> R_co:
        """Return the result of work that this error ended."""

    def unfinished(self, why: str) -> R_co:
        """Return the result of work that was told to end before it is known what became of it."""


@dataclass
class Board(t.Generic[R]):
    """Where every machine stands, for whoever shows progress, and the way to end them all.

    `stopped` says why nothing more is begun or waited for, empty while the run goes on.
    """

    phases: dict[str, str] = field(default_factory=dict)
    results: list[R] = field(default_factory=list)
    stopped: str = ""
    working: set[asyncio.Task[t.Any]] = field(default_factory=set)

    def put(self, host: str, phase: str) -> None:
        self.phases[host] = phase

    def end(self, result: R) -> None:
        self.phases.pop(result.host, None)
        self.results.append(result)

    def counts(self) -> Counter[str]:
        return Counter(self.phases.values())

    def stop(self, why: str) -> None:
        """End the work on all machines at once. What Azure was asked for goes on there, and the result says so."""
        self.stopped = self.stopped or why
        for task in self.working:
            task.cancel()


@dataclass(frozen=True)
class Job(t.Generic[R]):
    """What is done for each machine, within `seconds` for one.

    `not_begun` makes the result of a machine that was not begun, from the cause and the advice. `waves` tells whether
    the machines of an application wait for those of its earlier waves.
    """

    seconds: float
    begin: t.Callable[[Arm, Target], Work[R]]
    not_begun: t.Callable[[Target, str, str], R]
    waves: bool = False


async def run_all(job: Job[R], arm: Arm, targets: t.Sequence[Target], board: Board[R]) -> list[R]:
    """Do the job for all machines and return a result for each, in their order. Raises for none of them.

    The deadline of `arm` is the whole run's: a machine whose turn comes after it is not begun.
    """
    for target in targets:
        board.put(target.host, "waiting")
    groups: dict[tuple[str, str], list[Target]] = {}
    for target in targets:
        # A machine of no application has nobody to wait for.
        together = (target.application, "") if job.waves and target.application else ("", target.host)
        groups.setdefault(together, []).append(target)
    ended = await asyncio.gather(*(_waves(job, arm, group, board) for group in groups.values()))
    results = {result.host: result for group in ended for result in group}
    return [results[target.host] for target in targets]


async def _waves(job: Job[R], arm: Arm, targets: t.Sequence[Target], board: Board[R]) -> list[R]:
    """Work on one application, wave by wave; Azure has no point of several machines at one instant.

    After a wave in which a machine fell short the later ones are not begun: they could not fit the earlier ones.
    """
    results: list[R] = []
    for wave in sorted({target.wave for target in targets}):
        members = [target for target in targets if target.wave == wave]
        short = next((result for result in results if not result.good), None)
        if short is None:
            results += await asyncio.gather(*(run_one(job, arm, target, board) for target in members))
            continue
        for target in members:
            cause = (
                f"Its wave of the application {target.application} was not begun, because {short.host} in an earlier "
                f"one is {short.word.replace('_', ' ')}"
            )
            advice = f"Put {short.host} right, then run this again."
            results.append(job.not_begun(target, cause, advice))
            board.end(results[-1])
    return results


async def run_one(job: Job[R], arm: Arm, target: Target, board: Board[R]) -> R:
    """Do the job for one machine. Whatever goes wrong is in the result, nothing is raised."""
    began = arm.clock.monotonic()
    if board.stopped or began >= arm.deadline:
        cause = f"It was not begun: {board.stopped or 'the time for the whole run is up'}"
        result = job.not_begun(target, cause, AGAIN)
    else:
        result = await _run_or_stop(job.begin(arm.until(began + job.seconds), target), target, board)
    board.end(result)
    return result


async def _run_or_stop(work: Work[R], target: Target, board: Board[R]) -> R:
    """Do the work until it is done or the board is stopped."""
    task = t.cast("asyncio.Task[t.Any]", asyncio.current_task())
    board.working.add(task)
    try:
        return await work.run()
    except asyncio.CancelledError:
        if not board.stopped:
            raise
        return work.unfinished(board.stopped)
    except AppConsistentError as error:
        return work.failed(error)
    except Exception as error:  # a mistake of ours about one machine must not cost the others their results
        return work.failed(mistake(target.host, error))
    finally:
        board.working.discard(task)


def mistake(host: str, error: Exception) -> AppConsistentError:
    """Return what to tell of an exception that nobody raised on purpose."""
    return AppConsistentError(
        f"Could not go on with {host} because of a mistake in appconsistent.azure ({type(error).__name__}: {error})",
        advice="Report it with the versions of the collection and of ansible-core.",
    )


@dataclass(frozen=True)
class Reporting:
    """Work that is one call and comes to a MachineReport."""

    call: t.Callable[[Arm, Target], t.Awaitable[MachineReport]]
    arm: Arm
    target: Target

    async def run(self) -> MachineReport:
        return await self.call(self.arm.of(self.target.vm.subscription), self.target)

    def failed(self, error: AppConsistentError) -> MachineReport:
        return report_of_error(self.target.host, error)

    def unfinished(self, why: str) -> MachineReport:
        return replace(_not_begun(self.target, f"It is not known how it ends: {why}", AGAIN), word="unfinished")


def reporting_job(seconds: float, call: t.Callable[[Arm, Target], t.Awaitable[MachineReport]]) -> Job[MachineReport]:
    """Return the job of calling `call` for each machine."""
    return Job(seconds, lambda arm, target: Reporting(call, arm, target), _not_begun)


def _not_begun(target: Target, cause: str, advice: str) -> MachineReport:
    return MachineReport(target.host, False, "not_begun", cause, advice, result={"vm_id": target.vm.path})
