"""Resource Graph: the tables `resources` and `resourcecontainers`, paged and counted as the service does.

Restore points and their collections are not in the table: that Resource Graph holds them is not documented.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import bodies, extensions, kusto, network, vms
from .errors import ArmError
from .exchange import Call, Response, answer

if TYPE_CHECKING:
    from .world import World

BODY: Mapping[str, bodies.Shape] = {
    "subscriptions": [str],
    "managementGroups": [str],
    "query": str,
    "facets": list,
    "options": {
        "$top": int,
        "$skip": int,
        "$skipToken": str,
        "resultFormat": ("objectArray", "table"),
        "allowPartialScopes": bool,
        "authorizationScopeFilter": str,
    },
}
LARGEST_PAGE = 1000


def query(world: World, call: Call) -> Response:
    headers = world.throttle.graph(call.principal.object_id)
    body = call.json()
    bodies.check(body, BODY, "QueryRequest")
    text = bodies.required(body.get("query"), "query")
    options = body.get("options") or {}
    top = options.get("$top") or LARGEST_PAGE
    if not 1 <= top <= LARGEST_PAGE:
        raise _bad("InvalidTop", f"$top must be between 1 and {LARGEST_PAGE}, not {top}.")
    wanted = {subscription.lower() for subscription in body.get("subscriptions") or []}
    tables = {
        "resources": lambda: _resources(world, wanted),
        "resourcecontainers": lambda: _containers(world, wanted),
    }
    try:
        rows = kusto.run(text, tables)
    except kusto.QueryError as error:
        raise _bad("InvalidQuery", f"Query is invalid: {error}.") from None
    start = _start(options.get("$skipToken")) + (options.get("$skip") or 0)
    page = rows[start : start + top]
    more = start + len(page) < len(rows)
    answered: dict[str, Any] = {
        "totalRecords": len(rows),
        "count": len(page),
        "data": _table(page) if str(options.get("resultFormat")).lower() == "table" else page,
        "facets": [],
        # "true" means that rows are missing and that no further page can be asked for.
        "resultTruncated": "true" if more and not _pageable(page) else "false",
    }
    if more and _pageable(page):
        answered["$skipToken"] = base64.urlsafe_b64encode(f"from={start + len(page)}".encode()).decode()
    return answer(200, answered, *headers)


def _pageable(page: list[kusto.Row]) -> bool:
    """Without an `id` column Resource Graph gives no skip token."""
    return bool(page) and "id" in page[0]


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition("=")
        if word == "from":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise _bad("InvalidSkipToken", f"The skip token '{token}' is invalid.")


def _bad(code: str, message: str) -> ArmError:
    return ArmError(
        400,
        "BadRequest",
        "Please provide below info when asking for support.",
        details=[{"code": code, "message": message}],
    )


def _table(rows: list[kusto.Row]) -> dict[str, Any]:
    names = list(rows[0]) if rows else []
    return {
        "columns": [{"name": name, "type": _type_of(rows[0][name])} for name in names],
        "rows": [[row[name] for name in names] for row in rows],
    }


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "integer"
    return "string" if isinstance(value, str) or value is None else "object"


def _row(world: World, body: Mapping[str, Any], kind: str) -> kusto.Row:
    parts = str(body["id"]).split("/")
    return {
        "id": body["id"],
        "name": body["name"],
        "type": kind,
        "tenantId": world.tenant_id,
        "kind": "",
        "location": body.get("location", ""),
        "resourceGroup": parts[4].lower() if len(parts) > 4 else "",
        "subscriptionId": parts[2],
        "managedBy": body.get("managedBy", ""),
        "sku": body.get("sku"),
        "plan": None,
        "properties": body.get("properties", {}),
        "tags": body.get("tags"),
        "identity": None,
        "zones": body.get("zones"),
        "extendedLocation": None,
    }


def _resources(world: World, wanted: set[str]) -> Iterator[kusto.Row]:
    for vm in world.vms.values():
        if wanted and vm.subscription.lower() not in wanted:
            continue
        shown = vms.render(world, vm, with_instance_view=False, with_user_data=False)
        power = {"code": f"PowerState/{vm.power}", "level": "Info", "displayStatus": vms.POWER[vm.power]}
        # Resource Graph adds the power state, and only that, of the instance view.
        shown["properties"]["extended"] = {"instanceView": {"powerState": power}}
        yield _row(world, shown, "microsoft.compute/virtualmachines")
        for extension in world.extensions.get(vm.key, {}).values():
            yield _row(world, extensions.render(extension), "microsoft.compute/virtualmachines/extensions")
        yield _row(world, network.interface(vm), "microsoft.network/networkinterfaces")
        if vm.public_ip is not None:
            yield _row(world, network.public_address(vm), "microsoft.network/publicipaddresses")
    for disk in world.disks.values():
        if not wanted or disk["id"].split("/")[2].lower() in wanted:
            yield _row(world, disk, "microsoft.compute/disks")


def _containers(world: World, wanted: set[str]) -> Iterator[kusto.Row]:
    for subscription in world.subscriptions.values():
        if not wanted or subscription.id.lower() in wanted:
            body = {"id": f"/subscriptions/{subscription.id}", "name": subscription.name}
            yield _row(world, body, "microsoft.resources/subscriptions")
    for group in world.groups.values():
        if not wanted or group.id.split("/")[2].lower() in wanted:
            body = {"id": group.id, "name": group.name, "location": group.location}
            yield _row(world, body, "microsoft.resources/subscriptions/resourcegroups")
