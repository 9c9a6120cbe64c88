# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The snapshot extension against the simulator: installed, repaired, removed, with its guard back every time."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._authorization.locks import lock_path
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.machine import Extension, machine_from_json
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import VmId
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import AppConsistentError, Conflict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.drift import Watch, watch_over
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.guard import (
    LOCK_NAME,
    Guard,
    ensure_guarded,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.guard_lift import TAG
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.presence import (
    ensure_absent,
    ensure_present,
    ensure_put,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.repair import _Repair, repair
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.extension_state import (
    describe_extension,
    state_of,
    view_extension,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish

from tests.azure_simulator import fleet_world
from tests.unit.plugins.conftest import Stage

Json = dict[str, t.Any]
READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
BROKEN = {"linux_scripts": "ok", "snapshot_extension": "failed"}
WISH = Wish(min_interval=timedelta(minutes=20))
BOTH = Guard(policy=True)


def present(azure: Stage, *, check: bool = False) -> Json:
    (target,) = azure.targets("db1")
    return azure.run(lambda arm: ensure_present(arm, target, WISH, check=check))


def repaired(azure: Stage, guard: Guard | None = None, *, wish: Wish = WISH, check: bool = False) -> Json:
    (target,) = azure.targets("db1")
    return azure.run(lambda arm: repair(arm, target, wish, guard or Guard(), "it failed", check=check))


def guard_it(azure: Stage, guard: Guard | None = None) -> None:
    (target,) = azure.targets("db1")
    azure.run(lambda arm: ensure_guarded(arm, target.vm, guard or Guard(), check=False))


def state(azure: Stage) -> str:
    held = azure.simulator.call(lambda world: world.snapshot_extension(next(iter(world.vms))))
    return held.state if held else "Absent"


def locks(azure: Stage) -> list[str]:
    return azure.simulator.call(lambda world: [lock.name for held in world.locks.values() for lock in held.values()])


def tags(azure: Stage) -> list[str]:
    return azure.simulator.call(lambda world: [tag for held in world.collections.values() for tag in held.tags])


def fail_extension(azure: Stage) -> None:
    def change(world: t.Any) -> None:
        (vm,) = world.vms.values()
        world.put_extension(vm.key, fleet_world.snapshot_extension(vm, "Failed"))

    azure.simulator.call(change)


def test_a_missing_extension_comes_with_a_restore_point(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok"})
    result = present(azure)
    assert (result["changed"], result["installed_by"]) == (True, "restore point")
    assert result["snapshot_extension"]["state"] == "healthy"
    assert not present(azure)["changed"]


def test_an_extension_removed_after_the_last_good_point_is_installed_again(azure: Stage) -> None:
    point = {"collection": "old", "name": "nightly", "age": "2h"}
    azure.vms({"name": "db1", **READY, "points": [point]})
    (target,) = azure.targets("db1")
    azure.run(lambda arm: ensure_present(arm, target, WISH, check=False))
    azure.take("db1", wish=Wish())
    azure.run(lambda arm: ensure_absent(arm, target.vm, "by mistake", check=False))
    assert state(azure) == "Absent"
    with pytest.raises(AppConsistentError, match=r"too early|too old"):
        present(azure)
    now = Wish(min_interval=timedelta(0))
    result = azure.run(lambda arm: ensure_present(arm, target, now, check=False))
    assert result["changed"]
    assert state(azure) == "Succeeded"


def test_an_updating_extension_is_waited_for(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok", "snapshot_extension": "updating"})
    (target,) = azure.targets("db1")

    async def story(arm: Arm) -> Json:
        async def finish() -> None:
            await arm.clock.sleep(8)
            azure.simulator.call(_succeed)

        done, _nothing = await asyncio.gather(ensure_present(arm, target, WISH, check=False), finish())
        return done

    result = azure.run(story)
    assert not result["changed"]
    assert result["snapshot_extension"]["state"] == "healthy"


def _succeed(world: t.Any) -> None:
    for key, held in world.extensions.items():
        for extension in [*held.values()]:
            world.put_extension(key, replace(extension, state="Succeeded"))


def test_a_failed_extension_is_an_error_that_names_the_repair(azure: Stage) -> None:
    azure.vms({"name": "db1", **BROKEN})
    with pytest.raises(AppConsistentError, match="is Failed: Extension failed to enable") as failed:
        present(azure)
    assert "state=repaired" in failed.value.advice


@pytest.mark.parametrize("guard", [Guard(), BOTH])
def test_a_repair_takes_the_guard_down_and_puts_it_back(azure: Stage, guard: Guard) -> None:
    azure.vms({"name": "db1", **READY}, durations={"policy": 60})
    guard_it(azure, guard)
    fail_extension(azure)
    result = repaired(azure, guard)
    assert result["steps"] == ["lifted the guard", "removed the extension", "put the guard back"]
    assert result["guard"] == {"was_guarded": True, "restored": True}
    assert state(azure) == "Succeeded"
    assert locks(azure) == [LOCK_NAME]
    assert tags(azure) == []
    kinds = azure.simulator.call(lambda world: [held["type"].rpartition("/")[2] for held in world.policies.values()])
    assert "policyExemptions" not in kinds


def test_a_repair_without_a_guard_sets_none(azure: Stage) -> None:
    azure.vms({"name": "db1", **BROKEN})
    result = repaired(azure)
    assert result["guard"] == {"was_guarded": False, "restored": False}
    assert (state(azure), locks(azure), tags(azure)) == ("Succeeded", [], [])


def test_check_mode_plans_a_repair_and_writes_nothing(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    before = azure.simulator.writes
    result = repaired(azure, check=True)
    assert result["changed"]
    assert result["guard"]["restored"]
    assert azure.simulator.writes == before


@pytest.mark.parametrize("change", [{"power": "deallocated"}, {"agent": "not_ready"}])
def test_nothing_is_removed_that_azure_could_not_install_again(azure: Stage, change: Json) -> None:
    azure.vms({"name": "db1", **BROKEN, **change})
    with pytest.raises(AppConsistentError, match="was left as it is"):
        repaired(azure)
    assert azure.simulator.writes == []


def test_a_repair_that_would_come_too_early_removes_nothing(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.take("db1")
    before = azure.simulator.writes
    with pytest.raises(AppConsistentError, match="would come too early after appconsistent-") as early:
        repaired(azure)
    assert "set min_interval" in early.value.advice
    assert azure.simulator.writes == before


def test_a_foreign_lock_in_the_way_is_named_and_left_alone(azure: Stage) -> None:
    azure.vms({"name": "db1", **BROKEN})
    vm = azure.simulator.vm_id("db1")

    async def lock(arm: Arm) -> None:
        body = {"properties": {"level": "CanNotDelete"}}
        await arm.request("PUT", lock_path(vm, "finance"), "2020-05-01", doing="lock", body=body)

    azure.run(lock)
    before = azure.simulator.writes
    with pytest.raises(Conflict, match=r"finance \(CanNotDelete\) on db1"):
        repaired(azure)
    assert azure.simulator.writes == before


def test_the_guard_is_back_when_the_removal_fails(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.simulator.add_fault("operation_fails", operation="extension_delete")
    with pytest.raises(AppConsistentError, match="delete the extension"):
        repaired(azure)
    assert locks(azure) == [LOCK_NAME]
    assert tags(azure) == []


def test_the_guard_is_back_when_the_restore_point_fails_after_the_installation(azure: Stage) -> None:
    azure.vms({"name": "sql", "os": "windows", "vss": "bad", "snapshot_extension": "present"})
    (target,) = azure.targets("sql")
    azure.run(lambda arm: ensure_guarded(arm, target.vm, Guard(), check=False))
    with pytest.raises(AppConsistentError, match="Could not get the snapshot extension installed"):
        azure.run(lambda arm: repair(arm, target, WISH, Guard(), "a test", check=False))
    assert state(azure) == "Succeeded"
    assert locks(azure) == [LOCK_NAME]


def test_an_extension_that_does_not_come_back_leaves_no_half_guard_unsaid(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.simulator.add_fault("operation_fails", operation="restore_point_create")
    with pytest.raises(AppConsistentError) as failed:
        repaired(azure)
    assert state(azure) == "Absent"
    assert "There is no extension to guard now" in failed.value.advice
    assert tags(azure) == ["appconsistent-guard-lifted"]
    azure.simulator.clear_faults()
    again = repaired(azure, wish=Wish(min_interval=timedelta(0)))
    assert again["guard"] == {"was_guarded": True, "restored": True}
    assert (state(azure), locks(azure), tags(azure)) == ("Succeeded", [LOCK_NAME], [])


def test_a_guard_that_cannot_be_put_back_is_shouted_about(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.simulator.add_fault("denied", action="Microsoft.Authorization/locks/write")
    with pytest.raises(AppConsistentError, match="its guard is not back") as failed:
        repaired(azure)
    assert "The guard is NOT back" in failed.value.advice
    assert tags(azure) == ["appconsistent-guard-lifted"]


def test_an_installation_by_hand_ends_as_failed_and_says_why(azure: Stage) -> None:
    azure.vms({"name": "db1", "linux_scripts": "ok"})
    (target,) = azure.targets("db1")
    with pytest.raises(AppConsistentError) as failed:
        azure.run(lambda arm: ensure_put(arm, target, "1.0", check=False))
    assert "VMSnapshotLinux" in str(failed.value)


def test_the_states_of_an_extension_are_told_apart() -> None:
    vm = VmId("00000000-0000-0000-0000-000000000001", "rg", "db1")

    def machine(provisioning: str | None, handlers: list[Json] | None) -> str:
        agent: Json = {"statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}]}
        if handlers is not None:
            agent["extensionHandlers"] = handlers
        properties: Json = {"publisher": "Microsoft.Azure.RecoveryServices", "type": "VMSnapshotLinux"}
        resource = {
            "id": "/x/extensions/e",
            "name": "e",
            "properties": {**properties, "provisioningState": provisioning},
        }
        body: Json = {
            "properties": {"instanceView": {"vmAgent": agent, "statuses": [{"code": "PowerState/running"}]}},
            "resources": [resource] if provisioning else [],
        }
        found = machine_from_json(vm, body)
        assert describe_extension(view_extension(found))["state"] == state_of(found)
        return state_of(found)

    ready = {"type": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux", "status": {"displayStatus": "Ready"}}
    not_ready = {**ready, "status": {"displayStatus": "Not Ready"}}
    assert machine(None, []) == "missing"
    assert machine("Updating", [ready]) == "updating"
    assert machine("Failed", [not_ready]) == "failed"
    assert machine("Succeeded", []) == "disabled"
    assert machine("Succeeded", [not_ready]) == "disabled"
    assert machine("Succeeded", [ready]) == "healthy"
    assert machine("Succeeded", None) == "healthy"


def interrupted(azure: Stage, *, when: str, times: int = 1) -> None:
    """Cancel a repair as soon as its extension is in that state; raise what the repair then raises."""
    (target,) = azure.targets("db1")

    async def story(arm: Arm) -> None:
        task = asyncio.create_task(repair(arm, target, WISH, Guard(), "interrupted", check=False))
        while await asyncio.to_thread(state, azure) != when:
            await arm.clock.sleep(0.1)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        await task

    azure.run(story)


@pytest.mark.parametrize("times", [1, 3])
def test_the_guard_is_back_when_the_repair_is_interrupted(azure: Stage, times: int) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.simulator.add_fault("operation_hangs", operation="extension_delete")
    with pytest.raises(asyncio.CancelledError):
        interrupted(azure, when="Deleting", times=times)
    assert locks(azure) == [LOCK_NAME]
    assert tags(azure) == []


def test_an_interrupted_repair_says_what_is_left_unguarded(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.simulator.add_fault("operation_hangs", operation="restore_point_create")
    with pytest.raises(AppConsistentError, match="was told to end") as ended:
        interrupted(azure, when="Absent")
    assert "There is no extension to guard now" in ended.value.advice
    assert locks(azure) == []
    assert tags(azure) == [TAG]


def test_an_interrupted_repair_says_that_its_guard_could_not_be_put_back(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    azure.simulator.add_fault("operation_hangs", operation="extension_delete")
    azure.simulator.add_fault("denied", action="Microsoft.Authorization/locks/write")
    with pytest.raises(AppConsistentError, match="was told to end") as ended:
        interrupted(azure, when="Deleting")
    assert "The guard is NOT back" in ended.value.advice


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the run goes on after it."""


def kill(azure: Stage, monkeypatch: pytest.MonkeyPatch, guard: Guard, *, removed: bool) -> None:
    """Let a repair die right before or right after the removal, without its own putting back."""
    remove = _Repair._remove

    async def die(run: _Repair, extension: Extension) -> None:
        if removed:
            await remove(run, extension)
        raise Killed

    async def nothing(_run: _Repair) -> str:
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(_Repair, "_remove", die)
        patch.setattr(_Repair, "_put_back", nothing)
        with pytest.raises(Killed):
            repaired(azure, guard)
    assert locks(azure) == []
    assert tags(azure) == [TAG]


@pytest.mark.parametrize("guard", [Guard(), BOTH])
@pytest.mark.parametrize("removed", [False, True])
def test_a_repair_after_one_that_was_killed_puts_the_guard_back(
    azure: Stage, monkeypatch: pytest.MonkeyPatch, guard: Guard, removed: bool
) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure, guard)
    kill(azure, monkeypatch, guard, removed=removed)
    result = repaired(azure, guard)
    assert result["guard"] == {"was_guarded": True, "restored": True}
    assert (state(azure), locks(azure), tags(azure)) == ("Succeeded", [LOCK_NAME], [])
    kinds = azure.simulator.call(lambda world: [held["type"].rpartition("/")[2] for held in world.policies.values()])
    assert "policyExemptions" not in kinds


@pytest.mark.parametrize("removed", [False, True])
def test_the_guards_next_run_after_the_end_of_a_killed_repair_heals_what_it_left(
    azure: Stage, monkeypatch: pytest.MonkeyPatch, removed: bool
) -> None:
    azure.vms({"name": "db1", **READY})
    guard_it(azure)
    kill(azure, monkeypatch, Guard(), removed=removed)
    (target,) = azure.targets("db1")
    watch = Watch(Guard(), Wish(min_interval=timedelta(0)), grace=timedelta(0))
    before = azure.run(lambda arm: watch_over(arm, target, watch, check=False)).describe()
    assert "repair: it failed" in str(before)
    assert locks(azure) == []
    azure.lapse()
    azure.run(lambda arm: watch_over(arm, target, watch, check=False))
    assert (state(azure), locks(azure), tags(azure)) == ("Succeeded", [LOCK_NAME], [])
