"""Policies as Microsoft's own client sees them: what our guard relies on is not our reading of Azure alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.policy import PolicyClient

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

EXTENSION = "Microsoft.Compute/virtualMachines/extensions"
RULE: dict[str, Any] = {
    "if": {
        "allOf": [
            {"field": "type", "equals": EXTENSION},
            {"field": f"{EXTENSION}/publisher", "equals": "Microsoft.Azure.RecoveryServices"},
            {"field": f"{EXTENSION}/type", "in": ["VMSnapshot", "VMSnapshotLinux"]},
        ]
    },
    "then": {
        "effect": "denyAction",
        "details": {"actionNames": ["delete"], "cascadeBehaviors": {"resourceGroup": "allow"}},
    },
}


@pytest.fixture
def policy(simulator: Simulator, credential: ClientSecretCredential) -> Iterator[PolicyClient]:
    with PolicyClient(
        credential,
        simulator.subscription_id,
        base_url=simulator.arm_url,
        credential_scopes=[f"{simulator.arm_url}/.default"],
        connection_verify=simulator.ca_file,
    ) as client:
        yield client


def _group(simulator: Simulator) -> str:
    return f"/subscriptions/{simulator.subscription_id}/resourceGroups/rg-fleet"


def _assigned(policy: PolicyClient, scope: str, rule: dict[str, Any] | None = None, mode: str = "Indexed") -> Any:
    body: Any = {"properties": {"mode": mode, "policyRule": rule or RULE, "displayName": "guard"}}
    definition = policy.policy_definitions.create_or_update("guard", body)
    assignment: Any = {"properties": {"policyDefinitionId": definition.id, "displayName": "guard"}}
    return policy.policy_assignments.create(scope, "guard", assignment)


def test_the_deletion_of_the_guarded_extension_is_denied_and_of_no_other(
    simulator: Simulator, compute: ComputeManagementClient, policy: PolicyClient
) -> None:
    made = _assigned(policy, _group(simulator))
    assert made.enforcement_mode == "Default"
    with pytest.raises(HttpResponseError) as refused:
        compute.virtual_machine_extensions.begin_delete("rg-fleet", "lin-web-1", "VMSnapshotLinux")
    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.code == "RequestDisallowedByPolicy"
    assert "Deletion of resource 'VMSnapshotLinux' was disallowed by policy" in str(refused.value)
    delete = compute.virtual_machine_extensions.begin_delete("rg-fleet", "lin-badext-1", "CustomScript")
    simulator.advance(30)
    delete.result()


def test_what_goes_along_with_its_parent_is_not_protected(
    simulator: Simulator, raw: RawClient, policy: PolicyClient
) -> None:
    point = "Microsoft.Compute/restorePointCollections/restorePoints"
    _assigned(policy, _group(simulator), {"if": {"field": "type", "equals": point}, "then": RULE["then"]}, "All")
    raw.made_point("lin-web-1", "p1")
    direct = raw.send("DELETE", "restorePointCollections/lin-web-1-points/restorePoints/p1")
    assert (direct.status, direct.code) == (403, "RequestDisallowedByPolicy")
    assert raw.send("DELETE", "restorePointCollections/lin-web-1-points").status == 202


def test_assignments_and_definitions_are_listed_read_and_removed(simulator: Simulator, policy: PolicyClient) -> None:
    made = _assigned(policy, _group(simulator))
    assert [held.name for held in policy.policy_assignments.list_for_resource_group("rg-fleet")] == ["guard"]
    assert policy.policy_definitions.get("guard").policy_rule == RULE
    with pytest.raises(HttpResponseError, match="still assigned"):
        policy.policy_definitions.delete("guard")
    policy.policy_assignments.delete(made.scope, "guard")
    policy.policy_definitions.delete("guard")
    with pytest.raises(HttpResponseError, match="PolicyDefinitionNotFound"):
        policy.policy_definitions.get("guard")


ALLOW_LIST: dict[str, Any] = {
    "if": {
        "allOf": [
            {"field": "type", "equals": EXTENSION},
            {"field": f"{EXTENSION}/type", "notIn": "[parameters('approved')]"},
        ]
    },
    "then": {"effect": "[parameters('effect')]"},
}
SPECS: dict[str, Any] = {"approved": {"type": "Array"}, "effect": {"type": "String", "defaultValue": "Audit"}}


def _member(policy: PolicyClient, **values: Any) -> dict[str, Any]:
    body: Any = {"properties": {"mode": "Indexed", "policyRule": ALLOW_LIST, "parameters": SPECS}}
    definition = policy.policy_definitions.create_or_update("approved", body)
    given = {name: {"value": value} for name, value in values.items()}
    return {"policyDefinitionId": definition.id, "policyDefinitionReferenceId": "extensions", "parameters": given}


def _initiative(policy: PolicyClient, members: list[dict[str, Any]], **parameters: Any) -> Any:
    body: Any = {"properties": {"displayName": "Hardening", "policyDefinitions": members, "parameters": parameters}}
    return policy.policy_set_definitions.create_or_update("hardening", body)


def _written(compute: ComputeManagementClient) -> None:
    """Writes an extension as a user would do it by hand."""
    asked: Any = {
        "location": "westeurope",
        "properties": {
            "publisher": "Microsoft.Azure.RecoveryServices",
            "type": "VMSnapshotLinux",
            "typeHandlerVersion": "1.0",
        },
    }
    compute.virtual_machine_extensions.begin_create_or_update("rg-fleet", "lin-db-1", "VMSnapshotLinux", asked)


def test_the_parameters_of_an_assigned_initiative_reach_its_members(
    simulator: Simulator, raw: RawClient, compute: ComputeManagementClient, policy: PolicyClient
) -> None:
    member = _member(policy, approved=["CustomScript"], effect="[parameters('mode')]")
    made = _initiative(policy, [member], mode={"type": "String", "defaultValue": "Audit"})
    assert made.policy_definitions[0].parameters["effect"].value == "[parameters('mode')]"
    assignment: Any = {"properties": {"policyDefinitionId": made.id, "parameters": {"mode": {"value": "Deny"}}}}
    assigned = policy.policy_assignments.create(_group(simulator), "hardening", assignment)
    with pytest.raises(HttpResponseError, match="RequestDisallowedByPolicy") as refused:
        _written(compute)
    assert "policySetDefinitions/hardening" in str(refused.value)
    # An exemption may be from one member only. The client has no exemptions.
    path = f"{_group(simulator)}/providers/Microsoft.Authorization/policyExemptions/waived"
    exemption: Any = {
        "properties": {
            "policyAssignmentId": assigned.id,
            "exemptionCategory": "Waiver",
            "policyDefinitionReferenceIds": ["another"],
        }
    }
    assert raw.send("PUT", path, exemption, version="2022-07-01-preview").status in (200, 201)
    with pytest.raises(HttpResponseError, match="RequestDisallowedByPolicy"):
        _written(compute)
    exemption["properties"]["policyDefinitionReferenceIds"] = ["Extensions"]
    assert raw.send("PUT", path, exemption, version="2022-07-01-preview").status in (200, 201)
    _written(compute)


def test_initiatives_are_listed_and_stay_while_they_are_assigned(simulator: Simulator, policy: PolicyClient) -> None:
    made = _initiative(policy, [_member(policy, approved=[])])
    assignment: Any = {"properties": {"policyDefinitionId": made.id}}
    policy.policy_assignments.create(_group(simulator), "hardening", assignment)
    assert [held.name for held in policy.policy_set_definitions.list()] == ["hardening"]
    with pytest.raises(HttpResponseError, match="PolicyDefinitionInUse"):
        policy.policy_definitions.delete("approved")
    with pytest.raises(HttpResponseError, match="PolicySetDefinitionInUse"):
        policy.policy_set_definitions.delete("hardening")
    policy.policy_assignments.delete(_group(simulator), "hardening")
    policy.policy_set_definitions.delete("hardening")
    policy.policy_definitions.delete("approved")
    with pytest.raises(HttpResponseError, match="PolicySetDefinitionNotFound"):
        policy.policy_set_definitions.get("hardening")


def test_initiatives_that_cannot_work_are_refused(policy: PolicyClient) -> None:
    member = _member(policy, approved=[])
    absent = {**member, "policyDefinitionId": member["policyDefinitionId"] + "-gone"}
    cases: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
        ([], {}, "InvalidParameter"),
        ([absent], {}, "PolicyDefinitionNotFound"),
        ([_member(policy)], {}, "MissingPolicyParameter"),
        ([_member(policy, approved=[], colour="red")], {}, "UndefinedPolicyParameter"),
        ([_member(policy, approved="[parameters('list')]")], {}, "UndefinedPolicyParameter"),
        ([member], {"list": {"type": "Array"}}, "UnusedPolicyParameters"),
        ([member, dict(member)], {}, "InvalidCreatePolicySetDefinitionRequest"),
    ]
    for members, parameters, code in cases:
        with pytest.raises(HttpResponseError, match=code):
            _initiative(policy, members, **parameters)
