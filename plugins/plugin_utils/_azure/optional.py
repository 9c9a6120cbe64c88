# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reading what is only good to know: without it the work goes on, and is told what it lacks."""

from __future__ import annotations

import typing as t

from .._errors import AppConsistentError

T = t.TypeVar("T")


async def read_or_note(unread: list[str], reading: t.Awaitable[T]) -> T | None:
    """Return what is read; None, with the sentence why in `unread`, where it cannot be."""
    try:
        return await reading
    except AppConsistentError as error:
        unread.append(str(error))
        return None
