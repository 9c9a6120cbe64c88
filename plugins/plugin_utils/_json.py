# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""JSON from outside, read without trusting its shape: what is missing or of another type comes back empty."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

Json = dict[str, t.Any]


def child(body: Json, key: str) -> Json:
    """Return the object at `key`, an empty one when there is none."""
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def children(body: Json, key: str) -> list[Json]:
    """Return the objects in the list at `key`."""
    value = body.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(body: Json, key: str) -> str:
    """Return the text at `key`, empty when there is none."""
    value = body.get(key)
    return value if isinstance(value, str) else ""


def parse_time(value: t.Any) -> datetime | None:
    """Return a time as Azure writes it (seven fractional digits, any offset), None when it is not a time.

    A time without an offset is UTC.
    """
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
