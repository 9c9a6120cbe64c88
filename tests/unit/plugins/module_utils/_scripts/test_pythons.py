# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module's core does the same on every Python that a guest may have, with the standard library alone."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.pythons import VERSIONS, need_python

STORY = Path(__file__).with_name("story.py")
TREE = Path(__file__).resolve().parents[5] / ".tree"


def told_by(python: str, folder: Path) -> list[t.Any]:
    done = subprocess.run(
        # -S -s -E: nothing but the standard library; the collection alone is shown the way.
        [python, "-S", "-s", "-W", "error", str(STORY), str(folder)],
        env={"PYTHONPATH": str(TREE), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    story: list[t.Any] = json.loads(done.stdout)
    return story


@pytest.fixture(scope="module")
def told_here(tmp_path_factory: pytest.TempPathFactory) -> list[t.Any]:
    return told_by(sys.executable, tmp_path_factory.mktemp("here"))


def test_the_story_is_worth_comparing(told_here: list[t.Any]) -> None:
    foretold, deployed, files, again, refused, findings, fewer, bad, removed, left = told_here
    assert foretold == deployed
    assert (deployed["changed"], again["changed"]) == (True, False)
    assert len(files) > 30
    assert "workload 'oracle'" in refused["refused"]
    assert [finding["code"] for finding in findings] == ["workload.active"]
    assert len(fewer["removed"]) == 18
    assert "does not use unit" in bad["refused"]
    assert removed["changed"] is True
    assert list(left) == ["/run/appconsistent/lock"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_core_tells_the_same_story_on_every_python(version: str, told_here: list[t.Any], tmp_path: Path) -> None:
    assert told_by(need_python(version), tmp_path / "guest") == told_here
