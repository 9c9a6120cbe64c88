# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Engines with a mistake each: the stories that hold for the real one find it within few seeds."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import azure_time
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet import making, one_machine
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points import holding, next_step
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points import retention as _retention

from tests.chaos.story import Theme
from tests.chaos.telling import wrong

SEEDS = range(60)
Change = t.Callable[[pytest.MonkeyPatch], None]


def a_fresh_name_each_time(patch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(100)
    for module in (making, one_machine):
        patch.setattr(
            module, "next_step", lambda wish, *_: next_step.Make(f"{wish.schedule}-{wish.key}-{next(numbers)}")
        )


def no_adoption_after_a_lost_answer(patch: pytest.MonkeyPatch) -> None:
    async def give_up(_work: t.Any, error: Exception) -> t.NoReturn:
        raise error

    patch.setattr(making.Making, "_adopt_after", give_up)


def retention_without_keep_good(patch: pytest.MonkeyPatch) -> None:
    real = _retention.surplus
    patch.setattr(
        one_machine,
        "surplus",
        lambda own, retention, *rest, **more: real(own, replace(retention, keep_good=0), *rest, **more),
    )


def retention_of_all_points(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(one_machine, "of_schedule", lambda _point, _schedule: True)


def tries_again_whatever_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(one_machine.OneMachine, "_worth_another", lambda _work, outcome: bool(outcome.failure))


def repeats_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(next_step, "_unless_too_early", lambda *known: next_step.Make(known[-1]))


def says_reached_of_everything(patch: pytest.MonkeyPatch) -> None:
    for module in (making, one_machine):
        patch.setattr(
            module, "judge", lambda outcome, point, *_: replace(outcome, point=point, verdict=Verdict.REACHED)
        )


def takes_an_earlier_machine_for_this_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holding.Needed, "is_source_of", lambda _needed, _point: True)
    patch.setattr(holding.Needed, "missing_in", lambda _needed, _point: ())


def believes_its_own_clock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(azure_time.AzureTime, "note", lambda _time, _date: None)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (takes_an_earlier_machine_for_this_one, "outcomes_are_true"),
        (believes_its_own_clock, "tried_again_within_reason"),
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
