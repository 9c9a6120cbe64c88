"""The activity log: who deleted what, and from where."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

EXTENSION = "virtualMachines/lin-web-1/extensions/VMSnapshotLinux"


def _events(raw: RawClient, clauses: str, **query: str) -> Any:
    path = f"{raw.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    return raw.send("GET", path, version="2015-04-01", **{"$filter": clauses}, **query)


def _since(simulator: Simulator) -> str:
    return f"eventTimestamp ge '{(simulator.clock.wall() - timedelta(days=1)).isoformat()}'".replace("+00:00", "Z")


def test_a_removed_extension_tells_who_removed_it(simulator: Simulator, raw: RawClient) -> None:
    since = _since(simulator)
    raw.send("DELETE", EXTENSION)
    simulator.advance(30)
    events = _events(raw, f"{since} and resourceUri eq '{raw.group}/{EXTENSION}'").json["value"]
    # Newest first.
    assert [event["status"]["value"] for event in events] == ["Succeeded", "Accepted", "Started"]
    event = events[0]
    assert event["operationName"]["value"] == "Microsoft.Compute/virtualMachines/extensions/delete"
    assert (event["caller"], event["httpRequest"]["clientIpAddress"]) == (simulator.client_id, "127.0.0.1")
    assert len({held["correlationId"] for held in events}) == 1
    assert events[0]["eventTimestamp"] > events[2]["eventTimestamp"]


def test_a_delete_that_fails_never_succeeds_in_the_log(simulator: Simulator, raw: RawClient) -> None:
    since = _since(simulator)
    simulator.add_fault("operation_fails", operation="extension_delete")
    raw.send("DELETE", EXTENSION)
    simulator.advance(30)
    found = [event["status"]["value"] for event in _events(raw, since).json["value"]]
    assert found == ["Accepted", "Started"]


def test_locks_and_points_are_in_the_log_too(simulator: Simulator, raw: RawClient) -> None:
    since = _since(simulator)
    raw.made_point("lin-web-1", "p1")
    lock = f"{raw.group}/{EXTENSION}/providers/Microsoft.Authorization/locks/guard"
    raw.send("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2020-05-01")
    raw.send("DELETE", lock, version="2020-05-01")
    raw.send("DELETE", "restorePointCollections/lin-web-1-points/restorePoints/p1")
    simulator.advance(30)
    done = [
        event["operationName"]["value"]
        for event in _events(raw, since).json["value"]
        if event["status"]["value"] == "Succeeded"
    ]
    assert done == [
        "Microsoft.Compute/restorePointCollections/restorePoints/delete",
        "Microsoft.Authorization/locks/delete",
    ]


def test_events_are_cut_by_time_group_and_selection(simulator: Simulator, raw: RawClient) -> None:
    raw.send("DELETE", EXTENSION)
    simulator.advance(30)
    later = f"eventTimestamp ge '{(simulator.clock.wall() + timedelta(hours=1)).isoformat()}'"
    assert _events(raw, later).json["value"] == []
    since = _since(simulator)
    assert _events(raw, f"{since} and resourceGroupName eq 'other'").json["value"] == []
    selected = _events(raw, f"{since} and resourceGroupName eq 'RG-FLEET'", **{"$select": "caller,status"})
    assert {frozenset(event) for event in selected.json["value"]} == {frozenset({"caller", "status"})}


@pytest.mark.parametrize(
    "clauses",
    [
        "",
        "resourceGroupName eq 'rg-fleet'",
        "eventTimestamp ge 'yesterday'",
        "eventTimestamp ge '2026-01-01T00:00:00Z' and caller eq 'me'",
        "eventTimestamp ge '2026-01-01T00:00:00Z' or resourceGroupName eq 'x'",
    ],
)
def test_filters_that_azure_does_not_know_are_refused(raw: RawClient, clauses: str) -> None:
    raw.send("DELETE", EXTENSION)
    answer = _events(raw, clauses)
    assert (answer.status, answer.code) == (400, "BadRequest")


def test_events_can_come_late_as_they_do_in_azure(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"durations": {"activity": 300}, "vms": [{"name": "vm", "snapshot_extension": "present"}]})
    since = _since(simulator)
    raw.send("DELETE", "virtualMachines/vm/extensions/VMSnapshotLinux")
    simulator.advance(60)
    assert _events(raw, since).json["value"] == []
    simulator.advance(300)
    assert len(_events(raw, since).json["value"]) == 3
