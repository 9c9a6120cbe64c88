# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Engines with a mistake each: the stories that hold for the real one find it within few seeds."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet import engine as _fleet
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points import next_step as _wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points import retention as _retention

from tests.chaos.story import Theme
from tests.chaos.telling import wrong

SEEDS = range(60)
Change = t.Callable[[pytest.MonkeyPatch], None]


def a_fresh_name_each_time(patch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(100)
    patch.setattr(_fleet, "next_step", lambda wish, *_: _wish.Make(f"{wish.schedule}-{wish.key}-{next(numbers)}"))


def no_adoption_after_a_lost_answer(patch: pytest.MonkeyPatch) -> None:
    async def give_up(_work: t.Any, error: Exception) -> t.NoReturn:
        raise error

    patch.setattr(_fleet._Work, "_adopt_after", give_up)


def retention_without_keep_good(patch: pytest.MonkeyPatch) -> None:
    real = _retention.surplus
    patch.setattr(
        _fleet,
        "surplus",
        lambda own, retention, *rest, **more: real(own, replace(retention, keep_good=0), *rest, **more),
    )


def retention_of_all_points(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_fleet, "of_schedule", lambda _point, _schedule: True)


def tries_again_whatever_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_fleet._Work, "_worth_another", lambda _work, outcome: bool(outcome.failure))


def repeats_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_wish, "_unless_too_early", lambda *known: _wish.Make(known[-1]))


def says_reached_of_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_fleet, "judge", lambda outcome, point, *_: replace(outcome, point=point, verdict=Verdict.REACHED))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (a_fresh_name_each_time, "one_point_each"),
        (no_adoption_after_a_lost_answer, "outcomes_are_true"),
        (retention_without_keep_good, "retention_keeps_its_word"),
        (retention_of_all_points, "foreign_points_stay"),
        (tries_again_whatever_failed, "tried_again_within_reason"),
        (repeats_at_once, "tried_again_within_reason"),
        (says_reached_of_everything, "outcomes_are_true"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_an_engine_with_a_mistake_is_found_out(change: Change, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch)
    assert f"\n{found}: " in wrong(SEEDS, Theme(), __file__)
