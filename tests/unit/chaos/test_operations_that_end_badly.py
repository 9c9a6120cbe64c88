# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Restore points that Azure accepts and does not finish: failed, canceled, or hanging for ever."""

from __future__ import annotations

import pytest

from tests.chaos.story import CATALOGUE, Theme
from tests.chaos.telling import batches, wrong

THEME = Theme(kinds=frozenset(kind for kind, _weight, _parameters in CATALOGUE if kind.startswith("operation_")))


@pytest.mark.parametrize("seeds", batches(), ids=str)
def test_failed_points_are_tried_again_within_reason_and_each_machine_has_one_in_the_end(seeds: range) -> None:
    assert not (story := wrong(seeds, THEME, __file__)), story
