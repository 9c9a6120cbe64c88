# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one entry of the failure catalogue says."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Retry(enum.Enum):
    """What sending the same request again can bring."""

    LATER = "later"
    """It can succeed after a while without anybody doing anything."""
    FIX_FIRST = "fix_first"
    """It can succeed once something else has been put right, in Azure or in the guest."""
    NEVER = "never"
    """It cannot succeed: the request itself has to be another one."""


class Seen(enum.Enum):
    """Where a failure shows itself."""

    RESTORE_POINT = "restore point operation"
    EXTENSION = "extension status"
    GUEST = "guest log"
    ARM = "Azure Resource Manager answer"
    BACKUP = "Azure Backup job"
    SIGN_IN = "sign-in"


@dataclass(frozen=True)
class Example:
    """A failure as Azure or the guest words it, with all that is known about it."""

    code: str
    message: str
    status: int | None = None
    os: str | None = None


@dataclass(frozen=True)
class Entry:
    """A known failure: how to recognise it and what to do about it.

    Every condition that is given must hold: one of the codes, the words, one of the HTTP statuses, the system of the
    guest. The words are a regular expression, searched in code and message without regard to case. One code has many
    causes and Microsoft rewords its messages, so the words name only what tells this cause from the others.
    """

    key: str
    cause: str
    remedy: str
    retry: Retry
    docs: str
    seen: tuple[Seen, ...]
    example: Example
    codes: tuple[str, ...] = ()
    words: str = ""
    statuses: tuple[int, ...] = ()
    os: str = ""
    words_suffice: bool = False
    """The words are telling under whatever code; the codes are only those under which they were met."""
    code_tells: bool = False
    """The codes stand for this cause alone, so they tell as much as words do."""
    writer_failed: bool = False
    """A VSS writer failed, so Azure does not ask the writers in the next attempts."""
