"""What an application-consistent request reaches, rule by documented rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

CRASH = {"properties": {"consistencyMode": "CrashConsistent"}}
HOUR = 3600


def _attempt(raw: RawClient, vm: str, name: str) -> tuple[str, str]:
    """The operation's end and the point's mode; two hours later, so that the limits are out of the way."""
    if name.endswith("1"):
        raw.make_collection(vm)
    made = raw.make_point(vm, name)
    assert made.status == 201, made
    raw.simulator.advance(120)
    operation = raw.operation_of(made)
    raw.token = ""
    raw.simulator.advance(2 * HOUR)
    error = operation.get("error", {}).get("code")
    return operation["status"], error or raw.point(vm, name)["consistencyMode"]


def _failure(raw: RawClient, vm: str) -> tuple[str, str]:
    raw.make_collection(vm)
    made = raw.make_point(vm, "p1")
    assert made.status == 201, made
    raw.simulator.advance(120)
    operation = raw.operation_of(made)
    assert operation["status"] == "Failed"
    assert raw.point(vm, "p1")["provisioningState"] == "Failed"
    return operation["error"]["code"], operation["error"]["message"]


def test_healthy_guests_reach_application_consistency(raw: RawClient) -> None:
    assert raw.made_point("lin-web-1", "p1")["consistencyMode"] == "ApplicationConsistent"
    assert raw.made_point("win-app-1", "p1")["consistencyMode"] == "ApplicationConsistent"


@pytest.mark.parametrize("scripts", ["missing", "refused"])
def test_linux_without_good_scripts_succeeds_with_less(simulator: Simulator, raw: RawClient, scripts: str) -> None:
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": scripts, "snapshot_extension": "present"}]})
    properties = raw.made_point("vm", "p1")
    assert (properties["provisioningState"], properties["consistencyMode"]) == ("Succeeded", "FileSystemConsistent")


def test_a_crash_consistent_point_needs_nothing_of_the_guest(raw: RawClient) -> None:
    for vm in ("lin-stopped-1", "lin-agent-1", "lin-badext-1", "win-vss-1"):
        assert raw.made_point(vm, "p1", CRASH)["consistencyMode"] == "CrashConsistent"
    assert "VMSnapshot" not in str(raw.get("virtualMachines/win-app-2"))


@pytest.mark.parametrize("vm", ["lin-stopped-1", "lin-agent-1"])
def test_a_stopped_vm_and_a_silent_agent_fail(raw: RawClient, vm: str) -> None:
    assert _failure(raw, vm) == (
        "VMAgentStatusCommunicationError",
        "VM has not reported status for VM agent or extensions.",
    )


def test_nothing_is_installed_on_a_vm_whose_agent_is_silent(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"vms": [{"name": "vm", "agent": "not_ready"}]})
    assert _failure(raw, "vm")[0] == "VMAgentStatusCommunicationError"
    assert raw.get("virtualMachines/vm/extensions")["value"] == []


def test_a_stopped_vm_can_be_set_to_yield_a_crash_consistent_point(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"rules": {"stopped_vm": "crash_consistent"}, "vms": [{"name": "vm", "power": "deallocated"}]})
    assert raw.made_point("vm", "p1")["consistencyMode"] == "CrashConsistent"


def test_a_failed_foreign_extension_fails_the_create(raw: RawClient) -> None:
    assert _failure(raw, "lin-badext-1")[0] == "VMRestorePointInternalError"


def test_a_failed_snapshot_extension_fails_the_create(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"vms": [{"name": "vm", "snapshot_extension": "failed"}]})
    assert _failure(raw, "vm")[0] == "VMRestorePointInternalError"


def test_an_extension_that_is_still_moving_is_waited_for(simulator: Simulator, raw: RawClient) -> None:
    extension = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "state": "Updating"}
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": "ok", "extensions": [extension]}]})
    raw.make_collection("vm")
    made = raw.make_point("vm", "p1")
    simulator.advance(30)
    assert raw.operation_of(made)["status"] == "InProgress"
    key = simulator.vm_id("vm").lower()

    def settle(world: Any) -> None:
        from dataclasses import replace

        world.put_extension(key, replace(world.extensions[key]["customscript"], state="Succeeded"))

    simulator.call(settle)
    simulator.advance(60)
    assert raw.point("vm", "p1")["consistencyMode"] == "ApplicationConsistent"


def test_an_extension_that_never_settles_fails_the_create(simulator: Simulator, raw: RawClient) -> None:
    extension = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "state": "Updating"}
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": "ok", "extensions": [extension]}]})
    assert _failure(raw, "vm")[0] == "VMRestorePointInternalError"


@pytest.mark.parametrize(("vm", "kind"), [("lin-db-1", "VMSnapshotLinux"), ("win-app-2", "VMSnapshot")])
def test_the_first_application_consistent_request_installs_the_extension(
    simulator: Simulator, raw: RawClient, vm: str, kind: str
) -> None:
    assert raw.get(f"virtualMachines/{vm}/extensions")["value"] == []
    raw.make_collection(vm)
    raw.make_point(vm, "p1")
    simulator.advance(5)
    halfway = raw.get(f"virtualMachines/{vm}/extensions/{kind}")["properties"]
    assert halfway["provisioningState"] == "Creating"
    simulator.advance(60)
    installed = raw.get(f"virtualMachines/{vm}/extensions/{kind}")["properties"]
    assert (installed["provisioningState"], installed["publisher"]) == (
        "Succeeded",
        "Microsoft.Azure.RecoveryServices",
    )
    assert raw.point(vm, "p1")["consistencyMode"] == "ApplicationConsistent"


def test_a_policy_can_forbid_azure_to_install_its_extension(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("policy", action="Microsoft.Compute/virtualMachines/extensions/write", assignment="allowed")
    code, message = _failure(raw, "lin-db-1")
    assert (code, "allowed" in message) == ("RequestDisallowedByPolicy", True)


def test_bad_writers_fail_once_then_three_attempts_fall_back_then_azure_tries_again(raw: RawClient) -> None:
    reached = [_attempt(raw, "win-vss-1", f"p{n}") for n in range(1, 6)]
    fails = ("Failed", "VMRestorePointClientError")
    falls_back = ("Succeeded", "FileSystemConsistent")
    assert reached == [fails, falls_back, falls_back, falls_back, fails]


def test_repaired_writers_are_not_believed_before_the_fourth_attempt(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"vms": [{"name": "vm", "os": "windows", "vss": {"recovers_after": 1}}]})
    reached = [_attempt(raw, "vm", f"p{n}") for n in range(1, 6)]
    falls_back = ("Succeeded", "FileSystemConsistent")
    well = ("Succeeded", "ApplicationConsistent")
    assert reached == [("Failed", "VMRestorePointClientError"), falls_back, falls_back, falls_back, well]


def test_the_failing_attempt_can_be_set_to_fall_back_itself(simulator: Simulator, raw: RawClient) -> None:
    """The extension's page reads so: the failed attempt is the first of the three."""
    simulator.reset({"rules": {"vss_failure": "degrades"}, "vms": [{"name": "vm", "os": "windows", "vss": "bad"}]})
    assert [_attempt(raw, "vm", f"p{n}") for n in range(1, 5)] == [("Succeeded", "FileSystemConsistent")] * 4


def test_a_change_of_the_vm_while_a_point_is_made_fails_it(simulator: Simulator, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    made = raw.make_point("lin-web-1", "p1")
    simulator.advance(5)
    script = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
    body = {"location": "westeurope", "properties": script}
    assert raw.send("PUT", "virtualMachines/lin-web-1/extensions/script", body).status == 201
    simulator.advance(60)
    error = raw.operation_of(made)["error"]
    assert (error["code"], error["message"][:46]) == (
        "OperationNotAllowed",
        "Changes were made to the Virtual Machine while",
    )


def test_a_vanished_key_vault_fails_the_create(simulator: Simulator, raw: RawClient) -> None:
    disks = {"data": [{"vault_missing": True}]}
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": "ok", "disks": disks}]})
    assert _failure(raw, "vm")[0] == "DiskRestorePointClientError"


def test_one_create_at_a_time(simulator: Simulator, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    raw.make_point("lin-web-1", "p1")
    second = raw.make_point("lin-web-1", "p2")
    assert (second.status, second.code) == (409, "VMRestorePointClientError")
    assert "concurrent 'Create RestorePoint'" in second.message
    simulator.advance(60)
    assert raw.make_point("lin-web-1", "p2").status == 201


def test_three_creates_of_each_kind_in_an_hour(simulator: Simulator, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    for n in range(3):
        assert raw.make_point("lin-web-1", f"p{n}").status == 201
        simulator.advance(60)
    fourth = raw.make_point("lin-web-1", "p3")
    assert fourth.status == 429
    assert fourth.json["error"]["details"][0]["target"] == "CreateApplicationConsistentRestorePoint"
    assert 3300 < int(fourth.headers["Retry-After"]) <= HOUR
    # The other kind has a limit of its own.
    assert raw.make_point("lin-web-1", "crash", CRASH).status == 201
    simulator.advance(int(fourth.headers["Retry-After"]))
    raw.token = ""
    assert raw.make_point("lin-web-1", "p3").status == 201


def test_points_from_before_the_start_count_toward_the_hour(simulator: Simulator, raw: RawClient) -> None:
    points = [{"collection": "vm-points", "name": f"old-{n}", "age": f"{n}m"} for n in (10, 20, 30)]
    simulator.reset({"vms": [{"name": "vm", "linux_scripts": "ok", "points": points}]})
    assert raw.make_point("vm", "p1").status == 429


def test_500_points_are_enough(simulator: Simulator, raw: RawClient) -> None:
    points = [{"collection": f"foreign-{n % 2}", "name": f"old-{n}", "age": "9d"} for n in range(500)]
    simulator.reset({"vms": [{"name": "vm", "points": points}]})
    raw.make_collection("vm")
    answer = raw.make_point("vm", "p1")
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    assert "cannot exceed 500" in answer.message
    deleted = raw.send("DELETE", "restorePointCollections/foreign-0/restorePoints/old-0")
    assert deleted.status == 202
    simulator.advance(30)
    assert raw.make_point("vm", "p1").status == 201


def test_foreign_points_are_there_from_the_start(raw: RawClient) -> None:
    path = (
        f"{raw.subscription}/resourceGroups/AzureBackupRG_westeurope_1/providers/Microsoft.Compute/"
        "restorePointCollections/AzureBackup_win-foreign-1_4398046583345"
    )
    shown = raw.get(path, **{"$expand": "restorePoints"})["properties"]
    assert shown["source"]["id"].endswith("/win-foreign-1")
    assert [held["properties"]["consistencyMode"] for held in shown["restorePoints"]] == ["ApplicationConsistent"]


def test_a_failed_point_stays_and_its_name_is_taken(simulator: Simulator, raw: RawClient) -> None:
    _failure(raw, "lin-agent-1")
    assert raw.make_point("lin-agent-1", "p1").code == "Conflict"
    assert raw.send("DELETE", "restorePointCollections/lin-agent-1-points/restorePoints/p1").status == 202
    simulator.advance(30)
    assert raw.make_point("lin-agent-1", "p1").status == 201
