# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What came out for one machine: asked, reached, and where it fell short, why and what to do next."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._errors import AppConsistentError, AzureError, DeadlineExceeded, sentence
from .._failures.explain import explain, starts_writer_fallback
from .._json import Json
from .._readiness.machine import Finding
from .._restore_points.next_step import Wish
from .._restore_points.points import Consistency, RestorePoint, describe
from .._restore_points.retention import Pruned


class Verdict(enum.Enum):
    """How it ended for one machine. Only REACHED, FRESH and PLANNED are good.

    REFUSED and NOT_BEGUN asked nothing of Azure: something is in the way, or there was no time or no reason to begin.
    """

    REACHED = "reached"
    FRESH = "fresh"
    PLANNED = "planned"
    DEGRADED = "degraded"
    REFUSED = "refused"
    FAILED = "failed"
    RUNNING = "running"
    NOT_BEGUN = "not_begun"


GOOD = (Verdict.REACHED, Verdict.FRESH, Verdict.PLANNED)


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
    findings: tuple[Finding, ...] = ()
    next_attempt: datetime | None = None
    pruned: Pruned | None = None

    @property
    def good(self) -> bool:
        return self.verdict in GOOD

    @property
    def reached(self) -> Consistency:
        """What the point is worth: nothing before Azure says that it is finished."""
        return self.point.consistency if self.point is not None and self.point.finished else Consistency.NONE

    def describe(self) -> Json:
        return {
            "vm_id": self.vm_id,
            "verdict": self.verdict.value,
            "ok": self.good,
            "changed": self.changed,
            "consistency_requested": self.requested.label,
            "consistency_reached": self.reached.label,
            "minimum_consistency": self.minimum.label,
            "degraded": self.verdict is Verdict.DEGRADED,
            "restore_point": describe(self.point) if self.point else {},
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


def judge(outcome: Outcome, point: RestorePoint, wish: Wish, os: str) -> Outcome:
    """Return the verdict on a point that Azure has finished, well or not."""
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


def from_error(outcome: Outcome, error: AppConsistentError, os: str = "") -> Outcome:
    """Return the verdict on an error that stopped the work on one machine."""
    verdict = Verdict.RUNNING if isinstance(error, DeadlineExceeded) else Verdict.FAILED
    cause, advice, failure = error.message, error.advice, error.details()
    if isinstance(error, AzureError):
        explanation = explain(error.code, error.azure_message, status=error.status, os=os or None)
        advice = explanation.remedy
        failure = {**failure, "key": explanation.key, "retry": explanation.retry.value}
        if explanation.key != "unknown":
            cause = f"{explanation.cause} Azure said: {error.code}: {error.azure_message}"
        if starts_writer_fallback(explanation.key):
            advice += " Azure takes file-system-consistent points for the next three attempts after such a failure."
    return replace(outcome, verdict=verdict, cause=cause, advice=advice, failure=failure)


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
    return (
        "Azure took a crash-consistent point: the guest was not asked at all",
        "See that the VM runs, its agent is ready and the snapshot extension is healthy.",
    )
