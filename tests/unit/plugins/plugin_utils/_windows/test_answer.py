# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whatever stands where a number should be, reading it does not fail."""

from __future__ import annotations

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.answer import number, whole


@pytest.mark.parametrize("value", [10**400, -(10**400), float("inf"), float("nan"), True, "1.5", None, [1]])
def test_what_is_no_finite_number_is_nothing(value: object) -> None:
    assert number(value) is None


@pytest.mark.parametrize("value", [10**400, 2**64, -(2**64), "9" * 21, 1.0, False])
def test_what_64_bits_do_not_hold_is_nothing(value: object) -> None:
    assert whole(value) is None


def test_numbers_are_read() -> None:
    assert (number(3), number(1.5), whole("-12"), whole(2**64 - 1)) == (3.0, 1.5, -12, 2**64 - 1)
