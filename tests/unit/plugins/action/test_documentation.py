# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The documentation of an action says what its code accepts: ansible-test compares the two for modules only."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
ACTIONS = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))
COLLECTION = "appconsistent.azure"


@functools.cache
def ansible_doc() -> dict[str, t.Any]:
    """What the real ansible-doc says of all actions, fragments joined in."""
    answer = subprocess.run(
        [Path(sys.executable).with_name("ansible-doc"), "--json", *(f"{COLLECTION}.{name}" for name in ACTIONS)],
        env={"ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return dict(json.loads(answer.stdout))


def documented(name: str) -> dict[str, t.Any]:
    return dict(ansible_doc()[f"{COLLECTION}.{name}"])


def accepted(name: str) -> dict[str, t.Any]:
    return dict(
        importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.action.{name}").ActionModule.ARGUMENT_SPEC
    )


def facts(option: dict[str, t.Any]) -> dict[str, t.Any]:
    """What both sides must agree on. A documented default of a required or plain option is none."""
    nested = option.get("suboptions") or option.get("options")
    return {
        "type": option.get("type", "str"),
        "elements": option.get("elements"),
        "choices": [str(choice) for choice in option.get("choices") or ()],
        "default": option.get("default"),
        "required": bool(option.get("required")),
        "aliases": sorted(option.get("aliases") or ()),
        "nested": {name: facts(inner) for name, inner in nested.items()} if nested else None,
    }


def test_there_are_actions_to_look_at() -> None:
    assert "restore_points" in ACTIONS


@pytest.mark.parametrize("name", ACTIONS)
def test_options_are_documented_as_they_are_accepted(name: str) -> None:
    options = documented(name)["doc"].get("options", {})
    assert {option: facts(said) for option, said in options.items()} == {
        option: facts(spec) for option, spec in accepted(name).items()
    }


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_has_examples_and_return_values(name: str) -> None:
    assert yaml.safe_load(documented(name)["examples"])
    assert documented(name)["return"]


@pytest.mark.parametrize("name", ACTIONS)
def test_secrets_are_not_logged(name: str) -> None:
    for option, spec in accepted(name).items():
        if any(word in option for word in ("secret", "password")):
            assert spec.get("no_log") is True, option


@pytest.mark.parametrize("name", ACTIONS)
def test_every_azure_action_takes_its_defaults_from_the_group(name: str) -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    if "auth_source" in accepted(name):
        assert name in groups["azure"]
