# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Spans of time as options give them ("90s", "20m", "3h", "7d") and as people read them."""

from __future__ import annotations

import re
from datetime import timedelta

from ._errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"\s*(\d+)\s*([smhdw]?)\s*", re.IGNORECASE)


def parse_duration(text: str, option: str) -> timedelta:
    """Return the span that `text` gives; a bare number is seconds. Raise InvalidInput that names `option`."""
    match = _SPAN.fullmatch(text)
    if not match:
        raise InvalidInput(
            f"The option {option} is {text!r}, which is not a time span",
            advice="Write a whole number and a unit, such as 90s, 20m, 3h, 7d or 2w.",
        )
    return timedelta(seconds=int(match[1]) * _UNITS[match[2].lower() or "s"])


def words(span: timedelta) -> str:
    """Return `span` for people, such as "2 h 5 min"."""
    seconds = max(0, round(span.total_seconds()))
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
