# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A restore that is killed anywhere leaves the old machine or the new one, and the next run ends it."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore import in_place
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore.exchange import exchange, hung_as

from tests.chaos.restores import Attempt, attempts_of, play

RUNS = int(os.environ.get("CHAOS_RUNS", "150"))


def test_whatever_happens_the_machine_has_the_old_disks_or_the_new_ones() -> None:
    problems = {}
    for seed in range(RUNS):
        course = play(attempts_of(seed), seed)
        if course.problems or not course.ended_well:
            problems[seed] = [*course.problems, course.said]
    assert problems == {}


@pytest.mark.parametrize("second", ["present", "undone"])
def test_killed_at_every_fifth_second_it_is_ended_or_undone_by_the_next_run(second: str) -> None:
    problems = {}
    for kill in range(0, 200, 5):
        course = play([Attempt("present", float(kill), ()), Attempt(second, None, ())])
        if course.problems or not course.ended_well:
            problems[kill] = [*course.problems, course.said]
    assert problems == {}


async def nothing(*_known: t.Any) -> None: ...


async def half_an_exchange(arm: t.Any, stopped: t.Any, wanted: t.Any) -> None:
    await exchange(arm, stopped, [wanted[0], *(hung_as(held) for held in stopped.disks[1:])])


async def always_the_same_words(*_known: t.Any) -> str:
    return "The VM db1 still has the disks that it had."


@pytest.mark.parametrize(
    ("name", "mistake", "found"),
    [
        ("mark_attached", nothing, "was taken for a fresh one"),
        ("exchange", half_an_exchange, "a mixture of disks"),
        ("_standing", always_the_same_words, "it has other disks than is said"),
    ],
)
def test_a_restore_with_a_mistake_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, mistake: t.Any, found: str
) -> None:
    monkeypatch.setattr(in_place, name, mistake)
    # A run that says itself that it went wrong is not what is looked for.
    assert any(found in problem for seed in range(60) for problem in told(seed))


def told(seed: int) -> list[str]:
    try:
        return play(attempts_of(seed), seed).problems
    except Exception:
        return []
