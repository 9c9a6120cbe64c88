# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which services to restart for the writers that are bad, in which order, and which to leave to a person and why."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .findings import bad, idle_services, missing
from .listing import ListedWriter
from .services import FORBIDDEN_SERVICES, Impact, Services, WriterService
from .survey import VssSurvey
from .writers import NO_ERROR, STABLE, Writer

_ORDER: t.Final[dict[str, int]] = {"quiet": 0, "brief": 1, "outage": 2}


@dataclass(frozen=True)
class RepairPolicy:
    """What the user allows."""

    max_impact: str = "brief"
    allow_outage: frozenset[str] = frozenset()
    last_errors: bool = False
    stuck: bool = False


@dataclass(frozen=True)
class BadWriter:
    """A writer that has to come back. Its instance id is new after a restart, so it is known by id and name."""

    id: str
    name: str

    def is_that_of(self, writer: Writer) -> bool:
        return writer.listed.id == self.id if self.id else writer.name.casefold() == self.name.casefold()

    def healthy_in(self, survey: VssSurvey) -> bool:
        """Whether it is listed there and nothing is wrong with it."""
        found = [writer for writer in survey.writers if self.is_that_of(writer)]
        return bool(found) and all(writer.health == "healthy" for writer in found)


@dataclass(frozen=True)
class Step:
    """One service to restart, or to start where it `ran` not, once, for all its writers."""

    service: str
    impact: str
    targets: tuple[BadWriter, ...]
    dependents: tuple[str, ...]
    ran: bool = True


@dataclass(frozen=True)
class Left:
    """Something that is not repaired, why, and what a person should do. `reboot` where nothing less helps."""

    service: str | None
    targets: tuple[BadWriter, ...]
    reason: str
    remedy: str
    reboot: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        """For a result."""
        return {
            "service": self.service,
            "writers": [target.name for target in self.targets],
            "reason": self.reason,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Plan:
    """What to do."""

    steps: tuple[Step, ...]
    left: tuple[Left, ...]

    @property
    def targets(self) -> tuple[BadWriter, ...]:
        """All writers that should be healthy in the end."""
        return (
            *(target for step in self.steps for target in step.targets),
            *(target for left in self.left for target in left.targets),
        )


def make_plan(survey: VssSurvey, services: Services, policy: RepairPolicy) -> Plan:
    """Return the plan; it changes nothing."""
    groups: dict[str, list[tuple[BadWriter, WriterService]]] = {}
    left: list[Left] = []
    for target, row in _targets(survey, services, policy):
        if row is None:
            left.append(
                Left(
                    None,
                    (target,),
                    "no service is known for it",
                    "Restart the service of the product that it belongs to, and name the pair in writer_services.",
                )
            )
        elif row.impact == "none" or not row.service:
            left.append(
                Left(None, (target,), "there is no service to restart for it", row.person or _REBOOT, reboot=True)
            )
        else:
            groups.setdefault(row.service.casefold(), []).append((target, row))
    steps: list[Step] = []
    for rows in groups.values():
        outcome = _step(survey, rows, policy)
        (steps if isinstance(outcome, Step) else left).append(outcome)  # type: ignore[arg-type]
    # VSS carries most writers: often nothing is left to do after it. Then what costs least.
    steps.sort(key=lambda step: (step.service.casefold() != "vss", _ORDER[step.impact], step.service.casefold()))
    return Plan(tuple(steps), tuple(left))


def _targets(
    survey: VssSurvey, services: Services, policy: RepairPolicy
) -> t.Iterator[tuple[BadWriter, WriterService | None]]:
    for writer in survey.writers:
        last_error = policy.last_errors and writer.health == "last_error"
        if writer in bad(survey.writers) or last_error or (policy.stuck and writer in survey.stuck):
            yield BadWriter(writer.listed.id, writer.name), writer.row
    for name, _service in missing(survey, services):
        row = services.find("", name)
        yield BadWriter(row.id if row else "", name), row
    for idle in idle_services(survey, services):
        yield BadWriter(idle.row.id, idle.row.writer), idle.row


def _step(survey: VssSurvey, rows: t.Sequence[tuple[BadWriter, WriterService]], policy: RepairPolicy) -> Step | Left:
    row = max((row for _target, row in rows), key=lambda row: _severity(row.impact))
    targets = tuple(target for target, _row in rows)
    name = row.service
    service = survey.services.get(name)
    if service is None:
        return Left(name, targets, f"its service {name} does not exist here", _own_row(name))
    name = service.name
    dependents = survey.services.running_dependents(name)
    untouchable = [dependent for dependent in dependents if dependent.casefold() in FORBIDDEN_SERVICES]
    if row.impact == "forbidden" or name.casefold() in FORBIDDEN_SERVICES:
        return Left(name, targets, f"{name} must not be restarted by a tool", row.person or _REBOOT, reboot=True)
    if untouchable:
        return Left(name, targets, f"{', '.join(untouchable)} would stop with {name}", _REBOOT, reboot=True)
    if service.disabled:
        return Left(
            name,
            targets,
            f"{name} is disabled",
            f"If it should run, set its start type: sc.exe config {name} start= demand.",
        )
    # What depends on it does not run either, so nobody misses anything while it starts.
    if not (service.running or service.status.endswith("Pending") or name.casefold() == "vss"):
        return Step(name, "quiet", targets, dependents, ran=False)
    if row.impact == "outage" and name.casefold() not in policy.allow_outage:
        return Left(
            name,
            targets,
            f"a restart of {name} takes its workload away for a while",
            f"Name {name} in allow_outage when its users can do without it.",
        )
    if row.impact == "brief" and policy.max_impact == "quiet" and name.casefold() not in policy.allow_outage:
        return Left(name, targets, f"a restart of {name} is more than max_impact allows", "Set max_impact to brief.")
    return Step(name, row.impact, targets, dependents)


_REBOOT: t.Final = "Restart the VM in a maintenance window."


def _own_row(service: str) -> str:
    return f"Find out which service owns the writer instead of {service}, and name the pair in writer_services."


def _severity(impact: Impact) -> int:
    return {"none": 0, "quiet": 1, "brief": 2, "outage": 3, "forbidden": 4}[impact]


def as_after(survey: VssSurvey, steps: t.Sequence[Step]) -> VssSurvey:
    """Return the survey with the writers of these steps healthy and listed."""
    targets = [target for step in steps for target in step.targets]
    kept = [writer for writer in survey.writers if not any(target.is_that_of(writer) for target in targets)]
    well = [
        Writer(ListedWriter(target.name, target.id, "", STABLE, "", ""), NO_ERROR, "healthy", None)
        for target in targets
    ]
    return replace(survey, writers=(*kept, *well))
