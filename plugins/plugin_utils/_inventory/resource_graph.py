# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure Resource Graph: a query over many subscriptions at once, all pages of its answer.

What it says lags behind by up to minutes. It is good for finding machines; what to do with one is decided from what
Resource Manager says of it.
"""

from __future__ import annotations

import typing as t

from .._azure.arm import Arm
from .._azure.links import note_page
from .._errors import AzureError, InvalidInput
from .._json import Json, children, text

# Version and path that azure-mgmt-resourcegraph 8.0.1 sends.
GRAPH_API = "2021-03-01"
GRAPH_PATH = "/providers/Microsoft.ResourceGraph/resources"
# Rows of a page: azure-docs, "Work with large data sets".
LARGEST_PAGE = 1000


async def rows(
    arm: Arm,
    query: str,
    *,
    doing: str,
    subscriptions: t.Sequence[str] = (),
    management_groups: t.Sequence[str] = (),
) -> list[Json]:
    """Return every row of `query`, which has to name the column `id`: without it the service gives no further page.

    With neither subscriptions nor management groups, everything that the identity may read is asked.
    """
    found: list[Json] = []
    token = ""
    seen: set[str] = set()
    while True:
        options: Json = {"$top": LARGEST_PAGE, "resultFormat": "objectArray"}
        if token:
            options["$skipToken"] = token
        body: Json = {"query": query, "options": options}
        if subscriptions:
            body["subscriptions"] = list(subscriptions)
        if management_groups:
            body["managementGroups"] = list(management_groups)
        answer = (await arm.request("POST", GRAPH_PATH, GRAPH_API, doing=doing, body=body)).body
        found.extend(children(answer, "data"))
        token = text(answer, "$skipToken")
        if token:
            note_page(seen, token, doing)
            continue
        total = answer.get("totalRecords")
        if text(answer, "resultTruncated").lower() == "true" or (isinstance(total, int) and len(found) < total):
            raise AzureError(
                doing,
                code="ResultTruncated",
                message=f"Resource Graph gave {len(found)} of {total} rows and no way to ask for the rest",
                advice="Ask for less at a time: name subscriptions, resource groups or locations.",
            )
        return found


def literal(value: str, option: str) -> str:
    """Return `value` as a string of the Kusto query language; `option` says where it is from, for the error."""
    if not value.isprintable():
        raise InvalidInput(f"The option {option} holds a control character: {value!r}", advice="Take it out.")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
