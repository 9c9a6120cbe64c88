# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ansible, as a user has it, towards a guest over SSH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from tests.linux_guest import LinuxGuest

ROOT = Path(__file__).parents[3]
# The guest's own Python, or one that GUEST_PYTHON names: what runs there must run on every one since 3.6.
GUEST_PYTHON = os.environ.get("GUEST_PYTHON", "/usr/bin/python3")
Json = dict[str, t.Any]


def _inventory(guest: LinuxGuest) -> Json:
    host = {
        "ansible_host": guest.ssh_host,
        "ansible_port": guest.ssh_port,
        "ansible_user": guest.user,
        "ansible_ssh_private_key_file": str(guest.ssh_key),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={guest.known_hosts}",
        "ansible_python_interpreter": GUEST_PYTHON,
    }
    return {"all": {"hosts": {guest.name: host}}}


def start(guest: LinuxGuest, *tasks: Json, arguments: t.Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a play with these tasks; each goes on to the next even when it fails."""
    (guest.folder / "inventory.yml").write_text(yaml.safe_dump(_inventory(guest)))
    (guest.folder / "results.jsonl").unlink(missing_ok=True)
    play = guest.folder / "play.yml"
    listed = [{**task, "ignore_errors": True} for task in tasks]
    play.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": listed}]))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return subprocess.Popen(
        [program, "-i", str(guest.folder / "inventory.yml"), str(play), *arguments],
        cwd=ROOT,
        env={
            "HOME": str(guest.folder),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/playbooks/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_results",
            "TASK_RESULTS": str(guest.folder / "results.jsonl"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def play(guest: LinuxGuest, *tasks: Json, arguments: t.Sequence[str] = ()) -> list[Json]:
    """Run these tasks; the result of each, failed or not."""
    with start(guest, *tasks, arguments=arguments) as controller:
        output, _ = controller.communicate(timeout=300)
    assert "Traceback" not in output, output
    results = guest.folder / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    found: list[Json] = [json.loads(line)["result"] for line in lines]
    assert len(found) == len(tasks), output
    return found


def task(module: str, **options: t.Any) -> Json:
    return {f"appconsistent.azure.{module}": options}
