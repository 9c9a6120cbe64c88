# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Brings bad writers back: restarts each owning service once, sees that its dependents run again, and looks.

It never touches a guest in the middle of a snapshot, acts on no list of writers that is not whole, and never leaves in
silence what it began: after a broken connection it looks again, brings back what it may have stopped, and says so.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ...module_utils._finding import ERROR, INFO, WARNING, Finding
from ...module_utils._printable import printable
from .._failures.explain import ATTEMPTS_WITHOUT_WRITERS
from .._windows.commands import RESTART
from .._windows.guest import ConnectionLost, GuestError, GuestTimedOut, WindowsGuest
from .findings import many_failed
from .plan import BadWriter, Left, Plan, RepairPolicy, Step, as_after, make_plan
from .services import Services
from .survey import VssSurvey
from .watch import ask, ask_until, until_idle

# How long a service may take to stop, and to start. The service control manager itself waits 30 seconds for a start.
_SERVICE_SECONDS: t.Final = 60
# A guest is given some minutes to be reachable again.
_RECONNECT_PAUSES: t.Final = (5.0, 10.0, 20.0, 30.0, 60.0)


@dataclass
class Restart:
    """What became of a step: planned, restarted, started, failed, or unknown after a broken connection."""

    step: Step
    outcome: str = "planned"
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, t.Any]:
        """For a result."""
        return {
            "service": self.step.service,
            "impact": self.step.impact,
            "writers": [target.name for target in self.step.targets],
            "dependents": list(self.step.dependents),
            "outcome": self.outcome,
            "problems": self.problems,
        }


@dataclass
class Repair:
    """All that was done, and how the guest was before and after."""

    before: VssSurvey
    after: VssSurvey
    restarts: list[Restart]
    left: tuple[Left, ...]
    findings: list[Finding]
    targets: tuple[BadWriter, ...]
    reboot_required: bool

    @property
    def healed(self) -> bool:
        """Whether every writer that was to be brought back is there and well, as far as the list can tell."""
        seen = self.after.complete and not self.after.busy
        return seen and all(target.healthy_in(self.after) for target in self.targets)

    @property
    def changed(self) -> bool:
        return bool(self.restarts)

    @property
    def expected(self) -> VssSurvey:
        """The guest as it is once every planned step has gone well."""
        steps = [restart.step for restart in self.restarts if restart.outcome == "planned"]
        return as_after(self.after, steps)


@dataclass(frozen=True)
class Limits:
    """The user's times, in seconds."""

    listing: int
    busy: int
    settle: int


class Repairer:
    """Heals one guest."""

    def __init__(self, guest: WindowsGuest, services: Services, policy: RepairPolicy, limits: Limits) -> None:
        self._guest = guest
        self._services = services
        self._policy = policy
        self._limits = limits
        self._restarts: list[Restart] = []
        self._findings: list[Finding] = []

    def run(self) -> Repair:
        """Look, and where something can be done, do it and look again."""
        try:
            return self._run()
        except Interrupted:
            raise
        except GuestError as error:
            if not any(restart.outcome != "planned" for restart in self._restarts):
                raise
            raise self._interrupted(error) from error

    def _run(self) -> Repair:
        before = until_idle(self._guest, self._services, self._limits.listing, self._limits.busy)
        plan = make_plan(before, self._services, self._policy)
        hindrance = _hindrance(before, self._policy)
        if hindrance or not plan.steps or self._guest.check_mode:
            doing = plan
            if hindrance:
                doing = Plan((), plan.left)
                if plan.targets:
                    self._findings.append(hindrance)
            self._restarts = [Restart(step) for step in doing.steps]
            return self._repair(before, before, doing, targets=plan.targets)
        if many_failed(before, self._services):
            return self._vss_first(before, plan)
        after = self._carry_out(plan, tuple(target for step in plan.steps for target in step.targets))
        return self._repair(before, after, plan)

    def _vss_first(self, before: VssSurvey, plan: Plan) -> Repair:
        """When most writers failed at once, their own services are not the cause: only VSS is worth a restart."""
        vss = next((step for step in plan.steps if step.service.casefold() == "vss"), None)
        first = vss or _vss_step(before)
        if first is None:
            return self._repair(before, before, plan)
        after = self._carry_out(Plan((first,), ()), plan.targets)
        if many_failed(after, self._services) or not after.complete:
            return self._repair(before, after, plan, hopeless=True)
        rest = make_plan(after, self._services, self._policy)
        steps = tuple(step for step in rest.steps if step.service.casefold() != "vss")
        if steps:
            after = self._carry_out(Plan(steps, ()), plan.targets)
        return self._repair(before, after, Plan((first, *steps), rest.left), targets=plan.targets)

    def _carry_out(self, plan: Plan, targets: tuple[BadWriter, ...]) -> VssSurvey:
        for step in plan.steps:
            restart = Restart(step)
            self._restarts.append(restart)
            self._guest.tell(
                f"{'restarting' if step.ran else 'starting'} {step.service} for"
                f" {', '.join(target.name for target in step.targets) or 'all writers'}"
                + (f", and with it {', '.join(step.dependents)}" if step.dependents else "")
            )
            try:
                self._send(restart, stop=True)
            except (ConnectionLost, GuestTimedOut) as error:
                self._find_again(restart, error)
            except GuestError as error:
                restart.outcome = "failed"
                restart.problems.append(str(error))
                self._bring_back(restart)
        survey = self._settle(targets)
        for restart in self._restarts:
            self._look_after(restart, survey)
        return survey

    def _send(self, restart: Restart, *, stop: bool, names: t.Sequence[str] = ()) -> None:
        step = restart.step
        answer = self._guest.run(
            RESTART,
            seconds=float(_SERVICE_SECONDS * (2 + len(step.dependents))),
            service=step.service,
            dependents=list(names or step.dependents),
            stop=stop,
            limit=_SERVICE_SECONDS,
        )
        problems = answer.get("problems")
        told = (
            [f"{key}: {printable(str(value), 300)}" for key, value in problems.items()]
            if isinstance(problems, dict)
            else []
        )
        if stop:
            restart.problems += told
            well = "restarted" if step.ran else "started"
            restart.outcome = "failed" if told or answer.get("after") != "Running" else well

    def _find_again(self, restart: Restart, error: GuestError) -> None:
        """The answer is lost. Reconnect, and see that nothing stays stopped."""
        restart.outcome = "unknown"
        restart.problems.append(str(error))
        self._reconnect(restart, error)
        self._bring_back(restart)
        self._findings.append(
            Finding(
                "vss.connection_lost",
                WARNING,
                f"The answer was lost while {restart.step.service} was being restarted; whether it was is not known."
                " It and the services that depend on it were looked after when the guest answered again.",
                "Nothing, if the other findings do not name them.",
                printable(str(error)),
            )
        )

    def _reconnect(self, restart: Restart, error: GuestError) -> None:
        for pause in _RECONNECT_PAUSES:
            self._guest.tell(f"no answer while {restart.step.service} restarts; connecting again in {pause:.0f} s")
            self._guest.clock.sleep(pause)
            try:
                self._guest.reconnect()
            except GuestError:
                continue
            return
        raise self._interrupted(error) from error

    def _interrupted(self, error: GuestError) -> Interrupted:
        named = [name for restart in self._restarts for name in (restart.step.service, *restart.step.dependents)]
        return Interrupted(
            f"{self._guest.name} could not be looked at any more after services were restarted there: {error.message}",
            advice=f"See that these services run: {', '.join(dict.fromkeys(named))}.",
            restarts=self._restarts,
        )

    def _bring_back(self, restart: Restart) -> None:
        try:
            self._send(restart, stop=False)
        except GuestError as error:
            restart.problems.append(str(error))

    def _settle(self, targets: tuple[BadWriter, ...]) -> VssSurvey:
        """A writer may be away for some seconds after its service starts, and the listing itself may fail."""

        def waiting(survey: VssSurvey) -> str:
            return ", ".join(target.name for target in targets if not target.healthy_in(survey))

        return ask_until(
            self._guest,
            self._services,
            self._limits.listing,
            done=lambda survey: survey.complete and all(target.healthy_in(survey) for target in targets),
            seconds=self._limits.settle,
            waiting_for=lambda survey: f"writers to come back: {waiting(survey) or 'all'}",
        )

    def _look_after(self, restart: Restart, survey: VssSurvey) -> None:
        """What ran before has to run now; what does not is started once more, and named if it still does not."""
        step = restart.step
        down = [name for name in (step.service, *step.dependents) if not survey.services.running(name)]
        # VSS stops by itself when nobody asks it anything.
        down = [name for name in down if name.casefold() != "vss"]
        if not down or not len(survey.services):
            return
        self._bring_back(restart)
        again = ask(self._guest, self._services, self._limits.listing)
        still = [name for name in down if not again.services.running(name)]
        if still:
            self._findings.append(
                Finding(
                    "vss.service_not_restored",
                    ERROR,
                    f"{', '.join(still)} ran before {step.service} was restarted and does not run now."
                    if step.ran
                    else f"{', '.join(still)} could not be started.",
                    "Start it on the guest: " + "; ".join(f"sc.exe start {name}" for name in still) + ".",
                    "; ".join(restart.problems) or None,
                )
            )

    def _repair(
        self,
        before: VssSurvey,
        after: VssSurvey,
        plan: Plan,
        *,
        hopeless: bool = False,
        targets: tuple[BadWriter, ...] = (),
    ) -> Repair:
        restarted = {restart.step.service.casefold() for restart in self._restarts if restart.outcome != "planned"}
        stubborn = [
            target
            for step in plan.steps
            if step.service.casefold() in restarted
            for target in step.targets
            if not target.healthy_in(after)
        ]
        reboot = hopeless or bool(stubborn) or any(left.reboot for left in plan.left)
        repair = Repair(before, after, self._restarts, plan.left, self._findings, targets or plan.targets, reboot)
        if stubborn or hopeless:
            names = ", ".join(target.name for target in stubborn) or "The writers"
            self._findings.append(
                Finding(
                    "vss.reboot_required",
                    ERROR,
                    f"{names} did not come back after a restart of {', '.join(sorted(restarted))}.",
                    "Restart the VM in a maintenance window. A second restart of the same service is not tried.",
                )
            )
        if repair.changed and repair.healed and not self._guest.check_mode:
            self._findings.append(
                Finding(
                    "vss.three_attempts",
                    INFO,
                    f"After a writer failed, Azure's next {ATTEMPTS_WITHOUT_WRITERS} attempts may still be file-system"
                    f" consistent; from number {ATTEMPTS_WITHOUT_WRITERS + 1} on it asks the writers again.",
                    "Do not take such a point for a failure of the repair; look at the consistency of the fourth.",
                )
            )
        return repair


class Interrupted(GuestError):
    """The guest could not be reached again after a restart was sent. Carries what had been done."""

    def __init__(self, message: str, *, advice: str, restarts: t.Sequence[Restart]) -> None:
        super().__init__(message, advice=advice)
        self.restarts = list(restarts)


def _hindrance(survey: VssSurvey, policy: RepairPolicy) -> Finding | None:
    if survey.stuck and not policy.stuck:
        return Finding(
            "vss.not_repaired_stuck",
            ERROR,
            "Writers wait for a backup that is over, so no service was restarted.",
            "Set restart_stuck, and the services of those writers are restarted, too.",
            ", ".join(writer.name for writer in survey.stuck),
        )
    if survey.busy:
        return Finding(
            "vss.not_repaired_busy",
            ERROR,
            "A snapshot is under way, so no service was restarted.",
            "Run this again when the backup has ended, or raise busy_timeout.",
        )
    if not survey.complete:
        return Finding(
            "vss.not_repaired_unknown",
            ERROR,
            "The list of writers is not whole, so no service was restarted.",
            "See the other findings.",
        )
    return None


def _vss_step(survey: VssSurvey) -> Step | None:
    service = survey.services.get("VSS")
    if service is None or service.disabled:
        return None
    return Step(service.name, "quiet", (), survey.services.running_dependents("VSS"))
