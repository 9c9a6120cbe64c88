"""Groups, tags, network interfaces and lists of mixed kinds, with the clients that ask for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.resource.resources import ResourceManagementClient

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

NETWORK = "2024-05-01"


@pytest.fixture
def resources(simulator: Simulator, credential: ClientSecretCredential) -> Iterator[ResourceManagementClient]:
    client = ResourceManagementClient(
        credential,
        simulator.subscription_id,
        base_url=simulator.arm_url,
        credential_scopes=[f"{simulator.arm_url}/.default"],
        connection_verify=simulator.ca_file,
        polling_interval=0,
        retry_total=0,
    )
    with client:
        yield client


def test_the_sdk_makes_a_group_tags_it_and_deletes_it_with_all_that_lies_in_it(
    simulator: Simulator, resources: ResourceManagementClient, raw: RawClient
) -> None:
    groups = resources.resource_groups
    made = groups.create_or_update("rg-drill", {"location": "westeurope", "tags": {"until": "tonight"}})
    assert (made.location, made.tags) == ("westeurope", {"until": "tonight"})
    assert groups.check_existence("rg-drill")
    assert groups.update("rg-drill", {"tags": {"until": "morning"}}).tags == {"until": "morning"}
    path = f"{raw.subscription}/resourceGroups/rg-drill/providers/Microsoft.Compute/restorePointCollections/c"
    source = {"location": "westeurope", "properties": {"source": {"id": simulator.vm_id("lin-db-1")}}}
    assert raw.send("PUT", path, source).status == 201
    end = groups.begin_delete("rg-drill")
    simulator.advance(1)
    going: Any = groups.get("rg-drill")
    assert going.properties.provisioning_state == "Deleting"
    simulator.advance(600)
    end.result()
    assert not groups.check_existence("rg-drill")
    assert raw.send("GET", path).code == "ResourceGroupNotFound"
    assert simulator.vm_id("lin-db-1") in simulator.vm_ids


def test_a_group_does_not_move_to_another_region(resources: ResourceManagementClient) -> None:
    with pytest.raises(HttpResponseError) as refusal:
        resources.resource_groups.create_or_update("rg-fleet", {"location": "eastus"})
    assert refusal.value.error is not None
    assert refusal.value.error.code == "InvalidResourceGroupLocation"


def test_a_lock_in_a_group_keeps_the_whole_of_it(resources: ResourceManagementClient, raw: RawClient) -> None:
    lock = f"{raw.group}/virtualMachines/lin-db-1/providers/Microsoft.Authorization/locks/keep"
    assert raw.send("PUT", lock, {"properties": {"level": "CanNotDelete"}}, "2020-05-01").status == 201
    with pytest.raises(HttpResponseError) as refusal:
        resources.resource_groups.begin_delete("rg-fleet")
    assert refusal.value.error is not None
    assert refusal.value.error.code == "ScopeLocked"


def test_tags_are_merged_replaced_and_taken_away_at_a_vm_a_collection_and_a_group(
    simulator: Simulator, resources: ResourceManagementClient, raw: RawClient
) -> None:
    raw.make_collection("lin-db-1")
    for scope in (
        simulator.vm_id("lin-db-1"),
        f"{raw.group}/restorePointCollections/lin-db-1-points",
        f"{raw.subscription}/resourceGroups/rg-fleet",
    ):
        tags = resources.tags
        tags.begin_create_or_update_at_scope(scope, {"properties": {"tags": {"a": "1", "b": "2"}}}).result()
        merge: Any = {"operation": "Merge", "properties": {"tags": {"B": "3", "c": "4"}}}
        merged = tags.begin_update_at_scope(scope, merge).result()
        assert merged.properties.tags == {"a": "1", "B": "3", "c": "4"}
        gone: Any = {"operation": "Delete", "properties": {"tags": {"a": "1", "c": "other"}}}
        tags.begin_update_at_scope(scope, gone).result()
        assert tags.get_at_scope(scope).properties.tags == {"B": "3", "c": "4"}
        tags.begin_delete_at_scope(scope).result()
        assert not tags.get_at_scope(scope).properties.tags
    with pytest.raises(ResourceNotFoundError):
        resources.tags.get_at_scope(f"{raw.group}/virtualMachines/nobody")


def test_the_sdk_lists_what_a_group_holds_by_kind_name_and_tag(resources: ResourceManagementClient) -> None:
    def names(**asked: Any) -> list[str]:
        return [str(held.name) for held in resources.resources.list_by_resource_group("rg-fleet", **asked)]

    kind = "Microsoft.Compute/virtualMachines"
    vms = names(filter=f"resourceType eq '{kind}'")
    assert "lin-db-1" in vms
    assert len(vms) < len(names())
    assert names(filter=f"name eq 'lin-db-1' and resourceType eq '{kind}'") == ["lin-db-1"]
    assert "lin-db-1-nic" in names(filter="resourceType eq 'Microsoft.Network/networkInterfaces'")
    assert names(filter="tagName eq 'nobody'") == []
    for wrong in ("name ne 'x'", "tagName eq 'a' and name eq 'b'", "colour eq 'red'"):
        with pytest.raises(HttpResponseError) as refusal:
            names(filter=wrong)
        assert refusal.value.error is not None
        assert refusal.value.error.code == "InvalidFilterInQueryString"


def test_an_interface_is_read_by_its_id_and_nothing_else_of_the_network(raw: RawClient) -> None:
    vm = raw.get("virtualMachines/lin-db-1")
    interface = vm["properties"]["networkProfile"]["networkInterfaces"][0]["id"]
    read = raw.get(interface, NETWORK)
    assert read["properties"]["virtualMachine"]["id"] == vm["id"]
    assert interface in [held["id"] for held in raw.get(interface.rsplit("/", 1)[0], NETWORK)["value"]]
    network = interface.rsplit("/", 2)[0]
    assert raw.send("GET", f"{network}/networkInterfaces/nobody-nic", None, NETWORK).status == 404
    assert raw.send("GET", f"{network}/publicIPAddresses/nobody-ip", None, NETWORK).status == 404
    assert raw.send("PUT", interface, {}, NETWORK).status == 405


def test_a_batch_answers_each_of_its_requests_with_the_callers_rights(raw: RawClient) -> None:
    vm = raw.simulator.vm_id("lin-db-1")
    requests = [
        {"httpMethod": "GET", "name": "vm", "url": f"{raw.simulator.arm_url}{vm}?api-version=2024-07-01"},
        {"httpMethod": "GET", "name": "none", "url": f"{vm}-none?api-version=2024-07-01"},
    ]
    answers = raw.send("POST", "/batch", {"requests": requests}, "2015-11-01").json["responses"]
    assert [(one["name"], one["httpStatusCode"]) for one in answers] == [("vm", 200), ("none", 404)]
    assert answers[0]["content"]["id"] == vm
    body = json.dumps({"requests": requests}).encode()
    assert raw.exchange("POST", "/batch?api-version=2015-11-01", body).status == 401
    for wrong in (
        {"requests": [{"httpMethod": "DELETE", "url": vm}]},
        {"requests": [{"httpMethod": "GET", "url": "https://elsewhere.example/x"}]},
        {"requests": requests * 51},
    ):
        assert raw.send("POST", "/batch", wrong, "2015-11-01").status == 400


def test_scopes_are_told_as_they_were_sent(raw: RawClient) -> None:
    scope = f"{raw.subscription}/resourceGroups/RG-Fleet"
    rule = {"if": {"field": "type", "equals": "none"}, "then": {"effect": "deny"}}
    definition = f"{raw.subscription}/providers/Microsoft.Authorization/policyDefinitions/nothing"
    body = {"properties": {"mode": "All", "policyRule": rule}}
    assert raw.send("PUT", definition, body, "2021-06-01").json["id"] == definition
    assignment = f"{scope}/providers/Microsoft.Authorization/policyAssignments/Mine"
    made = raw.send("PUT", assignment, {"properties": {"policyDefinitionId": definition}}, "2022-06-01").json
    assert (made["id"], made["properties"]["scope"]) == (assignment, scope)
    lock = f"{scope}/providers/Microsoft.Authorization/locks/Mine"
    assert raw.send("PUT", lock, {"properties": {"level": "CanNotDelete"}}, "2020-05-01").json["id"] == lock
