"""The fleet file is read strictly: an error names the place and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.azure_simulator import fleet_file, fleet_world
from tests.azure_simulator.clock import ManualClock
from tests.azure_simulator.strict_reader import FleetError


def _vm(**keys: Any) -> dict[str, Any]:
    return {"vms": [{"name": "vm", **keys}]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "fleet must be a mapping"),
        ({"vm": []}, "fleet has unknown keys: vm"),
        ({"vms": {}}, r"fleet\.vms must be a list"),
        ({"vms": [{}]}, r"fleet\.vms\[0\] needs 'name'"),
        (_vm(colour="red"), r"fleet\.vms\[0\] has unknown keys: colour"),
        (_vm(os="beos"), "os must be one of linux, windows, not 'beos'"),
        (_vm(power=True), "power must be a text"),
        (_vm(agent={"state": "ready", "mood": "good"}), r"agent has unknown keys: mood"),
        (_vm(vss="odd"), "vss must be ok, bad or"),
        (_vm(vss={"recovers_after": "2"}), "recovers_after must be a whole number"),
        (_vm(disks={"os": {"sku": "Floppy"}}), r"disks\.os\.sku must be one of"),
        (_vm(disks={"data": [{"size_gb": "big"}]}), r"disks\.data\[0\]\.size_gb must be a whole number"),
        (_vm(extensions=[{"publisher": "x"}]), r"extensions\[0\] needs 'type'"),
        (_vm(points=[{"collection": "c", "name": "p", "age": "soon"}]), r"points\[0\]\.age must be seconds"),
        (_vm(guest={"socket": "/x"}, os="windows"), "only a Linux VM"),
        (_vm(guest={}), r"guest needs 'socket'"),
        (_vm(name="bad name"), "no valid VM name"),
        (_vm(tags={"n": 1}), "tags must hold texts"),
        (_vm(count=3), r"needs \{n\} in its name"),
        (_vm(subscription="00000000-0000-0000-0000-000000000000"), "is not among the fleet's subscriptions"),
        ({"vms": [{"name": "vm"}, {"name": "VM"}]}, "holds 'VM' twice"),
        ({"subscriptions": [{"id": "mine"}]}, r"subscriptions\[0\]\.id must be a GUID"),
        ({"durations": {"create": -1}}, r"durations\.create must not be negative"),
        ({"durations": {"lunch": 1}}, "durations has unknown keys: lunch"),
        ({"rules": {"vss_failure": "maybe"}}, "vss_failure must be one of"),
        ({"rules": {"points_per_vm": "many"}}, "points_per_vm must be a whole number"),
        ({"limits": {"Nothing": {}}}, "does not know the policy 'Nothing'"),
        ({"limits": {"CreateApplicationConsistentRestorePoint": {"size": 1}}}, "unknown keys: size"),
        ({"identities": [{"name": "x", "secrets": [1]}]}, "must be a list of texts"),
    ],
)
def test_mistakes_are_named_with_their_place(document: Any, words: str) -> None:
    with pytest.raises(FleetError, match=words):
        fleet_file.parse(document, "fleet")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="cannot be read"):
        fleet_file.load(tmp_path / "none.yml")
    broken = tmp_path / "broken.yml"
    broken.write_text("vms: [")
    with pytest.raises(FleetError, match="no valid YAML"):
        fleet_file.load(broken)


def test_the_default_fleet_is_mixed() -> None:
    fleet = fleet_file.load(None)
    assert len(fleet.vms) == 12
    assert {vm.os for vm in fleet.vms} == {"linux", "windows"}
    assert {vm.power for vm in fleet.vms} == {"running", "deallocated"}
    assert {vm.snapshot_extension for vm in fleet.vms} == {"present", "absent"}
    assert "bad" in {vm.vss for vm in fleet.vms}


def test_a_count_makes_many_vms_of_one_entry() -> None:
    fleet = fleet_file.parse({"vms": [{"name": "vm-{n}", "count": 120, "os": "windows"}]}, "fleet")
    assert (fleet.vms[0].name, fleet.vms[-1].name, len(fleet.vms)) == ("vm-001", "vm-120", 120)


def test_ages_become_creation_times() -> None:
    points = [{"collection": "c", "name": name, "age": age} for name, age in (("a", "2h"), ("b", "1.5d"), ("c", 90))]
    clock = ManualClock()
    world = fleet_world.build(fleet_file.parse(_vm(points=points), "fleet"), clock)
    made = next(iter(world.points.values()))
    assert [round(clock.now() - made[name].created_at) for name in "abc"] == [7200, 129600, 90]


def test_several_subscriptions_hold_vms_of_the_same_name() -> None:
    ids = ["00000000-0000-4000-a000-00000000000a", "00000000-0000-4000-a000-00000000000b"]
    document = {
        "subscriptions": [{"id": identifier} for identifier in ids],
        "vms": [{"name": "vm", "subscription": identifier} for identifier in ids],
    }
    world = fleet_world.build(fleet_file.parse(document, "fleet"), ManualClock())
    assert len(world.vms) == 2


def test_faults_can_be_on_from_the_start() -> None:
    fleet = fleet_file.parse({"faults": [{"kind": "error", "vm": "vm", "times": 2}], **_vm()}, "fleet")
    world = fleet_world.build(fleet, ManualClock())
    assert [fault["kind"] for fault in world.faults.describe()] == ["error"]
