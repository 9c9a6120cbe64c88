# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What requirements.txt allows works: with the lowest versions of every range and with the newest, a point is made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.azure_simulator import Simulator
from tests.playbooks.conftest import ROOT, SPEED, Controller

RANGE = re.compile(r"(?P<name>[a-z-]+)>=(?P<lowest>[0-9.]+),<(?P<end>[0-9]+)")
TAKE: t.Any = {"name": "take", "appconsistent.azure.restore_points": {}, "run_once": True}


def ranges() -> list[re.Match[str]]:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    found = [match for line in lines if (match := RANGE.fullmatch(line))]
    assert len(found) == len(lines)
    return found


@pytest.mark.parametrize("end", ["lowest", "newest"])
def test_a_controller_with_this_end_of_every_range_signs_in_and_makes_a_point(end: str, tmp_path: Path) -> None:
    if not os.environ.get("REQUIRE_SYSTEM"):
        pytest.skip("installs from the package index for a minute: REQUIRE_SYSTEM=1 runs it")
    wanted = [f"{each['name']}=={each['lowest']}" if end == "lowest" else each[0] for each in ranges()]
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    core = f"ansible-core=={version('ansible-core')}"
    pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--upgrade")
    done = subprocess.run([*pip, core, *wanted], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    with Simulator({"vms": []}, speed=SPEED) as simulator:
        controller = Controller(simulator, tmp_path)
        controller.python = python
        controller.fleet({"name": "db1", "linux_scripts": "ok"})
        federated = {"AZURE_SECRET": "", "AZURE_FEDERATED_TOKEN_FILE": simulator.federated_token_file}
        for way in ({}, federated):
            controller.environment |= way
            host = controller.play(TAKE).of("take").result["hosts"]["db1"]
            assert host["verdict"] == ("fresh" if way else "reached"), host


def test_a_controller_is_told_which_pycurl_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "pycurl.py").write_text("version = 'PycURL/7.45.2 libcurl/7.88.1'\n")
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import libraries;"
            "print(libraries.missing_sentence())",
        ],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / '.tree'}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "pycurl is too old (7.45.2), 7.47 is needed. Install with: " in said
