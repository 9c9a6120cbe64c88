"""Collections: bound to one VM for good, deleted with all that is in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient


def test_a_collection_is_made_at_once(simulator: Simulator, raw: RawClient) -> None:
    made = raw.make_collection("lin-web-1")
    assert made.status == 201
    assert "Azure-AsyncOperation" not in made.headers
    properties = made.json["properties"]
    assert properties["provisioningState"] == "Succeeded"
    # Display case in the source, lower case outside, as recorded.
    assert (made.json["location"], properties["source"]["location"]) == ("westeurope", "WestEurope")
    assert properties["source"]["id"] == simulator.vm_id("lin-web-1")
    assert len(properties["restorePointCollectionId"]) == 36
    again = raw.make_collection("lin-web-1")
    assert (again.status, again.json) == (200, made.json)


def test_a_collection_never_changes_its_vm(raw: RawClient) -> None:
    raw.make_collection("lin-web-1", "shared")
    other = raw.make_collection("lin-web-2", "shared")
    assert (other.status, other.code) == (409, "PropertyChangeNotAllowed")
    assert "lin-web-1" in raw.get("restorePointCollections/shared")["properties"]["source"]["id"]


def test_a_source_in_another_case_is_the_same_source(simulator: Simulator, raw: RawClient) -> None:
    raw.make_collection("lin-web-1", "c1")
    source = {"id": simulator.vm_id("lin-web-1").upper()}
    again = raw.send("PUT", "restorePointCollections/c1", {"location": "WestEurope", "properties": {"source": source}})
    assert again.status == 200


def test_tags_can_change_and_points_are_kept(raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    changed = raw.send("PATCH", "restorePointCollections/lin-web-1-points", {"tags": {"owner": "me"}})
    assert (changed.status, changed.json["tags"]) == (200, {"owner": "me"})
    assert raw.point("lin-web-1", "p1")["provisioningState"] == "Succeeded"


def test_points_show_only_when_expanded(raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    assert "restorePoints" not in raw.get("restorePointCollections/lin-web-1-points")["properties"]
    shown = raw.get("restorePointCollections/lin-web-1-points", **{"$expand": "restorePoints"})
    assert [held["name"] for held in shown["properties"]["restorePoints"]] == ["p1"]
    listed = raw.get("restorePointCollections", **{"$expand": "restorePoints"})["value"]
    assert all("restorePoints" not in held["properties"] for held in listed)
    refused = raw.send("GET", "restorePointCollections/lin-web-1-points", **{"$expand": "instanceView"})
    assert (refused.status, refused.code) == (400, "InvalidParameter")


def test_foreign_collections_are_listed_with_the_subscription(raw: RawClient) -> None:
    path = f"{raw.subscription}/providers/Microsoft.Compute/restorePointCollections"
    names = {held["name"] for held in raw.get(path)["value"]}
    assert names == {"win-fresh-1-appconsistent", "AzureBackup_win-foreign-1_4398046583345"}
    assert {held["name"] for held in raw.get("restorePointCollections")["value"]} == {"win-fresh-1-appconsistent"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (None, 400, "MissingRequestBody"),
        ([], 400, "InvalidRequestContent"),
        ({"properties": {"source": {"id": "x"}}}, 400, "InvalidParameter"),
        ({"location": "westeurope"}, 400, "InvalidParameter"),
        ({"location": "westeurope", "properties": {"source": {"id": "not an id"}}}, 400, "InvalidParameter"),
        ({"location": "westeurope", "colour": "red", "properties": {}}, 400, "BadRequest"),
        ({"location": 7, "properties": {}}, 400, "BadRequest"),
    ],
)
def test_bad_collections_are_refused(raw: RawClient, body: Any, status: int, code: str) -> None:
    answer = raw.send("PUT", "restorePointCollections/bad", body)
    assert (answer.status, answer.code) == (status, code)


def test_a_body_that_is_no_json_is_refused(raw: RawClient) -> None:
    assert raw.send("GET", "restorePointCollections").status == 200
    answer = raw.exchange(
        "PUT",
        f"{raw.group}/restorePointCollections/bad?api-version=2025-04-01",
        b'{"location": ',
        Authorization=f"Bearer {raw.token}",
    )
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


def test_a_collection_of_no_vm_or_in_another_region_is_refused(simulator: Simulator, raw: RawClient) -> None:
    missing = {"id": f"{raw.group}/virtualMachines/none"}
    answer = raw.send("PUT", "restorePointCollections/c", {"location": "westeurope", "properties": {"source": missing}})
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    elsewhere = {"id": simulator.vm_id("lin-web-1")}
    answer = raw.send("PUT", "restorePointCollections/c", {"location": "eastus", "properties": {"source": elsewhere}})
    assert (answer.status, answer.code) == (400, "InvalidParameter")
    raw.make_collection("lin-web-1", "c")
    answer = raw.send("PUT", "restorePointCollections/c", {"location": "eastus", "properties": {"source": elsewhere}})
    assert (answer.status, answer.code) == (409, "InvalidResourceLocation")


def test_instant_access_is_known_from_its_version_on(raw: RawClient) -> None:
    made = raw.make_collection("lin-web-1", instantAccess=True)
    assert made.json["properties"]["instantAccess"] is True
    source = {"source": {"id": made.json["properties"]["source"]["id"]}, "instantAccess": True}
    body = {"location": "westeurope", "properties": source}
    old = raw.send("PUT", "restorePointCollections/other", body, version="2024-11-01")
    assert (old.status, old.code) == (400, "BadRequest")


def test_deleting_a_collection_deletes_its_points(simulator: Simulator, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    deleted = raw.send("DELETE", "restorePointCollections/lin-web-1-points")
    assert deleted.status == 202
    assert raw.get("restorePointCollections/lin-web-1-points")["properties"]["provisioningState"] == "Deleting"
    simulator.advance(30)
    assert raw.send("GET", "restorePointCollections/lin-web-1-points").status == 404
    assert raw.send("GET", "restorePointCollections/lin-web-1-points/restorePoints/p1").status == 404
    assert raw.send("DELETE", "restorePointCollections/lin-web-1-points").status == 204


def test_a_collection_marked_for_deletion_takes_nothing_more(raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    raw.send("DELETE", "restorePointCollections/lin-web-1-points")
    for answer in (raw.make_point("lin-web-1", "p1"), raw.make_collection("lin-web-1")):
        assert (answer.status, answer.code) == (409, "OperationNotAllowed")
        assert "marked for deletion" in answer.message
