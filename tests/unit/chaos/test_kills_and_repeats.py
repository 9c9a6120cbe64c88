# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Runs that are killed at any instant, with all kinds of faults, and repeated."""

from __future__ import annotations

import pytest

from tests.chaos.story import Theme
from tests.chaos.telling import batches, wrong

THEME = Theme(kills=True)


@pytest.mark.parametrize("seeds", batches(), ids=str)
def test_a_run_that_is_killed_and_repeated_loses_no_point_and_doubles_none(seeds: range) -> None:
    assert not (story := wrong(seeds, THEME, __file__)), story
