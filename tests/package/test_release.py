# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A release can be cut from what is in the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from .conftest import BIN, ROOT, copy_of_the_checkout, environment


def test_a_release_is_cut_with_one_summary_and_every_plugin_in_it(tmp_path: Path) -> None:
    # antsibull-changelog takes the collection's name from its folder.
    checkout = copy_of_the_checkout(tmp_path / "ansible_collections" / "appconsistent" / "azure")
    command: list[str | Path] = [BIN / "antsibull-changelog", "release"]
    subprocess.run(command, cwd=checkout, env=environment(tmp_path), capture_output=True, check=True, timeout=120)
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    release = yaml.safe_load((checkout / "changelogs" / "changelog.yaml").read_text())["releases"][version]
    assert release["changes"]["release_summary"]
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert {module["name"] for module in release["modules"]} == modules
    assert {role["name"] for role in release["objects"]["role"]} == {path.name for path in (ROOT / "roles").iterdir()}
    assert (checkout / "CHANGELOG.md").read_text().startswith("# appconsistent")
