# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text from a guest, made fit to be shown.

Whatever a log or a status file holds ends up on somebody's terminal and in AWX's database. So it is cut short, terminal
escape sequences and control characters are taken out, and so are the queries of URLs, which may be signed.
"""

import re
from datetime import datetime, timedelta
from typing import Optional

LONGEST = 500

# ECMA-48: CSI and OSC sequences, then any other two-character escape. OSC ends with BEL or ST.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?"
)
# C0 and C1 controls, and the marks that change the direction of text (CVE-2021-42574).
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_URL_QUERIES = re.compile(r"(\bhttps?://[^\s?\"'<>]{1,300})\?[^\s\"'<>]*", re.IGNORECASE)


def printable(text: str, longest: int = LONGEST) -> str:
    """One line of plain text, at most ``longest`` characters."""
    # Cut first: the patterns must not see a million characters. Cut again: what is shown must not grow past the limit.
    text = _URL_QUERIES.sub(r"\1?...", text[: longest * 4])
    text = _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()
    return text if len(text) <= longest else text[: longest - 3] + "..."


def decoded(data: bytes, longest: int = LONGEST) -> str:
    return printable(data[: longest * 4].decode("utf-8", "replace"), longest)


def iso(seconds: Optional[float]) -> Optional[str]:
    """Seconds since 1970 as ISO 8601 in UTC. A time that no calendar holds is not known."""
    if seconds is None:
        return None
    try:
        moment = datetime(1970, 1, 1) + timedelta(seconds=int(seconds))  # noqa: DTZ001 - utcfromtimestamp warns from 3.12 on
    except (OverflowError, ValueError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(start: Optional[float], end: Optional[float]) -> Optional[float]:
    """Seconds between two moments; not known when one of them is not, or when the clock went back in between."""
    if start is None or end is None or end < start:
        return None
    return round(end - start, 3)
