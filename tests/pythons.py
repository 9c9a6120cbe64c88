# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Pythons that a guest may have. One that is missing is a skip with a sentence; with REQUIRE_SYSTEM=1 a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSIONS = [f"3.{minor}" for minor in range(6, 14)]


def _interpreter(version: str) -> str | None:
    """In PATH or kept by pyenv. A shim may answer to a name that it does not have."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (shutil.which(f"python{version}"), *map(str, kept)):
        if candidate is None:
            continue
        asked = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
        if said.returncode == 0 and said.stdout.strip() == version:
            return candidate
    return None


def need_python(version: str) -> str:
    """The path of an interpreter of that version."""
    python = _interpreter(version)
    if python is not None:
        return python
    sentence = f"There is no Python {version} in PATH or below ~/.pyenv/versions; install it."
    if os.environ.get("REQUIRE_SYSTEM") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)
