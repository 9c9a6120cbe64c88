# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Links that Azure's answers lead on with: nextLink, Azure-AsyncOperation, Location."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from .._errors import AzureError

_HOST_NAME = re.compile(r"[a-z0-9.-]+")
# All of printable ASCII but the blank: a signed link goes out byte for byte.
_LEFT_ALONE = "".join(map(chr, range(0x21, 0x7F)))
_PORTS = {"https": 443, "http": 80}
# Pages of one list: a thousand of Resource Graph's are a million rows.
MOST_PAGES = 1000


def note_page(seen: set[str], mark: str, doing: str) -> None:
    """Note the link (or token) of a list's next page in `seen`; raise AzureError for a list that does not end."""
    if mark in seen or len(seen) >= MOST_PAGES:
        why = "leads back to a page that was read" if mark in seen else f"has more than {MOST_PAGES} pages"
        raise AzureError(doing, code="EndlessList", message=f"the list {why}")
    seen.add(mark)


def own_link(base: str, link: str, doing: str) -> str:
    """Return `link` as it is sent, if it leads to the Resource Manager at `base`: the token must not go elsewhere.

    What no URL may hold (blanks, letters beyond ASCII) is escaped, and a link without a host lies below `base`. Raise
    AzureError with the code ForeignOperationUrl for another host, UnusableLink for what cannot be read.
    """
    try:
        sent = urljoin(f"{base}/", quote(link.strip(), safe=_LEFT_ALONE, errors="strict"))
        same = _same_place(urlsplit(base), urlsplit(sent))
    except ValueError as error:
        # The error's own words can hold what cannot be printed.
        why = "the answer holds a link that is not a URL"
        raise AzureError(doing, code="UnusableLink", message=why) from error
    if not same:
        host = urlsplit(sent).hostname or "none"
        raise AzureError(doing, code="ForeignOperationUrl", message=f"the answer leads to another host ({host})")
    return sent


def _same_place(ours: SplitResult, theirs: SplitResult) -> bool:
    here, there = ours.hostname or "", theirs.hostname or ""
    # Azure may name a regional host below the same domain (westeurope.management.azure.com).
    below = there.endswith(f".{here}") and _HOST_NAME.fullmatch(there) is not None
    return (
        theirs.scheme == ours.scheme
        and theirs.username is None
        and (there == here or below)
        and _port(theirs) == _port(ours)
    )


def _port(parts: SplitResult) -> int | None:
    return parts.port or _PORTS.get(parts.scheme)
