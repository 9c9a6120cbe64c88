"""The role, as users run it: ansible-playbook over SSH, on a real guest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.linux_guest import LinuxGuest
from tests.system.conftest import MakeGuest

from .scripted import CONFIG, POST, PRE, Starter, clean, state, until

_PROJECT = Path(__file__).resolve().parents[3]
_MARIADB = [{"name": "mariadb"}]


class Controller:
    """A machine that runs a play with the role."""

    def __init__(self, guest: LinuxGuest, folder: Path) -> None:
        self._folder = folder
        host = {
            "ansible_host": guest.ssh_host,
            "ansible_port": guest.ssh_port,
            "ansible_user": guest.user,
            "ansible_ssh_private_key_file": str(guest.ssh_key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={guest.known_hosts} -o StrictHostKeyChecking=yes",
            "ansible_python_interpreter": sys.executable,
        }
        # The result goes to a file of the controller's, in check mode too.
        keep = {
            "ansible.builtin.copy": {"content": "{{ linux_scripts_result }}", "dest": str(folder / "result.json")},
            "delegate_to": "localhost",
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "become": False,
            "check_mode": False,
            "diff": False,
        }
        play = {
            "hosts": "all",
            "gather_facts": False,
            "roles": ["appconsistent.azure.linux_scripts"],
            "post_tasks": [keep],
        }
        (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {guest.name: host}}}))
        (folder / "play.yml").write_text(yaml.safe_dump([play]))

    def run(self, *arguments: str, **variables: object) -> tuple[int, str]:
        """Exit status, and everything that a user sees."""
        given = json.dumps({f"linux_scripts_{name}": value for name, value in variables.items()})
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [program, "-i", self._folder / "inventory.yml", self._folder / "play.yml", "-e", given, *arguments],
            env={**os.environ, "ANSIBLE_CONFIG": str(_PROJECT / "tests" / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / "result.json").read_text())
        return found


@pytest.fixture(scope="module")
def database(guests: MakeGuest) -> LinuxGuest:
    return guests("mariadb")


@pytest.fixture
def guest(database: LinuxGuest) -> Iterator[LinuxGuest]:
    clean(database)
    yield database
    clean(database)


@pytest.fixture
def controller(guest: LinuxGuest, tmp_path: Path) -> Controller:
    return Controller(guest, tmp_path)


def test_one_run_deploys_a_second_changes_nothing_and_azure_is_told_the_truth(
    guest: LinuxGuest, controller: Controller
) -> None:
    status, said = controller.run("--check", "--diff", profiles=_MARIADB)
    assert status == 0, said
    assert '+    "timeoutInSeconds": 60,' in said
    assert not guest.path(CONFIG).exists()
    assert controller.result()["changed"] is True
    status, said = controller.run(profiles=_MARIADB)
    assert status == 0, said
    deployed = controller.result()
    assert deployed["snapshot_scripts"]["hooks"][0]["name"] == "20-mariadb"
    assert guest.snapshot("with-scripts")["code"] == "0"
    status, said = controller.run(profiles=_MARIADB)
    assert (status, controller.result()["changed"]) == (0, False)
    status, said = controller.run(state="absent")
    assert (status, controller.result()["changed"]) == (0, True)
    assert guest.snapshot("without-scripts")["code"] == "1"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"profiles": [{"name": "mariabd"}]}, "value of name must be one of: command, iris, mariadb"),
        ({"profiles": _MARIADB, "timeout": "soon"}, "timeout"),
        ({"profiles": []}, "Name a profile"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    guest: LinuxGuest, controller: Controller, variables: dict[str, object], sentence: str
) -> None:
    status, said = controller.run(**variables)
    assert status == 2
    assert sentence in " ".join(said.split())
    assert "Traceback" not in said
    assert not guest.path(CONFIG).exists()


def test_a_read_only_etc_azure_is_named(guest: LinuxGuest, controller: Controller) -> None:
    guest.run(["sh", "-c", "mount --bind /etc/azure /etc/azure && mount -o remount,bind,ro /etc/azure"])
    try:
        status, said = controller.run(profiles=_MARIADB)
    finally:
        guest.run(["umount", "/etc/azure"])
    assert status == 2
    assert "Cannot write /etc/azure/appconsistent: Read-only file system. Remount" in " ".join(said.split())
    assert "Traceback" not in said


def test_an_etc_azure_that_others_can_write_to_is_refused(guest: LinuxGuest, controller: Controller) -> None:
    guest.path("/etc/azure").chmod(0o777)
    status, said = controller.run(profiles=_MARIADB)
    assert status == 2
    assert "/etc/azure can be written by others than root" in " ".join(said.split())
    assert not guest.path(CONFIG).exists()


def test_scripts_are_not_changed_under_a_hold(guest: LinuxGuest, controller: Controller) -> None:
    assert controller.run(profiles=_MARIADB)[0] == 0
    assert guest.run(["sh", PRE], check=False).returncode == 0
    status, said = controller.run(profiles=_MARIADB, timeout=90)
    assert status == 2
    assert "holds this guest's applications right now (held)" in " ".join(said.split())
    assert state(guest) == "held"


def stuck(guest: LinuxGuest, controller: Controller) -> None:
    """A hold that its hook cannot release, however long it tries, and whose extension is gone."""
    tries = ["/bin/sh", "-c", "sleep 2; exit 1"]
    broken = [{"name": "command", "freeze_command": ["/bin/true"], "thaw_command": tries}]
    assert controller.run(profiles=broken)[0] == 0
    with Starter(guest) as extension:
        assert extension.run(PRE) == 0
        assert extension.run(POST) == 1
    assert state(guest) == "stuck"


def test_the_corrected_playbook_ends_a_hold_that_was_stuck(guest: LinuxGuest, controller: Controller) -> None:
    stuck(guest, controller)
    whole = [{"name": "command", "freeze_command": ["/bin/true"], "thaw_command": ["/bin/true"]}]
    status, said = controller.run(profiles=whole)
    assert status == 0, said
    assert state(guest) == "released"
    assert controller.result()["findings"] == []
    with Starter(guest) as extension:
        assert (extension.run(PRE), extension.run(POST)) == (0, 0)


def test_scripts_of_a_hold_that_stays_stuck_are_removed_and_what_it_holds_is_named(
    guest: LinuxGuest, controller: Controller
) -> None:
    stuck(guest, controller)
    watchdog = int(state(guest, "watchdog").split()[0])
    status, said = controller.run(state="absent")
    assert status == 0, said
    assert [finding["code"] for finding in controller.result()["findings"]] == ["hold.left"]
    assert not guest.path(CONFIG).exists()
    assert until(lambda: guest.run(["kill", "-0", str(watchdog)], check=False).returncode != 0)
    assert controller.run(profiles=_MARIADB)[0] == 0


def test_a_secret_shows_up_nowhere(guest: LinuxGuest, controller: Controller) -> None:
    profiles = [{"name": "redis", "password": "opensesame"}]
    for arguments in (["--check"], [], ["-vvv"]):
        status, said = controller.run("--diff", *arguments, profiles=profiles, timeout=60 + len(arguments))
        assert status == 0, said
        assert "opensesame" not in said.replace(json.dumps(profiles), "")
    assert "opensesame" in guest.path("/etc/azure/appconsistent.d/20-redis.conf").read_text()
