# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What it costs to load the controller side with its libraries, beside a bare Python."""

from __future__ import annotations

import subprocess
import sys
import typing as t

from .measure import ROOT, median, run

MODULES = (
    "from ansible_collections.appconsistent.azure.plugins.plugin_utils import _arm, _fleet, _progress, _credentials; "
    "from azure.identity import aio"
)


def section(runs: int, say: t.Callable[[str], None]) -> list[str]:
    """The part of docs/benchmarks.md."""
    bare, full = [], []
    for _number in range(runs + 1):
        bare.append(run(_command("pass"), {}))
        full.append(run(_command(MODULES), {}))
    start, loaded = median("python", bare[1:]), median("loaded", full[1:])
    wall, cpu = loaded.wall - start.wall, loaded.cpu - start.cpu
    memory = _peak_mb(MODULES) - _peak_mb("pass")
    say(f"start-up: {wall:.2f} s, {cpu:.2f} CPU s, {memory:.0f} MB")
    return [
        "Loading the controller side with azure-core, azure-identity and pycurl takes",
        f"{wall:.2f} s ({cpu:.2f} CPU s) and {memory:.0f} MB above a bare Python. Wanted: at most 0.25 s.",
    ]


def _peak_mb(code: str) -> float:
    """The process tells it itself: from outside a small one looks as large as the one that started it."""
    tell = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    command = _command(f"{code}; {tell}")
    return int(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout) / 1024


def _command(code: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, '.tree'); {code}"]
