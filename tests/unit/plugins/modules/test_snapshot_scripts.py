# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module says of itself is what it does."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.table import PROFILES
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.deployment import DeploymentGuest, run
from ansible_collections.appconsistent.azure.plugins.modules import snapshot_scripts

SPEC = snapshot_scripts._argument_spec()
DOCUMENTATION = yaml.safe_load(snapshot_scripts.DOCUMENTATION)
EXAMPLES = yaml.safe_load(snapshot_scripts.EXAMPLES)
RETURN = yaml.safe_load(snapshot_scripts.RETURN)
SUBOPTIONS = DOCUMENTATION["options"]["profiles"]["suboptions"]
ROLE = Path(snapshot_scripts.__file__).parents[2] / "roles/linux_scripts"
KEYS = ("type", "elements", "choices", "required", "default")


def run_command(command: list[str], text: str) -> tuple[int, str]:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr or done.stdout


def shape(options: dict[str, dict[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    return {name: {key: option[key] for key in KEYS if key in option} for name, option in options.items()}


def test_options_are_documented_as_they_are() -> None:
    assert shape(DOCUMENTATION["options"]) == shape(SPEC)
    assert shape(SUBOPTIONS) == shape(SPEC["profiles"]["options"])


def test_every_option_of_every_profile_can_be_given() -> None:
    used = {option.name for profile in PROFILES.values() for option in profile.options}
    assert used | {"name", "label", "order"} == set(SUBOPTIONS)
    modes = {
        choice
        for profile in PROFILES.values()
        for option in profile.options
        if option.name == "mode"
        for choice in option.choices
    }
    assert sorted(modes) == SUBOPTIONS["mode"]["choices"]
    assert sorted(PROFILES) == SUBOPTIONS["name"]["choices"]


def test_every_option_says_for_which_profiles_it_is() -> None:
    for profile in PROFILES.values():
        for option in profile.options:
            said = str(SUBOPTIONS[option.name]["description"])
            assert option.name == "client" or f"V({profile.name})" in said, f"{option.name} of {profile.name}"


def test_documented_defaults_of_options_are_the_real_ones() -> None:
    for profile in PROFILES.values():
        for option in profile.options:
            if option.default not in ("", None) and not option.choices:
                said = str(SUBOPTIONS[option.name]["description"])
                assert (
                    f"V({str(option.default).lower() if isinstance(option.default, bool) else option.default})" in said
                )


def test_secrets_are_never_logged() -> None:
    for profile in PROFILES.values():
        for option in profile.options:
            assert bool(SPEC["profiles"]["options"][option.name].get("no_log")) == option.secret


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["name"]))
def test_examples_run(example: dict[str, t.Any], tmp_path: Path) -> None:
    checked = ArgumentSpecValidator(SPEC).validate(example["appconsistent.azure.snapshot_scripts"])
    assert checked.error_messages == []
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    result = run(
        checked.validated_parameters, DeploymentGuest(run_command, str(tmp_path), tmp_path.stat().st_uid), False
    )
    assert result["changed"] is (example["appconsistent.azure.snapshot_scripts"].get("state") != "absent")


def test_what_is_returned_is_documented(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    params = ArgumentSpecValidator(SPEC).validate({"profiles": [{"name": "mariadb"}]}).validated_parameters
    result = run(params, DeploymentGuest(run_command, str(tmp_path), tmp_path.stat().st_uid), False)
    assert set(result) - {"changed", "diff"} == set(RETURN)
    assert set(result["snapshot_scripts"]) == set(RETURN["snapshot_scripts"]["contains"])
    assert result["snapshot_scripts"] == RETURN["snapshot_scripts"]["sample"]
    assert set(RETURN["findings"]["sample"][0]) == set(RETURN["findings"]["contains"])


def test_the_role_hands_on_every_option_with_the_same_default() -> None:
    (task,) = yaml.safe_load((ROLE / "tasks/main.yml").read_text())
    handed = task["appconsistent.azure.snapshot_scripts"]
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    described = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(handed) == set(SPEC)
    for name, option in SPEC.items():
        variable = f"linux_scripts_{name}"
        assert handed[name] == f"{{{{ {variable} }}}}"
        assert defaults[variable] == described[variable]["default"] == option["default"]
        assert described[variable]["type"] == option["type"]
        assert described[variable].get("choices") == option.get("choices")


@pytest.mark.parametrize("asked", [True, False])
def test_whole_scripts_are_in_the_result_only_for_who_asked_to_see_them(
    asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Module:
        params: t.ClassVar[dict[str, object]] = {}
        check_mode = True
        _diff = asked
        told: t.ClassVar[dict[str, object]] = {}

        def exit_json(self, **result: object) -> None:
            self.told.update(result)

    module = Module()
    module.told.clear()
    monkeypatch.setattr(snapshot_scripts, "SnapshotScripts", lambda **_: module)
    monkeypatch.setattr(snapshot_scripts, "run", lambda *_: {"changed": True, "findings": [], "diff": ["#!/bin/sh"]})
    snapshot_scripts.main()
    assert module.told["changed"] is True
    assert ("diff" in module.told) == asked
