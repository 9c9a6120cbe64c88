# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the page of the failure catalogue to its standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.catalogue import GROUPS
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.entry import Entry, Retry

_INTRODUCTION = """\
# Failures, and what to do about them

What happened, and the next step, for every failure that this collection knows. The result of a VM carries the key in
`failure.key`. A failure is recognised by its code **and** its message, since one code has many causes and Microsoft
rewords its messages. A failure that is not here keeps Azure's own words and gets general advice; its key is `unknown`.

What "try again" means:

| | |
| --- | --- |
| later | The same request can succeed after a while without anybody doing anything. |
| after the fix | It can succeed once something else has been put right, in Azure or in the guest. |
| never | The request itself has to be another one. |

After a VSS writer failed (marked below), Azure takes file-system-consistent points for the next three attempts,
whatever their schedule, and tries application consistency again from the fourth. A repaired VM can need three more runs
until it shows.

Where a message could not be seen on a real machine, its wording follows Microsoft's pages: the entries for Windows and
for Azure's answers were not tried against real Azure. The Linux extension's codes were read in its source, and many of
them seen when its real code ran. The Windows extension's own numbers are published nowhere, so they are not here.

"""

_TRY_AGAIN = {Retry.LATER: "later", Retry.FIX_FIRST: "after the fix", Retry.NEVER: "never"}


def render(groups: dict[str, tuple[Entry, ...]]) -> str:
    return _INTRODUCTION + "\n".join(line for title, entries in groups.items() for line in _group(title, entries))


def _group(title: str, entries: tuple[Entry, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    for entry in entries:
        yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    yield f"### `{entry.key}`\n"
    yield f"{_signs(entry)}\n"
    yield f"> {_text(entry.example.message)}\n"
    yield f"{_text(entry.cause)}\n"
    yield f"- **Next step**: {_text(entry.remedy)}"
    yield f"- **Try again**: {_TRY_AGAIN[entry.retry]}"
    yield f"- **Seen in**: {', '.join(seen.value for seen in entry.seen)}"
    if entry.writer_failed:
        yield "- **Then**: three attempts without application consistency"
    if entry.docs:
        yield f'- **Read**: "{entry.docs}"'
    yield ""


def _signs(entry: Entry) -> str:
    codes = entry.codes or ((entry.example.code,) if entry.words and entry.example.code else ())
    signs = [f"`{code}`" for code in codes if code]
    signs += [f"HTTP {status}" for status in entry.statuses]
    where = f" ({entry.os.capitalize()} guest)" if entry.os else ""
    return (", ".join(signs) or "By its message") + where


def _text(text: str) -> str:
    """Keep what Markdown would take for mark-up as it is."""
    return "".join(f"\\{sign}" if sign in "\\*<>`[]" else sign for sign in " ".join(text.split()))


if __name__ == "__main__":
    sys.stdout.write(render(GROUPS))
