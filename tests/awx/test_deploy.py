# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""awx_deploy puts the definitions into an AWX: into a stand-in for its API, with the real modules of awx.awx."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.awx import definitions
from tests.awx.definitions import ROOT
from tests.awx.stand_in import PASSWORD, USER, StandIn

# Where `make test` puts awx.awx: see fetch_collections.py.
COLLECTIONS = Path(sys.prefix) / "collections"
HAVE_AWX = (COLLECTIONS / "ansible_collections" / "awx" / "awx").is_dir()
REASON = f"awx.awx is not in {COLLECTIONS}: python -m tests.awx.fetch_collections {COLLECTIONS}"
SECRET = "s3cret-of-the-service-principal"
AZURE = {
    "AZURE_SUBSCRIPTION_ID": "5d1f0a52-0000-4000-a000-000000000001",
    "AZURE_CLIENT_ID": "app",
    "AZURE_SECRET": SECRET,
    "AZURE_TENANT": "tenant",
}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    if not HAVE_AWX:
        if os.environ.get("REQUIRE_SYSTEM"):
            pytest.fail(REASON)
        pytest.skip(REASON)
    playbooks = [f"awx/project/{path.name}" for path in (ROOT / "awx" / "project").glob("*.yml")]
    with StandIn(playbooks) as stand_in:
        yield stand_in


def deploy(
    stand_in: StandIn,
    folder: Path,
    *arguments: str,
    password: str = PASSWORD,
    azure: t.Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "appconsistent.azure.awx_deploy", *arguments],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.tree'}:{COLLECTIONS}",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "ANSIBLE_DEPRECATION_WARNINGS": "False",
            "ANSIBLE_PIPELINING": "True",
            "CONTROLLER_HOST": stand_in.url,
            "CONTROLLER_USERNAME": USER,
            "CONTROLLER_PASSWORD": password,
            **(AZURE if azure is None else azure),
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    recap = done.stdout.rpartition("PLAY RECAP")[2]
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", recap)}


def names(stand_in: StandIn, endpoint: str) -> set[str]:
    return {item["name"] for item in stand_in.awx.objects[endpoint].values() if not item.get("managed")}


def defined(kind: str) -> set[str]:
    return {str(item["name"]) for item in definitions.of(kind)}


def test_everything_is_put_into_an_empty_awx_and_check_mode_then_shows_drift_only(
    stand_in: StandIn, tmp_path: Path
) -> None:
    first = deploy(stand_in, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    for kind, endpoint in (
        ("controller_credential_types", "credential_types"),
        ("controller_credentials", "credentials"),
        ("controller_execution_environments", "execution_environments"),
        ("controller_inventory_sources", "inventory_sources"),
        ("controller_notifications", "notification_templates"),
        ("controller_templates", "job_templates"),
        ("controller_workflows", "workflow_job_templates"),
        ("controller_schedules", "schedules"),
    ):
        assert names(stand_in, endpoint) == defined(kind)
    awx = stand_in.awx
    take = awx.named("job_templates", "Restore points - take")
    survey = awx.surveys[f"{take['url']}survey_spec/"]
    assert survey["spec"][0]["variable"] == "restore_points_schedule"
    managed = awx.named("credential_types", "Azure managed identity")
    assert managed["injectors"]["env"]["AZURE_CLIENT_ID"] == "{{ client }}"
    assert edges(stand_in, "Restore points - nightly") == {
        ("inventory", "always", "take"),
        ("take", "always", "verify"),
        ("verify", "always", "report"),
    }
    assert awx.named("workflow_approval_templates", "Every machine has its point. Go on with the change?")

    before = list(awx.writes)
    awx.named("job_templates", "Restore points - verify")["timeout"] = 1
    again = deploy(stand_in, tmp_path, "--check", "--diff")
    assert again.returncode == 0, again.stdout + again.stderr
    changed = [line for line in again.stdout.splitlines() if line.startswith("changed: [localhost]")]
    assert changed == ["changed: [localhost] => (item=Restore points - verify)"]
    assert counts(again)["changed"] == 1, again.stdout
    assert awx.writes == before
    assert SECRET not in first.stdout + again.stdout


def edges(stand_in: StandIn, workflow: str) -> set[tuple[str, str, str]]:
    awx = stand_in.awx
    nodes = awx.objects["workflow_job_template_nodes"]
    number = awx.named("workflow_job_templates", workflow)["id"]
    return {
        (node["identifier"], kind, nodes[following]["identifier"])
        for node in nodes.values()
        if node["workflow_job_template"] == number
        for kind in ("success", "failure", "always")
        for following in awx.links.get(f"{node['url']}{kind}_nodes/", [])
    }


def settings(**values: t.Any) -> tuple[str, str]:
    return "-e", json.dumps({f"appconsistent_awx_{name}": value for name, value in values.items()})


def test_applying_again_leaves_every_secret_and_every_addition_by_hand_as_it_is(
    stand_in: StandIn, tmp_path: Path
) -> None:
    awx = stand_in.awx
    first = deploy(stand_in, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    organization = awx.named("organizations", "Default")["id"]

    def by_hand(kind: str, name: str) -> dict[str, t.Any]:
        number = awx.named("credential_types", kind)["id"]
        return awx.add(
            "credentials", {"name": name, "credential_type": number, "organization": organization, "inputs": {}}
        )

    credential = awx.named("credentials", "Azure restore points")
    credential["inputs"] |= {"cloud_environment": "AzureUSGovernment"}
    machine, git = by_hand("Machine", "Linux admin"), by_hand("Source Control", "Git token")
    other = by_hand("Microsoft Azure Resource Manager", "Azure of the other team")
    prepare, verify = (awx.named("job_templates", f"Restore points - {name}") for name in ("prepare", "verify"))
    awx.attach(prepare, "credentials", machine)
    awx.links[f"{verify['url']}credentials/"] = [other["id"]]
    chat = awx.add("notification_templates", {"name": "Chat", "organization": organization})
    awx.attach(verify, "notification_templates_error", chat)
    hook = awx.named("notification_templates", "Restore points fell short")
    hook |= {"notification_type": "slack", "notification_configuration": {"token": "xoxb-1", "channels": ["#night"]}}
    project = awx.named("projects", "Restore points")
    project["credential"] = git["id"]
    night = awx.named("schedules", "Restore points - every night")
    night |= {"rrule": "DTSTART;TZID=Asia/Tokyo:20260101T010000 RRULE:FREQ=DAILY;INTERVAL=1", "enabled": False}
    nightly = awx.named("workflow_job_templates", "Restore points - nightly")
    awx.attach(nightly, "notification_templates_approvals", chat)
    before = copy.deepcopy([credential, hook, project, night])

    # Even where nothing, or something else, is in the environment.
    for azure in ({}, {**AZURE, "AZURE_SECRET": "of-somebody-else"}):
        again = deploy(stand_in, tmp_path, azure=azure)
        assert again.returncode == 0, again.stdout + again.stderr
        assert counts(again)["changed"] == 0, again.stdout
    assert [credential, hook, project, night] == before
    assert credential["inputs"]["secret"] == SECRET
    assert awx.attached(prepare, "credentials") == {"Azure restore points", "Linux admin"}
    # AWX allows one credential of a type, and somebody chose another one.
    assert awx.attached(verify, "credentials") == {"Azure of the other team"}
    assert awx.attached(verify, "notification_templates_error") == {"Chat", "Restore points fell short"}
    assert awx.attached(nightly, "notification_templates_approvals") == {"Chat"}


@pytest.mark.parametrize(
    ("lacking", "empty"),
    [({"AZURE_SECRET"}, True), ({"AZURE_TENANT", "AZURE_CLIENT_ID"}, False), (set(AZURE), False)],
    ids=["an empty secret", "two that are not set", "none is set"],
)
def test_a_credential_is_not_made_of_empty_variables_and_nothing_else_is_written(
    stand_in: StandIn, tmp_path: Path, lacking: set[str], empty: bool
) -> None:
    given = {name: "" if name in lacking else value for name, value in AZURE.items() if empty or name not in lacking}
    done = deploy(stand_in, tmp_path, azure=given)
    assert done.returncode == 2
    said = " ".join(done.stdout.split())
    missing = ", ".join(name for name in AZURE if name in lacking)
    assert f"it cannot be made without {missing} in the environment. Nothing was written." in said.replace("\\n", " ")
    assert stand_in.awx.writes == []


def test_a_second_organization_gets_definitions_of_its_own(stand_in: StandIn, tmp_path: Path) -> None:
    awx = stand_in.awx
    first = deploy(stand_in, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    second = awx.add("organizations", {"name": "Second"})["id"]

    refused = deploy(stand_in, tmp_path, *settings(organization="Second"))
    assert refused.returncode == 2
    assert "belongs to the organization Default, and AWX knows only one of each name" in " ".join(
        refused.stdout.split()
    )
    done = deploy(stand_in, tmp_path, *settings(organization="Second", execution_environment="appconsistent.second"))
    assert done.returncode == 0, done.stdout + done.stderr
    of_second = [item for item in awx.objects["job_templates"].values() if item["organization"] == second]
    assert {item["name"] for item in of_second} == defined("controller_templates")
    for each in of_second:
        assert awx.objects["inventories"][each["inventory"]]["organization"] == second
        assert awx.objects["projects"][each["project"]]["organization"] == second
        assert awx.objects["execution_environments"][each["execution_environment"]]["organization"] == second
        for part in ("credentials", "notification_templates_error"):
            numbers = awx.links.get(f"{each['url']}{part}/", [])
            target = "credentials" if part == "credentials" else "notification_templates"
            assert {awx.objects[target][number]["organization"] for number in numbers} <= {second}
    nodes = awx.objects["workflow_job_template_nodes"].values()
    for node in nodes:
        workflow = awx.objects["workflow_job_templates"][node["workflow_job_template"]]
        if template := awx.objects["job_templates"].get(node.get("unified_job_template", 0)):
            assert template["organization"] == workflow["organization"]
    again = deploy(stand_in, tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert counts(again)["changed"] == 0, again.stdout


def test_machine_and_source_control_credentials_have_a_setting(stand_in: StandIn, tmp_path: Path) -> None:
    awx = stand_in.awx
    organization = awx.named("organizations", "Default")["id"]
    for kind, name in (("Machine", "Linux admin"), ("Source Control", "Git token")):
        number = awx.named("credential_types", kind)["id"]
        awx.add("credentials", {"name": name, "credential_type": number, "organization": organization, "inputs": {}})
    chosen = settings(machine_credentials=["Linux admin"], scm_credential="Git token")
    done = deploy(stand_in, tmp_path, *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("prepare", "diagnose"):
        template = awx.named("job_templates", f"Restore points - {name}")
        assert awx.attached(template, "credentials") == {"Azure restore points", "Linux admin"}
    assert awx.named("projects", "Restore points")["credential"] == awx.named("credentials", "Git token")["id"]
    misspelt = deploy(stand_in, tmp_path, *settings(machine_credentials=["Linux amdin"]))
    assert misspelt.returncode == 2
    assert "Linux amdin" in misspelt.stdout


def test_what_somebody_added_to_a_workflow_is_said(stand_in: StandIn, tmp_path: Path) -> None:
    awx = stand_in.awx
    assert deploy(stand_in, tmp_path).returncode == 0
    nightly = awx.named("workflow_job_templates", "Restore points - nightly")
    nightly["extra_vars"] = "appconsistent_hosts: web"
    awx.add("workflow_job_template_nodes", {"workflow_job_template": nightly["id"], "identifier": "copy to tape"})
    again = deploy(stand_in, tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    said = " ".join(again.stdout.split())
    assert "nightly has the nodes copy to tape and the variables appconsistent_hosts: web that are not of these" in said
    assert said.count("that are not of these definitions") == 1


def test_jobs_that_people_rely_on_tell_when_they_fail(stand_in: StandIn, tmp_path: Path) -> None:
    awx = stand_in.awx
    assert deploy(stand_in, tmp_path).returncode == 0
    for name in (
        "prepare",
        "take",
        "take before a change",
        "verify",
        "verify before a change",
        "prune",
        "guard",
        "report",
    ):
        template = awx.named("job_templates", f"Restore points - {name}")
        assert awx.attached(template, "notification_templates_error") == {"Restore points fell short"}, name


def test_check_mode_on_an_empty_awx_sends_nothing_and_says_what_it_left_out(stand_in: StandIn, tmp_path: Path) -> None:
    done = deploy(stand_in, tmp_path, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done)["changed"] > 0
    assert stand_in.awx.writes == []
    assert "3 schedules build on it and are left out of this check." in " ".join(done.stdout.split())


def test_a_wrong_password_gets_a_clear_sentence(stand_in: StandIn, tmp_path: Path) -> None:
    done = deploy(stand_in, tmp_path, password="wrong")
    assert done.returncode == 2
    assert "Failed to get token: HTTP Error 401" in " ".join(done.stdout.split())


def test_the_stand_in_refuses_what_awx_refuses(stand_in: StandIn) -> None:
    settings: dict[str, t.Any] = {"project": 1, "playbook": "awx/project/nosuch.yml"}
    stand_in.awx.objects["projects"][1] = {"allow_override": False}
    for endpoint, body, words in (
        ("job_templates", settings, "Playbook not found for project."),
        ("schedules", {"rrule": "RRULE:FREQ=DAILY"}, "one DTSTART"),
        ("projects", {"scm_ulr": "x"}, "unknown field scm_ulr"),
        ("credential_types", {"injectors": {"env": {"ANSIBLE_X": "1"}}}, "may not be set"),
    ):
        with pytest.raises(Exception, match=words):
            stand_in.awx.handle("POST", f"/api/v2/{endpoint}/", {}, body)
