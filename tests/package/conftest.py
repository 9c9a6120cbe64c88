# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The archive that `ansible-galaxy collection build` writes, and an empty folder where a user has installed it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.azure_simulator import Simulator

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def build(source: Path, folder: Path) -> Path:
    """Build the collection of a checkout into a folder; return the archive."""
    command: list[str | Path] = [
        BIN / "ansible-galaxy",
        "collection",
        "build",
        "--output-path",
        folder,
        source,
    ]
    subprocess.run(command, env=environment(folder), capture_output=True, check=True, timeout=120)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def copy_of_the_checkout(folder: Path) -> Path:
    """Copy what git would have in a fresh clone, without `.tree`, which links to the checkout itself."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", ".", ":!.tree"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    return folder


def environment(home: Path) -> dict[str, str]:
    """Return what a shell of somebody has who knows nothing of this checkout."""
    return {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class User:
    """Somebody with a home and nothing in it, who works in a folder there whose name has a blank."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "my azure"

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(self.home) | {"ANSIBLE_LOCALHOST_WARNING": "False"} | variables,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("archive"))


@pytest.fixture
def newcomer(tmp_path: Path) -> User:
    somebody = User(tmp_path / "home")
    somebody.folder.mkdir(parents=True)
    return somebody


@pytest.fixture
def user(archive: Path, newcomer: User) -> User:
    """Somebody who has installed the archive."""
    done = newcomer.run("ansible-galaxy", "collection", "install", "--offline", str(archive))
    assert done.returncode == 0, done.stderr
    return newcomer


def sign_in(azure: Simulator) -> dict[str, str]:
    """Return the variables of a service principal, and where its Azure is."""
    return {
        "AZURE_CLOUD_ENVIRONMENT": azure.arm_url,
        "AZURE_CLIENT_ID": azure.client_id,
        "AZURE_SECRET": azure.client_secret,
        "AZURE_TENANT": azure.tenant_id,
        "APPCONSISTENT_CA_FILE": azure.ca_file,
    }
