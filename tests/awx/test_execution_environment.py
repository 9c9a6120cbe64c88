# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The image that AWX runs jobs in: its definition, what the collection asks of it, and that this can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.awx.definitions import ROOT

BUILDER = Path(sys.executable).with_name("ansible-builder")
PINS = ROOT / "tests" / "data" / "azcollection" / "requirements-3.21.0.txt"
OURS = ROOT / "requirements.txt"


def wanted() -> set[str]:
    lines = OURS.read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_the_definition_becomes_a_build_context(tmp_path: Path) -> None:
    (tmp_path / "execution-environment.yml").write_text((ROOT / "execution-environment.yml").read_text())
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    archive = f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"
    (tmp_path / archive).write_bytes(b"what ansible-galaxy collection build writes")
    context = tmp_path / "context"
    subprocess.run([BUILDER, "create", "--context", context], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    built = {path.name for path in (context / "_build").iterdir()}
    assert {archive, "requirements.yml", "requirements.txt", "bindep.txt"} <= built
    recipe = next(path for path in context.iterdir() if path.name in ("Containerfile", "Dockerfile")).read_text()
    assert "python3.12" in recipe
    # The archive lies where the list of collections says, before that list is installed.
    (collection,) = yaml.safe_load((context / "_build" / "requirements.yml").read_text())["collections"]
    copied = f"COPY _build/appconsistent-azure-*.tar.gz {collection['name']}"
    assert recipe.index(copied) < recipe.index("ansible-galaxy collection install")
    assert "USER 1000" in recipe


def test_the_collection_tells_the_builder_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            BUILDER,
            "introspect",
            ROOT / ".tree",
            "--write-pip",
            tmp_path / "pip.txt",
            "--write-bindep",
            tmp_path / "bindep",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = (tmp_path / "pip.txt").read_text()
    for line in wanted():
        assert line in told, done.stdout
    assert not (tmp_path / "bindep").exists()


def test_the_image_has_what_the_definition_promises_beside_the_collection() -> None:
    definition = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    assert definition["version"] == 3
    # The controller's side runs on 3.11 and newer, and ansible-core has to fit that Python.
    assert definition["dependencies"]["python_interpreter"]["package_system"] == "python3.12"
    assert yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text()) == {
        "version": 3,
        "dependencies": {"python": "requirements.txt"},
    }


@pytest.mark.parametrize("beside", ["azure.azcollection", "azure-cli"])
def test_our_ranges_resolve_beside(beside: str, tmp_path: Path) -> None:
    """Asks the Python package index what a fresh installation would be: 160 packages, a minute, nothing installed."""
    if not os.environ.get("REQUIRE_SYSTEM"):
        pytest.skip("asks the package index for a minute: REQUIRE_SYSTEM=1 runs it")
    report = tmp_path / "report.json"
    more = ["-r", str(PINS)] if beside == "azure.azcollection" else ["azure-cli"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
            *("--disable-pip-version-check", "--report", str(report), "-r", str(OURS), *more),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    chosen: dict[str, t.Any] = {
        item["metadata"]["name"].lower(): item["metadata"]["version"]
        for item in json.loads(report.read_text())["install"]
    }
    assert {"azure-core", "azure-identity", "azure-mgmt-core", "pycurl"} <= set(chosen)
    assert len(chosen) > 100
