"""Nothing that a client sends makes the simulator stumble: every refusal is one that Azure could give."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.azure_simulator.routes import ROUTES
from tests.unit.azure_simulator.raw_client import RawClient

VERSIONS = {"microsoft.authorization/locks": "2020-05-01", "microsoft.resourcegraph/resources": "2021-03-01"}
WORDS = [
    "",
    "x",
    "lin-web-1",
    "westeurope",
    "Succeeded",
    "CrashConsistent",
    "CanNotDelete",
    "Restore",
    "\u00e9\u0000",
    "9" * 300,
]
NAMES = [
    *("location", "properties", "source", "id", "tags", "consistencyMode", "excludeDisks", "sourceRestorePoint"),
    *("publisher", "type", "typeHandlerVersion", "settings", "level", "notes", "owners", "applicationId", "query"),
    *("options", "$top", "$skip", "$skipToken", "access", "durationInSeconds", "creationData", "createOption"),
    *("policyRule", "if", "then", "effect", "allOf", "field", "equals", "parameters", "policyDefinitionId"),
    *("policyAssignmentId", "exemptionCategory", "expiresOn", "sku", "name", "zones", "diskSizeGB", "instantAccess"),
]


def _value(noise: random.Random, depth: int) -> Any:
    kind = noise.randrange(8 if depth else 6)
    if kind == 0:
        return noise.choice([None, True, False])
    if kind == 1:
        return noise.choice([0, -1, 1, 2**63, 1.5, 1e300])
    if kind < 6:
        return noise.choice(WORDS)
    if kind == 6:
        return [_value(noise, depth - 1) for _ in range(noise.randrange(3))]
    return {noise.choice(NAMES): _value(noise, depth - 1) for _ in range(noise.randrange(6))}


def _body(noise: random.Random) -> Any:
    return {noise.choice(NAMES[:6]): _value(noise, 4) for _ in range(noise.randrange(5))} | {
        "properties": _value(noise, 3)
        if noise.random() < 0.3
        else {noise.choice(NAMES): _value(noise, 3) for _ in range(noise.randrange(6))},
        "location": "westeurope",
    }


def _paths(raw: RawClient) -> dict[str, str]:
    """A real path for each type that takes a body."""
    vm, collection = f"{raw.group}/virtualMachines/lin-web-1", f"{raw.group}/restorePointCollections/lin-web-1-points"
    authorization = f"{vm}/providers/Microsoft.Authorization"
    copy = raw.get(f"{collection}/restorePoints/p1/diskRestorePoints", version="2026-03-02")["value"][0]["id"]
    return {
        "microsoft.compute/virtualmachines": vm,
        "microsoft.compute/virtualmachines/deallocate": f"{vm}/deallocate",
        "microsoft.compute/virtualmachines/start": f"{vm}/start",
        "microsoft.compute/virtualmachines/extensions": f"{vm}/extensions/VMSnapshotLinux",
        "microsoft.compute/restorepointcollections": collection,
        "microsoft.compute/restorepointcollections/restorepoints": f"{collection}/restorePoints/new",
        "microsoft.compute/restorepointcollections/restorepoints/diskrestorepoints/begingetaccess": (
            f"{copy}/beginGetAccess"
        ),
        "microsoft.compute/restorepointcollections/restorepoints/diskrestorepoints/endgetaccess": (
            f"{copy}/endGetAccess"
        ),
        "microsoft.compute/disks": f"{raw.group}/disks/new",
        "microsoft.authorization/locks": f"{authorization}/locks/new",
        "microsoft.authorization/policydefinitions": f"{authorization}/policyDefinitions/new",
        "microsoft.authorization/policysetdefinitions": f"{authorization}/policySetDefinitions/new",
        "microsoft.authorization/policyassignments": f"{authorization}/policyAssignments/new",
        "microsoft.authorization/policyexemptions": f"{authorization}/policyExemptions/new",
        "subscriptions/resourcegroups": f"{raw.subscription}/resourceGroups/rg-new",
        "microsoft.resources/tags": f"{vm}/providers/Microsoft.Resources/tags/default",
        "microsoft.resourcegraph/resources": "/providers/Microsoft.ResourceGraph/resources",
    }


def test_no_body_makes_it_stumble(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"limits": "off", "vms": [{"name": "lin-web-1", "linux_scripts": "ok"}]})
    raw.made_point("lin-web-1", "p1")
    paths = _paths(raw)
    wanted = sorted((method, types) for method, types, _ in ROUTES if method in ("PUT", "PATCH", "POST"))
    assert {types for _, types in wanted} == set(paths)
    noise = random.Random(20261123)
    stumbled = []
    for method, types in wanted:
        version = VERSIONS.get(types, "2023-04-01" if "authorization" in types else "2025-04-01")
        version = "2026-03-02" if "disk" in types else version
        version = "2022-07-01-preview" if "exemptions" in types else version
        for _ in range(60):
            body = _body(noise)
            answer = raw.send(method, paths[types], body, version)
            if answer.status >= 500:
                stumbled.append((method, types, body))
    assert stumbled == []


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//",
        "/subscriptions//",
        "/subscriptions/%00",
        "/subscriptions/%2e%2e/%2e%2e",
        "/providers",
        "/providers/",
        "/providers/x",
        "/providers/providers/providers",
        "/subscriptions/x/providers/providers/providers/providers",
        "/subscriptions/{s}/resourceGroups/rg-fleet/providers/Microsoft.Compute",
        "/subscriptions/{s}/resourceGroups/rg-fleet/providers/Microsoft.Compute/virtualMachines/a/b/c/d/e/f/g",
        "/subscriptions/{s}/providers/Microsoft.Compute/locations/x/operations/",
        "/subscriptions/{s}/providers/Microsoft.Authorization/locks",
        "/" + "a/" * 4000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "OPTIONS"])
def test_no_path_makes_it_stumble(simulator: Simulator, raw: RawClient, target: str, method: str) -> None:
    raw.token = raw.sign_in().json["access_token"]
    path = target.replace("{s}", simulator.subscription_id)
    answer = raw.exchange(
        method, f"{path}?api-version=2025-04-01&$expand=%FF&$filter=''&=&&a", b"{}", Authorization=f"Bearer {raw.token}"
    )
    assert answer.status < 500


@pytest.mark.parametrize("body", [b"", b"   ", b"null", b"[]", b'"x"', b"\xff\xfe", b"{", b"[" * 20000])
def test_no_rubbish_makes_it_stumble(raw: RawClient, body: bytes) -> None:
    raw.token = raw.sign_in().json["access_token"]
    path = f"{raw.group}/restorePointCollections/x?api-version=2025-04-01"
    answer = raw.exchange("PUT", path, body, Authorization=f"Bearer {raw.token}")
    assert (answer.status, answer.code) in {(400, "MissingRequestBody"), (400, "InvalidRequestContent")}
    assert raw.exchange("POST", f"/{raw.simulator.tenant_id}/oauth2/v2.0/token", body).status < 500
