"""Faults: each does what it says, where it says, as often as it says, and leaves a truth behind."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.azure_simulator.faults import FaultError
from tests.unit.azure_simulator.conftest import Recorder
from tests.unit.azure_simulator.raw_client import RawClient

POINT_WRITE = "Microsoft.Compute/restorePointCollections/restorePoints/write"
POINT = "restorePointCollections/lin-web-1-points/restorePoints/p1"


@pytest.fixture
def collection(raw: RawClient) -> None:
    raw.make_collection("lin-web-1")


@pytest.mark.usefixtures("collection")
def test_a_lost_answer_took_effect(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("lose_answer", action=POINT_WRITE, times=1)
    with pytest.raises((http.client.HTTPException, OSError)):
        raw.make_point("lin-web-1", "p1")
    assert raw.get(POINT)["properties"]["provisioningState"] == "Creating"
    # Asked again, the point is found there: nothing is doubled.
    assert raw.make_point("lin-web-1", "p1").code == "Conflict"


@pytest.mark.usefixtures("collection")
def test_a_reset_before_the_request_took_no_effect(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("reset", action=POINT_WRITE, times=1)
    with pytest.raises((http.client.HTTPException, OSError)):
        raw.make_point("lin-web-1", "p1")
    assert raw.send("GET", POINT).status == 404


@pytest.mark.usefixtures("collection")
def test_a_429_after_an_accepted_put_took_effect(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("throttle_after_accept", action=POINT_WRITE, times=1, form="compute", retry_after=9)
    answer = raw.make_point("lin-web-1", "p1")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "OperationNotAllowed", "9")
    assert raw.get(POINT)["properties"]["provisioningState"] == "Creating"


@pytest.mark.usefixtures("collection")
def test_an_error_after_an_accepted_put_took_effect(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("error_after_accept", action=POINT_WRITE, times=1, status=504, code="GatewayTimeout")
    answer = raw.make_point("lin-web-1", "p1")
    assert (answer.status, answer.code) == (504, "GatewayTimeout")
    assert raw.send("GET", POINT).status == 200


def test_server_errors_come_as_often_as_asked_for(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("error", method="GET", vm="lin-web-*", times=2, skip=1, status=503, code="ServerTimeout")
    statuses = [raw.send("GET", "virtualMachines/lin-web-1").status for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert raw.send("GET", "virtualMachines/win-app-1").status == 200


@pytest.mark.parametrize(
    ("form", "code"),
    [("arm", "SubscriptionRequestsThrottled"), ("compute", "OperationNotAllowed")],
)
def test_both_forms_of_429_can_be_asked_for(simulator: Simulator, raw: RawClient, form: str, code: str) -> None:
    simulator.add_fault("throttle", vm="lin-web-1", times=1, form=form, retry_after=3)
    answer = raw.send("GET", "virtualMachines/lin-web-1")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, code, "3")


def test_a_429_without_retry_after_exists(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("throttle", times=1, retry_after=None)
    answer = raw.send("GET", "virtualMachines/lin-web-1")
    assert (answer.status, "Retry-After" in answer.headers) == (429, False)


@pytest.mark.usefixtures("unpublished_form")
def test_the_documented_bare_429_exists(simulator: Simulator, raw: RawClient) -> None:
    """Microsoft's throttling page shows the object without `error` around it."""
    simulator.add_fault("throttle", times=1, form="compute_bare")
    body = raw.send("GET", "virtualMachines/lin-web-1").json
    assert (body["code"], body["details"][0]["code"]) == ("OperationNotAllowed", "TooManyRequests")


def test_a_slow_answer_is_late_and_whole(simulator: Simulator, raw: RawClient, recorder: Recorder) -> None:
    simulator.add_fault("slow", seconds=0.05, times=1)
    assert raw.send("GET", "virtualMachines/lin-web-1").json["name"] == "lin-web-1"
    assert recorder.last is not None
    assert recorder.last.seconds == 0.05
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 200
    assert recorder.last.seconds == 0


def test_a_hanging_request_holds_nobody_else_up(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("hang", vm="lin-web-1", times=1)
    raw.token = raw.sign_in().json["access_token"]
    hanging = http.client.HTTPSConnection(raw._host, context=raw._context, timeout=0.2)
    path = f"{raw.group}/virtualMachines/lin-web-1?api-version=2025-04-01"
    with pytest.raises(TimeoutError):
        hanging.request("GET", path, headers={"Authorization": f"Bearer {raw.token}"})
        hanging.getresponse()
    hanging.close()
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 200


def test_a_truncated_body_promises_more_than_comes(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("truncate", times=1)
    with pytest.raises(http.client.IncompleteRead):
        raw.send("GET", "virtualMachines/lin-web-1")
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 200


@pytest.mark.usefixtures("collection")
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "operation_fails", "code": "AllocationFailed", "message": "No room."}, "Failed", "AllocationFailed"),
        ({"kind": "operation_canceled"}, "Canceled", "OperationPreempted"),
    ],
)
def test_an_operation_ends_as_a_fault_says(
    simulator: Simulator, raw: RawClient, fault: dict[str, str], status: str, code: str
) -> None:
    simulator.add_fault(operation="restore_point_create", vm="lin-web-1", times=1, **fault)
    made = raw.make_point("lin-web-1", "p1")
    simulator.advance(60)
    operation = raw.operation_of(made)
    assert (operation["status"], operation["error"]["code"]) == (status, code)
    assert raw.get(POINT)["properties"]["provisioningState"] == "Failed"


@pytest.mark.usefixtures("collection")
def test_an_operation_can_hang_for_ever(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("operation_hangs", operation="restore_point_create", times=1)
    made = raw.make_point("lin-web-1", "p1")
    simulator.advance(3000)
    assert raw.operation_of(made)["status"] == "InProgress"
    assert raw.get(POINT)["properties"]["provisioningState"] == "Creating"


def test_an_extension_can_be_stuck_in_updating(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("operation_hangs", operation="extension_write", times=1)
    raw.send("PATCH", "virtualMachines/lin-web-1/extensions/VMSnapshotLinux", {"properties": {}})
    simulator.advance(3000)
    shown = raw.get("virtualMachines/lin-web-1/extensions/VMSnapshotLinux")
    assert shown["properties"]["provisioningState"] == "Updating"


def test_a_failed_delete_leaves_the_point(simulator: Simulator, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    simulator.add_fault("operation_fails", operation="restore_point_delete", times=1, code="InternalError")
    deleted = raw.send("DELETE", POINT)
    simulator.advance(30)
    assert raw.operation_of(deleted)["error"]["code"] == "InternalError"
    assert raw.follow(deleted.headers["Location"]).status == 409
    assert raw.get(POINT)["properties"]["provisioningState"] == "Succeeded"


def test_missing_rights_name_the_action_and_the_scope(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("denied", action="Microsoft.Authorization/locks/*")
    path = f"{simulator.vm_id('lin-web-1')}/providers/Microsoft.Authorization/locks/guard"
    answer = raw.send("PUT", path, {"properties": {"level": "CanNotDelete"}}, version="2020-05-01")
    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.Authorization/locks/write'" in answer.message
    assert simulator.client_id in answer.message
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 200


def test_a_role_can_lack_rights_from_the_start(simulator: Simulator, raw: RawClient) -> None:
    from dataclasses import replace

    held = simulator.cloud.directory.applications
    reader = "0a0a0a0a-0000-4000-a000-00000000000c"
    held[reader] = replace(held[simulator.client_id], client_id=reader, denied=("*/write", "*/delete"))
    raw.token = raw.sign_in(client_id=reader).json["access_token"]
    del held[reader]
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 200
    assert raw.make_collection("lin-web-1").code == "AuthorizationFailed"


def test_a_policy_denies_with_its_assignment(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("policy", action="*/restorePointCollections/write", assignment="tags-needed")
    answer = raw.make_collection("lin-web-1")
    assert (answer.status, answer.code) == (403, "RequestDisallowedByPolicy")
    assert "tags-needed" in answer.message


def test_a_fault_on_a_vm_also_meets_its_points_operations_and_locks(simulator: Simulator, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    made = raw.make_point("lin-web-1", "p1")
    simulator.add_fault("error", vm="lin-web-1", status=500)
    lock = f"{simulator.vm_id('lin-web-1')}/providers/Microsoft.Authorization/locks/x"
    statuses = [
        raw.send("GET", POINT).status,
        raw.follow(made.headers["Azure-AsyncOperation"]).status,
        raw.send("GET", lock, version="2020-05-01").status,
    ]
    assert statuses == [500, 500, 500]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "sunspots"}, "is not known"),
        ({"kind": "slow", "status": 500}, "does not take status"),
        ({"kind": "slow", "times": -1}, "whole number"),
        ({"kind": "throttle", "form": "odd"}, "form must be one of"),
        ({}, "is not known"),
    ],
)
def test_senseless_faults_are_refused(simulator: Simulator, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(FaultError, match=words):
        simulator.call(lambda world: world.faults.add(spec))
