# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Drift of the snapshot extension and its guard: what is not as it should be, who did it, and how it is healed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .._authorization.locks import lock_findings, lock_path
from .._azure.arm import Arm
from .._azure.machine import SNAPSHOT_TYPES, Machine, read_machine
from .._azure.waiting import until
from .._errors import AppConsistentError, InvalidInput
from .._json import Json
from .._readiness.extension_state import state_of
from .._restore_points.next_step import Wish
from .._task.results import MachineReport
from .._task.target import Target
from .activity_log import Removal, RemovalResult, last_removal
from .guard import Guard, describe_guard, ensure_guarded, no_guard, read_state
from .guard_lift import read_lift
from .presence import ensure_present, settled
from .repair import repair


@dataclass(frozen=True)
class Watch:
    """How a machine is watched over. `grace` is how long a missing extension may be an automatic update."""

    guard: Guard
    wish: Wish
    grace: timedelta = timedelta(minutes=5)
    look_back: timedelta = timedelta(days=7)
    install: bool = True
    repair: bool = False
    # The policy has been seen to at these scopes, once for all their machines.
    assigned_at: frozenset[str] = frozenset()


class DriftResult(t.TypedDict):
    code: str
    message: str
    healed: bool
    removed_by: RemovalResult | dict[str, t.Never]
    removed_in: str


@dataclass(frozen=True)
class Drift:
    """One thing that was not as it should be."""

    code: str
    message: str
    healed: bool = False
    removal: Removal | None = None
    where: str = ""

    def describe(self) -> DriftResult:
        return {
            "code": self.code,
            "message": self.message,
            "healed": self.healed,
            "removed_by": self.removal.describe() if self.removal else {},
            "removed_in": self.where,
        }


@dataclass
class _Watching:
    arm: Arm
    target: Target
    watch: Watch
    check: bool
    # Hears what is done just now, for progress.
    tell: t.Callable[[str], None] = lambda _phase: None
    drift: list[Drift] = field(default_factory=list)
    changed: bool = False
    # A read that the identity may not do costs the who, not the healing.
    unread: list[str] = field(default_factory=list)

    async def run(self) -> MachineReport:
        machine = await self._after_grace()
        if machine.snapshot_extension is None:
            machine = await self._missing(machine)
            if machine.snapshot_extension is None:
                return self._report({}, machine)
        else:
            machine = await self._ailing(machine)
        guarded = await self._guarded(machine)
        return self._report(guarded, machine)

    async def _after_grace(self) -> Machine:
        """Read the machine; wait for an extension that is gone for a moment, or that Azure works on."""
        self.tell("reading")
        machine = await settled(self.arm, await read_machine(self.arm, self.target.vm), check=self.check)
        if machine.snapshot_extension is not None or self.check or not await self._was_there(machine):
            return machine
        removal = await self._removal(self._extension_id(machine))
        now = self.arm.time.now()
        self.tell("waiting for the extension to come back")
        left = self.watch.grace - (now - removal.time if removal else timedelta(0))
        machine = await until(
            self.arm,
            lambda seen: seen.snapshot_extension is not None,
            machine,
            lambda: read_machine(self.arm, self.target.vm),
            lambda _seen: f"see whether the extension of {self.target.host} comes back",
            within=left.total_seconds(),
        )
        return await settled(self.arm, machine, check=False)

    async def _was_there(self, machine: Machine) -> bool:
        """Whether a missing extension is a removal at all: a machine that never had one is not waited for."""
        if await self._removal(self._extension_id(machine)) is not None:
            return True
        return await read_lift(self.arm, self.watch.guard.collection(self.target.vm)) is not None

    async def _missing(self, machine: Machine) -> Machine:
        lift = await read_lift(self.arm, self.watch.guard.collection(self.target.vm))
        removal = await self._removal(self._extension_id(machine))
        who = f"; {removal.words}" if removal else ""
        found = Drift("extension_missing", f"The snapshot extension is not installed{who}", removal=removal)
        if removal is not None:
            found = replace(found, where="Azure")
        if lift is not None and lift.holds(self.arm.time.now()):
            self.drift.append(
                replace(
                    found, message=f"{found.message}; its guard is lifted until {lift.until:%H:%M} UTC: {lift.reason}"
                )
            )
            return machine
        if not self.watch.install:
            self.drift.append(found)
            return machine
        self.tell("installing the extension")
        result = await ensure_present(self.arm, self.target, self.watch.wish, check=self.check)
        self.changed = self.changed or bool(result["changed"])
        self.drift.append(replace(found, healed=True))
        return machine if self.check else await read_machine(self.arm, self.target.vm)

    async def _ailing(self, machine: Machine) -> Machine:
        """Look after an extension that is there and not well."""
        extension, state = machine.snapshot_extension, state_of(machine)
        if extension is None or state in ("healthy", "unknown", "updating"):
            return machine
        if state == "failed":
            said = f": {extension.message.rstrip('. ')}" if extension.message else ""
            found = Drift("extension_failed", f"The extension {extension.name} is {extension.state}{said}")
        else:
            found = Drift(
                "extension_disabled",
                f"Azure lists the extension {extension.name}, but the guest agent has no ready handler for it: it was "
                "removed, disabled or broken inside the guest",
                where="guest",
            )
        if not self.watch.repair:
            self.drift.append(found)
            return machine
        self.tell("repairing the extension")
        result = await repair(
            self.arm, self.target, self.watch.wish, self.watch.guard, found.code.replace("_", " "), check=self.check
        )
        self.changed = self.changed or bool(result["changed"])
        machine = machine if self.check else await read_machine(self.arm, self.target.vm)
        healed = self.check or state_of(machine) not in ("failed", "disabled", "missing")
        self.drift.append(replace(found, healed=healed))
        return machine

    async def _guarded(self, machine: Machine) -> Json:
        extension = machine.snapshot_extension
        guard = self.watch.guard
        self.tell("guarding")
        result = await ensure_guarded(
            self.arm,
            self.target.vm,
            guard,
            check=self.check,
            machine=machine,
            assigned=guard.policy_scope(self.target.vm) in self.watch.assigned_at,
        )
        described: Json = result["snapshot_extension_guard"]
        if result["changed"]:
            self.changed = True
            removal = None
            if extension is not None and guard.lock:
                removal = await self._removal(lock_path(extension.id, guard.lock_name))
            # Without a removal in the log it is a machine that is guarded for the first time: no drift.
            if removal is not None:
                self.drift.append(Drift("guard_removed", f"The guard was off; {removal.words}", True, removal, "Azure"))
        return described

    def _extension_id(self, machine: Machine) -> str:
        return f"{self.target.vm.path}/extensions/{SNAPSHOT_TYPES.get(machine.os, 'VMSnapshot')}"

    async def _removal(self, resource_id: str) -> Removal | None:
        try:
            return await last_removal(self.arm, resource_id, self.watch.look_back)
        except InvalidInput:
            raise
        except AppConsistentError as error:
            if str(error) not in self.unread:
                self.unread.append(str(error))
            return None

    def _report(self, guard: Json, machine: Machine) -> MachineReport:
        open_drift = [drift for drift in self.drift if not drift.healed]
        lifted = guard.get("lifted") or {}
        guarded = bool(guard.get("guarded"))
        ok = not open_drift and (guarded or bool(lifted) or machine.snapshot_extension is None)
        word = "drifted" if open_drift else "lifted" if lifted else "healed" if self.drift else "guarded"
        return MachineReport(
            host=self.target.host,
            good=ok,
            word=word,
            cause=". ".join(drift.message for drift in self.drift)
            or (f"The guard is lifted until {lifted['until']}: {lifted['reason']}" if lifted else ""),
            advice=_advice(open_drift),
            changed=self.changed,
            result={
                "vm_id": self.target.vm.path,
                "snapshot_extension_guard": guard,
                "extension_state": state_of(machine),
                "drift": [drift.describe() for drift in self.drift],
                "not_read": self.unread,
            },
        )


_NEXT = {
    "extension_missing": "Have it installed with snapshot_extension, or run this with install=true.",
    "extension_failed": "Run snapshot_extension with state=repaired and a reason, or this with repair=true.",
    "extension_disabled": "Look at the guest with guest_snapshot_info; snapshot_extension with state=repaired, or this "
    "with repair=true, installs it anew.",
}


def _advice(open_drift: t.Sequence[Drift]) -> str:
    return " ".join(_NEXT[drift.code] for drift in open_drift if drift.code in _NEXT)


async def watch_over(
    arm: Arm, target: Target, watch: Watch, *, check: bool, tell: t.Callable[[str], None] = lambda _phase: None
) -> MachineReport:
    """See that a machine's extension is there, well and guarded, and tell what was not so."""
    return await _Watching(arm, target, watch, check, tell).run()


async def inspect(arm: Arm, target: Target, guard: Guard, look_back: timedelta) -> Json:
    """Tell how a machine's extension is guarded, and who removed it or its guard; changes nothing."""
    machine = await read_machine(arm, target.vm)
    watching = _Watching(arm, target, Watch(guard, Wish(), look_back=look_back), check=True)
    extension = machine.snapshot_extension
    extension_id = extension.id if extension else watching._extension_id(machine)
    removed = {
        "extension": await watching._removal(extension_id),
        "lock": await watching._removal(lock_path(extension_id, guard.lock_name)) if guard.lock else None,
    }
    if extension is None:
        lift = await read_lift(arm, guard.collection(target.vm))
        described = no_guard(lift if lift is not None and lift.holds(arm.time.now()) else None)
    else:
        state = await read_state(arm, target.vm, guard, machine=machine)
        found = lock_findings(state.locks, guard.collection(target.vm), state.extension.id)
        described = describe_guard(state, guard, arm.time.now(), found)
    return {
        **described,
        "extension_state": state_of(machine),
        "removed": {name: removal.describe() if removal else {} for name, removal in removed.items()},
        "not_read": watching.unread,
    }
