# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""200 Windows guests checked: controller CPU per host and wall time, beside the same facts with plain `raw` tasks.

The guests are on loopback, in a process of their own that is not counted, and answer at once. A real PowerShell takes
about a second to start for each command, which the wall times here leave out; it makes fewer commands count for more.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from .measure import ROOT, Result, Sample, median, run

GUESTS = 200
FORKS = 10
ANSIBLE = str(Path(sys.executable).with_name("ansible-playbook"))
# What somebody would send to learn what vss_writers_info tells, without anything that reads the answers.
RAW = ("vssadmin list writers", "vssadmin list providers", "vssadmin list shadowstorage", "sc.exe query")

START = "bare start"
OURS = "vss_writers_info, one task"
ONE = "one raw task"
ALL = f"{len(RAW)} raw tasks"
Task = dict[str, t.Any]
WAYS: dict[str, list[Task]] = {
    START: [{"ansible.builtin.debug": {"msg": ""}, "run_once": True}],
    OURS: [{"appconsistent.azure.vss_writers_info": {}}],
    ONE: [{"ansible.builtin.raw": RAW[0]}],
    ALL: [{"ansible.builtin.raw": command} for command in RAW],
}


@contextlib.contextmanager
def stage(count: int) -> t.Iterator[Path]:
    """Guests that run, and a folder with their inventory."""
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.winrm_guest", "--guests", str(count)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            (Path(name) / "inventory.json").write_text(process.stdout.readline() if process.stdout else "")
            yield Path(name)
        finally:
            process.terminate()
            process.wait(30)


def playbook(folder: Path, tasks: t.Sequence[Task]) -> list[str]:
    """The command that runs the tasks on all guests."""
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
    return [ANSIBLE, "-f", str(FORKS), "-i", str(folder / "inventory.json"), str(path)]


def measure(runs: int, say: t.Callable[[str], None]) -> dict[str, Result]:
    """All ways in turn, so that what else the machine does falls on all of them; the first round is not counted."""
    environment = {"ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"), "NO_PROXY": "127.0.0.1", "LC_ALL": "C.UTF-8"}
    samples: dict[str, list[Sample]] = {name: [] for name in WAYS}
    with stage(GUESTS) as folder:
        for _round in range(runs + 1):
            for name, tasks in WAYS.items():
                samples[name].append(run(playbook(folder, tasks), environment))
    results = {name: median(name, taken[1:]) for name, taken in samples.items()}
    for name, result in results.items():
        say(f"{name}: {result.cpu:.2f} CPU s, {result.wall:.1f} s for {GUESTS} Windows guests")
    return results


def section(runs: int, say: t.Callable[[str], None]) -> list[str]:
    """The part of docs/benchmarks.md."""
    results = measure(runs, say)
    start, ours = results[START], results[OURS]
    each = {name: 1000 * (result.cpu - start.cpu) / GUESTS for name, result in results.items() if name != START}
    rows = [
        f"{GUESTS} guests, {FORKS} forks. CPU per host is above the bare start of ansible-playbook "
        f"({start.cpu:.2f} CPU s). The",
        "guests answer at once; on a real one each command takes about a second more, for PowerShell to start.",
        "",
        "| way | ms CPU per host | ratio | wall s | ratio | peak MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| {name} | {each[name]:.0f} | {each[name] / each[OURS]:.2f} | {results[name].wall:.1f} "
        f"| {results[name].wall / ours.wall:.2f} | {results[name].peak_mb:.0f} |"
        for name in each
    ]
    return rows


if __name__ == "__main__":
    print("\n".join(section(int(sys.argv[1]) if len(sys.argv) > 1 else 5, print)))
