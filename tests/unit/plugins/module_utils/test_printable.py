# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP045 - these tests run on the guest's Pythons too, 3.6 and newer
"""Text from a guest must not move anybody's cursor, fill anybody's database, or sign anybody's request."""

from typing import Optional

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._printable import decoded, iso, printable, span


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain text, with \u00fcmlauts", "plain text, with \u00fcmlauts"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("cut off \x1b[", "cut off"),
        ("cut off \x1b]0;title", "cut off"),
        ("a\r\nb\tc\x00d", "a b c d"),
        ("a\u202eb\u2066c\u200fd", "a b c d"),
        ("\ud800 lone", "lone"),
        ("https://a.blob.core.windows.net/x?sv=1&sig=abc%3D next", "https://a.blob.core.windows.net/x?... next"),
        ("HTTP://A/x?sig=abc", "HTTP://A/x?..."),
        ("is it? https://a/b", "is it? https://a/b"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["x" * 10**6, "\x1b[31m" * 10**5, "https://a?" * 10**5, "\x1b]" * 10**5])
def test_nothing_is_longer_than_the_limit(text: str) -> None:
    assert len(printable(text, 100)) <= 100


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert decoded(b"a\xff\xfeb") == "a\ufffd\ufffdb"


@pytest.mark.parametrize(
    "seconds, shown",
    [(0.0, "1970-01-01T00:00:00Z"), (1773453607.412, "2026-03-14T02:00:07Z"), (1e15, None), (None, None)],
)
def test_times_are_utc_and_impossible_ones_are_not_known(seconds: Optional[float], shown: Optional[str]) -> None:
    assert iso(seconds) == shown


def test_a_clock_that_went_back_leaves_no_duration() -> None:
    assert (span(10.0, 12.5), span(12.5, 10.0), span(None, 1.0)) == (2.5, None, None)
