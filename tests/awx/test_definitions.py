# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The definitions in awx/ hold to every rule that AWX enforces, and to those it breaks in silence."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.awx import definitions, rules
from tests.awx.definitions import FOLDER, ROOT

Json = dict[str, t.Any]
# File (and variable, as infra.aap_configuration calls it) -> module of awx.awx, and what only that collection knows.
MODULES: dict[str, tuple[str, set[str]]] = {
    "controller_credential_types": ("credential_type", set()),
    "controller_credentials": ("credential", set()),
    "controller_execution_environments": ("execution_environment", set()),
    "controller_inventories": ("inventory", set()),
    "controller_inventory_sources": ("inventory_source", set()),
    "controller_notifications": ("notification_template", set()),
    "controller_projects": ("project", set()),
    "controller_schedules": ("schedule", set()),
    "controller_templates": ("job_template", set()),
    "controller_workflows": ("workflow_job_template", {"simplified_workflow_nodes"}),
}
NODE_ONLY = {"success_nodes", "failure_nodes", "always_nodes"}
EVERYTHING = [(kind, item) for kind in MODULES for item in definitions.of(kind)]
TEMPLATES = {item["name"]: item for item in definitions.of("controller_templates")}
WORKFLOWS = {item["name"]: item for item in definitions.of("controller_workflows")}
SOURCES = {item["name"]: item for item in definitions.of("controller_inventory_sources")}
NODES = [node for workflow in WORKFLOWS.values() for node in workflow["simplified_workflow_nodes"]]
FITTING: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    # AWX's modules turn "1" into 1: a number from a setting is rendered as text.
    "int": (int, str),
    "dict": dict,
    "list": list,
    "raw": object,
}


def name_of(value: t.Any) -> str:
    return str(value.get("name") or value.get("identifier")) if isinstance(value, dict) else str(value)


def own(name: str) -> str:
    """Return the name in a named URL, which has to say the organization."""
    assert name.endswith(f"++{definitions.settings()['appconsistent_awx_organization']}")
    return name.partition("++")[0]


def documented_variables() -> set[str]:
    """What the role restore_points says that it takes, what the playbook guard gives a default, and the hosts."""
    specs = yaml.safe_load((ROOT / "roles" / "restore_points" / "meta" / "argument_specs.yml").read_text())
    guard = re.findall(r"{{ (guard_\w+) \| default", (ROOT / "playbooks" / "guard.yml").read_text())
    return {*specs["argument_specs"]["main"]["options"], *guard, "appconsistent_hosts"}


def test_every_file_is_known_and_holds_the_variable_of_its_name() -> None:
    files = {path.stem for path in FOLDER.glob("*.yml")} - {"settings"}
    assert files == set(MODULES)
    for name in files:
        assert list(definitions.read(FOLDER / f"{name}.yml")) == [name]


@pytest.mark.parametrize(("kind", "item"), EVERYTHING, ids=name_of)
def test_every_key_is_an_option_of_its_module(kind: str, item: Json) -> None:
    module, more = MODULES[kind]
    known = rules.options()[module]
    assert set(item) <= set(known) | more
    for key in set(item) - more:
        assert isinstance(item[key], FITTING[known[key].get("type", "str")]), key
        if "choices" in known[key] and key != "state":
            assert item[key] in known[key]["choices"], key


def test_names_are_unique_over_all_kinds_that_share_a_namespace() -> None:
    # Templates, workflows, projects and inventory sources are looked up as one kind by nodes and schedules.
    names = [*TEMPLATES, *WORKFLOWS, *SOURCES, *(item["name"] for item in definitions.of("controller_projects"))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("template", [*TEMPLATES.values(), *WORKFLOWS.values()], ids=name_of)
def test_surveys_are_what_awx_takes_and_keeps(template: Json) -> None:
    survey = template.get("survey_spec", {})
    assert bool(survey) == template.get("survey_enabled", False)
    assert rules.survey_problems(survey) == [] if survey else True
    for question in survey.get("spec", []):
        assert question["variable"] in documented_variables()


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=name_of)
def test_a_template_can_be_launched_without_a_person(template: Json) -> None:
    assert all(not question["required"] for question in template.get("survey_spec", {}).get("spec", []))


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=name_of)
def test_a_template_runs_a_playbook_that_the_project_shows(template: Json) -> None:
    path = ROOT / template["playbook"]
    # awx.main.utils.ansible.could_be_playbook
    shown = re.compile(r"^\s*?-?\s*?(?:hosts|(ansible\.builtin\.)?include|(ansible\.builtin\.)?import_playbook):")
    assert any(shown.match(line) for line in path.read_text().splitlines())
    assert not {"roles", "tasks", "group_vars", "host_vars"} & set(path.relative_to(ROOT).parts)
    assert template["project"] in [item["name"] for item in definitions.of("controller_projects")]


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=name_of)
def test_what_a_template_refers_to_is_defined(template: Json) -> None:
    named = {kind: {item["name"] for item in definitions.of(kind)} for kind in MODULES}
    assert own(template["inventory"]) in named["controller_inventories"]
    assert template["execution_environment"] in named["controller_execution_environments"]
    assert {own(name) for name in template.get("credentials", [])} <= named["controller_credentials"]
    assert {own(name) for name in template.get("notification_templates_error", [])} <= named["controller_notifications"]
    assert set(template.get("extra_vars", {})) <= documented_variables()


def test_a_job_has_more_time_than_its_machines() -> None:
    defaults = yaml.safe_load((ROOT / "roles" / "restore_points" / "defaults" / "main.yml").read_text())
    assert defaults["restore_points_timeout"] == "1h"
    for template in TEMPLATES.values():
        if template["playbook"].endswith("restore_points.yml"):
            assert template["timeout"] >= 2 * 3600


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=name_of)
def test_a_workflows_edges_lead_forward_to_nodes_that_exist(workflow: Json) -> None:
    order = [node["identifier"] for node in workflow["simplified_workflow_nodes"]]
    assert len(order) == len(set(order))
    reached = {order[0]}
    for node in workflow["simplified_workflow_nodes"]:
        for kind in NODE_ONLY:
            for following in node.get(kind, []):
                assert order.index(following) > order.index(node["identifier"])
                reached.add(following)
    assert reached == set(order)


@pytest.mark.parametrize("node", NODES, ids=name_of)
def test_a_node_runs_what_exists_with_variables_that_are_asked_for(node: Json) -> None:
    assert set(node) <= set(rules.options()["workflow_job_template_node"])
    if "approval_node" in node:
        assert set(node["approval_node"]) == {"name", "description", "timeout"}
        assert node["approval_node"]["timeout"] > 0
        return
    name = node["unified_job_template"]
    assert name in {**TEMPLATES, **SOURCES}
    template = TEMPLATES.get(name, {})
    survey, asks = template.get("survey_spec", {}), template.get("ask_variables_on_launch", False)
    assert rules.answer_problems(survey, node.get("extra_data", {}), asks) == []


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=name_of)
def test_a_workflow_with_a_sliced_node_asks_for_no_limit(workflow: Json) -> None:
    names = {node.get("unified_job_template") for node in workflow["simplified_workflow_nodes"]}
    sliced = [name for name in names & set(TEMPLATES) if "job_slice_count" in TEMPLATES[name]]
    assert not (sliced and workflow["ask_limit_on_launch"])


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=name_of)
def test_a_workflows_answers_are_asked_for_by_every_template_that_needs_them(workflow: Json) -> None:
    answers = {question["variable"] for question in workflow.get("survey_spec", {}).get("spec", [])}
    for node in workflow["simplified_workflow_nodes"]:
        template = TEMPLATES.get(node.get("unified_job_template", ""), {})
        asked = {question["variable"] for question in template.get("survey_spec", {}).get("spec", [])}
        assert answers <= asked or template.get("ask_variables_on_launch") or not template


@pytest.mark.parametrize("schedule", definitions.of("controller_schedules"), ids=name_of)
def test_a_schedule_has_a_rule_that_awx_takes_and_variables_that_are_asked_for(schedule: Json) -> None:
    assert rules.rrule_problems(schedule["rrule"]) == []
    template = {**TEMPLATES, **WORKFLOWS}[schedule["unified_job_template"]]
    survey, asks = template.get("survey_spec", {}), template.get("ask_variables_on_launch", False)
    assert rules.answer_problems(survey, schedule.get("extra_data", {}), asks) == []


@pytest.mark.parametrize("kind", definitions.of("controller_credential_types"), ids=name_of)
def test_a_credential_type_injects_nothing_that_awx_bars(kind: Json) -> None:
    assert rules.injector_problems(kind["injectors"], kind["inputs"]) == []


@pytest.mark.parametrize("source", SOURCES.values(), ids=name_of)
def test_the_inventory_source_is_a_file_that_its_plugin_takes(source: Json) -> None:
    path = ROOT / source["source_path"]
    assert yaml.safe_load(path.read_text())["plugin"] == "appconsistent.azure.vms"
    assert path.name.endswith("appconsistent.yml")


def test_no_secret_is_kept_in_the_definitions() -> None:
    for item in definitions.read(FOLDER / "controller_credentials.yml")["controller_credentials"]:
        assert all(text.startswith("{{ lookup('ansible.builtin.env'") for text in item["inputs"].values())


def test_the_files_are_read_as_the_guide_says(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "awx.md").read_text()
    (read,) = re.findall(r"- name: Read them\n(.*?)\n *- name: Apply", guide, re.DOTALL)
    task = yaml.safe_load(read.replace("appconsistent/awx", str(FOLDER)))
    every = " + ".join(f"({kind} | map(attribute='name') | list)" for kind in MODULES)
    names = {"ansible.builtin.debug": {"msg": "{{ " + every + " }}"}}
    play = tmp_path / "read.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task, names]}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), play],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for _kind, item in EVERYTHING:
        assert item["name"] in done.stdout


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ({"type": "boolean"}, "'boolean' is not a type of question"),
        ({"type": "multiplechoice", "choices": ["yes", "no"], "default": "maybe"}, "is none of the choices"),
        ({"type": "multiplechoice", "choices": [True, False]}, "choices have to be texts"),
        ({"type": "multiselect", "choices": ["a"], "default": "a"}, "dropped in silence"),
        ({"type": "integer", "default": "3"}, "is no number"),
        ({"type": "integer", "default": 3, "max": 2}, "out of bounds"),
        ({"type": "text", "default": "x", "min": 2}, "dropped in silence"),
        ({"type": "text", "variable": "bad var"}, "not a name that Ansible accepts"),
        ({"type": "text", "requird": True}, "unknown key requird"),
    ],
)
def test_the_rules_find_bad_questions(question: Json, problem: str) -> None:
    whole = {"question_name": "Q", "variable": "v", "required": False, **question}
    (found,) = rules.survey_problems({"name": "", "description": "", "spec": [whole]})
    assert problem in found


@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260101T010000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART;TZID=Europe/Atlantis:20260101T010000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260101T010000Z RRULE:FREQ=DAILY",
        "DTSTART:20260101T010000Z RRULE:FREQ=SECONDLY;INTERVAL=1",
        "DTSTART:20260101T010000Z RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=1MO",
        "DTSTART:20260101T010000Z RRULE:FREQ=DAILY;INTERVAL=1;COUNT=1000",
    ],
)
def test_the_rules_find_bad_schedules(rule: str) -> None:
    assert len(rules.rrule_problems(rule)) == 1


def test_the_rules_find_what_a_launch_without_a_person_lacks() -> None:
    survey = {"spec": [{"question_name": "Q", "variable": "v", "type": "text", "required": True, "default": "d"}]}
    assert rules.answer_problems(survey, {}, False) == ["'v' value missing"]
    assert rules.answer_problems(survey, {"v": "x", "w": "y"}, False) == ["w: is not asked for on launch"]


def test_the_rules_find_barred_variables() -> None:
    injectors = {"env": {"ANSIBLE_AZURE_AUTH_SOURCE": "msi", "PATH": "/", "AZURE_TENANT": "{{ tenent }}"}}
    found = rules.injector_problems(injectors, {"fields": [{"id": "tenant"}]})
    assert len(found) == 3
