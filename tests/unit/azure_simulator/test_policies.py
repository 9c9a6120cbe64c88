"""Azure Policy as a guard: denyAction on the extension, its scope, its exemptions, and the policy that goes too far."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import Answer, RawClient

VERSION = "2023-04-01"
EXTENSION = "virtualMachines/lin-web-1/extensions/VMSnapshotLinux"
ALIAS = "Microsoft.Compute/virtualMachines/extensions"
RULE = {
    "if": {
        "allOf": [
            {"field": "type", "equals": ALIAS},
            {"field": f"{ALIAS}/publisher", "equals": "[parameters('publisher')]"},
            {"field": f"{ALIAS}/type", "in": ["VMSnapshot", "VMSnapshotLinux"]},
        ]
    },
    "then": {"effect": "denyAction", "details": {"actionNames": ["delete"]}},
}
PARAMETERS = {"publisher": {"type": "String", "defaultValue": "Microsoft.Azure.RecoveryServices"}}


def _define(raw: RawClient, rule: Any) -> Answer:
    path = f"{raw.subscription}/providers/Microsoft.Authorization/policyDefinitions/guard"
    body = {"properties": {"mode": "Indexed", "policyRule": rule, "parameters": PARAMETERS}}
    return raw.send("PUT", path, body, version=VERSION)


def _assign(raw: RawClient, scope: str, **properties: Any) -> Answer:
    definition = f"{raw.subscription}/providers/Microsoft.Authorization/policyDefinitions/guard"
    path = f"{scope}/providers/Microsoft.Authorization/policyAssignments/guarded"
    body = {"properties": {"policyDefinitionId": definition, **properties}}
    return raw.send("PUT", path, body, version=VERSION)


def _group(raw: RawClient) -> str:
    return f"{raw.subscription}/resourceGroups/rg-fleet"


@pytest.mark.parametrize("place", ["subscription", "group"])
def test_deny_action_stops_the_delete_of_the_extension(raw: RawClient, place: str) -> None:
    assert _define(raw, RULE).status == 201
    assert _assign(raw, raw.subscription if place == "subscription" else _group(raw)).status == 201
    refused = raw.send("DELETE", EXTENSION)
    assert (refused.status, refused.code) == (403, "RequestDisallowedByPolicy")
    assert "policyAssignments/guarded" in refused.message
    # Reading and writing go on, and so does what the rule does not name.
    assert raw.send("GET", EXTENSION).status == 200
    assert raw.send("PATCH", EXTENSION, {"properties": {}}).status == 200
    assert raw.send("DELETE", "virtualMachines/lin-badext-1/extensions/CustomScript").status == 202


def test_a_parameter_of_the_assignment_counts_over_the_default(raw: RawClient) -> None:
    _define(raw, RULE)
    _assign(raw, raw.subscription, parameters={"publisher": {"value": "Somebody.Else"}})
    assert raw.send("DELETE", EXTENSION).status == 202


def test_the_guard_can_be_lifted_in_four_ways(simulator: Simulator, raw: RawClient) -> None:
    _define(raw, RULE)
    vm = f"{raw.group}/virtualMachines/lin-web-1"
    _assign(raw, raw.subscription, enforcementMode="DoNotEnforce")
    assert raw.send("DELETE", EXTENSION).status == 202
    simulator.advance(30)
    for scope, extension in ((vm, "lin-web-1"), (_group(raw), "lin-web-2")):
        simulator.reset()
        _define(raw, RULE)
        _assign(raw, raw.subscription, notScopes=[scope])
        assert raw.send("DELETE", f"virtualMachines/{extension}/extensions/VMSnapshotLinux").status == 202
    simulator.reset()
    _define(raw, RULE)
    assignment = _assign(raw, raw.subscription).json["id"]
    exemption = f"{vm}/providers/Microsoft.Authorization/policyExemptions/break-glass"
    until = (simulator.clock.wall() + timedelta(minutes=10)).isoformat()
    body = {"properties": {"policyAssignmentId": assignment, "exemptionCategory": "Waiver", "expiresOn": until}}
    assert raw.send("PUT", exemption, body, version="2022-07-01-preview").status == 201
    assert raw.send("DELETE", EXTENSION).status == 202
    assert raw.send("DELETE", "virtualMachines/lin-web-2/extensions/VMSnapshotLinux").status == 403


def test_an_exemption_ends(simulator: Simulator, raw: RawClient) -> None:
    _define(raw, RULE)
    assignment = _assign(raw, raw.subscription).json["id"]
    exemption = f"{raw.subscription}/providers/Microsoft.Authorization/policyExemptions/break-glass"
    until = (simulator.clock.wall() + timedelta(minutes=10)).isoformat()
    body = {"properties": {"policyAssignmentId": assignment, "exemptionCategory": "Waiver", "expiresOn": until}}
    raw.send("PUT", exemption, body, version="2022-07-01-preview")
    simulator.advance(601)
    assert raw.send("DELETE", EXTENSION).status == 403


def test_an_assignment_needs_time_to_take_effect(simulator: Simulator, raw: RawClient) -> None:
    vms = [{"name": name, "snapshot_extension": "present"} for name in ("early", "late")]
    simulator.reset({"durations": {"policy": 600}, "vms": vms})
    _define(raw, RULE)
    _assign(raw, raw.subscription)
    assert raw.send("DELETE", "virtualMachines/early/extensions/VMSnapshotLinux").status == 202
    simulator.advance(600)
    assert raw.send("DELETE", "virtualMachines/late/extensions/VMSnapshotLinux").status == 403


def test_a_deny_on_extensions_stops_azure_itself(simulator: Simulator, raw: RawClient) -> None:
    """An allow-list of extensions that forgets the snapshot extension keeps every first point from being made."""
    allowed = {"field": f"{ALIAS}/type", "notIn": ["CustomScript"]}
    _define(raw, {"if": {"allOf": [{"field": "type", "equals": ALIAS}, allowed]}, "then": {"effect": "deny"}})
    _assign(raw, raw.subscription)
    raw.make_collection("lin-db-1")
    made = raw.make_point("lin-db-1", "p1")
    simulator.advance(60)
    assert raw.operation_of(made)["error"]["code"] == "RequestDisallowedByPolicy"
    snapshot = {"publisher": "Microsoft.Azure.RecoveryServices", "type": "VMSnapshotLinux", "typeHandlerVersion": "1.0"}
    by_hand = {"location": "westeurope", "properties": snapshot}
    answer = raw.send("PUT", "virtualMachines/lin-db-1/extensions/VMSnapshotLinux", by_hand)
    assert (answer.status, answer.code) == (403, "RequestDisallowedByPolicy")


@pytest.mark.parametrize(
    "rule",
    [
        {"then": {"effect": "deny"}},
        {"if": {"field": "type", "equals": "x"}, "then": {}},
        {"if": {"field": "type", "equals": "x"}, "then": {"effect": "append"}},
        {"if": {"field": "type", "equals": "x"}, "then": {"effect": "denyAction"}},
        {
            "if": {"field": "type", "equals": "x"},
            "then": {"effect": "denyAction", "details": {"actionNames": ["read"]}},
        },
    ],
)
def test_rules_that_cannot_work_are_refused(raw: RawClient, rule: Any) -> None:
    assert _define(raw, rule).status == 400


def test_what_is_not_there_cannot_be_assigned_and_what_is_assigned_stays(raw: RawClient) -> None:
    missing = _assign(raw, raw.subscription)
    assert (missing.status, missing.code) == (404, "PolicyDefinitionNotFound")
    _define(raw, RULE)
    _assign(raw, _group(raw))
    definition = f"{raw.subscription}/providers/Microsoft.Authorization/policyDefinitions/guard"
    assignment = f"{_group(raw)}/providers/Microsoft.Authorization/policyAssignments/guarded"
    assert raw.send("DELETE", definition, version=VERSION).status == 400
    assert raw.send("DELETE", assignment, version=VERSION).status == 200
    assert raw.send("DELETE", assignment, version=VERSION).status == 204
    assert raw.send("GET", assignment, version=VERSION).code == "PolicyAssignmentNotFound"
    assert raw.send("DELETE", definition, version=VERSION).status == 200


def test_assignments_are_listed_with_those_above(raw: RawClient) -> None:
    _define(raw, RULE)
    _assign(raw, raw.subscription)
    path = f"{_group(raw)}/providers/Microsoft.Authorization/policyAssignments"
    assert [held["name"] for held in raw.get(path, version=VERSION)["value"]] == ["guarded"]
    definitions = f"{raw.subscription}/providers/Microsoft.Authorization/policyDefinitions"
    assert [held["name"] for held in raw.get(definitions, version=VERSION)["value"]] == ["guard"]
