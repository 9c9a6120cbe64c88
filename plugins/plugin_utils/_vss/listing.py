# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The text of `vssadmin list writers` as records, by position, in any language.

vssadmin translates every label and every text, and keeps only this: a line without indentation that names the writer,
then four indented ones, which hold a GUID, a GUID, a number in brackets, and the text of the last error. Whatever does
not fit that is kept as unread and never dropped, so that a damaged listing is not taken for a healthy one.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ...module_utils._printable import printable

_GUID = re.compile(r"\{([0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})\}")
_NUMBER = re.compile(r"\[([0-9]{1,3})\]\s*(.*)$")
# ASCII and full-width colon; French puts a blank, often a no-break one, before it, which strip() takes away.
_COLON = re.compile("[:\uff1a]")
# Straight quotes, typographic ones high and low, guillemets, and the Japanese brackets.
_QUOTES = "'\"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f"
_QUOTED = re.compile(rf"[{_QUOTES}](.*)[{_QUOTES}]\s*$")

# Marks that say which way a text runs: a right-to-left console puts them beside quotes and colons.
_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_WITHOUT_MARKS = str.maketrans("", "", _MARKS)

# No machine has more; a listing that claims it is not one.
WRITER_LIMIT: t.Final = 500
# The patterns below must not see a line of a million quotes.
_LINE_LIMIT: t.Final = 1000


@dataclass(frozen=True)
class ListedWriter:
    """One block of the listing, as it stood there. Ids are in lower case, without braces."""

    name: str
    id: str
    instance_id: str
    state: int
    state_text: str
    error_text: str


@dataclass(frozen=True)
class Listing:
    """All blocks; `unread` holds the first lines of those that did not fit, `remarks` the lines that belong to none.

    `ended` says that the last line is whole: it has an end, or closes a block with what another block ends with, too.
    """

    writers: tuple[ListedWriter, ...]
    unread: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    ended: bool = True


def read_listing(text: str) -> Listing:
    """Return the records of a listing. Never fails."""
    writers: list[ListedWriter] = []
    unread: list[str] = []
    remarks: list[str] = []
    for head, lines in _blocks(text):
        if not lines:
            remarks.append(_short(head))
        elif (writer := _writer(head, lines)) and len(writers) < WRITER_LIMIT:
            writers.append(writer)
        else:
            unread.append(_short(head or lines[0]))
    ended = text.endswith("\n") or _closes_as_another(writers, text)
    return Listing(tuple(writers), tuple(unread[:20]), tuple(remarks[:20]), ended)


def _closes_as_another(writers: t.Sequence[ListedWriter], text: str) -> bool:
    if len(writers) < 2:
        return False
    *others, last = (writer.error_text for writer in writers)
    return last in others and text.rstrip(_MARKS + " ").endswith(last)


def console_text(data: bytes, code_page: int) -> str:
    """Return a console tool's output as text: UTF-8 where it is that, else the machine's own code page."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    data = data.replace(b"\x00", b"")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(f"cp{code_page}", errors="replace")
    except LookupError:
        return data.decode("ascii", errors="replace")


def _blocks(text: str) -> t.Iterator[tuple[str, list[str]]]:
    """Yield each line without indentation together with the indented ones below it."""
    head = ""
    lines: list[str] = []
    for raw in text.splitlines():
        line = raw[:_LINE_LIMIT].translate(_WITHOUT_MARKS).rstrip()
        if not line:
            continue
        if line[0].isspace():
            lines.append(line.strip())
            continue
        if head or lines:
            yield head, lines
        head, lines = line, []
    if head or lines:
        yield head, lines


def _writer(head: str, lines: t.Sequence[str]) -> ListedWriter | None:
    if len(lines) != 4:
        return None
    identity, instance = _GUID.search(lines[0]), _GUID.search(lines[1])
    state = _NUMBER.search(lines[2])
    if not (identity and instance and state):
        return None
    return ListedWriter(
        name=_short(_name(head)),
        id=identity[1].lower(),
        instance_id=instance[1].lower(),
        state=int(state[1]),
        state_text=_short(state[2]),
        error_text=_short(_after_colon(lines[3])),
    )


def _name(head: str) -> str:
    value = _after_colon(head)
    quoted = _QUOTED.match(value) or _QUOTED.search(head)
    # A name that is longer than a line is read has lost its closing quote.
    return quoted[1] if quoted else value.lstrip(_QUOTES)


def _after_colon(line: str) -> str:
    colon = _COLON.search(line)
    return line[colon.end() :].strip() if colon else line.strip()


def _short(text: str) -> str:
    return printable(text.strip(), 200)
