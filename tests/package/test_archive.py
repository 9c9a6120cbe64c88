# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is released: the files that a user needs and no others, the same ones each time, and they work alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

from tests.azure_simulator import Simulator

from .conftest import BIN, ROOT, User, build, copy_of_the_checkout, sign_in

FILES = {
    "CONTRIBUTING.md",
    "COPYING",
    "README.md",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "execution-environment.yml",
    "meta/execution-environment.yml",
    "meta/runtime.yml",
    "requirements.txt",
    "tests/config.yml",
}
# Of these everything is wanted.
FOLDERS = ("awx", "docs", "extensions", "playbooks", "plugins", "roles")
UNWANTED = "docs/site/"
# What ansible-galaxy adds.
ADDED = {"MANIFEST.json", "FILES.json"}
# The first release has no changelog before it is cut.
ONCE_RELEASED = {"CHANGELOG.md"}


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {m.name: f.read() for m in tar.getmembers() if m.isfile() and (f := tar.extractfile(m)) is not None}


def wanted(root: Path) -> set[str]:
    found = {
        path.relative_to(root).as_posix()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return FILES | {name for name in found if not name.startswith(UNWANTED)}


def test_the_archive_holds_what_is_wanted_and_nothing_else(archive: Path) -> None:
    assert set(contents(archive)) - ADDED - ONCE_RELEASED == wanted(ROOT)


def test_what_lies_about_in_a_checkout_does_not_get_in(tmp_path: Path) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    for name in (
        ".venv-2.16/bin/python",
        ".docs/html/index.html",
        "appconsistent-azure-0.0.9.tar.gz",
        "context/_build/appconsistent-azure-0.0.9.tar.gz",
        "plugins/modules/__pycache__/restore_point.cpython-312.pyc",
        "tests/new_room/test_new.py",
        "tests/notes.txt",
        "tests/coverage/report",
        "demo/new.yml",
        "changelogs/fragments/new.yml",
        "changelogs/.plugin-cache.yaml",
    ):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not for users")
    (tmp_path / "out").mkdir()
    assert set(contents(build(checkout, tmp_path / "out"))) - ADDED - ONCE_RELEASED == wanted(ROOT)


def test_building_again_gives_the_same_contents_also_after_the_image_was_prepared(
    tmp_path: Path, archive: Path
) -> None:
    # Same contents, not the same bytes: ansible-galaxy writes the time of the build into the archive's headers.
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    first = build(checkout, checkout)
    before = contents(first)
    subprocess.run([BIN / "ansible-builder", "create"], cwd=checkout, capture_output=True, check=True, timeout=120)
    assert (checkout / "context").is_dir()
    (tmp_path / "again").mkdir()
    assert contents(build(checkout, tmp_path / "again")) == before == contents(archive)


def test_the_installed_collection_takes_points_by_its_full_name(user: User) -> None:
    fleet = {"vms": [{"name": "vm-{n}", "count": 3, "linux_scripts": "ok"}], "rules": {"retry_after": 1}}
    with Simulator(fleet, speed=100) as azure:
        hosts = {vm_id.rsplit("/", 1)[-1]: {"azure_vm_id": vm_id} for vm_id in azure.vm_ids}
        (user.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        done = user.run(
            *("ansible-playbook", "-i", "inventory.yml", "appconsistent.azure.restore_points"),
            **sign_in(azure),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3" in done.stdout + done.stderr


def test_the_version_stands_in_one_place(user: User) -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    arm = "ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm"
    told = f"import {arm} as arm; print(arm.USER_AGENT)"
    done = user.run(sys.executable, "-c", told, PYTHONPATH=str(user.home / ".ansible" / "collections"))
    assert done.stdout == f"ansible-appconsistent.azure/{version}\n", done.stderr
    names = ["git", "grep", "-lF", "--", version, *FOLDERS, *sorted(FILES)]
    said = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    # A test's own data, and since when there is a thing: neither changes with the next release.
    assert [name for name in said if _says(ROOT / name, version)] == []


def _says(path: Path, version: str) -> bool:
    lines = (line for line in path.read_text().splitlines() if "version_added" not in line)
    return any(re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", line) for line in lines)
