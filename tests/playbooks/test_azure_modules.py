# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The Azure modules as a user meets them: in a playbook."""

from __future__ import annotations

import json
import os
import typing as t
from datetime import timedelta

import pytest
import yaml

from tests.playbooks.conftest import ROOT, Controller

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
NAMESPACE = "appconsistent.azure"
AZURE_MODULES = (
    "restore_point",
    "restore_point_info",
    "restore_points",
    "snapshot_extension",
    "snapshot_extension_guard",
    "snapshot_extension_info",
)


def task(module: str, _name: str = "", **options: t.Any) -> dict[str, t.Any]:
    keywords: dict[str, t.Any] = {
        key: options.pop(key) for key in ("run_once", "register", "environment") if key in options
    }
    return {"name": _name or module, f"{NAMESPACE}.{module}": options, **keywords}


ALL_OF_THEM = (
    task("restore_point", "make a point", name="p"),
    task("restore_point", "remove a point", name="old", state="absent", collection_name="kept"),
    task("restore_point_info", "list points", all_collections=True),
    task("restore_points", "take points", run_once=True),
    task("snapshot_extension", "have it installed"),
    task("snapshot_extension", "remove it", state="absent", reason="a test"),
    task("snapshot_extension_guard", "guard it"),
    task("snapshot_extension_info", "look at it"),
)


def test_check_mode_sends_no_write_whatever_the_module(controller: Controller) -> None:
    old = {"collection": "kept", "name": "old", "age": "9h", "resource_group": "rg-fleet"}
    controller.fleet({"name": "db1", **READY, "points": [old]}, {"name": "new", "linux_scripts": "ok"})
    run = controller.play(*ALL_OF_THEM, hosts="db1", arguments=["--check", "--diff"])
    assert run.status == 0, run.output
    assert {result.task for result in run.results} == {t["name"] for t in ALL_OF_THEM}
    assert {module.split(".")[-1] for t in ALL_OF_THEM for module in t if module.startswith(NAMESPACE)} == set(
        AZURE_MODULES
    )
    assert run.of("make a point").result["changed"]
    assert run.of("remove a point").result["changed"]
    assert run.of("remove it").result["changed"]
    install = controller.play(task("snapshot_extension"), hosts="new", arguments=["--check"])
    assert install.of("snapshot_extension").result["changed"]
    assert controller.simulator.writes == []


def test_the_fleet_task_shows_progress_and_a_table_and_gives_each_host_its_verdict(controller: Controller) -> None:
    controller.fleet(
        {"name": "db1", **READY},
        {"name": "db2", **READY},
        {"name": "off", **READY, "power": "deallocated"},
    )
    roles = [{"role": f"{NAMESPACE}.restore_points", "restore_points_progress_interval": "1s"}]
    run = controller.play(roles=roles)
    assert run.status == 2
    assert "restore points: 3 of 3 done; 2 reached, 1 refused" in run.output
    assert "2 of 3 VMs have what was asked for." in run.output
    verdict = "This machine has what was asked for"
    assert [run.of(verdict, host).outcome for host in ("db1", "db2", "off")] == ["ok", "ok", "failed"]
    assert "refused: The VM is deallocated" in run.of(verdict, "off").result["msg"]
    again = controller.play(roles=roles)
    assert again.changed == []


def test_the_limit_is_respected_and_never_skips_in_silence(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    run = controller.play(task("restore_points", run_once=True), arguments=["--limit", "db2"])
    assert list(run.of("restore_points").result["hosts"]) == ["db2"]


def test_serial_works_batch_by_batch(controller: Controller) -> None:
    controller.fleet(*({"name": f"db{number}", **READY} for number in range(3)))
    run = controller.play(task("restore_points", run_once=True), serial=2)
    batches = [sorted(result.result["hosts"]) for result in run.results]
    assert batches == [["db0", "db1"], ["db2"]]


def test_the_extension_is_installed_by_one_restore_point_which_is_then_fresh(controller: Controller) -> None:
    controller.fleet({"name": "new", "linux_scripts": "ok", "snapshot_extension": "absent"})
    run = controller.play(
        task("snapshot_extension", "install"),
        task("snapshot_extension", "again"),
        task("restore_points", "points", run_once=True),
    )
    assert run.status == 0, run.output
    installed = run.of("install").result
    assert (installed["changed"], installed["installed_by"]) == (True, "restore point")
    assert installed["snapshot_extension"]["healthy"]
    assert not run.of("again").result["changed"]
    assert run.of("points").result["hosts"]["new"]["verdict"] == "fresh"


def test_the_guard_makes_azure_refuse_the_removal(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    run = controller.play(
        task("snapshot_extension_guard", "guard it"),
        task("snapshot_extension_guard", "once more"),
        {**task("snapshot_extension", "removal", state="absent", reason="a test"), "ignore_errors": True},
        task("snapshot_extension_guard", "lift it", state="absent"),
        task("snapshot_extension", "removal for repair", state="absent", reason="a test"),
    )
    assert run.of("guard it").result["changed"]
    assert not run.of("once more").result["changed"]
    refused = run.of("removal").result
    assert refused["failure"]["code"] == "ScopeLocked"
    assert "Could not delete the extension VMSnapshotLinux of the VM db1" in refused["msg"]
    assert run.of("lift it").result["changed"]
    assert run.of("removal for repair").result["changed"]


def test_one_point_is_made_listed_kept_and_removed(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    run = controller.play(
        task("restore_point", "make", name="before-upgrade"),
        task("restore_point", "keep", name="before-upgrade"),
        task("restore_point_info", "list"),
        task("restore_point", "remove", name="before-upgrade", state="absent"),
        task("restore_point", "gone", name="before-upgrade", state="absent"),
    )
    assert run.status == 0, run.output
    assert [run.of(name).result["changed"] for name in ("make", "keep", "list", "remove", "gone")] == [
        True,
        False,
        False,
        True,
        False,
    ]
    (point,) = run.of("list").result["restore_points"]
    assert point["consistency_mode"] == "ApplicationConsistent"
    assert run.of("list").result["latest_application_consistent"]["name"] == "before-upgrade"


def test_a_point_is_copied_to_another_region(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    copy = {"name": "copy", "collection_name": "copies", "location": "northeurope", "timeout": "30m"}
    run = controller.play(
        task("restore_point", "make", name="p", register="made"),
        task("restore_point", "copy", source_restore_point="{{ made.restore_point.id }}", **copy),
        task("restore_point", "copy again", source_restore_point="{{ made.restore_point.id }}", **copy),
    )
    assert run.status == 0, run.output
    assert run.of("copy").result["restore_point"]["source_restore_point"].endswith("/restorePoints/p")
    assert not run.of("copy again").result["changed"]


def test_a_degraded_point_fails_the_task_and_is_shown_as_what_it_is(controller: Controller) -> None:
    controller.fleet({"name": "db1", "linux_scripts": "missing", "snapshot_extension": "present"})
    run = controller.play(task("restore_point", name="p"))
    failed = run.of("restore_point")
    assert failed.outcome == "failed"
    assert failed.result["consistency_reached"] == "FileSystemConsistent"
    assert failed.result["degraded"]
    assert "has no restore point p as asked for (degraded)" in failed.result["msg"]


def test_credentials_can_be_given_once_as_module_defaults(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    defaults = {
        "client_id": controller.environment.pop("AZURE_CLIENT_ID"),
        "secret": controller.environment.pop("AZURE_SECRET"),
        "tenant": controller.environment.pop("AZURE_TENANT"),
    }
    run = controller.play(
        task("snapshot_extension_info"), module_defaults={f"group/{NAMESPACE}.azure": defaults}, arguments=["-vvv"]
    )
    assert run.status == 0, run.output
    assert defaults["secret"] not in run.output


def test_credentials_can_be_given_in_the_tasks_environment(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    secret = controller.environment.pop("AZURE_SECRET")
    run = controller.play(task("snapshot_extension_info", environment={"AZURE_SECRET": secret}))
    assert run.status == 0, run.output


def test_a_managed_identity_signs_in_when_asked_for(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    for name in ("AZURE_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT"):
        del controller.environment[name]
    controller.environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = controller.simulator.arm_url
    run = controller.play(task("snapshot_extension_info", auth_source="msi"))
    assert run.status == 0, run.output


def test_the_azure_clis_login_is_used_when_nothing_else_is_given(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    for name in ("AZURE_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT"):
        del controller.environment[name]
    # The real azure-identity calls a program of this name and reads what it prints.
    program = controller.folder / "bin" / "az"
    program.parent.mkdir()
    token = controller.token()
    answer = {"accessToken": token, "expires_on": 4102444800, "tokenType": "Bearer"}
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    program.chmod(0o700)
    controller.environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    run = controller.play(task("snapshot_extension_info"))
    assert run.status == 0, run.output
    assert token not in run.output


def examples(module: str) -> list[dict[str, t.Any]]:
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    return list(yaml.safe_load(source.split('EXAMPLES = r"""')[1].split('"""')[0]))


@pytest.mark.parametrize("module", AZURE_MODULES)
def test_the_documented_examples_run(controller: Controller, module: str) -> None:
    scratch = {"name": "scratch", "sku": "Premium_LRS"}
    controller.fleet(
        {"name": "db1", **READY, "disks": {"data": [scratch]}},
        rules={"retry_after": 1, "stopped_vm": "crash_consistent"},
    )
    items = examples(module)
    plays = items if "hosts" in items[0] else [{"hosts": "all", "gather_facts": False, "tasks": items}]
    path = controller.folder / "examples.yml"
    path.write_text(yaml.safe_dump([{**play, "hosts": "all"} for play in plays]))
    given = {
        "change_number": 4711,
        "partner_subscription_id": "00000000-0000-4000-a000-00000000000b",
        "partner_tenant_id": controller.simulator.tenant_id,
        "partner_client_id": controller.simulator.client_id,
        "partner_secret": controller.simulator.client_secret,
    }
    run = controller.run(str(path), "-e", json.dumps(given))
    assert run.status == 0, run.output


def test_a_controller_whose_clock_is_wrong_is_told_and_deletes_nothing(controller: Controller) -> None:
    controller.fleet({"name": "db1", "linux_scripts": "ok"})
    controller.simulator.call(lambda world: world.clock.shift(timedelta(hours=-2)))
    try:
        run = controller.play({"name": "take", "appconsistent.azure.restore_points": {"keep": 1}, "run_once": True})
    finally:
        controller.simulator.call(lambda world: world.clock.shift(timedelta(hours=2)))
    told = "This machine's clock is 2 h ahead of Azure's"
    assert f"{told}. Ages are reckoned by Azure's clock." in " ".join(run.output.split())
    pruned = run.of("take").result["hosts"]["db1"]["retention"]
    assert pruned["warning"] == f"{told}, so no old point was deleted"
