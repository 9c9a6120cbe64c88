# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Two controllers that work on the same machines at once, with all kinds of faults."""

from __future__ import annotations

import pytest

from tests.chaos.story import Theme
from tests.chaos.telling import batches, wrong

THEME = Theme(twins=True)


@pytest.mark.parametrize("seeds", batches(), ids=str)
def test_two_runs_at_once_make_one_point_and_keep_what_retention_promises(seeds: range) -> None:
    assert not (story := wrong(seeds, THEME, __file__)), story
