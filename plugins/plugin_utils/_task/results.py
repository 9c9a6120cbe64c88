# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What came out for each machine of a fleet task, and what the task makes of all of them."""

from __future__ import annotations

import json
import tempfile
import textwrap
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import AppConsistentError, AzureError, EndpointUnreachable, sentence
from .._failures.explain import explain_error, starts_writer_fallback
from .._json import Json

# Custom statistics travel to every later node of an AWX workflow as extra variables: 10,000 machines stay below 3 MB.
LONGEST_CAUSE = 160


class MachineResult(t.Protocol):
    """What a fleet task has to say of one machine."""

    @property
    def host(self) -> str:
        """Return its name in the inventory."""

    @property
    def good(self) -> bool:
        """Return whether it has what was asked for."""

    @property
    def word(self) -> str:
        """Return one word for the table and the summary."""

    @property
    def cause(self) -> str:
        """Return why it fell short, empty where it did not."""

    @property
    def advice(self) -> str:
        """Return what to do next."""

    @property
    def changed(self) -> bool:
        """Return whether anything was written."""

    @property
    def failure(self) -> Json:
        """Return code, message and status as Azure gave them, empty where nothing failed."""

    def notes(self) -> str:
        """Return what the table says of the machine after its columns, empty where nothing needs a word."""

    def describe(self) -> t.Mapping[str, object]:
        """Return what the task returns of the machine, in `hosts`."""

    def statistics(self) -> Json:
        """Return the little of it that AWX keeps for later jobs."""


@dataclass(frozen=True)
class MachineReport:
    """The result of a task that makes no restore point itself; `result` is what it returns beside the verdict."""

    host: str
    good: bool
    word: str
    cause: str = ""
    advice: str = ""
    changed: bool = False
    result: Json = field(default_factory=dict)
    failure: Json = field(default_factory=dict)

    def notes(self) -> str:
        return notes_of(self.cause, self.advice)

    def describe(self) -> Json:
        return {
            **self.result,
            "ok": self.good,
            "changed": self.changed,
            "verdict": self.word,
            "cause": sentence(self.cause),
            "advice": self.advice,
            **({"failure": self.failure} if self.failure else {}),
        }

    def statistics(self) -> Json:
        return {"ok": self.good, "verdict": self.word, "cause": short_cause(self.cause)}


def notes_of(cause: str, advice: str) -> str:
    return " -> ".join(part for part in (sentence(cause), advice) if part)


def short_cause(cause: str) -> str:
    return textwrap.shorten(cause, LONGEST_CAUSE, placeholder=" [...]")


@dataclass(frozen=True)
class Worded:
    """An error as a result tells it: the cause and the next step of the catalogue where it knows the failure."""

    cause: str
    advice: str
    failure: Json


def worded(error: AppConsistentError, os: str = "") -> Worded:
    """Explain an error that stopped the work on one machine. `os` is linux, windows, or empty where it is not known."""
    cause, advice, failure = error.message, error.advice, error.details()
    if explanation := explain_error(error, os):
        failure = {**failure, "key": explanation.key, "retry": explanation.retry.value}
        if isinstance(error, AzureError) and explanation.key != "unknown":
            cause = f"{explanation.cause} Azure said: {error.code}: {error.azure_message}"
            advice = explanation.remedy
        # The place that raised it can know more than the general advice for what the catalogue does not know.
        advice = advice or explanation.remedy
        failure["advice"] = advice
        if starts_writer_fallback(explanation.key):
            advice += " Azure takes file-system-consistent points for the next three attempts after such a failure."
    return Worded(cause, advice, failure)


def report_of_error(host: str, error: AppConsistentError) -> MachineReport:
    """Return the report on an error that stopped the work on one machine."""
    told = worded(error)
    return MachineReport(host, False, "failed", told.cause, told.advice, failure=told.failure)


def raise_if_nobody_answered(results: t.Sequence[MachineResult]) -> None:
    """Say once what is true for the whole run: that Azure cannot be reached."""
    kind = EndpointUnreachable.__name__
    if results and all(result.failure.get("kind") == kind for result in results):
        raise EndpointUnreachable(results[0].cause, advice=results[0].advice)


def result_of(results: t.Sequence[MachineResult], words: t.Iterable[str], lines: list[str]) -> Json:
    """Return the task's result; it never fails for a part of the fleet, or the play would end for all of it.

    `words` are the verdicts that the summary counts even where there are none.
    """
    counts = Counter(result.word for result in results)
    return {
        "changed": any(result.changed for result in results),
        "hosts": {result.host: result.describe() for result in results},
        "summary": {
            "total": len(results),
            "ok": sum(result.good for result in results),
            "changed": sum(result.changed for result in results),
            **{word: counts[word] for word in dict.fromkeys([*words, *sorted(counts)])},
        },
        "table": lines,
    }


def statistics_of(results: t.Sequence[MachineResult], key: str) -> Json:
    """Return what Ansible takes up as custom statistics, which AWX keeps and hands on: little for each machine."""
    if not key:
        return {}
    hosts = {result.host: result.statistics() for result in results}
    # Aggregated, so that the batches of a play with `serial` join under one key.
    return {"ansible_stats": {"data": {key: {"hosts": hosts}}, "per_host": False, "aggregate": True}}


def write_results(path: str, results: t.Sequence[MachineResult]) -> None:
    """Write what came out for each host to a file that only its owner can read, in one step. Raise OSError."""
    target = Path(path)
    text = json.dumps({result.host: result.describe() for result in results}, indent=2)
    with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        file.write(text + "\n")
    Path(file.name).replace(target)
