# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The guard of the snapshot extension: a management lock at the extension's own scope, a denyAction policy, or both.

A lock on the machine or its group would do too, but it is inherited by whatever lies below; one that covers the
restore point collections keeps old points from being deleted until the limit of 500 is reached.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .._authorization.locks import (
    CAN_NOT_DELETE,
    LONGEST_NOTE,
    Lock,
    LockResult,
    lock_findings,
    lock_path,
    locks_at,
    remove_lock,
    set_lock,
)
from .._authorization.policy import (
    Exemption,
    assignment_path,
    end_exemption,
    ensure_assigned,
    ensure_unassigned,
    exempt,
    not_effective_yet,
    read_assignment,
    read_exemption,
)
from .._azure.arm import Arm
from .._azure.machine import Extension, Machine, read_machine
from .._azure.obstacle import Obstacle, ObstacleResult
from .._azure.optional import read_or_note
from .._azure.resource_ids import VmId, group_path
from .._errors import Conflict, InvalidInput, NotFound
from .._json import Json
from .._restore_points.place import Place
from .._restore_points.points import CollectionId
from .activity_log import last_removal
from .guard_lift import Lift, LiftResult, lift_of_exemption, read_lift, remove_lift, write_lift

LOCK_NAME = "appconsistent-guard"
POLICY_NAME = "appconsistent-guard"
# Our locks are told from others of the same name by this word in their note.
MARK = "appconsistent.azure"
NOTE = f"Keeps the snapshot extension from being deleted: application-consistent restore points need it ({MARK})."


@dataclass(frozen=True)
class Guard:
    """What the guard of a machine is to be."""

    lock: bool = True
    policy: bool = False
    lock_name: str = LOCK_NAME
    policy_name: str = POLICY_NAME
    subscription_wide: bool = False
    notes: str = NOTE
    place: Place = field(default_factory=Place)

    @property
    def note(self) -> str:
        return self.notes if MARK in self.notes else f"{self.notes} ({MARK})"

    def policy_scope(self, vm: VmId) -> str:
        return f"/subscriptions/{vm.subscription}" if self.subscription_wide else group_path(vm.subscription, vm.group)

    def collection(self, vm: VmId) -> CollectionId:
        return self.place.of(vm)


class PolicyResult(t.TypedDict):
    name: str
    scope: str
    assigned: bool
    exempt: bool


class GuardResult(t.TypedDict):
    """How an extension is guarded, as modules return it."""

    guarded: bool
    extension_id: str
    lock: LockResult | dict[str, t.Never]
    policy: PolicyResult | dict[str, t.Never]
    lifted: LiftResult | dict[str, t.Never]
    findings: list[ObstacleResult]


@dataclass(frozen=True)
class State:
    """How a machine's extension is guarded now."""

    machine: Machine
    extension: Extension
    locks: tuple[Lock, ...]
    exemption: Exemption | None = None
    assigned: bool = False
    lift: Lift | None = None

    @property
    def own_locks(self) -> tuple[Lock, ...]:
        """Locks at the extension itself."""
        return tuple(lock for lock in self.locks if lock.scope == self.extension.id.lower())

    def named(self, name: str) -> Lock | None:
        return next((lock for lock in self.own_locks if lock.name.lower() == name.lower()), None)

    def shown_lock(self, name: str) -> Lock | None:
        """Return the lock of that name, else another one at the extension itself."""
        return self.named(name) or next(iter(self.own_locks), None)

    def lifted_at(self, now: datetime) -> Lift | None:
        return self.lift if self.lift is not None and self.lift.holds(now) else None

    def exempt_at(self, now: datetime) -> bool:
        return self.exemption is not None and (self.exemption.until is None or now < self.exemption.until)


def check_guard(guard: Guard) -> None:
    """Raise InvalidInput for options that Azure would refuse."""
    if len(guard.note) > LONGEST_NOTE:
        raise InvalidInput(f"The option notes has {len(guard.note)} characters", advice=f"Azure keeps {LONGEST_NOTE}.")


async def read_state(
    arm: Arm, vm: VmId, guard: Guard, *, machine: Machine | None = None, assigned: bool = False
) -> State:
    """Read how the extension is guarded; raise InvalidInput when there is none.

    `assigned` tells that the policy's assignment has been seen to already, once for all machines of its scope.
    """
    machine = machine or await read_machine(arm, vm)
    extension = machine.snapshot_extension
    if extension is None:
        raise _no_extension(machine)
    locks = await locks_at(arm, extension.id, _subject(machine, extension))
    state = State(machine, extension, tuple(locks))
    if guard.policy:
        if not assigned:
            found = await read_assignment(arm, guard.policy_scope(vm), guard.policy_name)
            assigned = found is not None and found.enforced
        exemption = await read_exemption(arm, vm.path, guard.policy_name) if assigned else None
        state = replace(state, assigned=assigned, exemption=exemption)
    # The note matters only where the guard is off: it tells whether that is meant so.
    if not state.own_locks or state.exemption is not None:
        noted = await read_lift(arm, guard.collection(vm))
        state = replace(state, lift=noted or lift_of_exemption(state.exemption))
    return state


async def ensure_guarded(
    arm: Arm,
    vm: VmId,
    guard: Guard,
    *,
    check: bool,
    end_lift: bool = False,
    machine: Machine | None = None,
    assigned: bool = False,
    look_back: timedelta | None = None,
) -> Json:
    """See that the snapshot extension of a machine is guarded, unless it is lifted on purpose for now.

    With `look_back`, a lock that is set again without a note of a lift says who removed it so long ago at most.
    """
    check_guard(guard)
    machine = machine or await read_machine(arm, vm)
    if end_lift and machine.snapshot_extension is None:
        await _end_lift_without_extension(arm, machine, guard, check=check)
    state = await read_state(arm, vm, guard, machine=machine, assigned=assigned)
    subject = _subject(state.machine, state.extension)
    now = arm.time.now()
    held = state.named(guard.lock_name)
    if guard.lock and held is not None and held.level.lower() != CAN_NOT_DELETE.lower():
        raise Conflict(
            f"guard {subject}",
            code="ForeignLock",
            message=f"a lock {held.name} of level {held.level} is there already",
            advice="Remove that lock or choose another lock_name.",
        )
    if state.lift is not None and state.lift.holds(now) and not end_lift:
        return _result(state, guard, state, changed=False, now=now)
    after, changed, fresh = state, False, False
    findings: list[Obstacle] = []
    if guard.policy:
        if not assigned:
            changed, _assignment = await ensure_assigned(
                arm, vm.subscription, guard.policy_scope(vm), guard.policy_name, check=check
            )
        after, fresh = replace(after, assigned=True), changed
        if state.exemption is not None and not (state.exempt_at(now) and not end_lift and state.lift is None):
            if not check:
                await end_exemption(arm, vm.path, guard.policy_name)
            after = replace(after, exemption=None)
            changed, fresh = True, True
    if guard.lock and (not state.own_locks or (held is not None and MARK in held.notes and held.notes != guard.note)):
        lock = Lock(lock_path(state.extension.id, guard.lock_name), guard.lock_name, CAN_NOT_DELETE, guard.note)
        if look_back is not None and state.lift is None and not state.own_locks:
            findings += await _who_removed(arm, lock, look_back)
        if not check:
            lock = await _locked(arm, state.extension, guard, subject)
        after = replace(after, locks=(*(other for other in after.locks if other is not held), lock))
        changed = True
    if state.lift is not None:
        if not check:
            await remove_lift(arm, guard.collection(vm))
        after = replace(after, lift=None)
    if fresh and not check:
        findings.append(_not_in_force_yet(guard, vm))
    return _result(state, guard, after, changed=changed, now=now, findings=findings)


def _not_in_force_yet(guard: Guard, vm: VmId) -> Obstacle:
    return Obstacle(
        "policy_not_in_force_yet",
        False,
        not_effective_yet(guard.policy_name, guard.policy_scope(vm)),
        "Wait that long before you count on it."
        if guard.lock
        else "Wait that long before you count on it, or guard with method=both: a lock holds at once.",
        "Azure Policy definitions denyAction effect",
    )


async def _who_removed(arm: Arm, lock: Lock, look_back: timedelta) -> list[Obstacle]:
    """Tell of a removal that no note explains: a lift whose note was lost with the collection's tags looks like it."""
    unread: list[str] = []
    removal = await read_or_note(unread, last_removal(arm, lock.id, look_back))
    found = [
        Obstacle(
            "removal_unread",
            False,
            f"Who removed the lock {lock.name} before, if anybody, could not be read: {said}",
            "Let the identity read the activity log, as docs/rights/guard.json does.",
        )
        for said in unread
    ]
    if removal is not None:
        found.append(
            Obstacle(
                "lock_was_removed",
                False,
                f"The lock {lock.name} was not there, and no note says that the guard is lifted; {removal.words}",
                "Was it lifted on purpose, its note was lost with the tags of the restore point collection: lift it "
                "again for the rest of the time.",
            )
        )
    return found


async def _end_lift_without_extension(arm: Arm, machine: Machine, guard: Guard, *, check: bool) -> None:
    """End what a lift has left of an extension that is gone: an exemption would keep the policy off the next one.

    Raise InvalidInput that says so, for there is nothing to guard; raise nothing where nothing is left.
    """
    left = guard.policy and await read_exemption(arm, machine.id.path, guard.policy_name) is not None
    note = await read_lift(arm, guard.collection(machine.id)) is not None
    if not left and not note:
        return
    if not check:
        if left:
            await end_exemption(arm, machine.id.path, guard.policy_name)
        await remove_lift(arm, guard.collection(machine.id))
    raise InvalidInput(
        f"The VM {machine.id.name} has no snapshot extension to guard; the lift of its guard "
        f"{'would be' if check else 'is'} ended",
        advice="Have it installed with snapshot_extension state=present, then guard it again.",
    )


async def ensure_unguarded(arm: Arm, vm: VmId, guard: Guard, *, check: bool) -> Json:
    """Take our own guard away; locks of others stay."""
    machine = await read_machine(arm, vm)
    changed = False
    if guard.policy:
        changed = await ensure_unassigned(arm, vm.subscription, guard.policy_scope(vm), guard.policy_name, check=check)
    if machine.snapshot_extension is None:
        return {"changed": changed, "snapshot_extension_guard": no_guard(), "diff": {"before": "", "after": ""}}
    state = await read_state(arm, vm, replace(guard, policy=False), machine=machine)
    held = state.named(guard.lock_name)
    after = state
    if guard.lock and held is not None:
        _check_ours(held, state)
        if not check:
            await remove_lock(arm, state.extension.id, held.name, _subject(machine, state.extension))
        after = replace(state, locks=tuple(lock for lock in state.locks if lock is not held))
        changed = True
    return _result(state, guard, after, changed=changed, now=arm.time.now())


async def ensure_lifted(
    arm: Arm, vm: VmId, guard: Guard, reason: str, span: timedelta, *, check: bool, machine: Machine | None = None
) -> Json:
    """Lift the guard for a while: the note first, so that nobody puts it back meanwhile, then the guard itself."""
    state = await read_state(arm, vm, guard, machine=machine)
    now = arm.time.now()
    held = state.named(guard.lock_name) if guard.lock else None
    if held is not None:
        _check_ours(held, state)
    if state.lift is not None and state.lift.holds(now) and held is None and (not state.assigned or state.exemption):
        return _result(state, guard, state, changed=False, now=now)
    lift = Lift((now + span).replace(microsecond=0), reason, held.name if held else "")
    exemption = Exemption(guard.policy_name, lift.until, reason) if state.assigned else state.exemption
    if not check:
        await write_lift(arm, guard.collection(vm), lift, location=state.machine.location, vm_id=vm.path)
        if held is not None:
            await remove_lock(arm, state.extension.id, held.name, _subject(state.machine, state.extension))
        if state.assigned:
            assignment = assignment_path(guard.policy_scope(vm), guard.policy_name)
            await exempt(arm, vm.path, guard.policy_name, assignment, lift.until, reason)
    after = replace(
        state, lift=lift, exemption=exemption, locks=tuple(lock for lock in state.locks if lock is not held)
    )
    return _result(state, guard, after, changed=True, now=now)


async def _locked(arm: Arm, extension: Extension, guard: Guard, subject: str) -> Lock:
    try:
        return await set_lock(arm, extension.id, guard.lock_name, guard.note, subject)
    except NotFound as error:
        raise NotFound(
            f"lock {subject} against deletion",
            code=error.code,
            message="the extension was removed between reading and locking it",
            status=error.status,
            advice="Have it installed with snapshot_extension, then guard it again.",
        ) from error


def _check_ours(lock: Lock, state: State) -> None:
    if MARK not in lock.notes:
        raise Conflict(
            f"remove the lock {lock.name} of {_subject(state.machine, state.extension)}",
            code="ForeignLock",
            message=f"its note does not name {MARK}, so somebody else set it",
            advice="Remove it by hand if nobody needs it, or choose another lock_name.",
        )


def _no_extension(machine: Machine) -> InvalidInput:
    alike = next((extension for extension in machine.extensions if extension.looks_like_it), None)
    if alike is not None:
        return InvalidInput(
            f"The VM {machine.id.name} has no snapshot extension to guard: {alike.name} is of the unknown publisher "
            f"{alike.publisher}",
            advice="Remove it if nobody needs it, and have Azure install its own with snapshot_extension.",
        )
    return InvalidInput(
        f"The VM {machine.id.name} has no snapshot extension to guard",
        advice="Have it installed first, with snapshot_extension state=present.",
    )


def no_guard(lift: Lift | None = None) -> GuardResult:
    """Return what modules return of a machine without an extension."""
    lifted: LiftResult | dict[str, t.Never] = lift.describe() if lift else {}
    return {"guarded": False, "extension_id": "", "lock": {}, "policy": {}, "lifted": lifted, "findings": []}


def _result(
    before: State, guard: Guard, after: State, *, changed: bool, now: datetime, findings: t.Iterable[Obstacle] = ()
) -> Json:
    found = [*lock_findings(after.locks, guard.collection(after.machine.id), after.extension.id), *findings]
    return {
        "changed": changed,
        "snapshot_extension_guard": describe_guard(after, guard, now, found),
        "diff": {"before": _words(before, guard, now), "after": _words(after, guard, now)},
    }


def describe_guard(state: State, guard: Guard, now: datetime, findings: t.Iterable[Obstacle] = ()) -> GuardResult:
    """Return how an extension is guarded, as modules return it."""
    lock, lift = state.shown_lock(guard.lock_name), state.lifted_at(now)
    by_policy = state.assigned and not state.exempt_at(now)
    return {
        "guarded": (lock is not None and lock.forbids_deletion) or by_policy,
        "extension_id": state.extension.id,
        "lock": lock.describe() if lock else {},
        "policy": {
            "name": guard.policy_name,
            "scope": guard.policy_scope(state.machine.id),
            "assigned": state.assigned,
            "exempt": state.exempt_at(now),
        }
        if guard.policy
        else {},
        "lifted": lift.describe() if lift else {},
        "findings": [finding.describe() for finding in findings],
    }


def _words(state: State, guard: Guard, now: datetime) -> str:
    lines = []
    if lock := state.shown_lock(guard.lock_name):
        lines.append(f"lock {lock.name}: {lock.level}, {lock.notes}\n")
    if state.assigned:
        exempt_words = ", this VM exempt" if state.exempt_at(now) else ""
        lines.append(f"policy {guard.policy_name} at {guard.policy_scope(state.machine.id)}{exempt_words}\n")
    if lift := state.lifted_at(now):
        lines.append(f"lifted until {lift.until.isoformat()}: {lift.reason}\n")
    return "".join(lines)


def _subject(machine: Machine, extension: Extension) -> str:
    return f"the extension {extension.name} of the VM {machine.id.name}"
