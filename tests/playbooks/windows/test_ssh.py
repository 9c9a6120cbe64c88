# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A Windows guest behind Ansible's own ssh connection, with cmd or PowerShell as its login shell."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.winrm_guest.playbook import ROOT, Json, Run, play


def over_ssh(folder: Path, shell: str, *tasks: str, **guest: object) -> tuple[Run, list[Json]]:
    client = folder / "ssh"
    client.write_text(
        f"#!/bin/sh\nexport WINDOWS_GUEST='{json.dumps(guest)}' WINDOWS_GUEST_NOTES='{folder}/notes'\n"
        f"export PYTHONPATH='{ROOT}:{ROOT}/.tree'\nexec '{sys.executable}' -m tests.winrm_guest.ssh_stand_in \"$@\"\n"
    )
    client.chmod(0o700)
    variables = {
        "ansible_connection": "ssh",
        "ansible_shell_type": shell,
        "ansible_ssh_executable": str(client),
        "ansible_host": "127.0.0.1",
    }
    run = play(
        folder, [], [{"name": task, f"appconsistent.azure.{task}": {}} for task in tasks], variables={"win1": variables}
    )
    return run, [json.loads(line) for line in (folder / "notes").read_text().splitlines()]


@pytest.mark.parametrize("shell", ["powershell", "cmd"])
def test_a_long_text_and_a_short_one_arrive_whole_over_ssh(tmp_path: Path, shell: str) -> None:
    run, notes = over_ssh(tmp_path, shell, "vss_writers_info", "windows_snapshot_settings")
    assert (run.status, run.of("vss_writers_info")["verdict"]) == (0, "ok")
    assert run.of("windows_snapshot_settings")["changed"] is False
    assert notes == [{"received": ["survey"], "unknown": []}, {"received": ["read_values"], "unknown": []}]


def test_a_refusal_is_told_over_ssh_too(tmp_path: Path) -> None:
    run, _notes = over_ssh(tmp_path, "powershell", "vss_writers_info", language_mode="ConstrainedLanguage")
    assert run.status == 2
    assert "runs in ConstrainedLanguage mode" in run.of("vss_writers_info")["msg"]
