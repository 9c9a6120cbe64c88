# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What lies around a machine, against the simulator: every finding met once, and what cannot be read said."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._authorization.locks import (
    Lock,
    LocksByScope,
    lock_path,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._authorization.policies_in_force import (
    POINT,
    Resource,
    assigned_policies,
    collection_resource,
    extension_of,
    keeps_out,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._authorization.policy import Assignment, assignment_of
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.report import Question, readiness
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.survey import Survey
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import Consistency
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.results import MachineReport
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.runner import Board, reporting_job, run_all

from tests.unit.plugins.conftest import Stage

Json = dict[str, t.Any]
READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
ABSENT = {"linux_scripts": "ok"}
EXTENSION = "Microsoft.Compute/virtualMachines/extensions"


def asked(azure: Stage, question: Question | None = None) -> dict[str, Json]:
    targets = azure.targets()

    async def story(arm: Arm) -> list[MachineReport]:
        wanted = question or Question()
        survey = Survey(arm, targets, kept_in=[wanted.place.of(target.vm) for target in targets], patience=1e6)
        job = reporting_job(600, lambda arm, target: readiness(arm, target, survey, wanted))
        return await run_all(job, arm, targets, Board())

    before = azure.simulator.writes
    hosts = {report.host: report.describe() for report in azure.run(story)}
    assert azure.simulator.writes == before
    return hosts


def codes(host: Json, severity: str = "") -> list[str]:
    return [finding["code"] for finding in host["findings"] if severity in ("", finding["severity"])]


def put(azure: Stage, path: str, properties: Json, version: str) -> None:
    async def story(arm: Arm) -> None:
        await arm.request("PUT", path, version, doing="set the stage", body={"properties": properties})

    azure.run(story)


def group(azure: Stage) -> str:
    return azure.simulator.vm_ids[0].partition("/providers/")[0]


def test_a_fleet_is_ready_when_nothing_speaks_against_it(azure: Stage) -> None:
    azure.vms(
        {"name": "lin{n}", "count": 5, **READY}, {"name": "win", "os": "windows", "snapshot_extension": "present"}
    )
    hosts = asked(azure)
    assert {host["verdict"] for host in hosts.values()} == {"ready"}
    assert hosts["win"]["facts"]["points_limit"] == 500
    assert azure.simulator.writes == []


def test_what_a_fleet_shares_is_read_once(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 25, **READY})
    before = len(azure.simulator.requests)
    asked(azure)
    seen = [seen.path for seen in azure.simulator.requests[before:] if seen.path.startswith("/subscriptions/")]
    # The subscription's locks, disks and collections, the group's policies, and one read per machine.
    assert len(seen) == 4 + 25


def test_every_finding_has_a_code_a_severity_a_sentence_a_remedy_and_a_page(azure: Stage) -> None:
    azure.vms(
        {"name": "off", **READY, "power": "deallocated"},
        {"name": "silent", **READY, "agent": "not_ready"},
        {"name": "conf", **READY, "security_type": "ConfidentialVM"},
        {"name": "preview", **READY, "security_type": "ConfidentialVM", "size": "Standard_DC4as_v6"},
        {"name": "moving", **READY, "provisioning_state": "Updating"},
        {"name": "broken", **READY, "provisioning_state": "Failed"},
        {"name": "coreos", **READY, "os_name": "flatcar", "os_version": "3815"},
        {"name": "reboot", "os": "windows", "snapshot_extension": "present", "reboot_pending": True},
        {"name": "shared", **READY, "disks": {"data": [{"shared": True}]}},
        {"name": "ephemeral", **READY, "disks": {"os": {"ephemeral": True}}},
    )
    hosts = asked(azure)
    assert {name: codes(host) for name, host in hosts.items()} == {
        "off": ["vm_not_running"],
        "silent": ["agent_not_ready"],
        "conf": ["confidential_vm"],
        "preview": ["confidential_vm"],
        "moving": ["vm_is_changing"],
        "broken": ["vm_change_failed"],
        "coreos": ["system_not_supported"],
        "reboot": ["reboot_pending"],
        "shared": ["shared_disk"],
        "ephemeral": ["ephemeral_os_disk"],
    }
    assert hosts["conf"]["verdict"] == "blocked"
    assert hosts["preview"]["verdict"] == "warned"
    for host in hosts.values():
        for finding in host["findings"]:
            assert all(finding[key] for key in ("code", "severity", "message", "remedy", "docs")), finding


def test_a_shared_disk_can_be_excluded(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "disks": {"data": [{"shared": True}]}})
    (finding,) = asked(azure)["db1"]["findings"]
    disk = finding["remedy"].rpartition(" ")[2]
    assert asked(azure, Question(exclude_disks=(disk,)))["db1"]["ready"]


def test_another_owner_of_points_is_named(azure: Stage) -> None:
    backup = {
        "collection": "AzureBackup_db1_1",
        "resource_group": "AzureBackupRG_westeurope_1",
        "name": "p",
        "age": "8h",
    }
    azure.vms({"name": "db1", **READY, "points": [backup, {"collection": "mine-by-hand", "name": "q", "age": "9h"}]})
    host = asked(azure)["db1"]
    assert codes(host) == ["another_owner", "another_owner"]
    assert sorted(held["owner"] for held in host["facts"]["collections"]) == ["Azure Backup", "Somebody else"]
    assert host["facts"]["points"] == 2


def test_basic_vm_protection_is_told_by_name(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "basic_protection": True}, {"name": "db2", **READY})
    hosts = asked(azure)
    assert {name: codes(host) for name, host in hosts.items()} == {"db1": ["basic_vm_protection"], "db2": []}
    assert hosts["db1"]["ready"]
    assert "Basic VM Protection makes a crash-consistent restore point" in hosts["db1"]["cause"]


def test_a_point_in_the_making_of_somebody_else_blocks(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.take("db1")

    def reopen(world: t.Any) -> None:
        for point in [point for points in world.points.values() for point in points.values()]:
            world.put_point(replace(point, state="Creating"))

    azure.simulator.call(reopen)
    host = asked(azure)["db1"]
    assert "restore_point_in_the_making" in codes(host, "warns")
    foreign = asked(azure, Question(place=Place("elsewhere")))["db1"]
    assert "restore_point_in_the_making" in codes(foreign, "blocks")


def test_the_limits_of_time_and_number_are_told_before_azure_refuses(azure: Stage) -> None:
    def points(count: int, age: str) -> list[Json]:
        return [{"collection": "c", "name": f"p{number}", "age": age} for number in range(count)]

    azure.vms(
        {"name": "early", **READY, "points": points(1, "90m")},
        {"name": "often", **READY, "points": [{**p, "collection": "d"} for p in points(3, "10m")]},
        {"name": "many", **READY, "points": [{**p, "collection": "e"} for p in points(460, "5d")]},
    )
    hosts = asked(azure)
    assert "too_early" in codes(hosts["early"], "warns")
    assert "three_per_hour" in codes(hosts["often"], "blocks")
    assert "points_limit" in codes(hosts["many"], "warns")
    assert "460 of 500" in hosts["many"]["cause"]
    relaxed = asked(azure, Question(min_interval=timedelta(minutes=20)))
    assert "too_early" not in codes(relaxed["early"])


@pytest.mark.parametrize(
    ("place", "level", "code", "severity"),
    [
        ("group", "CanNotDelete", "lock_covers_restore_points", "warns"),
        ("group", "ReadOnly", "lock_forbids_restore_points", "blocks"),
        ("vm", "ReadOnly", "lock_forbids_extension", "warns"),
    ],
)
def test_locks_that_hinder_points_are_found(azure: Stage, place: str, level: str, code: str, severity: str) -> None:
    azure.vms({"name": "db1", **READY})
    scope = group(azure) if place == "group" else azure.simulator.vm_id("db1")
    put(azure, lock_path(scope, "theirs"), {"level": level}, "2020-05-01")
    assert codes(asked(azure)["db1"], severity) == [code]


def test_a_lock_elsewhere_is_no_finding(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "far", "resource_group": "rg-far", **READY})
    far = azure.simulator.vm_id("far").partition("/providers/")[0]
    put(azure, lock_path(far, "theirs"), {"level": "ReadOnly"}, "2020-05-01")
    assert asked(azure)["db1"]["findings"] == []


def test_a_policy_that_keeps_the_extension_out_blocks_where_it_is_missing(azure: Stage) -> None:
    azure.vms({"name": "there", **READY}, {"name": "missing", **ABSENT})
    subscription = f"/subscriptions/{azure.simulator.subscription_id}/providers/Microsoft.Authorization"
    rule = {
        "if": {
            "allOf": [
                {"field": "type", "equals": EXTENSION},
                {"field": f"{EXTENSION}/type", "notIn": "[parameters('approved')]"},
            ]
        },
        "then": {"effect": "deny"},
    }
    definition = f"{subscription}/policyDefinitions/approved"
    put(azure, definition, {"policyRule": rule, "parameters": {"approved": {"type": "Array"}}}, "2023-04-01")
    assignment = f"{group(azure)}/providers/Microsoft.Authorization/policyAssignments/approved"
    body = {
        "policyDefinitionId": definition,
        "displayName": "Approved only",
        "parameters": {"approved": {"value": ["X"]}},
    }
    put(azure, assignment, body, "2023-04-01")
    hosts = asked(azure)
    assert codes(hosts["missing"], "blocks") == ["policy_forbids_extension"]
    assert "'Approved only' forbids" in hosts["missing"]["cause"]
    assert hosts["there"]["ready"]


POLICY = "2023-04-01"
EXEMPTION = "2022-07-01-preview"
ALLOW_LIST: Json = {
    "displayName": "Approved extensions only",
    "policyRule": {
        "if": {
            "allOf": [
                {"field": "type", "equals": EXTENSION},
                {"field": f"{EXTENSION}/type", "notIn": "[parameters('approved')]"},
            ]
        },
        "then": {"effect": "[parameters('effect')]"},
    },
    "parameters": {"approved": {"type": "Array"}, "effect": {"type": "String", "defaultValue": "Audit"}},
}


def initiative(azure: Stage, effect: str = "Deny", **assignment: t.Any) -> str:
    """Assign the allow-list as a member of an initiative to the group; return the assignment's id."""
    subscription = f"/subscriptions/{azure.simulator.subscription_id}/providers/Microsoft.Authorization"
    definition = f"{subscription}/policyDefinitions/approved"
    put(azure, definition, ALLOW_LIST, POLICY)
    member = {
        "policyDefinitionId": definition,
        "policyDefinitionReferenceId": "extensions",
        "parameters": {
            "approved": {"value": "[parameters('list')]"},
            "effect": {"value": "[parameters('mode')]"},
        },
    }
    put(azure, f"{definition}-names", ALLOW_LIST, POLICY)
    harmless = {
        "policyDefinitionId": f"{definition}-names",
        "policyDefinitionReferenceId": "names",
        "parameters": {"approved": {"value": []}, "effect": {"value": "Disabled"}},
    }
    properties = {
        "displayName": "Hardening",
        "policyDefinitions": [member, harmless],
        "parameters": {"list": {"type": "Array"}, "mode": {"type": "String", "defaultValue": "Audit"}},
    }
    put(azure, f"{subscription}/policySetDefinitions/hardening", properties, POLICY)
    path = f"{group(azure)}/providers/Microsoft.Authorization/policyAssignments/hardening"
    given = {"list": {"value": ["CustomScript"]}, "mode": {"value": effect}}
    body = {"policyDefinitionId": f"{subscription}/policySetDefinitions/hardening", "parameters": given, **assignment}
    put(azure, path, body, POLICY)
    return path


def test_a_member_of_an_initiative_is_judged_with_the_parameters_of_the_assignment(azure: Stage) -> None:
    azure.vms({"name": "there", **READY}, {"name": "missing", **ABSENT})
    initiative(azure)
    hosts = asked(azure)
    assert codes(hosts["missing"], "blocks") == ["policy_forbids_extension"]
    assert "'Approved extensions only' of the initiative 'Hardening' forbids" in hosts["missing"]["cause"]
    assert hosts["there"]["ready"]
    # The fleet task asks Azure for nothing then.
    before = len(azure.simulator.writes)
    assert [finding.code for finding in azure.take("missing")["missing"].findings] == ["policy_forbids_extension"]
    assert len(azure.simulator.writes) == before


@pytest.mark.parametrize(
    ("effect", "assignment"),
    [
        ("Audit", {}),
        ("Deny", {"enforcementMode": "DoNotEnforce"}),
        ("Deny", {"parameters": {"list": {"value": ["VMSnapshotLinux"]}, "mode": {"value": "Deny"}}}),
    ],
)
def test_an_initiative_that_lets_the_extension_in_is_no_finding(azure: Stage, effect: str, assignment: Json) -> None:
    azure.vms({"name": "missing", **ABSENT})
    initiative(azure, effect, **assignment)
    assert asked(azure)["missing"]["findings"] == []


def test_a_policy_does_not_hold_where_its_assignment_leaves_out_or_an_exemption_frees(azure: Stage) -> None:
    azure.vms(*({"name": name, **ABSENT} for name in ("out", "exempt", "elsewhere", "ended", "vm1", "vm10")))
    vm = {path.rpartition("/")[2]: path for path in azure.simulator.vm_ids}
    assignment = initiative(
        azure, notScopes=[vm["out"].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"), vm["vm1"]]
    )
    exempt = {"policyAssignmentId": assignment, "exemptionCategory": "Waiver"}
    for name, more in (
        ("exempt", {"policyDefinitionReferenceIds": ["Extensions"]}),
        ("elsewhere", {"policyDefinitionReferenceIds": ["another"]}),
        ("ended", {"expiresOn": "2020-01-01T00:00:00Z"}),
    ):
        put(azure, f"{vm[name]}/providers/Microsoft.Authorization/policyExemptions/e", {**exempt, **more}, EXEMPTION)
    ready = {name for name, host in asked(azure).items() if host["ready"]}
    assert ready == {"out", "exempt", "vm1"}


def test_many_definitions_that_may_not_be_read_are_one_finding(azure: Stage) -> None:
    azure.vms({"name": "missing", **ABSENT})
    initiative(azure)
    azure.simulator.add_fault("denied", action="Microsoft.Authorization/policyDefinitions/read")
    (finding,) = asked(azure)["missing"]["findings"]
    assert finding["code"] == "not_checked"
    assert "Microsoft.Authorization/policyDefinitions/read" in finding["message"]
    assert finding["message"].endswith("(1 other could not be read either)")


def test_what_may_not_be_read_is_said_and_does_not_stop_the_rest(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "off", "power": "deallocated"})
    azure.simulator.add_fault("denied", action="Microsoft.Authorization/*")
    hosts = asked(azure)
    assert codes(hosts["db1"]) == ["not_checked", "not_checked"]
    assert "Microsoft.Authorization/locks/read" in hosts["db1"]["cause"]
    assert codes(hosts["off"], "blocks") == ["vm_not_running"]


def test_a_collection_that_may_be_listed_and_not_read_is_said(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY, "points": [{"collection": "by-hand", "name": "p", "age": "9h"}]})
    azure.simulator.add_fault("denied", action="Microsoft.Compute/restorePointCollections/read", skip=1)
    (finding,) = asked(azure)["db1"]["findings"]
    assert finding["code"] == "not_checked"
    assert "by-hand" in finding["message"]


def test_a_machine_that_cannot_be_read_fails_alone(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "odd", **READY})
    azure.simulator.add_fault("denied", vm="odd", action="Microsoft.Compute/virtualMachines/read")
    hosts = asked(azure)
    assert (hosts["db1"]["verdict"], hosts["odd"]["verdict"]) == ("ready", "failed")
    assert hosts["odd"]["failure"]["code"] == "AuthorizationFailed"


def test_crash_consistency_across_disks_has_its_exceptions(azure: Stage) -> None:
    disks = {"os": {"caching": "ReadOnly"}, "data": [{"caching": "ReadWrite"}]}
    azure.vms({"name": "db1", **READY, "disks": disks})
    crash = Question(wanted=Consistency.CrashConsistent)
    assert codes(asked(azure, crash)["db1"]) == ["crash_not_across_disks"]
    assert codes(asked(azure)["db1"]) == []


def policy(condition: t.Any, effect: str = "deny", parameters: Json | None = None) -> Json:
    return {"policyRule": {"if": condition, "then": {"effect": effect}}, "parameters": parameters or {}}


IS_EXTENSION = {"field": "type", "equals": EXTENSION}


@pytest.mark.parametrize(
    ("rule", "given", "forbids"),
    [
        (policy(IS_EXTENSION), {}, True),
        (policy(IS_EXTENSION, "audit"), {}, False),
        (policy({"field": "type", "equals": "Microsoft.Compute/disks"}), {}, False),
        (policy({"allOf": [IS_EXTENSION, {"field": "tags.owner", "exists": "false"}]}), {}, None),
        (
            policy({"allOf": [{"field": "type", "like": "Microsoft.Net*"}, {"field": "tags.x", "equals": ""}]}),
            {},
            False,
        ),
        (policy({"not": {"field": f"{EXTENSION}/publisher", "like": "Microsoft.*"}}), {}, False),
        (policy({"anyOf": [{"field": "location", "equals": "x"}, IS_EXTENSION]}), {}, True),
        (policy(IS_EXTENSION, "[parameters('effect')]", {"effect": {"defaultValue": "Deny"}}), {}, True),
        (
            policy(IS_EXTENSION, "[parameters('effect')]", {"effect": {"defaultValue": "Deny"}}),
            {"effect": {"value": "Audit"}},
            False,
        ),
        (policy(IS_EXTENSION, "[parameters('Effect')]", {"effect": {"defaultValue": "Deny"}}), {}, True),
        (policy(IS_EXTENSION, "[if(equals(1, 1), 'deny', 'audit')]"), {}, None),
        (policy({"field": "type", "equals": "x"}, "[if(equals(1, 1), 'deny', 'audit')]"), {}, False),
        (policy({"field": "type", "equals": "[concat('Microsoft.', 'Compute/disks')]"}), {}, False),
        (policy({"field": "type", "equals": "[toLower('Microsoft.Compute/disks')]"}), {}, None),
        (policy({"field": "type", "equals": "[concat('a', toLower('b'))]"}), {}, None),
        (policy({"field": "type", "in": ["[parameters('one')]", "x"]}), {"one": {"value": EXTENSION}}, True),
        (policy({"field": "type", "notIn": ["[[x]", "y"]}), {}, True),
        (policy({"field": f"{EXTENSION}/type", "in": "[parameters('unknown')]"}), {}, None),
        (policy(["nonsense"]), {}, None),
        ({}, {}, False),
    ],
)
def test_a_policy_is_read_with_three_answers(rule: Json, given: Json, forbids: bool | None) -> None:
    (alone,) = assigned_policies(assignment(parameters=given), rule)
    assert keeps_out(replace(alone, definition=rule), extension_of("linux")) is forbids


@pytest.mark.parametrize(
    ("more", "effect", "forbids"),
    [
        ({"overrides": [{"kind": "policyEffect", "value": "Audit"}]}, "deny", None),
        ({"overrides": [{"kind": "policyEffect", "value": "Deny"}]}, "audit", None),
        ({"resourceSelectors": [{"name": "first", "selectors": []}]}, "deny", None),
        ({"resourceSelectors": [{"name": "first", "selectors": []}]}, "audit", False),
    ],
)
def test_an_assignment_that_changes_or_narrows_a_policy_leaves_it_open(
    more: Json, effect: str, forbids: bool | None
) -> None:
    rule = policy(IS_EXTENSION, effect)
    (alone,) = assigned_policies(assignment(**more), rule)
    assert keeps_out(replace(alone, definition=rule), extension_of("linux")) is forbids


def assignment(**properties: t.Any) -> Assignment:
    identifier = "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/a"
    definition = "/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions/d"
    return assignment_of(
        {"id": identifier, "name": "a", "properties": {"policyDefinitionId": definition, **properties}}
    )


def test_locks_are_found_by_what_they_cover_whatever_the_letter_case() -> None:
    group = "/subscriptions/s/resourceGroups/G"
    vm = f"{group}/providers/Microsoft.Compute/virtualMachines/db1"
    scopes = ("/subscriptions/S", group, vm, f"{vm}/extensions/e", f"{vm}2", "/subscriptions/s/resourceGroups/g2")
    held = LocksByScope([Lock(lock_path(scope, f"l{at}"), f"l{at}", "ReadOnly", "") for at, scope in enumerate(scopes)])
    assert sorted(lock.name for lock in held.covering(f"{vm}/extensions/E")) == ["l0", "l1", "l2", "l3"]
    assert sorted(lock.name for lock in held.covering(vm, f"{group}/providers/x/y/z")) == ["l0", "l1", "l2"]


TAGS = "[concat('tags[', parameters('tagName'), ']')]"
OWNER: Json = {"tagName": {"value": "owner"}}
EVERYWHERE: Json = {"field": "type", "notEquals": "Microsoft.AzureActiveDirectory/b2cDirectories"}


def collection(**tags: str) -> Resource:
    return collection_resource("db1-0123abcd", "westeurope", tags)


@pytest.mark.parametrize(
    ("condition", "given", "resource", "forbids"),
    [
        ({"field": TAGS, "exists": "false"}, OWNER, collection(), True),
        ({"field": TAGS, "exists": "false"}, OWNER, collection(Owner="me"), False),
        ({"field": TAGS, "exists": False}, OWNER, collection(other="x"), True),
        ({"not": {"field": "tags['owner']", "equals": "me"}}, {}, collection(owner="you"), True),
        ({"not": {"field": "tags.owner", "equals": "me"}}, {}, collection(owner="Me"), False),
        ({"field": "tags[owner]", "notIn": ["a", "b"]}, {}, collection(), True),
        ({"field": "location", "notIn": ["northeurope"]}, {}, collection(), True),
        ({"allOf": [{"field": "location", "notIn": ["WestEurope"]}, EVERYWHERE]}, {}, collection(), False),
        ({"field": "name", "notLike": "rpc-*"}, {}, collection(), True),
        ({"field": "name", "notLike": "db1-*"}, {}, collection(), False),
        ({"field": "name", "notMatch": "???-########"}, {}, collection(), None),
        ({"field": "kind", "equals": "x"}, {}, collection(), None),
        ({"field": "type", "like": "Microsoft.Compute/restorePoint*"}, {}, collection(), True),
        # A point has neither tags nor a place of its own, so what is about these does not look at it.
        ({"field": TAGS, "exists": "false"}, OWNER, POINT, False),
        ({"field": "location", "notIn": ["northeurope"]}, {}, POINT, False),
        ({"field": TAGS, "exists": "false"}, OWNER, extension_of("linux"), None),
    ],
)
def test_policies_on_tags_regions_and_names_are_judged(
    condition: Json, given: Json, resource: Resource, forbids: bool | None
) -> None:
    rule = {**policy(condition, parameters={"tagName": {"type": "String"}} if given else {}), "mode": "Indexed"}
    (alone,) = assigned_policies(assignment(parameters=given), rule)
    assert keeps_out(replace(alone, definition=rule), resource) is forbids


def test_a_definition_for_all_types_looks_at_points_too() -> None:
    rule = {**policy({"field": "tags.owner", "exists": "false"}), "mode": "All"}
    (alone,) = assigned_policies(assignment(), rule)
    assert keeps_out(replace(alone, definition=rule), POINT) is True


def demand(azure: Stage, name: str, rule: Json, where: str, **given: t.Any) -> None:
    subscription = f"/subscriptions/{azure.simulator.subscription_id}/providers/Microsoft.Authorization"
    definition = f"{subscription}/policyDefinitions/{name}"
    put(azure, definition, {**rule, "mode": "Indexed"}, POLICY)
    assignment = f"{where}/providers/Microsoft.Authorization/policyAssignments/{name}"
    values = {key: {"value": value} for key, value in given.items()}
    put(azure, assignment, {"policyDefinitionId": definition, "displayName": name, "parameters": values}, POLICY)


def test_a_tenant_that_demands_tags_is_told_before_and_served_with_them(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    rule = policy({"field": TAGS, "exists": "false"}, parameters={"tagName": {"type": "String"}})
    demand(azure, "Tags", rule, group(azure), tagName="owner")
    refused = asked(azure)["db1"]
    assert codes(refused, "blocks") == ["policy_forbids_points"]
    assert "'Tags' forbids that the collection db1-" in refused["cause"]
    assert azure.take()["db1"].verdict is Verdict.REFUSED
    assert azure.take(check=True)["db1"].verdict is Verdict.REFUSED
    wish = Wish(place=Place(tags={"owner": "team"}))
    assert asked(azure, Question(place=wish.place))["db1"]["ready"]
    assert azure.take(wish=wish)["db1"].verdict is Verdict.REACHED
    held = azure.simulator.call(lambda world: [dict(each.tags) for each in world.collections.values()])
    assert held == [{"owner": "team"}]


def test_a_region_or_a_name_that_is_not_allowed_is_told_where_the_points_are_kept(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, resource_groups=[{"name": "rg-points"}])
    points = group(azure).replace("rg-fleet", "rg-points")
    demand(azure, "Names", policy({"field": "name", "notLike": "rpc-*"}), points)
    own, elsewhere = Question(), Question(place=Place("rg-points"))
    assert asked(azure, own)["db1"]["ready"]
    assert codes(asked(azure, elsewhere)["db1"], "blocks") == ["policy_forbids_points"]
    named = Place("rg-points", "rpc-{vm}-{hash}")
    assert asked(azure, Question(place=named))["db1"]["ready"]
    outcome = azure.take(wish=Wish(place=named))["db1"]
    assert outcome.verdict is Verdict.REACHED
    assert re.search(r"/rg-points/.*/rpc-db1-[0-9a-f]{8}$", outcome.collection_id)
    demand(azure, "Regions", policy({"field": "location", "notIn": ["northeurope"]}), group(azure))
    assert "'Regions' forbids" in asked(azure, own)["db1"]["cause"]


def test_tags_of_others_stay_and_a_steady_machine_is_left_alone(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    azure.take()

    def tag(world: t.Any) -> None:
        for collection in list(world.collections.values()):
            world.put_collection(replace(collection, tags={"bill": "7", "Owner": "old"}))

    azure.simulator.call(tag)
    wish = Wish(place=Place(tags={"owner": "team"}), min_interval=timedelta(0))
    assert azure.take(wish=wish)["db1"].verdict is Verdict.FRESH
    assert [request.method for request in azure.simulator.writes].count("PATCH") == 0
    assert azure.take(wish=replace(wish, key="new"))["db1"].verdict is Verdict.REACHED
    held = azure.simulator.call(lambda world: [dict(each.tags) for each in world.collections.values()])
    assert held == [{"bill": "7", "owner": "team"}]
    assert azure.take(wish=replace(wish, key="newer"))["db1"].verdict is Verdict.REACHED
    assert [request.method for request in azure.simulator.writes].count("PATCH") == 1
