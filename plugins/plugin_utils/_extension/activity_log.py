# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure's activity log: who removed something, when, and from where."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._azure.arm import Arm
from .._json import Json, child, parse_time, text

ACTIVITY_API = "2015-04-01"
# Azure keeps the log for 90 days.
LONGEST = timedelta(days=89)
_NAME_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"


class RemovalResult(t.TypedDict):
    """A deletion as modules return it; `time` is ISO 8601 in UTC."""

    resource_id: str
    time: str
    caller: str
    application: str
    client_address: str
    correlation_id: str


@dataclass(frozen=True)
class Removal:
    """A deletion that went through, as the activity log tells it. It can be minutes late."""

    resource_id: str
    time: datetime
    caller: str
    application: str
    address: str
    correlation_id: str

    def describe(self) -> RemovalResult:
        return {
            "resource_id": self.resource_id,
            "time": self.time.isoformat(),
            "caller": self.caller,
            "application": self.application,
            "client_address": self.address,
            "correlation_id": self.correlation_id,
        }

    @property
    def words(self) -> str:
        where = f" from {self.address}" if self.address else ""
        return f"{self.caller or 'an unknown caller'} removed it at {self.time:%Y-%m-%d %H:%M:%S} UTC{where}"


async def last_removal(arm: Arm, resource_id: str, since: timedelta) -> Removal | None:
    """Return the last deletion of exactly this resource, None when the log has none."""
    now = arm.time.now()
    start = (now - min(since, LONGEST)).strftime("%Y-%m-%dT%H:%M:%SZ")
    end = (now + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    subscription = resource_id.split("/")[2]
    events = await arm.pages(
        f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values",
        ACTIVITY_API,
        doing=f"read the activity log of {resource_id.rpartition('/')[2]}",
        query={
            "$filter": f"eventTimestamp ge '{start}' and eventTimestamp le '{end}' and resourceUri eq '{resource_id}'"
        },
    )
    removals = [removal for event in events if (removal := _removal(event, resource_id)) is not None]
    return max(removals, key=lambda removal: removal.time, default=None)


def _removal(event: Json, resource_id: str) -> Removal | None:
    """Return a deletion that has succeeded; Started and Accepted events may yet fail."""
    time = parse_time(event.get("eventTimestamp"))
    if (
        time is None
        or not text(child(event, "operationName"), "value").lower().endswith("/delete")
        or text(child(event, "status"), "value").lower() != "succeeded"
    ):
        return None
    claims = child(event, "claims")
    return Removal(
        resource_id=resource_id,
        time=time,
        caller=text(event, "caller") or text(claims, _NAME_CLAIM),
        application=text(claims, "appid"),
        address=text(child(event, "httpRequest"), "clientIpAddress"),
        correlation_id=text(event, "correlationId"),
    )
