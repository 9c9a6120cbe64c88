# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What came out for one machine: asked, reached, and where it fell short, why and what to do next."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._azure.obstacle import Obstacle, ObstacleResult
from .._errors import AppConsistentError, DeadlineExceeded, sentence
from .._failures.explain import explain
from .._json import Json
from .._restore_points.holding import Needed
from .._restore_points.next_step import Wish
from .._restore_points.points import Consistency, PointResult, RestorePoint, describe_point
from .._restore_points.retention import Pruned, RetentionResult
from .._task.results import notes_of, short_cause, worded
from .._task.table import Column


class Verdict(enum.Enum):
    """How it ended for one machine. Only REACHED, FRESH and PLANNED are good.

    REFUSED and NOT_BEGUN asked nothing of Azure: something is in the way, or there was no time or no reason to begin.
    """

    REACHED = "reached"
    FRESH = "fresh"
    PLANNED = "planned"
    DEGRADED = "degraded"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    FAILED = "failed"
    RUNNING = "running"
    NOT_BEGUN = "not_begun"


GOOD = (Verdict.REACHED, Verdict.FRESH, Verdict.PLANNED)


class OutcomeResult(t.TypedDict):
    """The result for one machine, as modules return it; `next_attempt` is ISO 8601 in UTC, or empty."""

    vm_id: str
    verdict: str
    ok: bool
    changed: bool
    consistency_requested: str
    consistency_reached: str
    minimum_consistency: str
    degraded: bool
    disks_missing: list[str]
    restore_point: PointResult | dict[str, t.Never]
    restore_point_collection_id: str
    operation: str
    seconds: float
    cause: str
    advice: str
    failure: Json
    findings: list[ObstacleResult]
    next_attempt: str
    retention: RetentionResult | dict[str, t.Never]


@dataclass(frozen=True)
class Outcome:
    """The result for one machine. `seconds` is the time the run spent on it; `failure` is what Azure said."""

    host: str
    vm_id: str
    verdict: Verdict
    requested: Consistency
    minimum: Consistency
    point: RestorePoint | None = None
    collection_id: str = ""
    # The id of Azure's operation that makes the point, where this run began it.
    operation: str = ""
    changed: bool = False
    seconds: float = 0.0
    cause: str = ""
    advice: str = ""
    failure: Json = field(default_factory=dict)
    findings: tuple[Obstacle, ...] = ()
    next_attempt: datetime | None = None
    pruned: Pruned | None = None
    # Ids of the disks of the machine that its point lacks.
    disks_missing: tuple[str, ...] = ()
    # Words of exclude_disks that name no disk of this machine; None where it was not read.
    strange_disks: tuple[str, ...] | None = None

    @property
    def good(self) -> bool:
        return self.verdict in GOOD

    @property
    def word(self) -> str:
        return self.verdict.value

    @property
    def told_of_disks(self) -> str:
        """Return a sentence about words of exclude_disks that name none of the machine's; empty without any."""
        words = ", ".join(self.strange_disks or ())
        return f"{self.host} has no disk {words}, which its exclude_disks names" if words else ""

    def notes(self) -> str:
        if self.verdict is Verdict.PLANNED:
            return "would be made"
        if self.good:
            return self.pruned.warning if self.pruned else ""
        return notes_of(self.cause, self.advice)

    def statistics(self) -> Json:
        return {
            # A planned point is none: what reads this (a report, a later job) asks for what is there.
            "ok": self.good and self.verdict is not Verdict.PLANNED,
            "verdict": self.word,
            "reached": self.reached.label,
            "point": self.point.name if self.point else "",
            "cause": short_cause(self.cause),
        }

    @property
    def reached(self) -> Consistency:
        """What the point is worth: nothing before Azure says that it is finished."""
        return self.point.consistency if self.point is not None and self.point.finished else Consistency.NONE

    def describe(self) -> OutcomeResult:
        return {
            "vm_id": self.vm_id,
            "verdict": self.verdict.value,
            "ok": self.good,
            "changed": self.changed,
            "consistency_requested": self.requested.label,
            "consistency_reached": self.reached.label,
            "minimum_consistency": self.minimum.label,
            "degraded": self.verdict is Verdict.DEGRADED,
            "disks_missing": list(self.disks_missing),
            "restore_point": describe_point(self.point) if self.point else {},
            "restore_point_collection_id": self.collection_id,
            "operation": self.operation,
            "seconds": round(self.seconds, 1),
            "cause": sentence(self.cause),
            "advice": self.advice,
            "failure": self.failure,
            "findings": [finding.describe() for finding in self.findings],
            "next_attempt": self.next_attempt.isoformat() if self.next_attempt else "",
            "retention": self.pruned.describe() if self.pruned else {},
        }


_SHORT = {"ApplicationConsistent": "application", "FileSystemConsistent": "file system", "CrashConsistent": "crash"}
COLUMNS = (
    Column[Outcome]("asked", lambda outcome: _SHORT.get(outcome.requested.label, "-")),
    Column[Outcome]("reached", lambda outcome: _SHORT.get(outcome.reached.label, "-")),
    Column[Outcome]("seconds", lambda outcome: f"{outcome.seconds:.0f}"),
)


def judge(outcome: Outcome, point: RestorePoint, wish: Wish, os: str, needed: Needed) -> Outcome:
    """Return the verdict on a point that Azure has finished, well or not."""
    if point.finished and not needed.held_by(point):
        return _incomplete(outcome, point, needed)
    if point.finished and point.consistency >= wish.minimum:
        return replace(outcome, point=point, verdict=Verdict.REACHED)
    outcome = replace(outcome, point=point)
    if point.failed:
        failed = explain("", point.failure, os=os) if point.failure else None
        return replace(
            outcome,
            verdict=Verdict.FAILED,
            cause=point.failure or f"Azure could not make the restore point {point.name} ({point.state})",
            advice=failed.remedy
            if failed
            else "Look at the VM's activity log for what Azure said, then run this again.",
        )
    if not point.finished:
        return replace(outcome, verdict=Verdict.RUNNING, cause=f"The restore point {point.name} is {point.state}")
    cause, advice = shortfall(point.consistency, os)
    return replace(outcome, verdict=Verdict.DEGRADED, cause=cause, advice=advice)


def _incomplete(outcome: Outcome, point: RestorePoint, needed: Needed) -> Outcome:
    missing = needed.missing_in(point)
    if needed.is_source_of(point):
        cause = f"The restore point {point.name} lacks the disks {', '.join(missing)}"
        advice = "Run this again for a point with them, or name them in exclude_disks if they are left out on purpose."
    else:
        cause = f"The restore point {point.name} does not hold this VM: Azure names another vmId as its source"
        advice = "Run this again for a point of this VM."
    return replace(outcome, point=point, verdict=Verdict.INCOMPLETE, cause=cause, advice=advice, disks_missing=missing)


def from_error(outcome: Outcome, error: AppConsistentError, os: str = "") -> Outcome:
    """Return the verdict on an error that stopped the work on one machine."""
    verdict = Verdict.RUNNING if isinstance(error, DeadlineExceeded) else Verdict.FAILED
    told = worded(error, os)
    return replace(outcome, verdict=verdict, cause=told.cause, advice=told.advice, failure=told.failure)


def shortfall(reached: Consistency, os: str) -> tuple[str, str]:
    """Return cause and advice for a point that is worth less than was asked for."""
    if reached is Consistency.FileSystemConsistent and os == "windows":
        return (
            "VSS could not bring all writers of the guest to a stable state, or Azure is in the three attempts after "
            "such a failure for which it does not ask them",
            "Look at the writers with vss_writers_info and repair them with vss_writers; application consistency is "
            "tried again from the fourth attempt.",
        )
    if reached is Consistency.FileSystemConsistent:
        return (
            "The guest's pre- or post-script is missing, was refused or failed, so Azure froze the file systems only",
            "Deploy the scripts with the role linux_scripts and look at the last run with guest_snapshot_info.",
        )
    if reached is Consistency.NONE:
        return (
            "Azure's answer does not say which consistency the point has, so it counts as none",
            "Look at it with restore_point_info in a while, and run this again.",
        )
    return (
        "Azure took a crash-consistent point: the guest was not asked at all",
        "See that the VM runs, its agent is ready and the snapshot extension is healthy.",
    )
