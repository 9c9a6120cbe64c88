"""Clients that nobody here wrote take the simulator for Azure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ClientSecretCredential as AioCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.aio import ComputeManagementClient as AioComputeClient
from azure.mgmt.resource.locks import ManagementLockClient

from tests.azure_simulator import Simulator

# The SDK's models are generated; what matters here is what goes over the wire.
APPLICATION: Any = {}


def _collection(simulator: Simulator, vm: str) -> Any:
    return {"location": "westeurope", "properties": {"source": {"id": simulator.vm_id(vm)}}}


def test_the_sdk_makes_an_application_consistent_point_and_reads_it_back(
    simulator: Simulator, compute: ComputeManagementClient
) -> None:
    made = compute.restore_point_collections.create_or_update("rg-fleet", "c1", _collection(simulator, "lin-db-1"))
    poller = compute.restore_points.begin_create("rg-fleet", "c1", "p1", APPLICATION)
    assert not poller.done()
    simulator.advance(60)
    point = poller.result()
    assert made.provisioning_state == "Succeeded"
    assert (point.provisioning_state, point.consistency_mode) == ("Succeeded", "ApplicationConsistent")
    assert len(point.source_metadata.storage_profile.data_disks) == 2
    shown = compute.restore_points.get("rg-fleet", "c1", "p1", expand="instanceView")
    assert {disk.replication_status.completion_percent for disk in shown.instance_view.disk_restore_points} == {100}
    expanded = compute.restore_point_collections.get("rg-fleet", "c1", expand="restorePoints")
    assert [held.name for held in expanded.restore_points] == ["p1"]


def test_the_sdk_gets_the_error_of_a_failed_create(simulator: Simulator, compute: ComputeManagementClient) -> None:
    compute.restore_point_collections.create_or_update("rg-fleet", "c1", _collection(simulator, "win-vss-1"))
    poller = compute.restore_points.begin_create("rg-fleet", "c1", "p1", APPLICATION)
    simulator.advance(60)
    with pytest.raises(HttpResponseError) as failure:
        poller.result()
    assert failure.value.error is not None
    assert failure.value.error.code == "VMRestorePointClientError"
    assert "VSS Writers in bad state" in str(failure.value)


def test_the_sdk_deletes_a_collection_with_its_points(simulator: Simulator, compute: ComputeManagementClient) -> None:
    compute.restore_point_collections.create_or_update("rg-fleet", "c1", _collection(simulator, "lin-web-1"))
    create = compute.restore_points.begin_create("rg-fleet", "c1", "p1", APPLICATION)
    simulator.advance(60)
    create.result()
    delete = compute.restore_point_collections.begin_delete("rg-fleet", "c1")
    simulator.advance(30)
    delete.result()
    assert "c1" not in [held.name for held in compute.restore_point_collections.list("rg-fleet")]


def test_the_sdk_reads_vms_and_their_instance_view(simulator: Simulator, compute: ComputeManagementClient) -> None:
    assert len(list(compute.virtual_machines.list_all())) == 12
    assert len(list(compute.virtual_machines.list("rg-fleet"))) == len(simulator.vm_ids)
    vm = compute.virtual_machines.get("rg-fleet", "win-app-1", expand="instanceView")
    assert vm.instance_view.vm_agent.statuses[0].display_status == "Ready"
    assert [held.name for held in vm.resources or []] == ["VMSnapshot"]
    assert compute.virtual_machines.instance_view("rg-fleet", "lin-stopped-1").vm_agent is None


def test_the_sdk_installs_changes_and_removes_an_extension(
    simulator: Simulator, compute: ComputeManagementClient
) -> None:
    extension: Any = {
        "location": "westeurope",
        "properties": {
            "publisher": "Microsoft.Azure.Extensions",
            "type": "CustomScript",
            "typeHandlerVersion": "2.1",
            "settings": {"commandToExecute": "true"},
            "protectedSettings": {"secret": "never shown"},
        },
    }
    poller = compute.virtual_machine_extensions.begin_create_or_update("rg-fleet", "lin-web-1", "script", extension)
    simulator.advance(30)
    made = poller.result()
    assert made.provisioning_state == "Succeeded"
    assert made.protected_settings is None
    update: Any = {"properties": {"settings": {"commandToExecute": "false"}}}
    change = compute.virtual_machine_extensions.begin_update("rg-fleet", "lin-web-1", "script", update)
    simulator.advance(30)
    assert change.result().settings == {"commandToExecute": "false"}
    delete = compute.virtual_machine_extensions.begin_delete("rg-fleet", "lin-web-1", "script")
    simulator.advance(30)
    delete.result()
    names = [held.name for held in compute.virtual_machine_extensions.list("rg-fleet", "lin-web-1").value or []]
    assert names == ["VMSnapshotLinux"]


def test_the_sdk_gets_a_download_address_for_a_disk_of_a_point(
    simulator: Simulator, compute: ComputeManagementClient
) -> None:
    compute.restore_point_collections.create_or_update("rg-fleet", "c1", _collection(simulator, "lin-web-1"))
    create = compute.restore_points.begin_create("rg-fleet", "c1", "p1", APPLICATION)
    simulator.advance(60)
    create.result()
    disk = next(iter(compute.disk_restore_point.list_by_restore_point("rg-fleet", "c1", "p1")))
    assert disk.os_type == "Linux"
    access: Any = {"access": "Read", "durationInSeconds": 300}
    grant = compute.disk_restore_point.begin_grant_access("rg-fleet", "c1", "p1", str(disk.name), access)
    simulator.advance(10)
    assert str(grant.result().access_sas).startswith("https://md-")
    with pytest.raises(HttpResponseError, match="DiskRestorePointUsedByCustomer"):
        compute.restore_points.begin_delete("rg-fleet", "c1", "p1")
    revoke = compute.disk_restore_point.begin_revoke_access("rg-fleet", "c1", "p1", str(disk.name))
    simulator.advance(10)
    revoke.result()
    delete = compute.restore_points.begin_delete("rg-fleet", "c1", "p1")
    simulator.advance(30)
    delete.result()


def test_the_sdk_restores_a_disk_from_a_point(simulator: Simulator, compute: ComputeManagementClient) -> None:
    compute.restore_point_collections.create_or_update("rg-fleet", "c1", _collection(simulator, "lin-web-1"))
    create = compute.restore_points.begin_create("rg-fleet", "c1", "p1", APPLICATION)
    simulator.advance(60)
    source = create.result().source_metadata.storage_profile.os_disk.disk_restore_point.id
    body: Any = {
        "location": "westeurope",
        "properties": {"creationData": {"createOption": "Restore", "sourceResourceId": source}},
    }
    poller = compute.disks.begin_create_or_update("rg-fleet", "restored", body)
    simulator.advance(10)
    assert poller.result().disk_size_gb == 64


def test_the_locks_sdk_guards_an_extension_and_takes_the_guard_away(
    simulator: Simulator, compute: ComputeManagementClient, locks: ManagementLockClient
) -> None:
    scope = f"{simulator.vm_id('lin-web-1')}/extensions/VMSnapshotLinux"
    body: Any = {"properties": {"level": "CanNotDelete", "notes": "guard"}}
    lock = locks.management_locks.create_or_update_by_scope(scope, "guard", body)
    assert lock.level == "CanNotDelete"
    with pytest.raises(HttpResponseError, match="ScopeLocked"):
        compute.virtual_machine_extensions.begin_delete("rg-fleet", "lin-web-1", "VMSnapshotLinux")
    assert [held.name for held in locks.management_locks.list_by_scope(scope)] == ["guard"]
    assert [held.name for held in locks.management_locks.list_at_subscription_level()] == ["guard"]
    at_resource = locks.management_locks.list_at_resource_level(
        "rg-fleet", "Microsoft.Compute", "virtualMachines/lin-web-1", "extensions", "VMSnapshotLinux"
    )
    assert [held.id for held in at_resource] == [lock.id]
    locks.management_locks.delete_by_scope(scope, "guard")
    delete = compute.virtual_machine_extensions.begin_delete("rg-fleet", "lin-web-1", "VMSnapshotLinux")
    simulator.advance(30)
    delete.result()


def test_the_sdk_answers_a_challenge_for_claims_with_a_fresh_token(
    simulator: Simulator, compute: ComputeManagementClient
) -> None:
    simulator.add_fault("claims_challenge", times=1)
    assert compute.virtual_machines.get("rg-fleet", "lin-web-1").name == "lin-web-1"
    statuses = [seen.status for seen in simulator.requests if "/virtualMachines/" in seen.path]
    assert statuses == [401, 200]
    assert sum(seen.path.endswith("/token") for seen in simulator.requests) >= 1


def test_the_asynchronous_sdk_makes_points_for_many_vms_at_once(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-identity's aio transport reads SSL_CERT_FILE only; the credential takes the file by hand."""
    monkeypatch.setenv("SSL_CERT_FILE", simulator.ca_file)
    names = ["lin-web-1", "lin-web-2", "win-app-1"]

    async def run() -> list[str]:
        credential = AioCredential(
            simulator.tenant_id,
            simulator.client_id,
            simulator.client_secret,
            authority=simulator.authority_url,
            disable_instance_discovery=True,
            connection_verify=simulator.ca_file,
        )
        client = AioComputeClient(
            credential,
            simulator.subscription_id,
            base_url=simulator.arm_url,
            credential_scopes=[f"{simulator.arm_url}/.default"],
            connection_verify=simulator.ca_file,
            polling_interval=0.02,
        )
        async with credential, client:

            async def one(name: str) -> str:
                body = _collection(simulator, name)
                await client.restore_point_collections.create_or_update("rg-fleet", name, body)
                poller = await client.restore_points.begin_create("rg-fleet", name, "p1", APPLICATION)
                await asyncio.to_thread(simulator.advance, 60)
                return str((await poller.result())["properties"]["consistencyMode"])

            return list(await asyncio.gather(*(one(name) for name in names)))

    assert asyncio.run(run()) == ["ApplicationConsistent"] * 3
