# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""awx_deploy puts the definitions into an AWX: into a stand-in for its API, with the real modules of awx.awx."""

from __future__ import annotations

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
    stand_in: StandIn, folder: Path, *arguments: str, password: str = PASSWORD
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
            "AZURE_SUBSCRIPTION_ID": "5d1f0a52-0000-4000-a000-000000000001",
            "AZURE_CLIENT_ID": "app",
            "AZURE_SECRET": SECRET,
            "AZURE_TENANT": "tenant",
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
