# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Asking Azure for a point and staying with it until it is known what came of it: what must never lose a point."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._azure.answers import Answer
from .._azure.arm import Arm
from .._azure.machine import Machine
from .._azure.waiting import UNSEEN, once_parent_is_seen, until
from .._errors import AppConsistentError, AzureError, DeadlineExceeded, EndpointUnreachable, OperationFailed
from .._restore_points.holding import LeftOut, Needed, needed_of
from .._restore_points.next_step import Adopt, Keep, Step, Wish, next_step
from .._restore_points.points import CollectionId, RestorePoint, begin_point, read_collection, read_point
from .._task.runner import Board
from .._task.target import Target
from .verdict import Outcome, Verdict, judge


@dataclass
class Making:
    """What is known of one machine while its point is made."""

    arm: Arm
    target: Target
    wish: Wish
    check: bool
    board: Board[Outcome]
    where: CollectionId
    machine: Machine | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    wrote: bool = False
    # The point that is waited for, and Azure's operation that makes it, once it was asked for.
    name: str = ""
    operation: str = ""

    async def _make(self, name: str) -> Outcome:
        """Ask Azure for the point and wait for it."""
        self.board.put(self.target.host, "creating")
        # From here on the point may be there, whatever comes back.
        self.name = name
        try:
            answer = await self._begin(name)
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
        point = await self._find(name)
        if point is None:
            raise OperationFailed(
                f"find the restore point {name} of {self.target.host} that Azure says it has made",
                code="RestorePointGone",
                message="it is not there any more",
            )
        return judge(self._outcome(Verdict.FAILED), await self._until_ended(point), self.wish, self._os, self._needed)

    async def _adopt_after(self, error: AzureError | EndpointUnreachable) -> Outcome:
        """A refused or unanswered request may have been accepted, or another run was faster: see what is there."""
        collection = await read_collection(self.arm, self.where)
        step: Step | None = next_step(self.wish, collection, self._now(), self._needed) if collection else None
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
        return judge(
            self._outcome(Verdict.FAILED), await self._until_ended(step.point), self.wish, self._os, self._needed
        )

    async def _until_ended(self, point: RestorePoint) -> RestorePoint:
        """Wait for a point that is in progress: its operation belongs to another run, or has ended a moment before."""

        async def again() -> RestorePoint:
            return await self._find(point.name) or replace(point, state="Deleted")

        doing = f"make the restore point {point.name} of {self.target.host}"
        return await until(self.arm, lambda seen: not seen.in_progress, point, again, lambda _seen: doing)

    async def _begin(self, name: str) -> Answer:
        def send() -> t.Awaitable[Answer]:
            asked, disks = self.wish.consistency, self.left_out.disks
            return begin_point(self.arm, self.where, name, consistency=asked, exclude_disks=disks)

        # What this run has written by now is the collection.
        doing = f"make the restore point {name} of {self.target.host}"
        return await (once_parent_is_seen(self.arm, send, doing) if self.wrote else send())

    async def _find(self, name: str) -> RestorePoint | None:
        """Return a point that is known to have been there, None when it stays away."""

        def again() -> t.Awaitable[RestorePoint | None]:
            return self._look(name)

        doing = f"find the restore point {name} of {self.target.host}"
        return await until(self.arm, _is_there, await again(), again, lambda _seen: doing, within=UNSEEN, patient=False)

    async def _look(self, name: str) -> RestorePoint | None:
        """Read a point that is known to be in the making: a passing fault must not make it look like a failed one."""

        async def look() -> RestorePoint | AzureError | EndpointUnreachable | None:
            try:
                return await read_point(self.arm, self.where, name)
            except (AzureError, EndpointUnreachable) as error:
                if isinstance(error, AzureError) and error.status != 429 and (error.status or 0) < 500:
                    raise
                return error

        doing = f"read the restore point {name} of {self.target.host}"
        seen = await until(self.arm, _was_read, await look(), look, lambda _seen: doing)
        return seen if isinstance(seen, RestorePoint) else None

    def _outcome(self, verdict: Verdict) -> Outcome:
        return Outcome(
            host=self.target.host,
            vm_id=self.target.vm.path,
            verdict=verdict,
            requested=self.wish.consistency,
            minimum=self.wish.minimum,
            collection_id=self.where.path,
            operation=self.operation,
            strange_disks=self.left_out.strange if self.machine else None,
        )

    @property
    def _needed(self) -> Needed:
        return needed_of(self.machine, self.left_out.disks) if self.machine else Needed("", ())

    @property
    def _os(self) -> str:
        return self.machine.os if self.machine else ""

    def _now(self) -> datetime:
        return self.arm.time.now()


def _is_there(seen: RestorePoint | None) -> bool:
    return seen is not None


def _was_read(seen: RestorePoint | AppConsistentError | None) -> bool:
    return not isinstance(seen, AppConsistentError)
