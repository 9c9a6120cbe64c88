"""Management locks: at any scope, inherited downward, the strictest wins, for every principal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import Answer, RawClient

VERSION = "2020-05-01"
EXTENSION = "virtualMachines/lin-web-1/extensions/VMSnapshotLinux"


def _lock(raw: RawClient, scope: str, level: str, name: str = "guard") -> Answer:
    path = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
    return raw.send("PUT", path, {"properties": {"level": level}}, version=VERSION)


def _scope(raw: RawClient, place: str) -> str:
    return {
        "subscription": raw.subscription,
        "group": f"{raw.subscription}/resourceGroups/rg-fleet",
        "vm": f"{raw.group}/virtualMachines/lin-web-1",
        "extension": f"{raw.group}/{EXTENSION}",
    }[place]


@pytest.mark.parametrize("place", ["subscription", "group", "vm", "extension"])
def test_cannot_delete_is_inherited_by_the_extension(simulator: Simulator, raw: RawClient, place: str) -> None:
    assert _lock(raw, _scope(raw, place), "CanNotDelete").status == 201
    refused = raw.send("DELETE", EXTENSION)
    assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert "cannot perform delete operation because following scope(s) are locked" in refused.message
    assert f"'{_scope(raw, place)}'" in refused.message
    # Reading and changing go on.
    assert raw.send("GET", EXTENSION).status == 200
    assert raw.send("PATCH", EXTENSION, {"properties": {}}).status == 200
    simulator.advance(30)
    assert raw.send("GET", EXTENSION).json["properties"]["provisioningState"] == "Succeeded"


def test_read_only_also_blocks_writes_and_actions(simulator: Simulator, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    base = "restorePointCollections/lin-web-1-points/restorePoints/p1"
    disk = raw.get(f"{base}/diskRestorePoints", version="2026-03-02")["value"][0]["name"]
    _lock(raw, _scope(raw, "group"), "ReadOnly")
    answers = [
        raw.make_point("lin-web-1", "p2"),
        raw.make_collection("lin-web-2"),
        raw.send("DELETE", base),
        raw.send("PATCH", EXTENSION, {"properties": {}}),
        raw.send(
            "POST",
            f"{base}/diskRestorePoints/{disk}/beginGetAccess",
            {"access": "Read", "durationInSeconds": 60},
            version="2026-03-02",
        ),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(409, "ScopeLocked")}
    assert "cannot perform write operation" in answers[0].message
    assert raw.send("GET", base).status == 200
    assert simulator.cloud.world.points_of[simulator.vm_id("lin-web-1").lower()] == 1


def test_a_lock_on_the_group_stops_retention(raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    _lock(raw, _scope(raw, "group"), "CanNotDelete")
    assert raw.make_point("lin-web-1", "p2").status == 201
    for path in (
        "restorePointCollections/lin-web-1-points/restorePoints/p1",
        "restorePointCollections/lin-web-1-points",
    ):
        assert raw.send("DELETE", path).code == "ScopeLocked"


def test_a_locked_point_holds_its_collection(raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    collection = f"{raw.group}/restorePointCollections/lin-web-1-points"
    _lock(raw, f"{collection}/restorePoints/p1", "CanNotDelete")
    refused = raw.send("DELETE", collection)
    assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert "/restorePoints/p1" in refused.message


def test_a_lock_guards_only_its_own_scope(simulator: Simulator, raw: RawClient) -> None:
    """A name that merely begins like the locked one is free."""
    simulator.reset(
        {"vms": [{"name": "vm", "snapshot_extension": "present"}, {"name": "vm2", "snapshot_extension": "present"}]}
    )
    _lock(raw, f"{raw.group}/virtualMachines/vm", "CanNotDelete")
    assert raw.send("DELETE", "virtualMachines/vm2/extensions/VMSnapshotLinux").status == 202
    assert raw.send("DELETE", "virtualMachines/vm/extensions/VMSnapshotLinux").status == 409


def test_a_lock_can_be_changed_read_and_taken_away(raw: RawClient) -> None:
    scope = _scope(raw, "extension")
    assert _lock(raw, scope, "CanNotDelete").status == 201
    again = _lock(raw, scope.upper(), "readonly", "GUARD")
    assert (again.status, again.json["properties"]["level"]) == (200, "ReadOnly")
    path = f"{scope}/providers/Microsoft.Authorization/locks/guard"
    assert raw.send("GET", path, version=VERSION).json["type"] == "Microsoft.Authorization/locks"
    assert raw.send("DELETE", path, version=VERSION).status == 200
    assert raw.send("DELETE", path, version=VERSION).status == 204
    missing = raw.send("GET", path, version=VERSION)
    assert (missing.status, missing.code) == (404, "LockNotFound")
    assert raw.send("DELETE", EXTENSION).status == 202


def test_lists_hold_what_is_above_and_without_a_filter_what_is_below(raw: RawClient) -> None:
    for place in ("subscription", "group", "vm", "extension"):
        _lock(raw, _scope(raw, place), "CanNotDelete", f"on-{place}")
    path = f"{_scope(raw, 'vm')}/providers/Microsoft.Authorization/locks"
    everything = {held["name"] for held in raw.get(path, version=VERSION)["value"]}
    at_scope = {held["name"] for held in raw.get(path, version=VERSION, **{"$filter": "atScope()"})["value"]}
    assert everything == {"on-subscription", "on-group", "on-vm", "on-extension"}
    assert at_scope == everything - {"on-extension"}
    refused = raw.send("GET", path, version=VERSION, **{"$filter": "level eq 'ReadOnly'"})
    assert refused.status == 400


@pytest.mark.parametrize(
    "properties",
    [{}, {"level": "Forever"}, {"level": "CanNotDelete", "notes": "x" * 513}, {"level": "CanNotDelete", "why": "x"}],
)
def test_bad_locks_are_refused(raw: RawClient, properties: dict[str, Any]) -> None:
    path = f"{_scope(raw, 'vm')}/providers/Microsoft.Authorization/locks/bad"
    answer = raw.send("PUT", path, {"properties": properties}, version=VERSION)
    assert answer.status == 400
    assert raw.send("GET", path, version=VERSION).status == 404


def test_what_is_not_there_cannot_be_locked(raw: RawClient) -> None:
    for scope in (f"{raw.group}/virtualMachines/none", f"{_scope(raw, 'vm')}/extensions/none"):
        answer = _lock(raw, scope, "CanNotDelete")
        assert (answer.status, answer.code) == (404, "ResourceNotFound")
