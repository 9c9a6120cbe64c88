# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the code and message of a failure to its cause, the next step, and whether trying again can help."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._failure_catalogue import CATALOGUE
from ._failure_entry import Entry, Retry

__all__ = ("Explanation", "Retry", "application_consistency_is_tried", "explain", "starts_writer_fallback")

# "How VM snapshot extension works with restore points": after a VSS writer failed, the next three attempts take
# file-system-consistent points whatever their schedule; application consistency is tried again from the fourth.
ATTEMPTS_WITHOUT_WRITERS = 3

# A message can come from a guest. What is searched and what is shown of it are bounded.
_SEARCHED = 8_000
_SHOWN = 600


@dataclass(frozen=True)
class Explanation:
    key: str
    """The entry of the catalogue, "unknown" when there is none."""
    cause: str
    remedy: str
    retry: Retry
    docs: str
    """The title of the page to read, empty when there is none."""


def explain(code: str, message: str, *, status: int | None = None, os: str | None = None) -> Explanation:
    """Explain a failure; `status` is that of the HTTP answer and `os` is `linux` or `windows`, where known."""
    answer = _Answer(code.strip().casefold(), message[:_SEARCHED], status, os.casefold() if os else None)
    fits = [(fit, entry) for entry in CATALOGUE if (fit := _fit(entry, answer)) is not None]
    if not fits:
        return _unknown(code, message, status)
    _, best = max(fits, key=lambda pair: pair[0])
    return Explanation(best.key, best.cause, best.remedy, best.retry, best.docs)


def starts_writer_fallback(key: str) -> bool:
    """Whether Azure answers this failure with three file-system-consistent attempts."""
    return key in ("vss_writers_bad", "backup_vss_writers_bad")


def application_consistency_is_tried(attempts_since_writer_failure: int) -> bool:
    """Whether the next attempt asks the VSS writers again."""
    return attempts_since_writer_failure >= ATTEMPTS_WITHOUT_WRITERS


@dataclass(frozen=True)
class _Answer:
    code: str
    message: str
    status: int | None
    os: str | None


def _fit(entry: Entry, answer: _Answer) -> tuple[bool, bool, bool, int] | None:
    """How closely an entry fits, the telling things first; None when it does not."""
    by_words = bool(entry.words) and re.search(entry.words, answer.message, re.IGNORECASE | re.DOTALL) is not None
    by_code = any(answer.code == code.casefold() for code in entry.codes)
    by_status = answer.status in entry.statuses
    by_os = bool(entry.os) and entry.os == answer.os
    if (
        (entry.words and not by_words)
        or (entry.codes and not by_code and not entry.words_suffice)
        or (entry.statuses and not by_status)
        or (entry.os and answer.os and not by_os)
    ):
        return None
    return by_words, by_code, by_status, by_os - bool(entry.os and not by_os)


_SAYS_TRY_AGAIN = re.compile(r"try again|retry|transient|temporar|timed? ?out|too many requests|busy", re.IGNORECASE)


def _unknown(code: str, message: str, status: int | None) -> Explanation:
    """Azure's own words and what can be advised without knowing more."""
    said = ": ".join(part for part in (_plain(code), _plain(message)) if part) or "no code and no message"
    if status == 429 or (status is not None and status >= 500) or _SAYS_TRY_AGAIN.search(message[:_SEARCHED]):
        remedy = "Try again later; if it comes back, read what Azure says and check the VM's extensions and agent."
        retry = Retry.LATER
    else:
        remedy = "Read what Azure says, put it right, and run again; the VM's activity log has more on the operation."
        retry = Retry.FIX_FIRST
    return Explanation("unknown", f"Azure said {said}", remedy, retry, "")


def _plain(text: str) -> str:
    """One bounded line without the query of a URL, which can hold a signature."""
    line = " ".join(re.sub(r"(https?://[^\s?]{1,500})\?\S*", r"\1?...", text[:_SEARCHED]).split())
    line = "".join(sign if sign.isprintable() else "?" for sign in line)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
