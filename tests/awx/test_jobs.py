# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The playbooks as jobs: inventories, limits, slices, results for later nodes, and what AWX makes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import yaml
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place

from tests.awx import definitions
from tests.awx.jobs import MAX_EVENT_RES, ROOT, Awx, Inventory, Json

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
TAKE = "awx/project/restore_points.yml"
VERIFY = "awx/project/verify.yml"
REPORT = "awx/project/report.yml"
# What the inventory plugin azure_rm of azure.azcollection 3 says of a machine, besides its id and name.
AZURE_RM: Json = {
    "availability_zone": None,
    "computer_name": "db1",
    "creation_time": "2026-01-01T00:00:00.0000000+00:00",
    "data_disks": [],
    "default_inventory_hostname": "db1_0f3a",
    "image": {"offer": "debian-12", "publisher": "Debian", "sku": "12", "version": "latest"},
    "location": "westeurope",
    "mac_address": ["00-0D-3A-00-00-01"],
    "network_interface": ["db1-nic"],
    "os_disk": {"id": None, "name": "db1-os", "operating_system_type": "linux"},
    "os_profile": {"system": "linux"},
    "plan": None,
    "powerstate": "running",
    "private_ipv4_addresses": ["10.0.0.4"],
    "provisioning_state": "succeeded",
    "public_dns_hostnames": [],
    "public_ipv4_addresses": [],
    "resource_group": "rg-fleet",
    "resource_type": "Microsoft.Compute/virtualMachines",
    "security_group": [],
    "tags": {"application": "shop"},
    "virtual_machine_size": "Standard_D4s_v5",
    "vmid": "6a4b1c52-0000-4000-a000-000000000001",
    "vmss": {},
}


def points(awx: Awx) -> list[str]:
    """The machines whose points Azure holds, one entry for each point."""
    held = awx.simulator.call(lambda world: [name for points in world.points.values() for name in points.values()])
    return sorted(point.id.split("/")[8].rsplit("-", 1)[0] for point in held)


def test_every_machine_gets_its_own_verdict_and_a_relaunch_takes_up_those_that_fell_short(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "db2", **READY}, {"name": "off", **READY, "power": "deallocated"})
    first = awx.launch(TAKE)
    assert first.status == "failed"
    assert first.failed_hosts == ["off"]
    assert points(awx) == ["db1", "db2"]
    assert any("refused: The VM is deallocated" in message for message in first.messages)

    awx.simulator.call(lambda world: world.vms.update({k: replace(vm, power="running") for k, vm in world.vms.items()}))
    before = len(awx.simulator.requests)
    again = awx.launch(TAKE, limit=",".join(first.failed_hosts))
    assert again.status == "successful", again.stdout
    assert points(awx) == ["db1", "db2", "off"]
    asked = {seen.path.lower() for seen in awx.simulator.requests[before:]}
    assert not any("/db1" in path or "/db2" in path for path in asked)


def test_an_empty_work_list_fails(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    jobs = [
        awx.launch(TAKE, inventory=Inventory({}, {})),
        awx.launch(TAKE, variables={"appconsistent_hosts": "nobody"}),
        awx.launch(TAKE, limit="db1", variables={"appconsistent_hosts": "db2"}),
    ]
    assert [job.status for job in jobs] == ["failed"] * 3
    assert all("so nothing would be done" in job.messages[0] for job in jobs)
    assert awx.simulator.requests == []


# Playbooks that only others import.
PARTS = ("work_list", "restore_named")


def test_every_playbook_for_machines_begins_with_the_look_at_its_work_list() -> None:
    for path in (ROOT / "playbooks").glob("*.yml"):
        first = yaml.safe_load(path.read_text())[0]
        # Without machines, one puts the others into AWX, and one joins what jobs said, and fails if none did.
        if path.stem not in ("awx_deploy", "report", *PARTS):
            assert first.get("ansible.builtin.import_playbook") == "work_list.yml", path


def test_a_limit_that_matches_nobody_fails(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    assert awx.launch(TAKE, limit="nobody").status == "failed"


def test_slices_share_the_work_and_nobody_does_it_twice(awx: Awx) -> None:
    names = [f"db{number}" for number in range(5)]
    awx.fleet(*({"name": name, **READY} for name in names))
    jobs = awx.launch_sliced(TAKE, 3)
    assert [job.status for job in jobs] == ["successful"] * 3
    assert [sorted(job.summaries("ok")) for job in jobs] == [["db0", "db3"], ["db1", "db4"], ["db2"]]
    assert points(awx) == names
    assert all(list(job.artifacts) == [f"appconsistent_points_{job.id}"] for job in jobs)


def test_a_sliced_run_is_reported_as_one_by_the_next_node(awx: Awx) -> None:
    names = [f"db{number}" for number in range(4)]
    awx.fleet(*({"name": name, **READY} for name in names), {"name": "off", **READY, "power": "deallocated"})
    handed: Json = {}
    for job in awx.launch_sliced(TAKE, 3):
        handed |= job.artifacts
    report = awx.launch(REPORT, variables=handed)
    assert report.failed_hosts == ["db0"]  # it runs once, for all of them
    assert "4 of 5 machines have what was asked for, as 3 jobs say." in report.stdout
    assert "refused: The VM is deallocated" in report.stdout
    whole = report.artifacts["appconsistent_report"]
    assert (whole["total"], whole["ok"], sorted(whole["hosts"])) == (5, 4, [*names, "off"])


def test_the_latest_job_about_a_machine_counts_in_the_report(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    bad, good = (
        {"db1": {"ok": ok, "verdict": verdict, "cause": "x"}} for ok, verdict in ((False, "failed"), (True, "fresh"))
    )
    handed = {"appconsistent_points_9": {"hosts": bad}, "appconsistent_points_10": {"hosts": good}}
    report = awx.launch(REPORT, variables=handed, limit="db1")
    assert report.status == "successful", report.stdout


def test_a_report_about_nothing_fails(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    report = awx.launch(REPORT)
    assert report.status == "failed"
    assert "No job handed its results to this one" in report.messages[0]


def test_verify_makes_nothing_and_fails_where_there_is_no_good_point(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    awx.launch(TAKE, limit="db1")
    assert points(awx) == ["db1"]
    before = awx.simulator.writes
    job = awx.launch(VERIFY)
    assert job.failed_hosts == ["db2"]
    assert "There is no restore point of the schedule appconsistent that is ApplicationConsistent" in job.messages[0]
    assert awx.simulator.writes == before
    told = job.artifacts[f"appconsistent_points_{job.id}"]["hosts"]
    assert {name: (host["ok"], host["verdict"]) for name, host in told.items()} == {
        "db1": (True, "fresh"),
        "db2": (False, "planned"),
    }


def test_check_mode_sends_nothing(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "db2", "linux_scripts": "ok", "snapshot_extension": "absent"})
    names = ("prepare", "guard", "restore_points")
    plays = [{"ansible.builtin.import_playbook": f"appconsistent.azure.{name}"} for name in names]
    job = awx.launch(awx.playbook(yaml.safe_dump(plays)), check=True, diff=True)
    assert awx.simulator.writes == []
    would = {
        (event["event_data"]["host"], event["event_data"]["resolved_action"].removeprefix("appconsistent.azure."))
        for event in job.events
        if event["event"] == "runner_on_ok" and event["event_data"]["res"].get("changed")
    }
    assert would >= {("db1", "snapshot_extension_guard"), ("db2", "snapshot_extension")}
    # A machine that lacks something is no failure of a plan that would bring it.
    assert job.status == "successful", job.stdout


def test_prepare_brings_the_extension_and_its_guard(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "new", "linux_scripts": "ok", "snapshot_extension": "absent"})
    job = awx.launch("awx/project/prepare.yml")
    assert job.status == "successful", job.stdout
    held = awx.simulator.call(
        lambda world: sorted(vm.name for vm in world.vms.values() if world.extensions.get(vm.key))
    )
    assert held == ["db1", "new"]
    assert awx.simulator.call(lambda world: len(world.locks)) == 2


def old_points(awx: Awx, *ages: str) -> Json:
    """A machine with points of the schedule nightly, in the collection that the product looks for."""
    awx.fleet({"name": "db1", **READY})
    where = Place().of(parse_vm_id(awx.simulator.vm_id("db1"), "db1"))
    return {
        "name": "db1",
        **READY,
        "points": [
            {"collection": where.name, "resource_group": where.group, "name": f"nightly--{age}", "age": age}
            for age in ages
        ],
    }


def point_names(awx: Awx) -> list[str]:
    held = awx.simulator.call(lambda world: [p for points in world.points.values() for p in points.values()])
    return sorted(point.name for point in held)


def test_pruning_deletes_what_the_plan_named_and_keeps_the_last_good_ones(awx: Awx) -> None:
    awx.fleet(old_points(awx, "5h", "3d", "9d", "12d"))
    answers = {"restore_points_schedule": "nightly", "restore_points_keep": 2, "restore_points_keep_good": 1}
    plan = awx.launch("awx/project/prune.yml", check=True, variables=answers)
    assert plan.status == "successful", plan.stdout
    assert awx.simulator.writes == []
    assert "Would delete nightly--12d, nightly--9d; 2 of the schedule stay" in " ".join(plan.stdout.split())
    prune = awx.launch("awx/project/prune.yml", variables=answers)
    assert "Deleted nightly--12d, nightly--9d; 2 of the schedule stay" in " ".join(prune.stdout.split())
    assert point_names(awx) == ["nightly--3d", "nightly--5h"]


def test_pruning_without_a_word_on_what_to_keep_fails(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    job = awx.launch("awx/project/prune.yml")
    assert "Nothing says which restore points may go." in job.messages[0]
    assert awx.simulator.requests == []


def test_survey_answers_reach_the_role(awx: Awx) -> None:
    awx.fleet(
        {"name": "off", **READY, "power": "deallocated"}, rules={"retry_after": 1, "stopped_vm": "crash_consistent"}
    )
    (template,) = (each for each in definitions.of("controller_templates") if each["name"] == "Restore points - take")
    # AWX gives each question that is not answered its default.
    answers = {question["variable"]: question["default"] for question in template["survey_spec"]["spec"]}
    answers |= {"restore_points_consistency": "CrashConsistent", "restore_points_schedule": "stopped"}
    job = awx.launch(TAKE, variables=answers)
    assert job.status == "successful", job.stdout
    (short,) = job.artifacts.values()
    assert short["hosts"]["off"]["reached"] == "CrashConsistent"
    assert short["hosts"]["off"]["point"].startswith("stopped-")


def test_a_template_in_a_survey_answer_stays_text(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    job = awx.launch(TAKE, variables={"restore_points_schedule_key": "{{ 6 * 7 }}"})
    assert job.status == "failed"
    assert "schedule and schedule_key together" in job.stdout


def test_a_playbook_of_the_collection_runs_by_its_name_on_host_variables_of_azcollection(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    hosts = {
        name: {**AZURE_RM, "id": variables["azure_vm_id"], "name": name}
        for name, variables in awx.inventory().hosts.items()
    }
    job = awx.launch("appconsistent.azure.restore_points", inventory=Inventory(hosts, {}))
    assert job.status == "successful", job.stdout
    assert points(awx) == ["db1"]


def test_progress_arrives_while_the_job_runs_and_lines_stay_short(awx: Awx) -> None:
    awx.fleet(*({"name": f"db{number}", **READY} for number in range(3)))
    job = awx.launch(TAKE, variables={"restore_points_progress_interval": "1s"})
    told = [event["stdout"] for event in job.events if event["event"] == "verbose"]
    assert any("restore points: 3 of 3 done" in line for line in told)
    assert max(len(line) for line in job.stdout.splitlines()) < 1024


def test_a_large_fleets_result_fits_into_what_awx_keeps(awx: Awx) -> None:
    names = [f"machine-with-a-long-name-{number:04}" for number in range(40)]
    awx.fleet(*({"name": name, **READY, "power": "deallocated"} for name in names))
    job = awx.launch(TAKE, variables={"restore_points_quiet": "yes"})
    (event,) = [e for e in job.events if e["event"] == "runner_on_ok" and "ansible_stats" in e["event_data"]["res"]]
    (short,) = job.artifacts.values()
    assert list(short["hosts"]) == names
    # All of them are short of something, and what is kept of each is the same: so a slice of 1,000 machines hands its
    # results on, and the task's own result, with all that was found, is shown up to 300.
    for kept, machines in ((short, 1000), (event["event_data"]["res"], 300)):
        assert len(json.dumps(kept)) / len(names) * machines < MAX_EVENT_RES


def test_every_playbook_that_a_job_may_run_has_its_wrapper() -> None:
    wrappers = {
        path.stem: path for path in (ROOT / "awx" / "project").glob("*.yml") if "appconsistent" not in path.name
    }
    # One puts the others into AWX.
    assert wrappers.keys() == {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - {"awx_deploy", *PARTS}
    for name, wrapper in wrappers.items():
        assert wrapper.read_text().rsplit("appconsistent.azure.", 1)[1].strip() == name


def test_a_job_runs_the_collection_of_its_image_though_the_project_is_this_repository(awx: Awx) -> None:
    shown = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, shown.split("\0")):
        source, copy = ROOT / name, awx.project / name
        if source.exists() or source.is_symlink():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    asked = "{{ lookup('ansible.builtin.config', 'COLLECTIONS_PATHS') | to_json }}"
    task = {"name": "Paths", "ansible.builtin.debug": {"msg": asked}, "run_once": True}
    own = awx.playbook(json.dumps([{"name": "Look", "hosts": "all", "gather_facts": False, "tasks": [task]}]))
    awx.fleet({"name": "one"})

    def searched() -> list[str]:
        events = awx.launch(own).events
        return next(
            json.loads(event["event_data"]["res"]["msg"]) for event in events if event["event"] == "runner_on_ok"
        )

    assert not [path for path in searched() if Path(path).is_relative_to(awx.project)]
    # Any ansible.cfg at the root would be taken.
    (awx.project / "ansible.cfg").write_text("[defaults]\ncollections_path = .tree\n")
    assert str(awx.project / ".tree") in searched()
