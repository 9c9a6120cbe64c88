"""The activity log: who deleted what, from where. Deletes are written down as Started, Accepted, Succeeded."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import pages
from .errors import ArmError
from .exchange import Call, Response

if TYPE_CHECKING:
    from .world import World

# The CLI writes times without quotes.
CLAUSE = re.compile(r"^(\w+)\s+(eq|ge|le)\s+(?:'([^']*)'|(\d\S+))$")
# What an event shows when the caller does not select.
SHOWN = frozenset(
    {
        *("authorization", "caller", "channels", "claims", "correlationId", "description", "eventName", "category"),
        *("httpRequest", "level", "resourceGroupName", "resourceProviderName", "resourceId", "resourceType"),
        *("operationId", "operationName", "properties", "status", "subStatus", "eventTimestamp"),
        *("submissionTimestamp", "eventDataId", "id", "subscriptionId", "tenantId"),
    }
)
EQUALITIES = {
    "resourcegroupname": "resourceGroupName",
    "resourceuri": "resourceId",
    "resourceid": "resourceId",
    "resourceprovider": "resourceProviderName",
    "correlationid": "correlationId",
}


def begin(world: World, call: Call, resource_id: str) -> dict[str, Any]:
    """Writes Started and Accepted; what comes back goes to end()."""
    action = call.action
    group = call.target.group
    event: dict[str, Any] = {
        "authorization": {"action": action, "scope": resource_id},
        "caller": call.principal.client_id,
        "channels": "Operation",
        "claims": {
            "aud": call.incoming.base_url,
            "appid": call.principal.client_id,
            "http://schemas.microsoft.com/identity/claims/objectidentifier": call.principal.object_id,
        },
        "correlationId": call.correlation_id,
        "description": "",
        "eventName": {"value": "BeginRequest", "localizedValue": "Begin request"},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "httpRequest": {
            "clientRequestId": call.incoming.headers.get("x-ms-client-request-id", ""),
            "clientIpAddress": call.incoming.client_ip,
            "method": call.incoming.method,
        },
        "level": "Informational",
        "resourceGroupName": group,
        "resourceProviderName": _text(action.split("/")[0]),
        "resourceId": resource_id,
        "resourceType": _text(action.rsplit("/", 1)[0]),
        "operationId": call.correlation_id,
        "operationName": _text(action),
        "properties": {"entity": resource_id, "message": action},
        "subscriptionId": call.target.subscription,
        "tenantId": world.tenant_id,
    }
    now = world.clock.now()
    _write(world, event, now, "Started", "")
    _write(world, event, now, "Accepted", "Accepted (HTTP Status Code: 202)")
    return event


def end(world: World, event: dict[str, Any], at: float) -> None:
    _write(world, event, at, "Succeeded", "")


def done(world: World, call: Call, resource_id: str) -> None:
    """For what is deleted at once."""
    end(world, begin(world, call, resource_id), world.clock.now())


def _write(world: World, event: dict[str, Any], at: float, status: str, sub_status: str) -> None:
    event_id = world.guid()
    stamp = world.clock.stamp(at)[:-6] + "Z"
    world.activity.append(
        {
            **event,
            "status": _text(status),
            "subStatus": {"value": sub_status.split(" ")[0], "localizedValue": sub_status},
            "eventTimestamp": stamp,
            "submissionTimestamp": stamp,
            "eventDataId": event_id,
            "id": f"{event['resourceId']}/events/{event_id}/ticks/{int(at * 10_000_000)}",
            "_visible": at + world.settings.durations.activity,
        }
    )


def _text(value: str) -> dict[str, str]:
    return {"value": value, "localizedValue": value}


def list_events(world: World, call: Call) -> Response:
    wanted = _filter(call.query.get("$filter", ""))
    selected = {name.strip() for name in call.query.get("$select", "").split(",") if name.strip()}
    subscription = call.target.subscription.lower()
    now = world.clock.now()
    found = [
        event
        for event in reversed(world.activity)
        if event["_visible"] <= now and event["subscriptionId"].lower() == subscription and _matches(event, wanted)
    ]
    keys, link = pages.cut(world, call, {str(position): None for position in range(len(found))})
    shown = [
        {
            name: value
            for name, value in found[int(key)].items()
            if name[0] != "_" and (not selected or name in selected)
        }
        for key in keys
    ]
    return pages.answer(shown, link)


def _filter(text: str) -> list[tuple[str, str, str]]:
    clauses = []
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else []:
        found = CLAUSE.match(part.strip())
        if found is None or (found[1].lower() != "eventtimestamp" and found[1].lower() not in EQUALITIES):
            raise ArmError(400, "BadRequest", f"The filter expression '{part}' is not supported.", "$filter")
        clauses.append((found[1].lower(), found[2], found[3] or found[4] or ""))
    if not any(name == "eventtimestamp" and operator == "ge" for name, operator, _ in clauses):
        raise ArmError(400, "BadRequest", "The filter needs a start time: eventTimestamp ge '<time>'.", "$filter")
    return clauses


def _matches(event: dict[str, Any], clauses: list[tuple[str, str, str]]) -> bool:
    for name, operator, value in clauses:
        if name == "eventtimestamp":
            at, limit = _time(event["eventTimestamp"]), _time(value)
            if (operator == "ge" and at < limit) or (operator == "le" and at > limit):
                return False
        else:
            held = event[EQUALITIES[name]]
            text = held["value"] if isinstance(held, dict) else held
            if text.lower() != value.lower():
                return False
    return True


def _time(text: str) -> datetime:
    try:
        cut = re.sub(r"(\.\d{6})\d+", r"\1", text.strip()).replace("Z", "+00:00")
        parsed = datetime.fromisoformat(cut)
    except ValueError:
        raise ArmError(400, "BadRequest", f"'{text}' is no valid time.", "$filter") from None
    if parsed.tzinfo is None:
        return datetime.fromisoformat(cut + "+00:00")
    return parsed
