# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tells stories in batches, and one that goes wrong in full, with the command that tells it again.

CHAOS_SEED names one seed instead of all; CHAOS_RUNS is the number of stories of each test file.
"""

from __future__ import annotations

import os
import typing as t

from tests.chaos import stage, story
from tests.chaos.invariants import violations
from tests.chaos.stage import Journal

RUNS = 255
BATCH = 51


def batches() -> list[range]:
    """Return the seeds of a test file, in portions for a test each."""
    if seed := os.environ.get("CHAOS_SEED"):
        return [range(int(seed), int(seed) + 1)]
    runs = int(os.environ.get("CHAOS_RUNS", RUNS))
    return [range(first, min(first + BATCH, runs)) for first in range(0, runs, BATCH)]


def wrong(seeds: t.Iterable[int], theme: story.Theme, file: str) -> str:
    """Tell the stories of `seeds` until one goes wrong; return what is to be known about it, empty if none does."""
    for seed in seeds:
        journal = stage.play(story.draw(seed, theme))
        if found := violations(journal):
            again = f"Again: CHAOS_SEED={seed} python -m pytest {os.path.relpath(file)}"
            return "\n".join([f"seed {seed}:", *found, again, *tell(journal)])
    return ""


def tell(journal: Journal) -> t.Iterator[str]:
    """Yield the story and its journal, a line each."""
    yield f"  {journal.story.wish}"
    for vm in journal.story.fleet["vms"]:
        yield f"  {vm}"
    for number, run in enumerate(journal.story.runs, start=1):
        yield f"  run {number}: {run}"
    for seen in journal.seen:
        effect = "made" if seen.made else "deleted" if seen.deleted else ""
        vm, point = seen.vm.rpartition("/")[2], seen.path.rpartition("/")[2]
        yield f"  {seen.at:9.2f} {seen.who}: {seen.method} {point} of {vm}: {seen.wire} {seen.status} {effect}"
    for ended in journal.ended:
        span = f"{ended.began:.0f} s + {ended.seconds:.0f} s"
        for outcome in ended.outcomes:
            point = outcome.point.name if outcome.point else "-"
            yield f"  {ended.who} ({span}): {outcome.host} {outcome.verdict.value} {point} {outcome.cause}"
