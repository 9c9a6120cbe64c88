# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every machine by itself, all at once, with a line of progress and a table at the end; nobody fails for another."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._azure.arm import Arm
from .._errors import AppConsistentError, AzureError, EndpointUnreachable, sentence
from .._failures.explain import explain
from .._json import Json
from .target import Target

_WIDTH = 120

Tell = t.Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What came out for one machine. `word` is one word for the table, `result` what the task returns."""

    host: str
    ok: bool
    word: str
    cause: str = ""
    advice: str = ""
    changed: bool = False
    result: Json = field(default_factory=dict)

    def describe(self) -> Json:
        return {
            **self.result,
            "ok": self.ok,
            "changed": self.changed,
            "verdict": self.word,
            "cause": sentence(self.cause),
            "advice": self.advice,
        }


Work = t.Callable[[Arm, Target], t.Awaitable[Report]]


async def each(
    arm: Arm, targets: t.Sequence[Target], work: Work, *, noun: str, interval: float, tell: Tell, allowed: float
) -> list[Report]:
    """Do `work` for all targets at once, each within `allowed` seconds; whatever goes wrong is in its report."""
    done: list[Report] = []
    began = arm.clock.monotonic()

    async def one(target: Target) -> Report:
        try:
            report = await work(arm.of(target.vm.subscription).until(began + allowed), target)
        except AppConsistentError as error:
            report = failed(target.host, error)
        except Exception as error:  # a mistake of ours about one machine must not cost the others theirs
            mistake = f"Could not go on with {target.host} because of a mistake in appconsistent.azure"
            report = failed(target.host, AppConsistentError(f"{mistake} ({type(error).__name__}: {error})"))
        done.append(report)
        return report

    async def progress() -> None:
        told = ""
        while True:
            await arm.clock.sleep(interval)
            text = _line(noun, done, len(targets), arm, began)
            if text != told:
                tell(text)
            told = text

    watcher = asyncio.create_task(progress()) if interval > 0 else None
    try:
        return list(await asyncio.gather(*(one(target) for target in targets)))
    finally:
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
            tell(_line(noun, done, len(targets), arm, began))


def failed(host: str, error: AppConsistentError) -> Report:
    """Return the report on an error that stopped the work on one machine."""
    advice, failure = error.advice, error.details()
    if isinstance(error, AzureError):
        explanation = explain(error.code, error.azure_message, status=error.status)
        if explanation.key != "unknown":
            failure = {**failure, "key": explanation.key, "retry": explanation.retry.value}
    return Report(host, False, "failed", error.message, advice, result={"failure": failure})


def raise_if_nobody_answered(reports: t.Sequence[Report]) -> None:
    """Say once what is true for the whole run: that Azure cannot be reached."""
    kinds = {report.result.get("failure", {}).get("kind") for report in reports}
    if kinds == {EndpointUnreachable.__name__}:
        raise EndpointUnreachable(reports[0].cause, advice=reports[0].advice)


def result_of(reports: t.Sequence[Report], lines: list[str]) -> Json:
    """Return the task's result; it never fails for a part of the fleet, or the play would end for all of it."""
    counts = Counter(report.word for report in reports)
    return {
        "changed": any(report.changed for report in reports),
        "hosts": {report.host: report.describe() for report in reports},
        "summary": {
            "total": len(reports),
            "ok": sum(report.ok for report in reports),
            "changed": sum(report.changed for report in reports),
            **dict(sorted(counts.items())),
        },
        "table": lines,
    }


def table(reports: t.Sequence[Report], good: str) -> list[str]:
    """Return a line per machine, those that need somebody last, each with cause and advice."""
    ordered = sorted(reports, key=lambda report: (not report.ok, report.host))
    host_width = max([2, *(len(report.host) for report in ordered)])
    word_width = max([7, *(len(report.word) for report in ordered)])
    indent = host_width + word_width + 4
    lines = [f"{'VM':<{host_width}}  {'verdict':<{word_width}}  cause and advice"]
    for report in ordered:
        notes = " -> ".join(part for part in (sentence(report.cause), report.advice) if part)
        wrapped = textwrap.wrap(notes, max(40, _WIDTH - indent), break_on_hyphens=False) or [""]
        lines.append(f"{report.host:<{host_width}}  {report.word:<{word_width}}  {wrapped[0]}".rstrip())
        lines.extend(" " * indent + rest for rest in wrapped[1:])
    lines.append(f"{sum(report.ok for report in reports)} of {len(reports)} VMs {good}.")
    return lines


def _line(noun: str, done: t.Sequence[Report], total: int, arm: Arm, began: float) -> str:
    counts = Counter(report.word for report in done)
    parts = [f"{len(done)} of {total} done"]
    if counts:
        parts.append(", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    if (closed := arm.closed_for()) > 0:
        parts.append(f"Azure's rate limit holds us for {closed:.0f} s")
    return f"{noun}: {'; '.join(parts)} ({arm.clock.monotonic() - began:.0f} s)"
