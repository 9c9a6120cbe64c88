# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""`python -m tests.awx.fetch_collections FOLDER`: put the collection awx.awx there, for the test of awx_deploy.

`fetch` does the same for azure.azcollection, for the test of its inventory.

It is taken out of the `ansible` package, so that the Python package index is all that is needed. Version 12.3.0 is the
last that has it and runs on Python 3.11; the package itself is not installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "ansible==12.3.0"
AWX = "ansible_collections/awx/awx/"
AZURE = "ansible_collections/azure/azcollection/"


def fetch(folder: Path, wanted: str = AWX) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--only-binary=:all:", "--python-version=3.11", "--dest", scratch, PACKAGE),
            ],
            check=True,
        )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith(wanted)])


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
