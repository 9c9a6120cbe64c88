# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the code and message of a failure to its cause, the next step, and whether trying again can help."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._errors import AppConsistentError, AzureError, CredentialError, redact, sentence
from .entry import Entry, Retry

__all__ = (
    "Explanation",
    "Retry",
    "explain",
    "explain_error",
    "in_words",
    "next_step_after",
    "starts_writer_fallback",
)

# "VMSnapshot extension", section "VSS writer failures (Windows)": after a writer failed, the next three attempts take
# file-system-consistent points whatever their schedule; application consistency is tried again from the fourth.
ATTEMPTS_WITHOUT_WRITERS = 3

# A message can come from a guest. What is searched and what is shown of it are bounded.
_SEARCHED = 8_000
_SHOWN = 600

# Azure wraps one failure into another and puts the inner code into the text: "StatusCode.FailedPrepostPreScriptFailed",
# "(AuthorizationFailed) The client ...", "AADSTS700016: ...", "... HRESULT 0x800423F4", pasted JSON. A code of this
# length does not stand there by chance. The Linux agent's numbers are told from any extension's exit status by size.
_TELLING_LENGTH = 10
_AGENT_CODE = re.compile(r"terminal error code '?(10\d\d)\b")


@dataclass(frozen=True)
class Explanation:
    key: str
    """The entry of the catalogue, "unknown" when there is none."""
    cause: str
    remedy: str
    retry: Retry
    docs: str
    """The title of the page to read, empty when there is none."""


def _catalogue() -> tuple[Entry, ...]:
    # Ansible compiles a collection's files in each run. These are the longest, and a run without a failure needs none.
    from .catalogue import CATALOGUE

    return CATALOGUE


def explain(code: str, message: str, *, status: int | None = None, os: str | None = None) -> Explanation:
    """Explain a failure; `status` is that of the HTTP answer and `os` is `linux` or `windows`, where known."""
    failure = _Failure(code, message, status, os)
    fits = [(fit, entry) for entry in _catalogue() if (fit := _fit(entry, failure)) is not None]
    if not fits:
        return _unknown(code, message, failure)
    best = max(fits, key=lambda pair: pair[0])[1]
    return Explanation(best.key, best.cause, best.remedy, best.retry, best.docs)


def explain_error(error: AppConsistentError, os: str = "") -> Explanation | None:
    """Explain what Azure or Microsoft Entra ID answered, None where an error is of our own making."""
    if isinstance(error, AzureError):
        return explain(error.code, error.azure_message, status=error.status, os=os or None)
    if isinstance(error, CredentialError) and error.code:
        return explain(error.code, error.said)
    return None


def next_step_after(error: AppConsistentError) -> str:
    """Return what to do about an error: what its place of origin knows, else what the catalogue does."""
    if error.advice:
        return error.advice
    explanation = explain_error(error)
    return explanation.remedy if explanation else ""


def in_words(error: AppConsistentError) -> str:
    """Return the error and what to do about it, for a user."""
    return f"{sentence(error.message)} {next_step_after(error)}".strip()


def starts_writer_fallback(key: str) -> bool:
    """Whether Azure does not ask the VSS writers in the next attempts after this failure."""
    return any(entry.writer_failed for entry in _catalogue() if entry.key == key)


class _Failure:
    """A failure as it is looked up: in one case and on one line."""

    def __init__(self, code: str, message: str, status: int | None, os: str | None) -> None:
        self.code = code.strip()[:_SHOWN].casefold()
        message = " ".join(message[:_SEARCHED].casefold().split())
        self.text = f"{self.code}: {message}"
        words = {word for word in re.findall(r"\w+", message) if len(word) >= _TELLING_LENGTH}
        self.inner = (words | set(_AGENT_CODE.findall(message))) - {self.code}
        self.status = status
        self.os = os.casefold() if os else None


def _fit(entry: Entry, failure: _Failure) -> tuple[bool, bool, bool, bool, int] | None:
    """Return how closely an entry fits, the most telling sign first; None when it does not."""
    codes = {code.casefold() for code in entry.codes}
    inner = not codes.isdisjoint(failure.inner)
    code = inner or failure.code in codes
    words = bool(entry.words) and re.search(entry.words, failure.text, re.IGNORECASE) is not None
    status = failure.status in entry.statuses
    os = bool(entry.os) and entry.os == failure.os
    if (
        (entry.codes and not code and not entry.words_suffice)
        or (entry.words and not words)
        or (entry.statuses and not status)
        or (entry.os and failure.os and not os)
    ):
        return None
    unsure = bool(entry.os) and not failure.os
    return inner, words or (code and entry.code_tells), code, status, os - unsure


_SAYS_TRY_AGAIN = re.compile(r"try again|retry|transient|temporar|timed?[ -]?out|too many requests|busy")


def _unknown(code: str, message: str, failure: _Failure) -> Explanation:
    """Keep Azure's own words and advise what can be advised without knowing more."""
    if failure.status == 429 or (failure.status or 0) >= 500 or _SAYS_TRY_AGAIN.search(failure.text):
        remedy = "Try again later; if it comes back, look at the VM's agent and extensions and at its activity log."
        retry = Retry.LATER
    else:
        remedy = "Put right what Azure names, then run again; the VM's activity log has more about the operation."
        retry = Retry.FIX_FIRST
    said = ": ".join(part for part in (_shown(code), _shown(message)) if part)
    cause = f"Azure said: {said}" if said else "Azure gave neither a code nor a message"
    return Explanation("unknown", cause if cause.endswith(".") else f"{cause}.", remedy, retry, "")


def _shown(text: str) -> str:
    line = " ".join(redact(text[:_SEARCHED]).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 4]} ..."
