# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The engine: every machine of a fleet gets its restore point, each by itself, all at once.

One asyncio task per machine over one shared door to Azure. What a machine needs is decided from what Azure holds,
under names that a repeated run derives again, so a run that is killed and repeated adopts what it had begun.
"""

from __future__ import annotations

import asyncio
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .._azure.arm import Arm, poll_pauses
from .._azure.finding import Finding
from .._azure.machine import Machine, read_machine
from .._durations import words
from .._errors import AppConsistentError, AzureError, DeadlineExceeded, EndpointUnreachable, OperationFailed
from .._failures.explain import Retry, explain
from .._readiness.machine import findings, in_transition
from .._readiness.surroundings import MAKING, NOT_CHECKED, Survey, read_collections, surrounding_findings
from .._restore_points.next_step import Adopt, Keep, Make, Step, TooEarly, Wish, next_step, of_schedule
from .._restore_points.points import (
    Collection,
    CollectionId,
    RestorePoint,
    begin_point,
    check_not_deleting,
    check_owner,
    default_collection,
    delete_point,
    make_collection,
    read_collection,
    read_point,
)
from .._restore_points.retention import Pruned, surplus
from .._task.target import Target
from .verdict import Outcome, Verdict, from_error, judge

_AGAIN = "Run this again."
# Seconds before a machine is tried again after a failure that passes by itself, such as a change to it meanwhile.
RETRY_PAUSE = 30.0


@dataclass
class Board:
    """Where every machine stands, for whoever shows progress, and the way to end them all.

    `stopped` says why nothing more is begun or waited for, empty while the run goes on.
    """

    phases: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    stopped: str = ""
    working: set[asyncio.Task[t.Any]] = field(default_factory=set)

    def put(self, host: str, phase: str) -> None:
        self.phases[host] = phase

    def end(self, outcome: Outcome) -> None:
        self.phases.pop(outcome.host, None)
        self.outcomes.append(outcome)

    def counts(self) -> Counter[str]:
        return Counter(self.phases.values())

    def stop(self, why: str) -> None:
        """End the work on all machines at once. What Azure was asked for goes on there, and its outcome says so."""
        self.stopped = self.stopped or why
        for task in self.working:
            task.cancel()


async def take_all(
    arm: Arm,
    targets: t.Sequence[Target],
    wish: Wish,
    *,
    check: bool,
    board: Board | None = None,
    survey: Survey | None = None,
) -> list[Outcome]:
    """Take care of all targets at once and return an outcome for each, in their order. Raises for none of them.

    The deadline of `arm` is the whole run's: a machine whose turn comes after it is not begun.
    """
    board = board or Board()
    survey = survey or Survey(arm, targets)
    for target in targets:
        board.put(target.host, "waiting")
    applications: dict[str, list[Target]] = {}
    for target in targets:
        applications.setdefault(target.application, []).append(target)
    taken = await asyncio.gather(
        *(_take_waves(arm, group, wish, check, board, survey) for group in applications.values())
    )
    outcomes = {outcome.host: outcome for group in taken for outcome in group}
    return [outcomes[target.host] for target in targets]


async def _take_waves(
    arm: Arm, targets: t.Sequence[Target], wish: Wish, check: bool, board: Board, survey: Survey
) -> list[Outcome]:
    """Take care of one application, wave by wave; Azure has no point of several machines at one instant.

    After a wave in which a machine fell short the later ones are not begun: they could not fit the earlier ones.
    """
    outcomes: list[Outcome] = []
    for wave in sorted({target.wave for target in targets}):
        members = [target for target in targets if target.wave == wave]
        short = next((outcome for outcome in outcomes if not outcome.good), None)
        if short is not None:
            for target in members:
                name = target.application or "without a name"
                cause = f"Its wave of the application {name} was not begun, because {short.host} in an earlier one is "
                advice = f"Put {short.host} right, then run this again."
                outcomes.append(_not_begun(target, wish, cause + short.verdict.value.replace("_", " "), advice))
                board.end(outcomes[-1])
            continue
        outcomes += await asyncio.gather(
            *(take(arm, target, wish, check=check, board=board, survey=survey) for target in members)
        )
    return outcomes


def _not_begun(target: Target, wish: Wish, cause: str, advice: str) -> Outcome:
    return Outcome(
        target.host,
        target.vm.path,
        Verdict.NOT_BEGUN,
        wish.consistency,
        wish.minimum,
        cause=cause,
        advice=advice,
    )


async def take(
    arm: Arm,
    target: Target,
    wish: Wish,
    *,
    check: bool,
    board: Board | None = None,
    survey: Survey | None = None,
) -> Outcome:
    """Take care of one machine. Whatever goes wrong is in the outcome, nothing is raised.

    Without a `survey` only what stands in the machine's own description is judged before Azure is asked.
    """
    board = board or Board()
    began = arm.clock.monotonic()
    if board.stopped or began >= arm.deadline:
        cause = f"It was not begun: {board.stopped or 'the time for the whole run is up'}"
        outcome = _not_begun(target, wish, cause, _AGAIN)
    else:
        where = target.collection or default_collection(target.vm, wish.collection_group)
        work = _Work(arm.until(began + wish.timeout.total_seconds()), target, wish, check, board, where, survey)
        outcome = replace(await work.run_or_stop(), seconds=arm.clock.monotonic() - began)
    board.end(outcome)
    return outcome


@dataclass
class _Work:
    """The work on one machine."""

    arm: Arm
    target: Target
    wish: Wish
    check: bool
    board: Board
    where: CollectionId
    survey: Survey | None = None
    machine: Machine | None = None
    wrote: bool = False
    # The point that is waited for, and Azure's operation that makes it, once it was asked for.
    name: str = ""
    operation: str = ""
    failed_before: bool = False

    async def run_or_stop(self) -> Outcome:
        """Do the work until it is done or the board is stopped."""
        task = asyncio.current_task()
        if task is None:
            return await self.run()
        self.board.working.add(task)
        try:
            return await self.run()
        except asyncio.CancelledError:
            if not self.board.stopped:
                raise
            return self._unfinished(self.board.stopped)
        finally:
            self.board.working.discard(task)

    def _unfinished(self, why: str) -> Outcome:
        """Return the outcome of work that ends before it is known what became of it."""
        if not self.name:
            cause = f"Azure has confirmed no request for a point: {why}"
            return replace(self._outcome(Verdict.NOT_BEGUN), changed=self.wrote, cause=cause, advice=_AGAIN)
        return replace(
            self._outcome(Verdict.RUNNING),
            changed=self.wrote,
            cause=f"The restore point {self.name} is still in the making as far as this run knows: {why}",
            advice="It goes on in Azure. Run this again to take it up.",
        )

    async def run(self) -> Outcome:
        wish = self.wish
        for attempt in range(1, self.wish.attempts + 1):
            try:
                outcome = await self._try(wish)
            except DeadlineExceeded as error:
                outcome = self._unfinished(error.message)
            except AppConsistentError as error:
                outcome = from_error(self._outcome(Verdict.FAILED), error, self._os)
            except Exception as error:  # a mistake of ours about one machine must not cost the others their points
                outcome = from_error(self._outcome(Verdict.FAILED), _mistake(self.target.host, error), self._os)
            if attempt == self.wish.attempts or not self._worth_another(outcome):
                break
            if outcome.failure["kind"] == OperationFailed.__name__:
                # The attempt of this run that has just failed must not make the next one come too early.
                wish = replace(self.wish, min_interval=timedelta(0))
            self.board.put(self.target.host, "trying again")
            try:
                await self.arm.sleep(RETRY_PAUSE, f"try {self.target.host} again")
            except DeadlineExceeded:
                break
        if outcome.good and (self.wish.retention.limits or self.failed_before):
            outcome = replace(outcome, pruned=await self._prune(coming=int(outcome.verdict is Verdict.PLANNED)))
        would_remove = self.check and outcome.pruned is not None and bool(outcome.pruned.removed)
        return replace(outcome, changed=self.wrote or outcome.verdict is Verdict.PLANNED or would_remove)

    async def _prune(self, coming: int) -> Pruned:
        """Delete what retention lets go, after success only. What cannot be deleted is told, not raised."""
        self.board.put(self.target.host, "deleting old points")
        try:
            collection = await read_collection(self.arm, self.where)
        except AppConsistentError as error:
            return Pruned(failed=(("the list of points", error.message),))
        except asyncio.CancelledError:
            if not self.board.stopped:
                raise
            return Pruned(failed=(("the list of points", self.board.stopped),))
        points = collection.points if collection else ()
        own = [point for point in points if of_schedule(point, self.wish.schedule)]
        found = surplus(own, self.wish.retention, self._now(), interval=self.wish.interval, coming=coming)
        removed, failed = [], []
        for each in found:
            try:
                if not self.check:
                    await delete_point(self.arm, self.where, each.point.name)
                    self.wrote = True
                removed.append(each)
            except AppConsistentError as error:
                failed.append((each.point.name, str(error)))
            except asyncio.CancelledError:
                if not self.board.stopped:
                    raise
                # The new point is as good as it is. The next run deletes what is left.
                failed.append((each.point.name, self.board.stopped))
                break
        kept = len(own) - len(removed) + coming
        return Pruned(tuple(removed), tuple(failed), kept, len(points) - len(own))

    async def _try(self, wish: Wish) -> Outcome:
        self.board.put(self.target.host, "reading")
        self.name = self.operation = ""
        self.arm = self.arm.of(self.target.vm.subscription)
        self.machine = machine = await read_machine(self.arm, self.target.vm)
        # Compute counts calls per region, and only the machine tells its own.
        self.arm = self.arm.at(machine.location)
        # Where the first machines had no collection, the list that is read for them tells of the others, too. It is
        # older than what this run has made.
        collection = None
        if self.wrote or self.survey is None or not self.survey.lacks(self.where):
            collection = await self._collection(wish)
        step = next_step(wish, collection, self._now())
        if isinstance(step, (Keep, Adopt)):
            return await self._settle(step)
        if not self.check:
            machine = await self._wait_for_extensions(machine)
        found = findings(machine, wish.consistency, wish.exclude_disks)
        if any(finding.blocks for finding in found):
            return self._refused(found)
        if isinstance(step, TooEarly):
            return self._too_early(step)
        found += await self._around(machine, collection)
        if any(finding.blocks for finding in found):
            return self._refused(found)
        if self.check:
            return replace(self._outcome(Verdict.PLANNED), findings=found)
        if collection is None:
            self.board.put(self.target.host, "creating")
            made = await make_collection(self.arm, self.where, location=machine.location, source_id=self.target.vm.path)
            self.wrote = True
            if not made:
                # Another run was faster, and may have begun a point in it.
                step = next_step(wish, await self._collection(wish), self._now())
        outcome = await self._make_or_settle(step)
        return replace(outcome, findings=found) if found else outcome

    async def _collection(self, wish: Wish) -> Collection | None:
        """Read what there is of earlier points; raise where it cannot take another one of this machine."""
        collection = await read_collection(self.arm, self.where)
        if collection is not None:
            check_owner(collection, self.target.vm.path, f"the VM {self.target.vm.name}")
            check_not_deleting(collection)
            self.failed_before = any(point.failed and of_schedule(point, wish.schedule) for point in collection.points)
        return collection

    async def _make_or_settle(self, step: Step) -> Outcome:
        if isinstance(step, TooEarly):
            return self._too_early(step)
        return await (self._make(step.name) if isinstance(step, Make) else self._settle(step))

    def _refused(self, found: tuple[Finding, ...]) -> Outcome:
        blocking = [finding for finding in found if finding.blocks]
        return replace(
            self._outcome(Verdict.REFUSED),
            cause=". ".join(finding.message for finding in blocking),
            advice=" ".join(finding.remedy for finding in blocking),
            findings=found,
        )

    async def _around(self, machine: Machine, collection: Collection | None) -> tuple[Finding, ...]:
        """Judge what lies around the machine; a point that somebody else is making of it is waited for."""
        if self.survey is None:
            return ()
        around = await self.survey.around(self.target.vm)
        found: list[Finding] = []
        for pause in poll_pauses():
            found = surrounding_findings(
                machine,
                around,
                await read_collections(self.arm, around, machine, self.where, collection),
                self.where,
                self.wish.consistency,
                self._now(),
                exclude_disks=self.wish.exclude_disks,
                min_interval=self.wish.min_interval,
            )
            if self.check or not any(finding.code == MAKING and finding.blocks for finding in found):
                break
            self.board.put(self.target.host, "waiting for a point of somebody else")
            try:
                await self.arm.sleep(pause, f"wait for the point that somebody else makes of {self.target.host}")
            except DeadlineExceeded:
                break
        # What could not be read is the same for all machines: the survey tells it once.
        return tuple(finding for finding in found if finding.code != NOT_CHECKED)

    async def _make(self, name: str) -> Outcome:
        """Ask Azure for the point and wait for it."""
        self.board.put(self.target.host, "creating")
        # From here on the point may be there, whatever comes back.
        self.name = name
        try:
            answer = await begin_point(
                self.arm,
                self.where,
                name,
                consistency=self.wish.consistency,
                exclude_disks=self.wish.exclude_disks,
            )
            self.wrote, self.operation = True, answer.operation
        except DeadlineExceeded:
            # Held back by the rate limit until the time was up.
            self.name = ""
            raise
        except (AzureError, EndpointUnreachable) as error:
            return await self._adopt_after(error)
        if not self.wish.wait:
            return replace(
                self._outcome(Verdict.RUNNING),
                point=await read_point(self.arm, self.where, name),
                cause=f"The restore point {name} was asked for and not waited for",
                advice="Run this again to see what came of it.",
            )
        try:
            await self.arm.finish(answer, doing=f"make the restore point {name} of {self.target.host}")
        except OperationFailed:
            raise
        except (AzureError, EndpointUnreachable):
            # That the operation cannot be read says nothing about the point.
            pass
        point = await self._look(name)
        if point is None:
            raise OperationFailed(
                f"find the restore point {name} of {self.target.host} that Azure says it has made",
                code="RestorePointGone",
                message="it is not there any more",
            )
        return judge(self._outcome(Verdict.FAILED), await self._until_ended(point), self.wish, self._os)

    async def _adopt_after(self, error: AzureError | EndpointUnreachable) -> Outcome:
        """A refused or unanswered request may have been accepted, or another run was faster: see what is there."""
        collection = await read_collection(self.arm, self.where)
        step: Step | None = next_step(self.wish, collection, self._now()) if collection else None
        if isinstance(step, (Keep, Adopt)):
            self.wrote = self.wrote or step.point.name == self.name
            return await self._settle(step)
        raise error

    async def _settle(self, step: Keep | Adopt) -> Outcome:
        """Return what comes of a point that is there already."""
        if isinstance(step, Keep):
            return replace(self._outcome(Verdict.FRESH), point=step.point)
        self.name = step.point.name
        if self.check or not self.wish.wait:
            return replace(
                self._outcome(Verdict.RUNNING),
                point=step.point,
                cause=f"The restore point {step.point.name} is in the making",
                advice="Run this again to see what came of it.",
            )
        self.board.put(self.target.host, "creating")
        return judge(self._outcome(Verdict.FAILED), await self._until_ended(step.point), self.wish, self._os)

    async def _until_ended(self, point: RestorePoint) -> RestorePoint:
        """Poll a point that is in progress: its operation belongs to another run, or has ended a moment before it."""
        for pause in poll_pauses():
            if not point.in_progress:
                return point
            doing = f"make the restore point {point.name} of {self.target.host}"
            await self.arm.sleep(pause, doing)
            point = await self._look(point.name) or replace(point, state="Deleted")
        return point

    async def _look(self, name: str) -> RestorePoint | None:
        """Read a point that is known to be in the making: a passing fault must not make it look like a failed one."""
        for pause in poll_pauses():
            try:
                return await read_point(self.arm, self.where, name)
            except (AzureError, EndpointUnreachable) as error:
                if isinstance(error, AzureError) and error.status != 429 and (error.status or 0) < 500:
                    raise
            await self.arm.sleep(pause, f"read the restore point {name} of {self.target.host}")
        return None

    async def _wait_for_extensions(self, machine: Machine) -> Machine:
        for pause in poll_pauses():
            names = in_transition(machine)
            if not names:
                break
            self.board.put(self.target.host, "waiting for extensions")
            try:
                await self.arm.sleep(pause, f"wait for the extensions {', '.join(names)} of {self.target.host}")
            except DeadlineExceeded:
                break
            machine = await read_machine(self.arm, self.target.vm)
        return machine

    def _too_early(self, step: TooEarly) -> Outcome:
        """The last attempt fell short and is too recent for another one: tell what it came to."""
        outcome = judge(self._outcome(Verdict.FAILED), step.last, self.wish, self._os)
        wait = words(step.next_at - self._now())
        if outcome.verdict is Verdict.REACHED:
            outcome = replace(
                outcome,
                verdict=Verdict.REFUSED,
                cause=f"The last good point {step.last.name} is too old, and the next attempt would come too early",
            )
        return replace(
            outcome,
            advice=f"{outcome.advice} The next attempt is allowed in {wait} (min_interval).".strip(),
            next_attempt=step.next_at,
        )

    def _worth_another(self, outcome: Outcome) -> bool:
        """Tell whether the failure passes by itself. Each attempt counts among Azure's three per hour."""
        if outcome.verdict is not Verdict.FAILED or self.check or not outcome.failure.get("code"):
            return False
        failure = outcome.failure
        explanation = explain(failure["code"], failure["message"], status=failure["status"], os=self._os or None)
        return explanation.retry is Retry.LATER and failure["status"] != 429

    def _outcome(self, verdict: Verdict) -> Outcome:
        return Outcome(
            host=self.target.host,
            vm_id=self.target.vm.path,
            verdict=verdict,
            requested=self.wish.consistency,
            minimum=self.wish.minimum,
            collection_id=self.where.path,
            operation=self.operation,
        )

    @property
    def _os(self) -> str:
        return self.machine.os if self.machine else ""

    def _now(self) -> datetime:
        return self.arm.clock.utc_now()


def _mistake(host: str, error: Exception) -> AppConsistentError:
    return AppConsistentError(
        f"Could not go on with {host} because of a mistake in appconsistent.azure ({type(error).__name__}: {error})",
        advice="Report it with the versions of the collection and of ansible-core.",
    )
