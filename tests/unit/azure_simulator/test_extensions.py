"""VM extensions, and the snapshot extension among them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

SCRIPT = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
SNAPSHOT = {
    "publisher": "Microsoft.Azure.RecoveryServices",
    "type": "VMSnapshotLinux",
    "typeHandlerVersion": "1.0",
}


def _body(**properties: Any) -> dict[str, Any]:
    return {"location": "westeurope", "properties": {**SCRIPT, **properties}}


def _put(raw: RawClient, vm: str, name: str, body: Any) -> Any:
    return raw.send("PUT", f"virtualMachines/{vm}/extensions/{name}", body)


def test_an_extension_is_made_by_a_long_running_operation(simulator: Simulator, raw: RawClient) -> None:
    made = _put(raw, "lin-web-1", "script", _body(settings={"a": 1}))
    assert (made.status, made.json["properties"]["provisioningState"]) == (201, "Creating")
    assert raw.operation_of(made)["status"] == "InProgress"
    simulator.advance(30)
    assert raw.operation_of(made)["status"] == "Succeeded"
    shown = raw.get("virtualMachines/lin-web-1/extensions/script")
    assert (shown["properties"]["provisioningState"], shown["properties"]["settings"]) == ("Succeeded", {"a": 1})
    again = _put(raw, "lin-web-1", "script", _body(settings={"a": 2}))
    assert (again.status, again.json["properties"]["provisioningState"]) == (200, "Updating")


def test_protected_settings_are_never_shown_again(simulator: Simulator, raw: RawClient) -> None:
    secret = "hunter2-hunter2"
    made = _put(raw, "lin-web-1", "script", _body(protectedSettings={"password": secret}))
    simulator.advance(30)
    changed = raw.send(
        "PATCH",
        "virtualMachines/lin-web-1/extensions/script",
        {"properties": {"protectedSettings": {"password": secret}}},
    )
    simulator.advance(30)
    answers = [
        made,
        changed,
        raw.send("GET", "virtualMachines/lin-web-1/extensions/script", **{"$expand": "instanceView"}),
        raw.send("GET", "virtualMachines/lin-web-1/extensions"),
        raw.send("GET", "virtualMachines/lin-web-1", **{"$expand": "instanceView"}),
    ]
    assert not any(secret.encode() in answer.body for answer in answers)


def test_extensions_need_a_running_vm(raw: RawClient) -> None:
    answers = [
        _put(raw, "lin-stopped-1", "script", _body()),
        raw.send("PATCH", "virtualMachines/lin-stopped-1/extensions/VMSnapshotLinux", {"properties": {}}),
        raw.send("DELETE", "virtualMachines/lin-stopped-1/extensions/VMSnapshotLinux"),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(409, "OperationNotAllowed")}
    assert answers[0].message == "Cannot modify extensions in the VM when the VM is not running."


def test_there_is_one_extension_per_handler(raw: RawClient) -> None:
    second = _put(raw, "lin-web-1", "another", {"location": "westeurope", "properties": SNAPSHOT})
    assert (second.status, second.code) == (400, "BadRequest")
    assert "Multiple VMExtensions per handler not supported for OS type 'Linux'" in second.message


@pytest.mark.parametrize(
    ("properties", "status", "code"),
    [
        ({"publisher": "Nobody"}, 404, "ArtifactNotFound"),
        ({"typeHandlerVersion": "99.0"}, 404, "ArtifactVersionNotFound"),
        ({"type": None}, 400, "InvalidParameter"),
        ({"unheard": 1}, 400, "BadRequest"),
        ({"settings": "text"}, 400, "BadRequest"),
        ({"autoUpgradeMinorVersion": "yes"}, 400, "BadRequest"),
    ],
)
def test_bad_extensions_are_refused(raw: RawClient, properties: dict[str, Any], status: int, code: str) -> None:
    answer = _put(raw, "lin-web-1", "script", _body(**properties))
    assert (answer.status, answer.code) == (status, code)


def test_an_extension_of_no_vm_has_no_parent(raw: RawClient) -> None:
    answer = _put(raw, "none", "script", _body())
    assert (answer.status, answer.code) == (404, "ParentResourceNotFound")
    assert raw.send("GET", "virtualMachines/lin-web-1/extensions/none").code == "ResourceNotFound"
    assert raw.send("DELETE", "virtualMachines/lin-web-1/extensions/none").status == 204


def test_the_snapshot_extension_cannot_usefully_be_put_by_hand(simulator: Simulator, raw: RawClient) -> None:
    """Without the service's own settings the handler fails, and the failed extension then blocks restore points."""
    made = _put(raw, "lin-db-1", "VMSnapshotLinux", {"location": "westeurope", "properties": SNAPSHOT})
    simulator.advance(30)
    operation = raw.operation_of(made)
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "VMExtensionProvisioningError")
    assert raw.made_point("lin-db-1", "p1")["provisioningState"] == "Failed"


def test_a_silent_agent_makes_an_extension_time_out(simulator: Simulator, raw: RawClient) -> None:
    made = _put(raw, "lin-agent-1", "script", _body())
    simulator.advance(30)
    assert raw.operation_of(made)["error"]["code"] == "VMExtensionProvisioningTimeout"


def test_a_delete_shows_deleting_and_then_nothing(simulator: Simulator, raw: RawClient) -> None:
    path = "virtualMachines/lin-web-1/extensions/VMSnapshotLinux"
    deleted = raw.send("DELETE", path)
    assert (deleted.status, deleted.body) == (202, b"")
    assert {"Azure-AsyncOperation", "Location"} <= set(deleted.headers)
    assert raw.get(path)["properties"]["provisioningState"] == "Deleting"
    simulator.advance(30)
    assert raw.send("GET", path).status == 404


def test_the_instance_view_of_an_extension_tells_its_state(raw: RawClient) -> None:
    path = "virtualMachines/lin-badext-1/extensions/CustomScript"
    assert "instanceView" not in raw.get(path)["properties"]
    view = raw.get(path, **{"$expand": "instanceView"})["properties"]["instanceView"]
    assert view["statuses"][0] == {
        "code": "ProvisioningState/failed",
        "level": "Error",
        "displayStatus": "Provisioning failed",
        "message": "Command returned 1.",
    }


def test_the_versions_of_the_snapshot_extension_can_be_asked_for(raw: RawClient) -> None:
    base = f"{raw.subscription}/providers/Microsoft.Compute/locations/westeurope/publishers"
    publisher = f"{base}/Microsoft.Azure.RecoveryServices/artifacttypes/vmextension/types"
    assert {held["name"] for held in raw.get(publisher)} == {"VMSnapshot", "VMSnapshotLinux"}
    assert raw.get(f"{publisher}/VMSnapshotLinux/versions")[0]["name"].startswith("1.0.")
    unknown = raw.send("GET", f"{base}/Nobody/artifacttypes/vmextension/types/Nothing/versions")
    assert (unknown.status, unknown.code) == (404, "ArtifactNotFound")
