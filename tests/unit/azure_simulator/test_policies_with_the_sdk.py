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


def _assigned(policy: PolicyClient, scope: str, rule: dict[str, Any] | None = None) -> Any:
    body: Any = {"properties": {"mode": "Indexed", "policyRule": rule or RULE, "displayName": "guard"}}
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
    _assigned(policy, _group(simulator), {"if": {"field": "type", "equals": point}, "then": RULE["then"]})
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
