# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The documented repair: remove the snapshot extension and let Azure install it anew, with its guard off meanwhile.

The guard is put back whatever happens in between. Where that is impossible because there is no extension to lock any
more, the result says so, and the note of the lift (see `guard_lift`) lets the next run put it back.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._azure.arm import Arm
from .._azure.machine import Extension, Machine, read_machine
from .._azure.waiting import until
from .._durations import words
from .._errors import AppConsistentError, Conflict, Forbidden
from .._fleet.verdict import Outcome
from .._json import Json
from .._readiness.extension_state import ExtensionView, describe_extension, view_extension
from .._readiness.machine import obstacles
from .._restore_points.holding import left_out, needed_of
from .._restore_points.next_step import TooEarly, Wish, next_step
from .._restore_points.points import Consistency, describe_point, read_collection
from .._task.target import Target
from .guard import Guard, ensure_guarded, ensure_lifted, read_state
from .guard_lift import read_lift
from .presence import delete_extension, provision, settled

# What the repair is there to put right.
_REPAIRED = ("snapshot_extension_failed", "snapshot_handler_missing", "snapshot_handler_not_ready")


@dataclass
class _Repair:
    arm: Arm
    target: Target
    wish: Wish
    guard: Guard
    reason: str
    guarded: bool = False
    steps: list[str] = field(default_factory=list)

    async def run(self, *, check: bool) -> Json:
        machine = await settled(self.arm, await read_machine(self.arm, self.target.vm), check=check)
        before = view_extension(machine)
        self._check_machine(machine)
        await self._check_time(machine)
        extension = machine.snapshot_extension
        await self._see_guard(machine)
        if check:
            return self._result(before, before.with_it(), None, {"was_guarded": self.guarded, "restored": self.guarded})
        outcome: Outcome | None = None
        try:
            if extension is not None:
                await self._lift(machine)
                await self._remove(extension)
            outcome = await provision(self.arm, self.target, self.wish, check=False)
            machine = await settled(self.arm, await read_machine(self.arm, self.target.vm), check=False)
        except AppConsistentError as error:
            if failure := await self._surely_put_back():
                raise AppConsistentError(error.message, advice=f"{error.advice} {failure}".strip()) from error
            raise
        except BaseException as error:
            failure = await self._surely_put_back()
            if failure and isinstance(error, asyncio.CancelledError):
                raise AppConsistentError(
                    f"The repair of the snapshot extension of the VM {self.target.vm.name} was told to end",
                    advice=failure,
                ) from error
            raise
        if failure := await self._put_back():
            raise AppConsistentError(
                f"The snapshot extension of the VM {self.target.vm.name} is repaired, but its guard is not back",
                advice=failure,
            )
        guard = {"was_guarded": self.guarded, "restored": self.guarded}
        return self._result(before, view_extension(machine), outcome, guard)

    def _check_machine(self, machine: Machine) -> None:
        """Raise for what would keep Azure from installing the extension again, before anything is removed."""
        excluded = left_out(machine, self.wish.exclude_disks).disks
        blockers = [
            finding
            for finding in obstacles(machine, Consistency.ApplicationConsistent, excluded)
            if finding.blocks and finding.code not in _REPAIRED
        ]
        if blockers:
            raise AppConsistentError(
                f"The snapshot extension of the VM {self.target.vm.name} was left as it is, because Azure could not "
                "install it again: " + ". ".join(finding.message for finding in blockers),
                advice=" ".join(finding.remedy for finding in blockers),
            )

    async def _check_time(self, machine: Machine) -> None:
        where = self.target.collection or self.guard.collection(self.target.vm)
        now = self.arm.time.now()
        step = next_step(_anew(self.wish), await read_collection(self.arm, where), now, needed_of(machine))
        if isinstance(step, TooEarly):
            raise AppConsistentError(
                f"The snapshot extension of the VM {self.target.vm.name} was left as it is: the restore point that "
                f"installs it again would come too early after {step.last.name}",
                advice=f"Run this again in {words(step.next_at - now)}, or set min_interval (Azure allows three points "
                "per hour).",
            )

    async def _see_guard(self, machine: Machine) -> None:
        """Find out what guards the extension; raise when somebody else does."""
        guard = self.guard
        if machine.snapshot_extension is None:
            lift = await read_lift(self.arm, guard.collection(self.target.vm))
            self.guarded = lift is not None
            return
        state = await read_state(self.arm, self.target.vm, guard, machine=machine)
        held = state.named(guard.lock_name)
        others = [lock for lock in state.locks if lock.forbids_deletion and lock is not held]
        if others:
            raise Conflict(
                f"remove the extension {state.extension.name} of the VM {self.target.vm.name} for its repair",
                code="ForeignLock",
                message="locks that are not the guard's forbid it: "
                + ", ".join(f"{lock.name} ({lock.level}) on {lock.scope.rpartition('/')[2]}" for lock in others),
                advice="Have their owners lift them for the repair; this module takes only its own guard away.",
            )
        self.guarded = held is not None or state.assigned or state.lift is not None

    async def _lift(self, machine: Machine) -> None:
        if not self.guarded:
            return
        span = self.wish.timeout + timedelta(minutes=5)
        await ensure_lifted(
            self.arm, self.target.vm, self.guard, f"repair: {self.reason}", span, check=False, machine=machine
        )
        self.steps.append("lifted the guard")

    async def _remove(self, extension: Extension) -> None:
        """Delete the extension; an exemption needs minutes to be in force, so a policy's no is asked again."""

        async def delete() -> bool:
            try:
                await delete_extension(self.arm, extension, self.target.vm.name)
            except Forbidden as error:
                if error.code != "RequestDisallowedByPolicy" or not self.guard.policy:
                    raise
                return False
            return True

        await until(
            self.arm, bool, await delete(), delete, lambda _done: "see the exemption from the guard's policy in force"
        )
        self.steps.append("removed the extension")

    async def _surely_put_back(self) -> str:
        """Put the guard back, and go on with that when told to end once more."""
        work = asyncio.ensure_future(self._put_back())
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(work)
        return work.result()

    async def _put_back(self) -> str:
        """Put the guard back; return what to tell where that did not work, empty when all is well."""
        if not self.guarded:
            return ""
        # The repair's own deadline may be over: putting the guard back has time of its own.
        arm = replace(self.arm, deadline=self.arm.clock.monotonic() + 300)
        try:
            machine = await read_machine(arm, self.target.vm)
            if machine.snapshot_extension is None:
                return (
                    "There is no extension to guard now: run snapshot_extension with state=present, then "
                    "snapshot_extension_guard with end_lift=true."
                )
            await ensure_guarded(arm, self.target.vm, self.guard, check=False, end_lift=True, machine=machine)
        except AppConsistentError as error:
            return f"The guard is NOT back ({error}): run snapshot_extension_guard with end_lift=true."
        self.steps.append("put the guard back")
        return ""

    def _result(self, before: ExtensionView, after: ExtensionView, outcome: Outcome | None, guard: Json) -> Json:
        return {
            "changed": True,
            "snapshot_extension": describe_extension(after),
            "installed_by": "restore point",
            "restore_point": describe_point(outcome.point) if outcome is not None and outcome.point else {},
            "reason": self.reason,
            "guard": guard,
            "steps": self.steps,
            "diff": {
                "before": f"{before.type}: {before.state}\n",
                "after": f"{after.type}: {after.state}, installed anew\n",
            },
        }


def _anew(wish: Wish) -> Wish:
    """A wish for a point that is made however fresh the last one is."""
    return replace(wish, key="", max_age=timedelta(0))


async def repair(arm: Arm, target: Target, wish: Wish, guard: Guard, reason: str, *, check: bool) -> Json:
    """Repair the snapshot extension of a machine; a healthy one is repaired too, for it was asked for."""
    arm = arm.until(arm.clock.monotonic() + wish.timeout.total_seconds())
    return await _Repair(arm, target, wish, guard, reason).run(check=check)
