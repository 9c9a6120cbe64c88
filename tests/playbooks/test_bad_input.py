# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Bad input gets one clear sentence that names the option or the VM, and what to do. Never a traceback."""

from __future__ import annotations

import socket
import typing as t

import pytest

from tests.azure_simulator import Simulator
from tests.azure_simulator.fleet_file import SUBSCRIPTION
from tests.playbooks.conftest import Controller, Run
from tests.playbooks.test_azure_modules import READY, task

ID = "/subscriptions/{}/resourceGroups/rg-fleet/providers/Microsoft.Compute/virtualMachines/{}"


# A host's own variables, and what the run says of that host alone.
OWN_TROUBLE: dict[str, tuple[dict[str, t.Any], str]] = {
    "an id that is a broken template": ({"azure_vm_id": "{{ nope }}"}, "the variable azure_vm_id cannot be evaluated"),
    "an application that is a broken template": (
        {"azure_application": "{{ 'a' | nosuchfilter }}"},
        "the variable azure_application cannot be evaluated",
    ),
    "a wave that is a broken template": ({"azure_wave": "{{ 1 / 0 }}"}, "the variable azure_wave cannot be evaluated"),
    "a wave of another alphabet": ({"azure_wave": "²"}, "azure_wave is '²', which is not a whole number"),
    "a wave of five thousand digits": ({"azure_wave": "9" * 5000}, "which is not a whole number"),
    "a wave that is a list": ({"azure_wave": [1]}, "azure_wave is [1], which is not a whole number"),
    "an application that is a dictionary": ({"azure_application": {"name": "shop"}}, "which is not a name"),
}


@pytest.mark.parametrize(("variables", "said"), OWN_TROUBLE.values(), ids=OWN_TROUBLE)
def test_one_hosts_broken_variable_costs_the_others_nothing(
    controller: Controller, variables: dict[str, t.Any], said: str
) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.variables["db1"] = variables
    run = controller.play(task("restore_points", run_once=True))
    assert run.status == 0, run.output
    hosts = run.results[0].result["hosts"]
    assert hosts["db2"]["verdict"] == "reached"
    assert (hosts["db1"]["verdict"], hosts["db1"]["ok"]) == ("failed", False)
    assert hosts["db1"]["cause"].startswith("db1: ")
    assert said in hosts["db1"]["cause"]


def message(controller: Controller, *tasks: dict[str, t.Any]) -> str:
    """Return what the last task said when it failed."""
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    run = controller.play(*tasks, hosts="db1")
    assert run.status == 2, run.output
    assert run.results[-1].outcome == "failed"
    return str(run.results[-1].result["msg"])


STRANGER = "99999999-9999-9999-9999-999999999999"
GHOST = ID.format(SUBSCRIPTION, "ghost")
# What a task is given, and what it says.
SENTENCES: dict[str, tuple[dict[str, t.Any], tuple[str, ...]]] = {
    "a malformed VM id": (
        task("snapshot_extension_info", vm_id="db1"),
        ("'db1' is not the resource id of a virtual machine", "It has the form /subscriptions/<guid>/"),
    ),
    "an unknown subscription": (
        task("snapshot_extension_info", vm_id=ID.format(STRANGER, "db1")),
        ("Could not read the virtual machine db1: SubscriptionNotFound", STRANGER),
    ),
    "a VM that is not there": (task("restore_point", name="p", vm_id=GHOST), ("ghost", "ResourceNotFound")),
    "a CA file that is none": (
        task("snapshot_extension_info", ca_file="/nonexistent.pem"),
        ("The option ca_file names '/nonexistent.pem'",),
    ),
    "a span that is none": (
        task("restore_points", run_once=True, max_age="soon"),
        ("The option max_age is 'soon'",),
    ),
    "a name that cannot be": (task("restore_point", name="a/b"), ("The option name is 'a/b'",)),
    "a group that cannot be, restore_points": (
        task("restore_points", run_once=True, collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, restore_point": (
        task("restore_point", name="p", collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, restore_point_info": (
        task("restore_point_info", collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, snapshot_extension": (
        task("snapshot_extension", collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, snapshot_extension_guard": (
        task("snapshot_extension_guard", collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, snapshot_extension_guard_info": (
        task("snapshot_extension_guard_info", collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, snapshot_extension_guards": (
        task("snapshot_extension_guards", run_once=True, collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a group that cannot be, snapshot_readiness_info": (
        task("snapshot_readiness_info", run_once=True, collection_resource_group="a/b"),
        ("The option collection_resource_group is 'a/b'",),
    ),
    "a least above what was asked for": (
        task(
            "restore_points",
            run_once=True,
            consistency="CrashConsistent",
            minimum_consistency="ApplicationConsistent",
        ),
        ("minimum_consistency is ApplicationConsistent, more than the CrashConsistent",),
    ),
    "a collection that belongs to another VM": (
        task("restore_point", name="p", collection_name="taken"),
        (
            "Could not use the restore point collection taken for the VM db1: it belongs to",
            "Name another collection or another resource group for the points.",
        ),
    ),
    "a point name that exists with another consistency": (
        task("restore_point", name="p", collection_name="own"),
        (
            "The restore point p exists already and is CrashConsistent, but ApplicationConsistent was asked for",
            "choose another name",
        ),
    ),
    "a removal without a reason": (task("snapshot_extension", state="absent"), ("reason",)),
    "a guard without an extension": (
        task("snapshot_extension_guard"),
        ("The VM db1 has no snapshot extension to guard. Have it installed first",),
    ),
}


@pytest.fixture(scope="module")
def refusals(_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All of these tasks in one play, each of which goes on after it failed."""
    controller = Controller(_simulator, tmp_path_factory.mktemp("refusals"))
    crash = {"collection": "own", "resource_group": "rg-fleet", "name": "p", "consistency": "CrashConsistent"}
    foreign = {"collection": "taken", "resource_group": "rg-fleet", "name": "p"}
    controller.fleet(
        {"name": "db1", "linux_scripts": "ok", "snapshot_extension": "absent", "points": [{**crash, "age": "3h"}]},
        {"name": "db2", **READY, "points": [{**foreign, "age": "3h"}]},
    )
    tasks = [{**told, "name": name, "ignore_errors": True} for name, (told, _words) in SENTENCES.items()]
    run = controller.play(*tasks, hosts="db1")
    assert controller.simulator.writes == []
    return run


@pytest.mark.parametrize("name", SENTENCES)
def test_a_task_says_what_is_wrong_and_where(refusals: Run, name: str) -> None:
    refused = refusals.of(name)
    assert refused.outcome == "ignored"
    said = refused.result["msg"]
    assert all(words in said for words in SENTENCES[name][1]), said


def test_a_host_without_a_usable_id_is_told_which_variable_it_is(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.variables = {"db1": {"azure_vm_id": "db1"}, "db2": {"azure_vm_id": ""}}
    run = controller.play(task("snapshot_extension_info"))
    malformed, none = (run.of("snapshot_extension_info", host).result["msg"] for host in ("db1", "db2"))
    assert "db1, variable azure_vm_id: 'db1' is not the resource id of a virtual machine" in malformed
    assert "db2 has no resource id of a virtual machine. Set the option vm_id" in none


def test_a_malformed_id_of_one_host_does_not_stop_the_fleet(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.variables = {"db1": {"azure_vm_id": "nonsense"}}
    hosts = controller.play(task("restore_points", run_once=True)).of("restore_points").result["hosts"]
    assert (hosts["db1"]["verdict"], hosts["db2"]["verdict"]) == ("failed", "reached")
    assert "'nonsense' is not the resource id" in hosts["db1"]["cause"]


def test_no_credentials_at_all(controller: Controller) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_SECRET", "AZURE_TENANT"):
        del controller.environment[name]
    controller.environment["PATH"] = "/usr/bin:/bin"
    said = message(controller, task("snapshot_extension_info"))
    assert "No credentials for Azure were found. Set AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT" in said


def test_a_wrong_secret(controller: Controller) -> None:
    controller.environment["AZURE_SECRET"] = "not-the-right-one"
    said = message(controller, task("snapshot_extension_info"))
    assert "Could not sign in to Azure" in said
    assert "AADSTS7000215" in said
    assert "not-the-right-one" not in said


def test_an_expired_secret(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.simulator.add_fault("secret_expired")
    run = controller.play(task("restore_points", run_once=True))
    assert run.status == 2
    assert "AADSTS7000222" in run.output
    assert run.output.count("FAILED!") == 1


def test_an_endpoint_that_does_not_answer(controller: Controller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    controller.environment["AZURE_CLOUD_ENVIRONMENT"] = f"https://127.0.0.1:{port}"
    said = message(controller, task("snapshot_extension_info"))
    assert f"https://127.0.0.1:{port} does not answer" in said
    assert "Check cloud_environment" in said


def test_an_endpoint_whose_certificate_nobody_vouches_for(controller: Controller) -> None:
    del controller.environment["SSL_CERT_FILE"]
    said = message(controller, task("snapshot_extension_info"))
    assert "Name the CA that signed its certificate with the option ca_file" in said


def test_rights_that_are_missing(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.simulator.add_fault("denied", action="Microsoft.Authorization/locks/write")
    run = controller.play(task("snapshot_extension_guard"))
    said = run.of("snapshot_extension_guard").result["msg"]
    assert "Could not lock the extension VMSnapshotLinux of the VM db1 against deletion: AuthorizationFailed" in said
