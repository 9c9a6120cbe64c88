# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Values out of a guest's answer, whatever is in their place: a wrong type is the same as nothing there."""

from __future__ import annotations

import base64
import binascii
import math
import re
import typing as t
from datetime import datetime, timezone

from ...module_utils._printable import printable

# .NET's round-trip form: seven digits of a second, and Z or an offset.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")


def items(value: object, most: int = 1000) -> list[t.Any]:
    """A list; PowerShell may have made one element of it."""
    if value is None:
        return []
    return value[:most] if isinstance(value, list) else [value]


def fields(value: object, count: int) -> list[list[str]]:
    """The lines of an answer, cut at their tabs; those that do not have `count` fields are left out."""
    cut = [line.split("\t", count - 1) for line in items(value) if isinstance(line, str)]
    return [line for line in cut if len(line) == count]


def one_line(value: object, longest: int = 300) -> str:
    """One line of plain text."""
    return printable(value.strip(), longest) if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """An integer, also one that was written as text; None beyond what 64 bits hold."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**64 else None
    # The length is bounded because int() of a long text costs the square of it.
    if isinstance(value, str) and len(value) <= 20 and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    return None


def number(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def flag(value: object) -> bool | None:
    """A truth value."""
    return value if isinstance(value, bool) else None


def data(value: object) -> bytes:
    """Bytes that came in base64."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""


def moment(value: object) -> datetime | None:
    """A moment in UTC. One without an offset is taken for UTC, as the agent writes it."""
    match = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 60 else None
    if match is None:
        return None
    offset = match[2] or "Z"
    try:
        return datetime.fromisoformat(match[1] + offset.replace("Z", "+00:00")).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def utc_text(value: datetime | None) -> str | None:
    """A moment as every result shows it."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value else None
