# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One explained verdict from what Azure, the guest and the catalogue say about a machine: the next step first.

Everything that is known is put in the order in which it makes sense to act: what blocks a point at all, then what the
guest itself says, then what Azure says from afar, then what is only worth a warning.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .._errors import redact, sentence
from .._json import Json, child, children, text
from .explain import explain

# Lower comes first. What the guest says outranks what Azure says: Azure's codes have many causes, the guest knows one.
_REMOVED, _BLOCKS, _CLASSIFIED, _RUN, _GUEST, _WRITERS, _AZURE, _SHORTFALL, _WARNING = range(9)
# Failures of the catalogue that name a symptom and leave the cause open: the guest's own word is better.
_OPEN_CAUSES = (
    "unknown",
    "internal_error",
    "snapshot_internal_error",
    "snapshot_internal_error_linux",
    "snapshot_internal_error_windows",
)


@dataclass(frozen=True)
class Cause:
    """One thing that explains the shortfall. `where` is azure or guest."""

    rank: int
    where: str
    code: str
    message: str
    remedy: str
    docs: str = ""
    evidence: str = ""

    def describe(self) -> Json:
        described = asdict(self)
        del described["rank"]
        return described


def diagnose(azure: Json, readiness: Json, guest: Json, writers: Json, guard: Json) -> Json:
    """Return the diagnosis of one machine. Each part may be empty, or a failed task's result."""
    missing = [
        f"{name}: {said}"
        for name, part in (
            ("Azure", readiness),
            ("the guest", guest),
            ("the VSS writers", writers),
            ("the guard", guard),
        )
        if (said := _not_looked_at(part))
    ]
    causes = sorted(
        [
            *_of_guard(guard),
            *_of_readiness(readiness),
            *_of_result(azure),
            *_of_guest(guest),
            *_of_writers(writers),
        ],
        key=lambda cause: cause.rank,
    )
    causes = _distinct(causes)
    # A planned point is none yet: whether it will be one depends on what else is known.
    judged = bool(azure) and azure.get("verdict") != "planned"
    well = bool(azure.get("ok")) if judged else not any(cause.rank < _WARNING for cause in causes)
    first = causes[0] if causes and not well else None
    return {
        "verdict": "well" if well else "explained" if first else "unexplained",
        "next_step": first.remedy if first else "" if well else _UNEXPLAINED,
        "cause": sentence(first.message) if first else "",
        "where": first.where if first else "",
        "code": first.code if first else "",
        "docs": first.docs if first else "",
        "evidence": first.evidence if first else "",
        "also": [cause.describe() for cause in (causes[1:] if first else causes)],
        "asked": text(azure, "consistency_requested"),
        "reached": text(azure, "consistency_reached"),
        "not_looked_at": missing,
    }


_UNEXPLAINED = (
    "Look at the VM's activity log in Azure and at the extension's log in the guest (extension.log on Linux, the event "
    "log and C:\\WindowsAzure\\Logs\\Plugins on Windows) for the time of the attempt."
)


def lines(host: str, diagnosis: Json) -> list[str]:
    """Return the diagnosis for people, the next step first."""
    if diagnosis["verdict"] == "well":
        return [f"{host}: nothing to do."]
    told = [f"{host}: {diagnosis['next_step']}", f"  Why: {diagnosis['cause'] or 'not known.'}"]
    if diagnosis["reached"] and diagnosis["reached"] != diagnosis["asked"]:
        told.append(f"  Asked for {diagnosis['asked']}, reached {diagnosis['reached']}.")
    if diagnosis["evidence"]:
        told.append(f"  Seen: {diagnosis['evidence']}")
    if diagnosis["docs"]:
        told.append(f"  Microsoft's page: {diagnosis['docs']}")
    told += [
        f"  Also ({cause['where']}): {sentence(cause['message'])} {cause['remedy']}" for cause in diagnosis["also"]
    ]
    told += [f"  Not looked at: {missing}" for missing in diagnosis["not_looked_at"]]
    return told


def _of_guard(guard: Json) -> t.Iterator[Cause]:
    described = child(guard, "snapshot_extension_guard")
    removal = child(child(described, "removed"), "extension")
    if described.get("extension_state") == "missing" and removal:
        where = f" from {removal.get('client_address')}" if removal.get("client_address") else ""
        yield Cause(
            _REMOVED,
            "azure",
            "extension_removed",
            f"The snapshot extension was removed by {removal.get('caller')} at {removal.get('time')}{where}",
            "Have it installed with snapshot_extension, and guard it with snapshot_extension_guard.",
            "VMSnapshot extension",
            f"correlation id {removal.get('correlation_id')}",
        )


def _of_readiness(readiness: Json) -> t.Iterator[Cause]:
    for finding in children(readiness, "findings"):
        rank = _BLOCKS if finding.get("severity") == "blocks" else _WARNING
        yield Cause(
            rank,
            "azure",
            text(finding, "code"),
            text(finding, "message"),
            text(finding, "remedy"),
            text(finding, "docs"),
        )


def _of_result(azure: Json) -> t.Iterator[Cause]:
    """What the fleet's task said of its attempt."""
    if not azure or azure.get("ok"):
        return
    failure = child(azure, "failure")
    key = text(failure, "key")
    if failure.get("code"):
        rank = _AZURE if not key or key in _OPEN_CAUSES else _CLASSIFIED
        explanation = explain(str(failure.get("code")), text(failure, "message"), status=_whole(failure.get("status")))
        yield Cause(
            rank,
            "azure",
            key or str(failure.get("code")),
            text(azure, "cause").rstrip("."),
            text(azure, "advice"),
            explanation.docs,
            redact(f"{failure.get('code')}: {failure.get('message')}"),
        )
    elif text(azure, "cause") and not children(azure, "findings"):
        yield Cause(
            _SHORTFALL, "azure", text(azure, "verdict"), text(azure, "cause").rstrip("."), text(azure, "advice")
        )


def _of_guest(guest: Json) -> t.Iterator[Cause]:
    snapshot = child(guest, "guest_snapshot")
    run = child(snapshot, "last_run")
    code = run.get("code")
    if isinstance(code, int) and code not in (0, 1) and run.get("consistency_reached") != "application":
        os = text(snapshot, "os") or None
        explanation = explain(str(code), text(run, "meaning"), os=os)
        known = explanation.key != "unknown"
        yield Cause(
            _RUN if known else _GUEST,
            "guest",
            explanation.key if known else f"extension_code_{code}",
            explanation.cause.rstrip(".") if known else f"The extension ended with its code {code}",
            explanation.remedy,
            explanation.docs,
            text(run, "meaning") or text(run, "code_name"),
        )
    for finding in children(snapshot, "findings"):
        severity = finding.get("severity")
        if severity in ("error", "warning"):
            yield Cause(
                _GUEST if severity == "error" else _WARNING,
                "guest",
                text(finding, "code"),
                text(finding, "message").rstrip("."),
                text(finding, "remedy"),
                evidence=text(finding, "evidence"),
            )


def _of_writers(writers: Json) -> t.Iterator[Cause]:
    for finding in children(writers, "findings"):
        if finding.get("severity") in ("error", "warning"):
            yield Cause(
                _WRITERS if finding.get("severity") == "error" else _WARNING,
                "guest",
                text(finding, "code"),
                text(finding, "message").rstrip("."),
                text(finding, "remedy"),
            )


def _distinct(causes: t.Iterable[Cause]) -> list[Cause]:
    """Keep the first of causes that say the same."""
    kept: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        if cause.message or cause.remedy:
            kept.setdefault((cause.code, cause.message), cause)
    return list(kept.values())


def _not_looked_at(part: Json) -> str:
    if part.get("unreachable") or part.get("failed"):
        return redact(str(part.get("msg") or "the task failed")).splitlines()[0][:300]
    return ""


def _whole(value: t.Any) -> int | None:
    return value if isinstance(value, int) else None
