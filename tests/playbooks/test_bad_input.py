# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Bad input gets one clear sentence that names the option or the VM, and what to do. Never a traceback."""

from __future__ import annotations

import socket
import typing as t

from tests.playbooks.conftest import Controller
from tests.playbooks.test_azure_modules import READY, task

ID = "/subscriptions/{}/resourceGroups/rg-fleet/providers/Microsoft.Compute/virtualMachines/{}"


def message(controller: Controller, *tasks: dict[str, t.Any], **variables: dict[str, t.Any]) -> str:
    """Return what the last task said when it failed."""
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.variables = variables
    run = controller.play(*tasks, hosts="db1")
    assert run.status == 2, run.output
    assert run.results[-1].outcome == "failed"
    return str(run.results[-1].result["msg"])


def test_a_malformed_vm_id(controller: Controller) -> None:
    said = message(controller, task("snapshot_extension_info"), db1={"azure_vm_id": "db1"})
    assert "db1, variable azure_vm_id: 'db1' is not the resource id of a virtual machine" in said
    assert "It has the form /subscriptions/<guid>/" in said


def test_no_vm_id_at_all(controller: Controller) -> None:
    said = message(controller, task("snapshot_extension_info"), db1={"azure_vm_id": ""})
    assert "db1 has no resource id of a virtual machine. Set the option vm_id" in said


def test_a_malformed_id_of_one_host_does_not_stop_the_fleet(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.variables = {"db1": {"azure_vm_id": "nonsense"}}
    hosts = controller.play(task("restore_points", run_once=True)).of("restore_points").result["hosts"]
    assert (hosts["db1"]["verdict"], hosts["db2"]["verdict"]) == ("failed", "reached")
    assert "'nonsense' is not the resource id" in hosts["db1"]["cause"]


def test_an_unknown_subscription(controller: Controller) -> None:
    stranger = "99999999-9999-9999-9999-999999999999"
    said = message(controller, task("snapshot_extension_info", vm_id=ID.format(stranger, "db1")))
    assert "Could not read the virtual machine db1: SubscriptionNotFound" in said
    assert stranger in said


def test_a_vm_that_is_not_there(controller: Controller) -> None:
    vm_id = ID.format(controller.simulator.subscription_id, "ghost")
    said = message(controller, task("restore_point", name="p", vm_id=vm_id))
    assert "ghost" in said
    assert "ResourceNotFound" in said


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


def test_a_ca_file_that_is_none(controller: Controller) -> None:
    said = message(controller, task("snapshot_extension_info", ca_file="/nonexistent.pem"))
    assert "The option ca_file names '/nonexistent.pem'" in said


def test_a_collection_that_belongs_to_another_vm(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    controller.play(task("restore_point", name="p", collection_name="taken"), hosts="db2")
    run = controller.play(task("restore_point", name="p", collection_name="taken"), hosts="db1")
    said = run.of("restore_point").result["msg"]
    assert "Could not use the restore point collection taken for the VM db1: it belongs to" in said
    assert said.rstrip().endswith("Name another collection or another resource group for the points.")


def test_a_point_name_that_exists_with_another_consistency(controller: Controller) -> None:
    said = message(
        controller,
        task("restore_point", name="p", consistency="CrashConsistent"),
        task("restore_point", name="p"),
    )
    assert "The restore point p exists already and is CrashConsistent, but ApplicationConsistent was asked for" in said
    assert "choose another name" in said


def test_spans_and_names_that_cannot_be(controller: Controller) -> None:
    assert "The option max_age is 'soon'" in message(controller, task("restore_points", run_once=True, max_age="soon"))
    assert "The option name is 'a/b'" in message(controller, task("restore_point", name="a/b"))


def test_more_than_what_was_asked_for_cannot_be_the_least(controller: Controller) -> None:
    options = {"consistency": "CrashConsistent", "minimum_consistency": "ApplicationConsistent"}
    said = message(controller, task("restore_points", run_once=True, **options))
    assert "minimum_consistency is ApplicationConsistent, more than the CrashConsistent" in said


def test_the_removal_of_the_extension_needs_a_reason(controller: Controller) -> None:
    assert "reason" in message(controller, task("snapshot_extension", state="absent"))


def test_a_guard_without_an_extension(controller: Controller) -> None:
    controller.fleet({"name": "new", "linux_scripts": "ok", "snapshot_extension": "absent"})
    run = controller.play(task("snapshot_extension_guard"))
    said = run.of("snapshot_extension_guard").result["msg"]
    assert said.startswith("The VM new has no snapshot extension to guard. Have it installed first")


def test_rights_that_are_missing(controller: Controller) -> None:
    controller.fleet({"name": "db1", **READY})
    controller.simulator.add_fault("denied", action="Microsoft.Authorization/locks/write")
    run = controller.play(task("snapshot_extension_guard"))
    said = run.of("snapshot_extension_guard").result["msg"]
    assert "Could not lock the extension VMSnapshotLinux of the VM db1 against deletion: AuthorizationFailed" in said
