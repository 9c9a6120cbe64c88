# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What it costs to load the controller side with its libraries: in ansible-playbook, and beside a bare Python."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from .fleet import empty, playbook, stage
from .measure import ROOT, Sample, median, run

_PACKAGE = "ansible_collections.appconsistent.azure.plugins.plugin_utils"
MODULES = (
    f"from {_PACKAGE}._azure import arm, credentials; from {_PACKAGE}._fleet import engine; "
    f"from {_PACKAGE}._task import progress, table; "
    "from azure.identity import aio"
)
# A host without a VM: the task ends when everything is loaded and it has signed in.
NOBODY = {"appconsistent.azure.restore_points": {}, "run_once": True, "ignore_errors": True}


def section(runs: int, say: t.Callable[[str], None]) -> list[str]:
    """The part of docs/benchmarks.md."""
    with stage(1) as set_up, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inventory.json").write_text(json.dumps({"all": {"hosts": {"nobody": {}}}}))
        commands = {
            "playbook": empty(set_up.folder),
            "task": playbook(Path(folder), NOBODY),
            "python": _command("pass"),
            "modules": _command(MODULES),
        }
        samples: dict[str, list[Sample]] = {name: [] for name in commands}
        for _number in range(runs + 1):
            for name, command in commands.items():
                samples[name].append(run(command, set_up.environment))
    took = {name: median(name, each[1:]) for name, each in samples.items()}
    task, started = took["task"], took["playbook"]
    alone, python = took["modules"], took["python"]
    memory = _peak_mb(MODULES) - _peak_mb("pass")
    say(f"start-up: {task.cpu - started.cpu:.2f} CPU s in ansible-playbook, {alone.cpu - python.cpu:.2f} alone")
    return [
        "Wanted: at most 0.25 s. A restore_points task for a host without a VM loads everything, signs in and ends.",
        f"It takes {task.cpu - started.cpu:.2f} CPU s, {task.wall - started.wall:.2f} s of wall time and "
        f"{task.peak_mb - started.peak_mb:.0f} MB above an empty task, for ansible-playbook",
        "has loaded some of the libraries by itself. In a bare Python the modules, with azure-core, azure-identity",
        f"and pycurl, take {alone.cpu - python.cpu:.2f} CPU s, {alone.wall - python.wall:.2f} s and {memory:.0f} MB.",
    ]


def _peak_mb(code: str) -> float:
    """The process tells it itself: from outside a small one looks as large as the one that started it."""
    tell = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    command = _command(f"{code}; {tell}")
    return int(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout) / 1024


def _command(code: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, '.tree'); {code}"]
