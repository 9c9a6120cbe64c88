# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A real ansible-playbook that is told to end in the middle of a fleet's run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.playbooks.conftest import Controller

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_last_words_say_where_each_machine_stands(controller: Controller, number: signal.Signals) -> None:
    """Only the parent gets the signal, as with `kill`, `timeout` or a killed job; SIGKILL it cannot even hand on."""
    controller.fleet({"name": "db1", **READY}, {"name": "slow", **READY, "create_seconds": 100000})
    results = controller.folder / "where.json"
    options = {"progress_interval": "1s", "results_file": str(results)}
    task = {"appconsistent.azure.restore_points": options, "run_once": True}
    command, settings = controller.prepare(controller.write_play([task]))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings) as process:
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            if "1 of 2 done; 1 reached; 1 creating" in line:
                process.send_signal(number)
                break
        # The worker lives on for a moment and keeps what it speaks through.
        seen += process.stdout.read()
    assert process.returncode == -number, seen
    assert "Where each VM stands:" in seen, seen
    assert "1 of 2 VMs have what was asked for." in seen
    assert "Traceback" not in seen
    why = "(SIGTERM)" if "told to end" in seen else "the process that ran the playbook is gone"
    hosts = json.loads(Path(results).read_text())
    assert {name: host["verdict"] for name, host in hosts.items()} == {"db1": "reached", "slow": "running"}
    assert why in hosts["slow"]["cause"]


def workers(folder: Path) -> list[int]:
    """Return the processes that run a playbook of this folder; a worker has the command line of its parent."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def test_no_worker_waits_for_ever_for_a_reader_that_is_gone(controller: Controller) -> None:
    """The table and the result of so many machines are more than the pipe to the parent holds."""
    controller.fleet({"name": "db-{n}", "count": 150, **READY, "create_seconds": 100000})
    options = {"progress_interval": "1s", "results_file": str(controller.folder / "where.json")}
    task = {"appconsistent.azure.restore_points": options, "run_once": True}
    command, settings = controller.prepare(controller.write_play([task]))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **settings) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "150 creating" in line:
                process.kill()
            if "Where each VM stands:" in line:
                break
        deadline = time.monotonic() + 60
        while (left := workers(controller.folder)) and time.monotonic() < deadline:
            time.sleep(0.1)
        for worker in left:
            os.kill(worker, signal.SIGKILL)
    assert left == []
