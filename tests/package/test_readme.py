# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What README says works, word for word, for somebody who has nothing but README."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place

from tests.azure_simulator import Simulator
from tests.system.conftest import MakeGuest, new_guest, templates

from .conftest import ROOT, User, sign_in
from .readme import TEXT, blocks, follow, write_files

__all__ = ["new_guest", "templates"]

ON_A_FLEET = (
    "Install",
    "First run on your own fleet",
    "A plan for each machine",
    "Every night",
    "When something falls short",
    "Restore",
)
IN_GUESTS = ("Prepare the guests", "Remove it again")
FLEET = [
    {"name": "db-{n}", "count": 20, "linux_scripts": "ok", "snapshot_extension": "present"},
    {"name": "web-{n}", "count": 20, "linux_scripts": "ok", "snapshot_extension": "present"},
    {"name": "win-{n}", "count": 10, "os": "windows", "snapshot_extension": "present"},
]


@pytest.fixture
def azure() -> Iterator[Simulator]:
    with Simulator({"vms": FLEET, "rules": {"retry_after": 1}}, speed=100) as simulator:
        yield simulator


@pytest.fixture
def from_git(newcomer: User) -> User:
    """Somebody whose git finds this checkout where the collection is published."""
    (newcomer.home / ".gitconfig").write_text(
        f'[url "file://{ROOT}"]\n\tinsteadOf = https://github.com/appconsistent/azure.git\n[safe]\n\tdirectory = *\n'
    )
    (newcomer.home / "azure").symlink_to(newcomer.folder)
    return newcomer


def test_a_newcomer_gets_a_point_of_each_of_fifty_machines(from_git: User, azure: Simulator) -> None:
    follow(from_git, "Install")
    graph, check, first, full = follow(from_git, "First run on your own fleet", **sign_in(azure))
    assert graph.count("|--db-") >= 20
    assert "@windows" in graph
    assert "50 of 50" in check
    assert "1 of 1" in first
    assert "50 of 50" in full
    (again,) = follow(from_git, "Every night", **sign_in(azure))
    assert "50 fresh" in again
    assert "changed=1" not in again
    verified, readiness, guarded = follow(from_git, "When something falls short", **sign_in(azure))
    assert verified.count("failed=0") == 50
    assert readiness.count("unreachable=0") == guarded.count("unreachable=0") == 50


def test_a_group_has_a_plan_of_its_own(user: User, azure: Simulator) -> None:
    write_files(user, "First run on your own fleet")
    (ran,) = follow(user, "A plan for each machine", **sign_in(azure))
    assert "50 of 50" in ran
    names = azure.call(lambda world: [point.name for held in world.points.values() for point in held.values()])
    assert (sum(name.startswith("gold-") for name in names), len(names)) == (10, 50)


def test_a_machine_is_restored_and_that_is_undone(user: User) -> None:
    write_files(user, "First run on your own fleet")
    write_files(user, "Restore")
    wanted = yaml.safe_load((user.folder / "restore.yml").read_text())
    # A machine of that name that had its point at that time.
    vm = {"name": wanted["appconsistent_hosts"], "linux_scripts": "ok", "disks": {"data": [{}]}}
    with Simulator({"vms": [vm], "rules": {"retry_after": 1}}, speed=100) as azure:
        (vm_id,) = azure.vm_ids
        collection = Place().of(parse_vm_id(vm_id, "vm")).name
        point = {"collection": collection, "name": wanted["restore_point"], "age": "2h"}
        azure.reset({"vms": [{**vm, "points": [point]}], "rules": {"retry_after": 1}})
        check, done, back = follow(user, "Restore", **sign_in(azure))
        assert azure.call(lambda world: [disk.name for vm in world.vms.values() for disk in vm.disks]) == [
            "db1_OsDisk_1",
            "db1_DataDisk_0",
        ]
    assert "exchange 2 disks in one update" in check
    assert "changed=0" not in done + back


def test_the_table_that_is_shown_is_what_such_a_fleet_gets(user: User) -> None:
    (shown,) = (block.text for block in blocks() if block.language == "text")
    ready = {"linux_scripts": "ok", "snapshot_extension": "present"}
    fleet = [
        {"name": "db1", **ready},
        {"name": "db2", "snapshot_extension": "present"},
        {"name": "web1", **ready},
        {"name": "web2", "power": "deallocated"},
    ]
    write_files(user, "First run on your own fleet")
    command = ("ansible-playbook", "-i", "fleet.appconsistent.yml", "nightly.yml")
    with Simulator({"vms": fleet, "rules": {"retry_after": 1}}, speed=100) as azure:
        user.run(*command, "--limit", "web1", **sign_in(azure))
        done = user.run(*command, **sign_in(azure))
    assert done.returncode == 2
    assert without_seconds(shown) in without_seconds(done.stderr)


def without_seconds(text: str) -> str:
    return re.sub(r"  \d+ +(reached|fresh|degraded|refused)", r"  N \1", text)


def test_guests_are_prepared_and_left_as_they_were(user: User, new_guest: MakeGuest, tmp_path: Path) -> None:
    guest = new_guest("mariadb", "db1", directory=tmp_path / "guest")
    fleet = {"vms": [{"name": "db1", "guest": {"socket": str(guest.socket)}}], "rules": {"retry_after": 1}}
    (user.folder / "host_vars").mkdir()
    (user.folder / "host_vars" / "db1.yml").write_text(
        yaml.safe_dump(
            {
                "ansible_host": guest.ssh_host,
                "ansible_port": guest.ssh_port,
                "ansible_user": guest.user,
                "ansible_ssh_private_key_file": str(guest.ssh_key),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile='{guest.known_hosts}' -o StrictHostKeyChecking=yes",
            }
        )
    )
    write_files(user, "First run on your own fleet")
    # A socket's path has at most 108 characters, which a home in pytest's folder uses up.
    with Simulator(fleet, speed=10) as azure, tempfile.TemporaryDirectory() as sockets:
        follow(user, "Prepare the guests", ANSIBLE_SSH_CONTROL_PATH_DIR=sockets, **sign_in(azure))
        assert guest.path(Path("/etc/azure/VMSnapshotScriptPluginConfig.json")).exists()
        follow(user, "Remove it again", ANSIBLE_SSH_CONTROL_PATH_DIR=sockets, **sign_in(azure))
        assert not guest.path(Path("/etc/azure/VMSnapshotScriptPluginConfig.json")).exists()
        assert azure.call(lambda world: list(world.locks)) == []


def test_every_block_is_run_by_a_test_here() -> None:
    said = {block.section for block in blocks() if block.language != "text"}
    assert said == {*ON_A_FLEET, *IN_GUESTS}
    assert {block.language for block in blocks()} == {"text", "sh", "yaml", "cron"}


def test_every_link_and_every_make_target_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
    targets = set(re.findall(r"`make (\w+)`", TEXT))
    asked = subprocess.run(["make", "-n", *sorted(targets)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    assert {"demo", "test", "docs"} <= targets
