# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The work on one machine: look at what is there, judge what is in the way, have the point made, let old ones go."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._azure.machine import Machine, read_machine
from .._azure.obstacle import Obstacle
from .._azure.waiting import until
from .._durations import words
from .._errors import AppConsistentError, DeadlineExceeded, OperationFailed
from .._failures.explain import Retry
from .._readiness.extension_state import extensions_settled
from .._readiness.machine import in_transition, obstacles
from .._readiness.surroundings import FULL, MAKING, NOT_CHECKED, surrounding_findings
from .._readiness.survey import Survey, read_collections
from .._restore_points.holding import left_out
from .._restore_points.names import of_schedule
from .._restore_points.next_step import Adopt, Keep, Make, Step, TooEarly, Wish, next_step
from .._restore_points.points import (
    MOST_POINTS,
    Collection,
    Consistency,
    RestorePoint,
    add_tags,
    check_not_deleting,
    check_owner,
    delete_point,
    lacks_tags,
    make_collection,
    read_collection,
)
from .._restore_points.retention import Pruned, Surplus, surplus
from .._task.runner import AGAIN
from .making import Making
from .verdict import Outcome, Verdict, from_error, judge

# Seconds before a machine is tried again after a failure that passes by itself, such as a change to it meanwhile.
RETRY_PAUSE = 30.0


@dataclass
class OneMachine(Making):
    """See `Work` of the runner."""

    survey: Survey | None = None
    failed_before: bool = False
    # Monotonic second at which the work began.
    began: float = 0.0
    # Points of the machine over all its collections, and what became of the old ones that were to make room.
    points_used: int = 0
    made_room: Pruned = field(default_factory=Pruned)

    async def run(self) -> Outcome:
        return self._timed(await self._run())

    def failed(self, error: AppConsistentError) -> Outcome:
        failed = from_error(self._outcome(Verdict.FAILED), error, self._os)
        return self._timed(replace(failed, changed=self.wrote))

    def unfinished(self, why: str) -> Outcome:
        return self._timed(self._unfinished(why))

    def _timed(self, outcome: Outcome) -> Outcome:
        return replace(outcome, seconds=self.arm.clock.monotonic() - self.began)

    def _unfinished(self, why: str) -> Outcome:
        """Return the outcome of work that ends before it is known what became of it."""
        if not self.name:
            cause = f"Azure has confirmed no request for a point: {why}"
            return replace(self._outcome(Verdict.NOT_BEGUN), changed=self.wrote, cause=cause, advice=AGAIN)
        return replace(
            self._outcome(Verdict.RUNNING),
            changed=self.wrote,
            cause=f"The restore point {self.name} is still in the making as far as this run knows: {why}",
            advice="It goes on in Azure. Run this again to take it up.",
        )

    async def _run(self) -> Outcome:
        wish = self.wish
        for attempt in range(1, self.wish.attempts + 1):
            try:
                outcome = await self._try(wish)
            except DeadlineExceeded as error:
                outcome = self._unfinished(error.message)
            except AppConsistentError as error:
                outcome = from_error(self._outcome(Verdict.FAILED), error, self._os)
            if attempt == self.wish.attempts or not self._worth_another(outcome):
                outcome = await self._stopped_meanwhile(outcome)
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
            pruned = self._not_pruned(outcome) or await self._prune(coming=int(outcome.verdict is Verdict.PLANNED))
            outcome = replace(outcome, pruned=replace(pruned, removed=(*self.made_room.removed, *pruned.removed)))
        elif self.made_room != Pruned():
            outcome = replace(outcome, pruned=self.made_room)
        would_remove = self.check and outcome.pruned is not None and bool(outcome.pruned.removed)
        return replace(outcome, changed=self.wrote or outcome.verdict is Verdict.PLANNED or would_remove)

    async def _stopped_meanwhile(self, outcome: Outcome) -> Outcome:
        """Say of a machine that stopped while its point was made that this is why: what Azure says is its agent's."""
        wants_it_running = self.wish.consistency is Consistency.ApplicationConsistent
        if outcome.verdict is not Verdict.FAILED or not self.name or not wants_it_running:
            return outcome
        try:
            machine = await read_machine(self.arm, self.target.vm)
        except AppConsistentError:
            return outcome
        if machine.power == "running":
            return outcome
        return replace(
            outcome,
            cause=f"The VM is {machine.power or 'not running'} since its point was asked for; {outcome.cause}",
            advice="Start it and run this again. Azure deallocates a Spot VM when it needs the capacity, so make its "
            "points when it is likely to run.",
        )

    def _not_pruned(self, outcome: Outcome) -> Pruned | None:
        """Return why old points stay where no clock can be trusted to tell which are old; None where one can."""
        doubt = self.arm.time.doubt()
        if not doubt and outcome.verdict is Verdict.REACHED and outcome.point and outcome.point.created:
            spent = timedelta(seconds=self.arm.clock.monotonic() - self.began)
            doubt = self.arm.time.doubt_of_new(outcome.point.created, spent)
        return Pruned(held=doubt) if doubt else None

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
        own = self._own(points)
        removed, failed = await self._delete(self._surplus(own, coming))
        kept = len(own) - len(removed) + coming
        return Pruned(tuple(removed), tuple(failed), kept, len(points) - len(own))

    def _own(self, points: t.Iterable[RestorePoint]) -> list[RestorePoint]:
        schedule, needed = self.wish.schedule, self._needed
        return [point for point in points if of_schedule(point.name, schedule) and needed.is_source_of(point)]

    def _surplus(self, own: list[RestorePoint], coming: int) -> list[Surplus]:
        return surplus(own, self.wish.retention, self._now(), self._needed, interval=self.wish.interval, coming=coming)

    async def _delete(self, found: list[Surplus]) -> tuple[list[Surplus], list[tuple[str, str]]]:
        """Return what was deleted, in check mode what would be, and the names and causes of what could not be."""
        removed: list[Surplus] = []
        failed: list[tuple[str, str]] = []
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
        return removed, failed

    async def _make_room(self, collection: Collection | None) -> bool:
        """Delete as many points as the next one needs room, of those that go after it anyway; tell whether it has it.

        Where all of Azure's points for a machine are used up, no new one would ever let old ones go.
        """
        needs = self.points_used - MOST_POINTS + 1
        found = [] if self.arm.time.doubt() else self._surplus(self._own(collection.points if collection else ()), 0)
        if len(found) < needs:
            return False
        if self.check:
            return True
        self.board.put(self.target.host, "deleting old points")
        removed, failed = await self._delete(found[:needs])
        self.made_room = Pruned((*self.made_room.removed, *removed), tuple(failed))
        return len(removed) == needs

    async def _try(self, wish: Wish) -> Outcome:
        self.board.put(self.target.host, "reading")
        self.name = self.operation = ""
        self.arm = self.arm.of(self.target.vm.subscription)
        self.machine = machine = await read_machine(self.arm, self.target.vm)
        self.left_out = left_out(machine, wish.exclude_disks)
        # Compute counts calls per region, and only the machine tells its own.
        self.arm = self.arm.at(machine.location)
        # Where the first machines had no collection, the list that is read for them tells of the others, too. It is
        # older than what this run has made.
        collection = None
        if self.wrote or self.survey is None or not self.survey.lacks(self.where):
            collection = await self._collection(wish)
        step = next_step(wish, collection, self._now(), self._needed)
        if isinstance(step, (Keep, Adopt)):
            return await self._settle(step)
        if not self.check:
            machine = await self._wait_for_extensions(machine)
        found = obstacles(machine, wish.consistency, self.left_out.disks)
        if any(finding.blocks for finding in found):
            return self._refused(found)
        if isinstance(step, TooEarly):
            return self._too_early(step)
        found += await self._around(machine, collection)
        blocking = {finding.code for finding in found if finding.blocks}
        if blocking == {FULL} and await self._make_room(collection):
            found = tuple(finding for finding in found if finding.code != FULL)
        if any(finding.blocks for finding in found):
            return self._refused(found)
        if self.check:
            return replace(self._outcome(Verdict.PLANNED), findings=found)
        if collection is None:
            self.board.put(self.target.host, "creating")
            made = await make_collection(
                self.arm,
                self.where,
                location=machine.location,
                source_id=self.target.vm.path,
                tags=wish.place.tags,
            )
            self.wrote = True
            if not made:
                # Another run was faster, and may have begun a point in it.
                step = next_step(wish, await self._collection(wish), self._now(), self._needed)
        elif isinstance(step, Make) and lacks_tags(collection, wish.place.tags):
            await add_tags(self.arm, self.where, collection, wish.place.tags)
            self.wrote = True
        outcome = await self._make_or_settle(step)
        return replace(outcome, findings=found) if found else outcome

    async def _collection(self, wish: Wish) -> Collection | None:
        """Read what there is of earlier points; raise where it cannot take another one of this machine."""
        collection = await read_collection(self.arm, self.where)
        if collection is not None:
            check_owner(collection, self.target.vm.path, f"the VM {self.target.vm.name}")
            check_not_deleting(collection)
            self.failed_before = any(
                point.failed and of_schedule(point.name, wish.schedule) for point in collection.points
            )
        return collection

    async def _make_or_settle(self, step: Step) -> Outcome:
        if isinstance(step, TooEarly):
            return self._too_early(step)
        return await (self._make(step.name) if isinstance(step, Make) else self._settle(step))

    def _refused(self, found: tuple[Obstacle, ...]) -> Outcome:
        blocking = [finding for finding in found if finding.blocks]
        return replace(
            self._outcome(Verdict.REFUSED),
            cause=". ".join(finding.message for finding in blocking),
            advice=" ".join(finding.remedy for finding in blocking),
            findings=found,
        )

    async def _around(self, machine: Machine, collection: Collection | None) -> tuple[Obstacle, ...]:
        """Judge what lies around the machine; a point that somebody else is making of it is waited for."""
        if self.survey is None:
            return ()
        around = await self.survey.around(self.target.vm)

        async def judged() -> list[Obstacle]:
            collections = await read_collections(self.arm, around, machine, self.where, collection)
            self.points_used = sum(len(each.points) for each in collections)
            return surrounding_findings(
                machine,
                around,
                collections,
                self.where,
                self.wish.consistency,
                self._now(),
                exclude_disks=self.left_out.disks,
                min_interval=self.wish.min_interval,
                tags=self.wish.place.tags,
            )

        def waiting(_found: list[Obstacle]) -> str:
            self.board.put(self.target.host, "waiting for a point of somebody else")
            return f"wait for the point that somebody else makes of {self.target.host}"

        found = await judged()
        if not self.check:
            found = await until(self.arm, _nobody_makes_one, found, judged, waiting, patient=False)
        # What could not be read is the same for all machines: the survey tells it once.
        return tuple(finding for finding in found if finding.code != NOT_CHECKED)

    async def _wait_for_extensions(self, machine: Machine) -> Machine:
        if in_transition(machine):
            self.board.put(self.target.host, "waiting for extensions")
        return await extensions_settled(self.arm, machine, patient=False)

    def _too_early(self, step: TooEarly) -> Outcome:
        """The last attempt fell short and is too recent for another one: tell what it came to."""
        outcome = judge(self._outcome(Verdict.FAILED), step.last, self.wish, self._os, self._needed)
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
        # The error has been explained where the outcome was worded.
        return bool(outcome.failure["retry"] == Retry.LATER.value and outcome.failure["status"] != 429)


def _nobody_makes_one(found: list[Obstacle]) -> bool:
    return not any(finding.code == MAKING and finding.blocks for finding in found)
