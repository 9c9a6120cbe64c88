# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Readiness, guard, repair and diagnosis as a user meets them: in playbooks."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from tests.azure_simulator import fleet_world
from tests.playbooks.conftest import ROOT, Controller

NAMESPACE = "appconsistent.azure"
READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
FAILED = {"linux_scripts": "ok", "snapshot_extension": "failed"}
BROKEN = {"publisher": "Contoso", "type": "Monitor", "state": "Failed", "message": "exit 1."}
MODULES = ("snapshot_extension_guard_info", "snapshot_extension_guards", "snapshot_readiness_info")


def task(module: str, _name: str = "", **options: t.Any) -> dict[str, t.Any]:
    keywords: dict[str, t.Any] = {
        key: options.pop(key) for key in ("run_once", "register", "ignore_errors") if key in options
    }
    return {"name": _name or module, f"{NAMESPACE}.{module}": options, **keywords}


def locks(controller: Controller) -> list[str]:
    return controller.simulator.call(lambda world: sorted(scope.split("/")[8] for scope in world.locks))


def remove(controller: Controller, vm: str) -> None:
    """Somebody removes the guard and the extension, past us."""
    run = controller.play(
        task("snapshot_extension_guard", "lift", state="absent"),
        task("snapshot_extension", "remove", state="absent", reason="by mistake"),
        hosts=vm,
    )
    assert run.status == 0, run.output


def test_the_readiness_playbook_tells_each_host_what_is_in_its_way(controller: Controller) -> None:
    controller.fleet(
        {"name": "good", **READY},
        {"name": "off", "power": "deallocated"},
        {"name": "bad", **READY, "extensions": [BROKEN]},
    )
    run = controller.run(f"{NAMESPACE}.readiness")
    assert run.status == 2
    verdict = "This machine is ready"
    assert [run.of(verdict, host).outcome for host in ("good", "off", "bad")] == ["ok", "failed", "failed"]
    assert "Monitor" in run.of(verdict, "bad").result["msg"]
    assert "1 of 3 VMs are ready." in run.output
    assert controller.simulator.writes == []


def test_the_guard_playbook_heals_a_fleet_and_a_second_run_changes_nothing(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY}, {"name": "new", "linux_scripts": "ok"})
    both = ("-e", "guard_method=both")
    first = controller.run(f"{NAMESPACE}.guard", "-e", "guard_grace=0s", *both)
    assert first.status == 0, first.output
    assert locks(controller) == ["db1", "db2", "new"]
    assert "snapshot extensions: 3 of 3 done" in first.output
    assert "is not in force yet: Azure needs up to 30 min" in " ".join(first.output.split())
    second = controller.run(f"{NAMESPACE}.guard", *both)
    assert second.changed == []
    assert "not in force yet" not in " ".join(second.output.split())


def test_the_guard_playbook_works_on_the_machine_of_an_event_only(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    uri = f"{controller.simulator.vm_id('db2')}/extensions/VMSnapshotLinux".upper()
    run = controller.run(f"{NAMESPACE}.guard", "-e", f"resource_uri={uri}")
    assert run.status == 0, run.output
    assert locks(controller) == ["db2"]
    nobody = controller.run(f"{NAMESPACE}.guard", "-e", "resource_uri=/subscriptions/x/y/extensions/VMSnapshotLinux")
    assert "No machine of this inventory belongs to" in nobody.output


def test_check_mode_of_the_fleets_guard_sends_no_write(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "new", "linux_scripts": "ok"})
    run = controller.play(task("snapshot_extension_guards", method="both", run_once=True), arguments=["--check"])
    assert run.status == 0, run.output
    assert run.of("snapshot_extension_guards").result["changed"]
    assert controller.simulator.writes == []


def test_a_policy_that_may_not_be_assigned_leaves_the_locks_and_says_so(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.simulator.add_fault("denied", action="Microsoft.Authorization/policyAssignments/write")
    run = controller.play(task("snapshot_extension_guards", method="both", run_once=True))
    hosts = run.of("snapshot_extension_guards").result["hosts"]
    assert {host["verdict"] for host in hosts.values()} == {"half-guarded"}
    assert "policyAssignments/write" in hosts["db1"]["cause"]
    assert locks(controller) == ["db1", "db2"]


def test_an_azure_that_does_not_answer_is_one_error(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.environment["AZURE_CLOUD_ENVIRONMENT"] = "https://127.0.0.1:1"
    run = controller.play(task("snapshot_readiness_info", run_once=True))
    assert run.status == 2
    assert "127.0.0.1:1" in run.of("snapshot_readiness_info").result["msg"]


def test_a_removed_extension_comes_back_and_the_remover_is_named(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.play(task("snapshot_extension_guard"))
    remove(controller, "db1")
    info = controller.play(task("snapshot_extension_guard_info"))
    removed = info.of("snapshot_extension_guard_info").result["snapshot_extension_guard"]["removed"]
    assert removed["extension"]["caller"] == controller.simulator.client_id
    run = controller.play(task("snapshot_extension_guards", grace="0s", run_once=True))
    host = run.of("snapshot_extension_guards").result["hosts"]["db1"]
    assert (host["verdict"], host["extension_state"]) == ("healed", "healthy")
    assert locks(controller) == ["db1"]


def test_a_repair_puts_the_guard_back(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.play(task("snapshot_extension_guard", method="both"))

    def fail(world: t.Any) -> None:
        (vm,) = world.vms.values()
        world.put_extension(vm.key, fleet_world.snapshot_extension(vm, "Failed"))

    controller.simulator.call(fail)
    run = controller.play(
        task("snapshot_extension", "look", ignore_errors=True),
        task("snapshot_extension", "repair", state="repaired", reason="it failed", method="both"),
        task("snapshot_extension", "look again"),
    )
    assert run.status == 0, run.output
    assert "is Failed" in run.of("look").result["msg"]
    assert run.of("repair").result["guard"] == {"restored": True, "was_guarded": True}
    assert run.of("look again").result["snapshot_extension"]["state"] == "healthy"
    assert locks(controller) == ["db1"]


def test_break_glass_needs_a_reason_and_says_until_when(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    run = controller.play(
        task("snapshot_extension_guard", "guard"),
        task("snapshot_extension_guard", "no reason", state="lifted", ignore_errors=True),
        task("snapshot_extension_guard", "too long", state="lifted", reason="x", lift_for="9d", ignore_errors=True),
        task("snapshot_extension_guard", "lift", state="lifted", reason="change 4711", lift_for="2h"),
        task("snapshot_extension_guard", "next run"),
        task("snapshot_extension_guard", "end it", end_lift=True),
    )
    assert run.status == 0, run.output
    assert "reason" in run.of("no reason").result["msg"]
    assert "up to 7 days" in run.of("too long").result["msg"]
    assert run.of("lift").result["snapshot_extension_guard"]["lifted"]["reason"] == "change 4711"
    assert not run.of("next run").result["changed"]
    assert run.of("end it").result["snapshot_extension_guard"]["guarded"]


def test_the_diagnose_playbook_says_the_next_step_first(controller: Controller) -> None:
    controller.fleet(
        {"name": "good", **READY},
        {"name": "bad", **READY, "extensions": [BROKEN]},
        {"name": "gone", **READY},
        {"name": "failed", **FAILED},
    )
    controller.play(task("snapshot_extension_guard"), hosts="gone")
    remove(controller, "gone")
    # Nobody listens there: the guests cannot be reached.
    nowhere = {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_connection": "ssh", "ansible_timeout": 5}
    controller.variables = {name: dict(nowhere) for name in ("good", "bad", "gone", "failed")}
    before = controller.simulator.writes
    run = controller.run(f"{NAMESPACE}.diagnose")
    assert controller.simulator.writes == before
    told = {host: run.of("Say what to do next", host).result["msg"] for host in ("bad", "gone", "failed")}
    assert told["bad"][0] == "bad: Repair or remove the extension Monitor, then run this again."
    assert "was removed by" in told["gone"][1]
    assert "state=repaired" in told["failed"][0]
    assert any("Not looked at: the guest" in line for line in told["bad"])
    assert not [result for result in run.results if result.task.endswith("next") and result.host == "good"]


def test_a_failed_attempt_is_explained_in_the_same_play_without_a_look_into_the_guest(controller: Controller) -> None:
    controller.fleet({"name": "sql", "os": "windows", "vss": "bad", "snapshot_extension": "present"})
    run = controller.play(
        task("restore_points", "take", run_once=True, register="restore_points_result"),
        {
            "name": "explain",
            "ansible.builtin.include_role": {"name": f"{NAMESPACE}.diagnose"},
            "vars": {"diagnose_guest": False},
        },
    )
    assert run.status == 0, run.output
    told = run.of("Say what to do next", "sql").result["msg"]
    assert told[0].startswith("sql: Restart the services")
    assert "Seen: VMRestorePointClientError" in "".join(told)
    assert not any("Not looked at" in line for line in told)


@pytest.mark.parametrize("module", MODULES)
def test_the_documented_examples_run(controller: Controller, module: str) -> None:
    controller.fleet({"name": "db1", **READY}, rules={"retry_after": 1})
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    items = yaml.safe_load(source.split('EXAMPLES = r"""')[1].split('"""')[0])
    plays = items if "hosts" in items[0] else [{"hosts": "all", "gather_facts": False, "tasks": items}]
    path = controller.folder / "examples.yml"
    path.write_text(yaml.safe_dump([{**play, "hosts": "all"} for play in plays]))
    run = controller.run(str(path))
    assert run.status == 0, run.output
