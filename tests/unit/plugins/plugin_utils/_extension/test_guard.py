# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The guard against the simulator: a lock, a policy, both; drift, break-glass, and what others left there."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._authorization.locks import lock_path
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.machine import read_machine
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import (
    AppConsistentError,
    AzureError,
    Conflict,
    InvalidInput,
    NotFound,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.guard import (
    LOCK_NAME,
    Guard,
    ensure_guarded,
    ensure_lifted,
    ensure_unguarded,
    read_state,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.presence import ensure_absent
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.explain import next_step_after

from tests.unit.plugins.conftest import Stage

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
LOCK = Guard()
POLICY = Guard(lock=False, policy=True)
BOTH = Guard(policy=True)
HOUR = timedelta(hours=1)
Json = dict[str, t.Any]


def guarded(azure: Stage, guard: Guard = LOCK, vm: str = "db1", **how: t.Any) -> Json:
    (target,) = azure.targets(vm)
    return azure.run(lambda arm: ensure_guarded(arm, target.vm, guard, **{"check": False, **how}))


def unguarded(azure: Stage, guard: Guard = LOCK, vm: str = "db1") -> Json:
    (target,) = azure.targets(vm)
    return azure.run(lambda arm: ensure_unguarded(arm, target.vm, guard, check=False))


def lifted(azure: Stage, guard: Guard = LOCK, span: timedelta = HOUR, *, check: bool = False) -> Json:
    (target,) = azure.targets("db1")
    return azure.run(lambda arm: ensure_lifted(arm, target.vm, guard, "change 4711", span, check=check))


def removed(azure: Stage, vm: str = "db1") -> None:
    (target,) = azure.targets(vm)
    azure.run(lambda arm: ensure_absent(arm, target.vm, "a test", check=False))


def locks(azure: Stage) -> list[str]:
    return azure.simulator.call(lambda world: [lock.id for held in world.locks.values() for lock in held.values()])


def put_lock(azure: Stage, scope: str, name: str, level: str = "CanNotDelete", notes: str = "keep out") -> None:
    async def story(arm: Arm) -> None:
        body = {"properties": {"level": level, "notes": notes}}
        await arm.request("PUT", lock_path(scope, name), "2020-05-01", doing="lock", body=body)

    azure.run(story)


def extension_id(azure: Stage) -> str:
    return f"{azure.simulator.vm_id('db1')}/extensions/VMSnapshotLinux"


@pytest.mark.parametrize(("guard", "code"), [(LOCK, "ScopeLocked"), (POLICY, "RequestDisallowedByPolicy")])
def test_each_kind_of_guard_makes_azure_refuse_the_removal(azure: Stage, guard: Guard, code: str) -> None:
    azure.vms({"name": "db1", **READY})
    assert guarded(azure, guard)["snapshot_extension_guard"]["guarded"]
    with pytest.raises(AzureError) as refused:
        removed(azure)
    assert refused.value.code == code


@pytest.mark.parametrize("guard", [LOCK, POLICY, BOTH])
def test_a_second_run_changes_nothing(azure: Stage, guard: Guard) -> None:
    azure.vms({"name": "db1", **READY})
    assert guarded(azure, guard)["changed"]
    before = azure.simulator.writes
    assert not guarded(azure, guard)["changed"]
    assert azure.simulator.writes == before


@pytest.mark.parametrize("guard", [LOCK, POLICY, BOTH])
def test_check_mode_sends_no_write(azure: Stage, guard: Guard) -> None:
    azure.vms({"name": "db1", **READY})
    planned = guarded(azure, guard, check=True)
    assert planned["changed"]
    assert planned["snapshot_extension_guard"]["guarded"]
    assert planned["diff"]["before"] != planned["diff"]["after"]
    assert azure.simulator.writes == []
    guarded(azure, guard)
    before = azure.simulator.writes
    assert lifted(azure, guard, check=True)["changed"]
    assert azure.simulator.writes == before


def test_the_lock_stands_at_the_extension_and_nowhere_else(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure)
    (lock,) = locks(azure)
    assert lock.lower() == lock_path(extension_id(azure), LOCK_NAME).lower()


def test_one_policy_guards_every_machine_of_the_group_and_leaves_other_extensions_alone(azure: Stage) -> None:
    other = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript"}
    azure.vms({"name": "db1", **READY, "extensions": [other]}, {"name": "db2", **READY})
    guarded(azure, POLICY)
    assert not guarded(azure, POLICY, vm="db2")["changed"]
    with pytest.raises(AzureError, match="RequestDisallowedByPolicy"):
        removed(azure, "db2")

    async def remove_other(arm: Arm) -> int:
        path = f"{azure.simulator.vm_id('db1')}/extensions/CustomScript"
        return (await arm.request("DELETE", path, "2024-11-01", doing="remove it")).status

    assert azure.run(remove_other) == 202


def test_a_policy_for_the_whole_subscription_reaches_other_groups(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "far", "resource_group": "rg-far", **READY})
    wide = Guard(lock=False, policy=True, subscription_wide=True)
    guarded(azure, wide)
    with pytest.raises(AzureError, match="RequestDisallowedByPolicy"):
        removed(azure, "far")


def test_taking_the_guard_away_lets_the_removal_through(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure, BOTH)
    assert unguarded(azure, BOTH)["changed"]
    assert not unguarded(azure, BOTH)["changed"]
    removed(azure)
    assert azure.simulator.call(lambda world: len(world.policies)) == 0


def test_a_removed_guard_is_put_back_by_the_next_run(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure)
    unguarded(azure)
    assert locks(azure) == []
    assert guarded(azure)["changed"]
    assert len(locks(azure)) == 1


def test_break_glass_lasts_until_its_end_and_the_next_run_restores_the_guard(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure)
    result = lifted(azure)
    assert result["snapshot_extension_guard"]["lifted"]["reason"] == "change 4711"
    assert not result["snapshot_extension_guard"]["guarded"]
    meanwhile = guarded(azure)
    assert not meanwhile["changed"]
    assert meanwhile["snapshot_extension_guard"]["lifted"]
    assert not lifted(azure)["changed"]
    azure.lapse()
    restored = guarded(azure)
    assert restored["changed"]
    assert restored["snapshot_extension_guard"]["guarded"]
    assert not restored["snapshot_extension_guard"]["lifted"]


def test_break_glass_can_be_ended_early(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure, BOTH)
    lifted(azure, BOTH)
    removed_check = guarded(azure, BOTH, end_lift=True)
    assert removed_check["changed"]
    assert removed_check["snapshot_extension_guard"]["guarded"]
    with pytest.raises(AzureError):
        removed(azure)


def test_a_lifted_policy_ends_by_itself(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "db2", **READY})
    guarded(azure, POLICY)
    lifted(azure, POLICY)
    with pytest.raises(AzureError, match="RequestDisallowedByPolicy"):
        removed(azure, "db2")
    azure.lapse()
    with pytest.raises(AzureError, match="RequestDisallowedByPolicy"):
        removed(azure)


def test_the_note_of_a_lift_keeps_the_other_tags(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.take("db1")
    guarded(azure)

    def tag(world: t.Any) -> None:
        for collection in list(world.collections.values()):
            world.put_collection(replace(collection, tags={"owner": "dba"}))

    azure.simulator.call(tag)
    lifted(azure)
    guarded(azure, end_lift=True)
    assert azure.simulator.call(lambda world: [dict(c.tags) for c in world.collections.values()]) == [{"owner": "dba"}]


def tags_replaced(azure: Stage) -> None:
    def replaced(world: t.Any) -> None:
        for collection in list(world.collections.values()):
            world.put_collection(replace(collection, tags={"owner": "dba"}))

    azure.simulator.call(replaced)


@pytest.mark.parametrize("guard", [POLICY, BOTH], ids=["policy", "both"])
def test_a_lift_outlives_the_collections_tags_in_the_exemption(azure: Stage, guard: Guard) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure, guard)
    lifted(azure, guard)
    tags_replaced(azure)
    meanwhile = guarded(azure, guard)
    assert not meanwhile["changed"]
    assert meanwhile["snapshot_extension_guard"]["lifted"]["reason"] == "change 4711"
    assert guarded(azure, guard, end_lift=True)["snapshot_extension_guard"]["guarded"]


def test_a_lift_of_a_lock_whose_note_is_lost_is_noticed(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    first = guarded(azure, look_back=HOUR)
    assert first["snapshot_extension_guard"]["findings"] == []
    lifted(azure)
    tags_replaced(azure)
    (finding,) = guarded(azure, look_back=HOUR)["snapshot_extension_guard"]["findings"]
    assert finding["code"] == "lock_was_removed"
    assert "no note says that the guard is lifted; " in finding["message"]
    assert "removed it at" in finding["message"]


def test_a_lift_that_came_to_its_end_is_no_loss(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure)
    lifted(azure)
    azure.lapse()
    assert guarded(azure, look_back=2 * HOUR)["snapshot_extension_guard"]["findings"] == []


def test_who_removed_a_lock_is_said_to_be_unknown_without_the_right_to_the_log(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault("denied", action="Microsoft.Insights/eventtypes/values/read")
    (finding,) = guarded(azure, look_back=HOUR)["snapshot_extension_guard"]["findings"]
    assert finding["code"] == "removal_unread"
    assert "eventtypes" in finding["message"]


def test_a_foreign_lock_of_the_same_name_is_neither_changed_nor_removed(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    put_lock(azure, extension_id(azure), LOCK_NAME)
    result = guarded(azure)
    assert not result["changed"]
    assert result["snapshot_extension_guard"]["guarded"]
    with pytest.raises(Conflict, match="somebody else set it"):
        unguarded(azure)
    with pytest.raises(Conflict, match="somebody else set it"):
        lifted(azure)


def test_a_foreign_lock_of_the_same_name_and_another_level_is_an_error(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    put_lock(azure, extension_id(azure), LOCK_NAME, "ReadOnly")
    with pytest.raises(Conflict, match="a lock appconsistent-guard of level ReadOnly is there already"):
        guarded(azure)


def test_a_lock_that_covers_the_collections_is_reported(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    group = azure.simulator.vm_id("db1").partition("/providers/")[0]
    put_lock(azure, group, "everything")
    (finding,) = guarded(azure)["snapshot_extension_guard"]["findings"]
    assert finding["code"] == "lock_covers_restore_points"
    assert "old points cannot be removed" in finding["message"]


def test_an_extension_that_goes_between_read_and_write_is_told_so(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    (target,) = azure.targets("db1")

    async def story(arm: Arm) -> Json:
        machine = await read_machine(arm, target.vm)
        await ensure_absent(arm, target.vm, "somebody was faster", check=False)
        return await ensure_guarded(arm, target.vm, LOCK, check=False, machine=machine)

    with pytest.raises(NotFound, match="removed between reading and locking it"):
        azure.run(story)
    assert locks(azure) == []


def test_without_an_extension_there_is_nothing_to_guard(azure: Stage) -> None:
    azure.vms({"name": "db1", "snapshot_extension": "absent"})
    with pytest.raises(InvalidInput, match="has no snapshot extension to guard"):
        guarded(azure)


def test_an_extension_of_an_unknown_publisher_is_not_guarded_and_named(azure: Stage) -> None:
    fake = {"publisher": "Contoso", "type": "VMSnapshotLinux", "name": "VMSnapshotLinux"}
    azure.vms({"name": "db1", "extensions": [fake]})
    with pytest.raises(InvalidInput, match="VMSnapshotLinux is of the unknown publisher Contoso"):
        guarded(azure)


@pytest.mark.parametrize(
    ("guard", "right"),
    [(LOCK, "Microsoft.Authorization/locks/write"), (POLICY, "Microsoft.Authorization/policyAssignments/write")],
)
def test_missing_rights_are_named_with_what_to_grant(azure: Stage, guard: Guard, right: str) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault("denied", action=right)
    with pytest.raises(AppConsistentError) as refused:
        guarded(azure, guard)
    assert right in str(refused.value)
    assert "Grant it" in next_step_after(refused.value)


def test_two_guards_at_once_end_as_one(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    (target,) = azure.targets("db1")

    async def story(arm: Arm) -> None:
        await asyncio.gather(*(ensure_guarded(arm, target.vm, BOTH, check=False) for _run in range(4)))

    azure.run(story)
    assert len(locks(azure)) == 1
    assert azure.simulator.call(lambda world: len(world.policies)) == 2


def test_a_policy_that_is_not_in_force_yet_is_said_to_be_so(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, durations={"policy": 600})
    assert guarded(azure, POLICY, check=True)["snapshot_extension_guard"]["findings"] == []
    (finding,) = guarded(azure, POLICY)["snapshot_extension_guard"]["findings"]
    assert finding["code"] == "policy_not_in_force_yet"
    assert "Azure needs up to 30 min until it refuses" in finding["message"]
    assert "method=both: a lock holds at once" in finding["remedy"]
    assert guarded(azure, POLICY)["snapshot_extension_guard"]["findings"] == []
    # It is true: Azure lets the removal through.
    removed(azure)


def test_a_machine_whose_exemption_was_ended_is_not_guarded_by_the_policy_at_once(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure, POLICY)
    lifted(azure, POLICY)
    (finding,) = guarded(azure, POLICY, end_lift=True)["snapshot_extension_guard"]["findings"]
    assert finding["code"] == "policy_not_in_force_yet"


def test_somebody_elses_policy_of_the_same_name_is_left_alone(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    path = f"/subscriptions/{azure.simulator.subscription_id}/providers/Microsoft.Authorization/policyDefinitions"
    rule = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "audit"}}

    async def story(arm: Arm) -> None:
        body = {"properties": {"policyRule": rule}}
        await arm.request("PUT", f"{path}/{POLICY.policy_name}", "2023-04-01", doing="define", body=body)

    azure.run(story)
    with pytest.raises(Conflict, match="somebody else's"):
        guarded(azure, POLICY)


def test_the_state_is_read_with_one_request_more_than_the_machine(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    guarded(azure)
    (target,) = azure.targets("db1")
    before = len(azure.simulator.requests)
    azure.run(lambda arm: read_state(arm, target.vm, LOCK))
    asked = [
        seen.path.rpartition("/")[2] for seen in azure.simulator.requests[before:] if "/subscriptions/" in seen.path
    ]
    assert asked == ["db1", "locks"]


def left_of_a_lift(azure: Stage) -> tuple[int, list[str]]:
    def look(world: t.Any) -> tuple[int, list[str]]:
        exemptions = [key for key in world.policies if "/policyexemptions/" in key]
        return len(exemptions), [tag for each in world.collections.values() for tag in each.tags]

    found: tuple[int, list[str]] = azure.simulator.call(look)
    return found


@pytest.mark.parametrize("guard", [BOTH, POLICY, LOCK], ids=["both", "policy", "lock"])
def test_a_lift_can_be_ended_after_the_extension_is_gone(azure: Stage, guard: Guard) -> None:
    """What is installed next would not be guarded by the policy: the exemption outlives the extension."""
    azure.vms({"name": "db1", **READY})
    guarded(azure, guard)
    lifted(azure, guard)
    removed(azure)
    before = left_of_a_lift(azure)
    assert before == (0 if guard is LOCK else 1, ["appconsistent-guard-lifted"])
    with pytest.raises(InvalidInput, match="the lift of its guard would be ended"):
        guarded(azure, guard, end_lift=True, check=True)
    assert left_of_a_lift(azure) == before
    with pytest.raises(InvalidInput, match="has no snapshot extension to guard; the lift of its guard is ended"):
        guarded(azure, guard, end_lift=True)
    assert left_of_a_lift(azure) == (0, [])
    with pytest.raises(InvalidInput, match="has no snapshot extension to guard") as caught:
        guarded(azure, guard, end_lift=True)
    assert "lift" not in str(caught.value)
