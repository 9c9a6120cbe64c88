"""The simulator's answers against the official examples and the recorded run, where that material is at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import Answer, RawClient
from tests.unit.azure_simulator.schema_check import EXAMPLES, SHAPES, SchemaCheck

pytestmark = pytest.mark.skipif(
    not SHAPES.is_dir(), reason=f"needs the published API shapes and examples in {SHAPES}, which are not there"
)

# What an example shows and the simulator does not, and why that is right.
NOT_SHOWN = {
    "extensions.statuses.message": "shown where an extension has something to say",
    "platformUpdateDomain": "only VMs in availability sets have one",
    "platformFaultDomain": "only VMs in availability sets have one",
    "bootDiagnostics": "no storage account behind it",
    "patchStatus.lastPatchInstallationSummary": "no patches are installed here",
    "patchStatus.configurationStatuses": "no patches are installed here",
    "patchStatus.availablePatchSummary": "only rebootPending is kept",
    "properties.protectedSettings": "Azure never returns them, whatever the generated example shows",
}


def _example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def _paths(value: Any, place: str = "") -> Iterator[str]:
    """Every member's place, list positions left out."""
    if isinstance(value, dict):
        for name, held in value.items():
            path = f"{place}.{name}" if place else name
            yield path
            yield from _paths(held, path)
    elif isinstance(value, list):
        for held in value:
            yield from _paths(held, place)


def _missing(example: Any, shown: Any) -> set[str]:
    there = set(_paths(shown))
    return {
        path
        for path in _paths(example)
        if path not in there and not any(path == known or path.startswith(f"{known}.") for known in NOT_SHOWN)
    }


@pytest.fixture
def example_fleet(simulator: Simulator, raw: RawClient) -> RawClient:
    """The VM of the examples, as far as they agree with each other."""
    vm = {
        "name": "myVM",
        "resource_group": "myResourceGroup",
        "location": "norwayeast",
        "os": "windows",
        "snapshot_extension": "present",
        "user_data": "c2FtcGxlIHVzZXJEYXRh",
        "disks": {"os": {"name": "osDisk123"}, "data": [{"name": "dataDisk123"}, {"name": "disk123"}]},
    }
    simulator.reset({"vms": [vm]})
    raw.group = raw.group.replace("rg-fleet", "myResourceGroup")
    return raw


def _with_ids(body: Any, raw: RawClient) -> Any:
    return json.loads(json.dumps(body).replace("{subscription-id}", raw.simulator.subscription_id))


def _collection(raw: RawClient) -> tuple[Any, Answer]:
    example = _example("RestorePointCollection_CreateOrUpdate")
    body = _with_ids(example["parameters"]["parameters"], raw)
    return example, raw.send("PUT", "restorePointCollections/rpcName", body, example["parameters"]["api-version"])


def _point(raw: RawClient) -> tuple[Any, Answer]:
    example = _example("RestorePoint_Create")
    body = _with_ids(example["parameters"]["parameters"], raw)
    path = "restorePointCollections/rpcName/restorePoints/rpName"
    return example, raw.send("PUT", path, body, example["parameters"]["api-version"])


def test_the_example_of_a_collection_is_answered_in_its_form(example_fleet: RawClient) -> None:
    example, made = _collection(example_fleet)
    assert made.status == 201
    assert _missing(example["responses"]["201"]["body"], made.json) == set()
    again = _collection(example_fleet)[1]
    assert (again.status, _missing(example["responses"]["200"]["body"], again.json)) == (200, set())


def test_the_example_of_a_point_is_answered_in_its_form(example_fleet: RawClient) -> None:
    _collection(example_fleet)
    example, made = _point(example_fleet)
    assert made.status == 201
    example_fleet.simulator.advance(60)
    shown = example_fleet.get("restorePointCollections/rpcName/restorePoints/rpName")
    assert _missing(example["responses"]["201"]["body"], shown) == set()
    # The first answer lacks nothing but the ids of the copies, as recorded.
    early = _missing(example["responses"]["201"]["body"], made.json)
    assert {path.rsplit("diskRestorePoint", 1)[1] for path in early} == {"", ".id"}


def test_the_examples_of_reading_are_answered_in_their_form(example_fleet: RawClient) -> None:
    _collection(example_fleet)
    _point(example_fleet)
    example_fleet.simulator.advance(60)
    base = "restorePointCollections/rpcName"
    points = {"$expand": "restorePoints"}
    answers = {
        "RestorePointCollection_Get": example_fleet.get(base),
        "RestorePointCollection_Get_WithContainedRestorePoints": example_fleet.get(base, **points),
        "RestorePointCollection_ListByResourceGroup": example_fleet.get("restorePointCollections"),
        "RestorePoint_Get": example_fleet.get(f"{base}/restorePoints/rpName"),
        "RestorePoint_Get_WithInstanceView": example_fleet.get(
            f"{base}/restorePoints/rpName", **{"$expand": "instanceView"}
        ),
        "VirtualMachine_Get_InstanceView": example_fleet.get("virtualMachines/myVM/instanceView"),
    }
    missing = {name: _missing(_example(name)["responses"]["200"]["body"], shown) for name, shown in answers.items()}
    assert missing == {name: set() for name in answers}


def test_the_examples_of_a_copy_are_answered_in_their_form(example_fleet: RawClient) -> None:
    _collection(example_fleet)
    _point(example_fleet)
    example_fleet.simulator.advance(60)
    text = json.dumps(_example("RestorePointCollection_CreateOrUpdate_ForCrossRegionCopy"))
    example = json.loads(text.replace("sourceRpcName", "rpcName"))
    body = _with_ids(example["parameters"]["parameters"], example_fleet)
    made = example_fleet.send("PUT", "restorePointCollections/far", {**body, "location": "eastus"}, "2026-03-01")
    assert (made.status, _missing(example["responses"]["201"]["body"], made.json)) == (201, set())
    text = json.dumps(_example("RestorePoint_Copy_BetweenRegions"))
    example = json.loads(text.replace("sourceRpcName", "rpcName").replace("sourceRpName", "rpName"))
    body = _with_ids(example["parameters"]["parameters"], example_fleet)
    path = "restorePointCollections/far/restorePoints/copy"
    assert example_fleet.send("PUT", path, body, "2026-03-01").status == 201
    example_fleet.simulator.advance(300)
    assert _missing(example["responses"]["201"]["body"], example_fleet.get(path)) == set()


def test_the_examples_of_disk_restore_points_are_answered_in_their_form(example_fleet: RawClient) -> None:
    _collection(example_fleet)
    _point(example_fleet)
    example_fleet.simulator.advance(60)
    base = "restorePointCollections/rpcName/restorePoints/rpName/diskRestorePoints"
    disk = example_fleet.get(base, version="2026-03-02")["value"][0]
    example = _example("DiskRestorePoint_Get_WithInstantAccess")
    assert _missing(example["responses"]["200"]["body"], disk) == set()
    example = _example("DiskRestorePoint_BeginGetAccess")
    body = example["parameters"]["grantAccessData"]
    begun = example_fleet.send("POST", f"{base}/{disk['name']}/beginGetAccess", body, "2026-03-02")
    assert (begun.status, set(example["responses"]["202"]["headers"]) <= set(begun.headers)) == (202, True)
    example_fleet.simulator.advance(10)
    result = example_fleet.follow(begun.headers["Location"]).json
    assert set(result) == set(example["responses"]["200"]["body"])


def test_the_example_of_an_extension_is_answered_in_its_form(example_fleet: RawClient) -> None:
    example = _example("VirtualMachineExtension_CreateOrUpdate_MaximumSet_Gen")
    body = example["parameters"]["extensionParameters"]
    body["properties"] |= {
        "publisher": "Microsoft.Compute",
        "type": "CustomScriptExtension",
        "typeHandlerVersion": "1.10",
    }
    path = "virtualMachines/myVM/extensions/script"
    made = example_fleet.send("PUT", path, body)
    assert made.status == 201
    example_fleet.simulator.advance(30)
    shown = example_fleet.get(path, **{"$expand": "instanceView"})
    wanted = example["responses"]["200"]["body"]
    # A status has a message and a time, and substatuses, where its handler gives them.
    optional = {"substatuses", "message", "time"}
    missing = {path for path in _missing(wanted, shown) if not optional & set(path.split("."))}
    assert missing == set()


def test_deletes_answer_with_a_status_of_the_examples(example_fleet: RawClient) -> None:
    _collection(example_fleet)
    _point(example_fleet)
    example_fleet.simulator.advance(60)
    for path, name in (
        ("restorePointCollections/rpcName/restorePoints/rpName", "RestorePoint_Delete_MaximumSet_Gen"),
        ("restorePointCollections/rpcName", "RestorePointCollection_Delete_MaximumSet_Gen"),
    ):
        allowed = _example(name)["responses"]
        deleted = example_fleet.send("DELETE", path)
        assert str(deleted.status) in allowed
        assert {header.lower() for header in allowed["202"]["headers"]} <= {
            header.lower() for header in deleted.headers
        }
        example_fleet.simulator.advance(30)
        assert str(example_fleet.send("DELETE", path).status) in allowed


def _policies(header: str) -> list[str]:
    return [part.partition(";")[0] for part in header.split(",")]


def test_the_recorded_run_is_replayed_step_by_step(raw: RawClient) -> None:
    """Statuses, members and header names of the one real run that is on record."""
    steps = json.loads((SHAPES / "recorded-restore-point-flow.json").read_text())["steps"]
    recorded = [step["response"] for step in steps if "response" in step]
    base = "restorePointCollections/lin-web-1-points"
    point = f"{base}/restorePoints/p1"
    answers = [raw.make_collection("lin-web-1")]
    answers.append(raw.make_point("lin-web-1", "p1", {"properties": {"consistencyMode": "CrashConsistent"}}))
    answers.append(raw.follow(answers[-1].headers["Azure-AsyncOperation"]))
    raw.simulator.advance(200)
    answers.append(raw.send("GET", point))
    answers.append(raw.send("GET", base, **{"$expand": "restorePoints"}))
    answers.append(raw.send("DELETE", point))
    poll = answers[-1].headers["Azure-AsyncOperation"]
    raw.simulator.advance(30)
    answers.append(raw.follow(poll))
    assert len(answers) == len(recorded)
    for answer, wanted in zip(answers, recorded, strict=True):
        assert answer.status == wanted.get("status", 200)
        names = {name.lower() for name in answer.headers}
        assert set(wanted.get("headers", {})) <= names
        policies = wanted.get("headers", {}).get("x-ms-ratelimit-remaining-resource")
        if policies is not None:
            assert _policies(policies) == _policies(answer.headers["x-ms-ratelimit-remaining-resource"])
        there = set(_paths(answer.json)) if answer.body else set()
        assert {path.replace("[]", "") for path in wanted.get("body-keys", [])} <= there
        if "provisioningState" in wanted:
            assert answer.json["properties"]["provisioningState"] == wanted["provisioningState"]
        if isinstance(wanted.get("body"), dict):
            assert set(wanted["body"]) == set(answer.json)


def test_the_shape_check_can_fail(schema_check: SchemaCheck, raw: RawClient) -> None:
    """A check that takes everything proves nothing: each kind of mistake is found."""
    path = f"{raw.group}/restorePointCollections/c"
    good = {"name": "c", "location": "westeurope", "properties": {"provisioningState": "Succeeded"}}
    schema_check.check("GET", path, 200, json.dumps(good).encode())
    mistakes: list[tuple[int, Any]] = [
        (200, {**good, "colour": "red"}),
        (200, {**good, "location": 7}),
        (200, {"name": "c"}),
        (200, {**good, "properties": {"source": {"name": "x"}}}),
        (206, good),
        (404, {"code": "bare"}),
        (404, {"error": {"code": "", "message": "x"}}),
    ]
    for status, body in mistakes:
        with pytest.raises((AssertionError, KeyError)):
            schema_check.check("GET", path, status, json.dumps(body).encode())


def test_the_shape_check_was_at_work(schema_check: SchemaCheck, raw: RawClient) -> None:
    before = schema_check.checked
    answer = raw.send("GET", "virtualMachines/lin-web-1", **{"$expand": "instanceView"})
    path = f"{raw.group}/virtualMachines/lin-web-1"
    schema_check.check("GET", path, answer.status, answer.body)
    assert schema_check.checked == before + 1
