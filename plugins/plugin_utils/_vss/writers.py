# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What state a VSS writer is in, from the two things vssadmin does not translate away: a number, and whether its last
error differs from the others'."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass

from .._failures.explain import explain
from .listing import ListedWriter
from .services import Services, WriterService

# VSS_WRITER_STATE of vss.h; vssadmin prints the number in brackets and one word for many of them.
STATES: t.Final[dict[int, str]] = {
    0: "VSS_WS_UNKNOWN",
    1: "VSS_WS_STABLE",
    2: "VSS_WS_WAITING_FOR_FREEZE",
    3: "VSS_WS_WAITING_FOR_THAW",
    4: "VSS_WS_WAITING_FOR_POST_SNAPSHOT",
    5: "VSS_WS_WAITING_FOR_BACKUP_COMPLETE",
    6: "VSS_WS_FAILED_AT_IDENTIFY",
    7: "VSS_WS_FAILED_AT_PREPARE_BACKUP",
    8: "VSS_WS_FAILED_AT_PREPARE_SNAPSHOT",
    9: "VSS_WS_FAILED_AT_FREEZE",
    10: "VSS_WS_FAILED_AT_THAW",
    11: "VSS_WS_FAILED_AT_POST_SNAPSHOT",
    12: "VSS_WS_FAILED_AT_BACKUP_COMPLETE",
    13: "VSS_WS_FAILED_AT_PRE_RESTORE",
    14: "VSS_WS_FAILED_AT_POST_RESTORE",
    15: "VSS_WS_FAILED_AT_BACKUPSHUTDOWN",
}
STABLE: t.Final = 1
BUSY: t.Final = frozenset({2, 3, 4, 5})


@dataclass(frozen=True)
class LastError:
    """What a text means; None for one that is not known."""

    code: str | None = None
    hresult: str | None = None


NO_ERROR: t.Final = LastError("S_OK", "0x00000000")
_INCONSISTENT: t.Final = LastError("VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT", "0x800423F0")
_RESOURCES: t.Final = LastError("VSS_E_WRITERERROR_OUTOFRESOURCES", "0x800423F1")
_TIMEOUT: t.Final = LastError("VSS_E_WRITERERROR_TIMEOUT", "0x800423F2")
_RETRYABLE: t.Final = LastError("VSS_E_WRITERERROR_RETRYABLE", "0x800423F3")
_FATAL: t.Final = LastError("VSS_E_WRITERERROR_NONRETRYABLE", "0x800423F4")
_OTHER: t.Final = LastError()


def advice(error: LastError | None, *, restartable: bool) -> str:
    """What the catalogue of failures says of it, empty where it is not known.

    Whether a service may be restarted is said by the table of services alone.
    """
    if error is None or not error.hresult or error is NO_ERROR:
        return ""
    said = re.split(r"(?<=\.) ", explain(error.hresult, "", os="windows").remedy)
    return " ".join(step for step in said if restartable or "vss_writers" not in step)


# Only texts that were seen. Any other language is read by comparing the writers with each other.
_KNOWN: t.Final[dict[str, LastError]] = {
    "no error": NO_ERROR,
    "kein fehler": NO_ERROR,
    "aucune erreur": NO_ERROR,
    "inconsistent shadow copy": _INCONSISTENT,
    "out of resources": _RESOURCES,
    "timed out": _TIMEOUT,
    "retryable error": _RETRYABLE,
    "wiederholbarer fehler": _RETRYABLE,
    "non-retryable error": _FATAL,
}

# How many stable writers must agree on a text that is not known before it is taken for "no error".
_AGREEING: t.Final = 3

# healthy: stable, no error. last_error: stable, but the last snapshot left an error. unclear: stable, and whether
# there was an error cannot be told. busy: in the middle of a snapshot. failed: all else.
Health = t.Literal["healthy", "last_error", "unclear", "busy", "failed"]


@dataclass(frozen=True)
class Writer:
    """A writer, judged."""

    listed: ListedWriter
    error: LastError | None
    health: Health
    row: WriterService | None

    @property
    def name(self) -> str:
        return self.listed.name

    @property
    def service(self) -> str | None:
        return (self.row.service or None) if self.row else None

    @property
    def state(self) -> str:
        return STATES.get(self.listed.state, f"unknown state {self.listed.state}")

    def as_dict(self) -> dict[str, t.Any]:
        """For a result."""
        return {
            "name": self.name,
            "id": self.listed.id,
            "instance_id": self.listed.instance_id,
            "state": self.listed.state,
            "state_name": STATES.get(self.listed.state),
            "last_error": self.listed.error_text,
            "last_error_code": self.error.code if self.error else None,
            "last_error_hresult": self.error.hresult if self.error else None,
            "health": self.health,
            "service": self.service,
            "restart_impact": self.row.impact if self.row else None,
        }


def judged(listed: t.Sequence[ListedWriter], services: Services) -> tuple[Writer, ...]:
    """Return the writers with their health. They are judged together, for "no error" has no fixed spelling."""
    meanings = _meanings(listed)
    return tuple(_judged(writer, meanings.get(_key(writer.error_text)), services) for writer in listed)


def _judged(listed: ListedWriter, error: LastError | None, services: Services) -> Writer:
    return Writer(listed, error, _health(listed.state, error), services.find(listed.id, listed.name))


def _health(state: int, error: LastError | None) -> Health:
    if state in BUSY:
        return "busy"
    if state != STABLE:
        return "failed"
    if error is None:
        return "unclear"
    return "healthy" if error is NO_ERROR else "last_error"


def _meanings(listed: t.Sequence[ListedWriter]) -> dict[str, LastError]:
    texts = {_key(writer.error_text) for writer in listed}
    meanings = {text: _KNOWN[text] for text in texts if text in _KNOWN}
    if NO_ERROR not in meanings.values():
        nothing = _unknown_no_error(listed)
        if nothing is None:
            return meanings
        meanings[nothing] = NO_ERROR
    # Next to a text that means "no error", any other one is an error, known or not.
    return {text: meanings.get(text, _OTHER) for text in texts}


def _unknown_no_error(listed: t.Sequence[ListedWriter]) -> str | None:
    """The text that most stable writers share, if that is enough to go by.

    It is not when a writer that failed shows the same text, nor when another text is as frequent.
    """
    stable = Counter(_key(writer.error_text) for writer in listed if writer.state == STABLE)
    ranked = stable.most_common(2)
    if not ranked or ranked[0][1] < _AGREEING or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    text = ranked[0][0]
    failed = any(_key(writer.error_text) == text for writer in listed if writer.state not in {STABLE, *BUSY})
    return None if failed or text in _KNOWN else text


def _key(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".\u3002")
