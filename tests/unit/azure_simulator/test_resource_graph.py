"""Resource Graph: the documented fleet query, its pages, its quota, and where the simulator's Kusto ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure_simulator import Simulator, kusto
from tests.unit.azure_simulator.raw_client import Answer, RawClient

FLEET = """
resources | where type =~ 'microsoft.compute/virtualmachines'
| project vmId=tolower(id), name, location, os=tostring(properties.storageProfile.osDisk.osType)
| join kind=leftouter (resources
  | where type =~ 'microsoft.compute/virtualmachines/extensions'
  | where tostring(properties.publisher) =~ 'Microsoft.Azure.RecoveryServices'
  | project vmId=tolower(substring(id,0,indexof(id,'/extensions'))), ext=name,
    extType=tostring(properties.type), state=tostring(properties.provisioningState)) on vmId
"""
ROWS = [
    {"name": "a", "size": 3, "tags": {"app": "Shop"}, "list": ["x", "y"]},
    {"name": "b", "size": 1, "tags": None, "list": []},
    {"name": "C", "size": 2, "tags": {"app": "mail"}, "list": ["z"]},
]


def _query(raw: RawClient, text: str, **options: Any) -> Answer:
    body: dict[str, Any] = {"query": text, "subscriptions": [raw.simulator.subscription_id]}
    if options:
        body["options"] = {f"${name}" if name != "resultFormat" else name: value for name, value in options.items()}
    return raw.send("POST", "/providers/Microsoft.ResourceGraph/resources", body, version="2021-03-01")


def test_the_fleet_query_joins_vms_with_their_snapshot_extension(raw: RawClient) -> None:
    answer = _query(raw, FLEET).json
    assert (answer["totalRecords"], answer["count"], answer["resultTruncated"]) == (12, 12, "false")
    states = {row["name"]: (row["os"], row["extType"], row["state"]) for row in answer["data"]}
    assert states["win-app-1"] == ("Windows", "VMSnapshot", "Succeeded")
    assert states["lin-db-1"] == ("Linux", None, None)


def test_a_removed_extension_is_no_longer_found(simulator: Simulator, raw: RawClient) -> None:
    raw.send("DELETE", "virtualMachines/win-app-1/extensions/VMSnapshot")
    simulator.advance(30)
    states = {row["name"]: row["state"] for row in _query(raw, FLEET).json["data"]}
    assert states["win-app-1"] is None


def test_pages_are_asked_for_with_a_skip_token(raw: RawClient) -> None:
    text = "resources | where type =~ 'microsoft.compute/virtualmachines' | project id, name"
    found, token = [], None
    while True:
        answer = _query(raw, text, top=5, **({"skipToken": token} if token else {})).json
        found += [row["name"] for row in answer["data"]]
        token = answer.get("$skipToken")
        if token is None:
            break
    assert len(found) == len(set(found)) == 12


def test_without_an_id_there_is_no_next_page(raw: RawClient) -> None:
    answer = _query(raw, "resources | project name", top=5).json
    assert ("$skipToken" in answer, answer["resultTruncated"]) == (False, "true")


def test_the_table_form_has_columns_and_rows(raw: RawClient) -> None:
    data = _query(raw, "resourcecontainers | project name, location", resultFormat="table").json["data"]
    assert [column["name"] for column in data["columns"]] == ["name", "location"]
    assert ["rg-fleet", "westeurope"] in data["rows"]


def test_the_quota_is_15_in_5_seconds(simulator: Simulator, raw: RawClient) -> None:
    first = _query(raw, "resources | take 1")
    assert first.headers["x-ms-user-quota-remaining"] == "14"
    assert first.headers["x-ms-user-quota-resets-after"] == "00:00:05"
    for _ in range(14):
        assert _query(raw, "resources | take 1").status == 200
    refused = _query(raw, "resources | take 1")
    assert (refused.status, refused.code) == (429, "RateLimiting")
    assert refused.headers["x-ms-user-quota-remaining"] == "0"
    simulator.advance(5)
    assert _query(raw, "resources | take 1").status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "InvalidParameter"),
        ({"query": "resources", "options": {"$top": 1001}}, "BadRequest"),
        ({"query": "resources", "options": {"$skipToken": "eA=="}}, "BadRequest"),
        ({"query": "resources", "sort": 1}, "BadRequest"),
    ],
)
def test_bad_requests_are_refused(raw: RawClient, body: Any, code: str) -> None:
    answer = raw.send("POST", "/providers/Microsoft.ResourceGraph/resources", body, version="2021-03-01")
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    "text",
    [
        "nothing | take 1",
        "resources | mv-expand tags",
        "resources | where",
        "resources | where name == 'x",
        "resources | where nosuchcolumn == 1",
        "resources | extend x = parse_json(name)",
        "resources | join kind=fullouter (resources) on id",
        "resources | where " + "(" * 60 + "name" + ")" * 60,
        "resources ; drop",
    ],
)
def test_what_this_kusto_does_not_know_is_refused_and_never_guessed(raw: RawClient, text: str) -> None:
    answer = _query(raw, text)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert answer.json["error"]["details"][0]["code"] == "InvalidQuery"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("where name == 'a'", ["a"]),
        ("where name =~ 'c' or size == 1", ["b", "C"]),
        ("where name !in ('a', 'b')", ["C"]),
        ("where name in~ ('A', 'c')", ["a", "C"]),
        ("where size >= 2 and not(name == 'a')", ["C"]),
        ("where tags.app == 'mail'", ["C"]),
        ("where tags['app'] contains 'HOP'", ["a"]),
        ("where isempty(tags.app)", ["b"]),
        ("where list[0] == 'x'", ["a"]),
        ("where array_length(list) > 0 | order by size asc", ["C", "a"]),
        ("order by name desc | take 2", ["b", "a"]),
        ("extend low = tolower(name) | where low startswith 'c'", ["C"]),
        ("where iff(size > 2, 'big', 'small') == 'big'", ["a"]),
        ("where strcat(name, '-', size) == 'b-1' // a remark", ["b"]),
    ],
)
def test_expressions_mean_what_they_mean_in_kusto(text: str, names: list[str]) -> None:
    rows = kusto.run(f"t | {text}", {"t": lambda: ROWS})
    assert [row["name"] for row in rows] == names


def test_a_join_keeps_both_sides_of_a_shared_name() -> None:
    others = [{"name": "a", "size": 30}, {"name": "a", "size": 31}]
    tables = {"t": lambda: ROWS, "u": lambda: others}
    outer = kusto.run("t | project name, size | join kind=leftouter (u) on name | order by name asc", tables)
    assert [(row["name"], row["size"], row["name1"], row["size1"]) for row in outer] == [
        ("C", 2, None, None),
        ("a", 3, "a", 30),
        ("a", 3, "a", 31),
        ("b", 1, None, None),
    ]
    assert len(kusto.run("t | join kind=inner (u) on $left.name == $right.name", tables)) == 2


def test_rows_are_counted_and_made_distinct() -> None:
    tables = {"t": lambda: ROWS}
    assert kusto.run("t | count", tables) == [{"Count": 3}]
    assert kusto.run("t | summarize n = count() by big = size > 1", tables) == [
        {"big": True, "n": 2},
        {"big": False, "n": 1},
    ]
    assert kusto.run("t | distinct size | take 1", tables) == [{"size": 3}]
    assert kusto.run("t | project tags.app | take 1", tables) == [{"tags_app": "Shop"}]
    assert kusto.run("t | project-away tags, list, size | take 1", tables) == [{"name": "a"}]
