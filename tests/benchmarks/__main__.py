# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""`make bench`: every benchmark, side by side with what a user would do instead. Writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import fleet, linux_guests, throttled, windows_guests
from .measure import ROOT, machine, median, run

START_UP = (
    "from ansible_collections.appconsistent.azure.plugins.plugin_utils import _arm, _fleet, _progress, _credentials; "
    "from azure.identity import aio"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {machine()}. Medians of {options.runs} runs after one",
        "that is not counted (three for 10,000 VMs). CPU is user and system time of all processes of a command;",
        "the simulator runs in a process that is not counted. Ratios are the thing to look at.",
        "",
    ]
    lines += _overhead(options.runs)
    lines += _alternatives(options.runs)
    lines += _throttled()
    lines += _start_up(options.runs)
    lines += linux_guests.section(options.runs, print)
    lines += windows_guests.section(options.runs, print)
    options.output.write_text("\n".join(lines) + "\n")
    print(f"Written: {options.output}")
    return 0


def _overhead(runs: int) -> list[str]:
    rows = [
        "## The fleet task, without throttling",
        "",
        "| VMs | CPU s, bare start | CPU s, restore_points | ms CPU per VM | wall s | peak MB | above the start |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size, bare, full in fleet.measure(runs, print):
        each = 1000 * (full.cpu - bare.cpu) / size
        rows.append(
            f"| {size:,} | {bare.cpu:.2f} | {full.cpu:.2f} | {each:.2f} | {full.wall:.1f} "
            f"| {full.peak_mb:.0f} | {full.peak_mb - bare.peak_mb:.0f} MB |"
        )
    return [*rows, ""]


def _alternatives(runs: int) -> list[str]:
    results, left_out = fleet.measure_alternatives(runs, print)
    ours = next(iter(results.values()))
    rows = [
        f"## {fleet.SMALL} VMs, beside what a user would pick instead",
        "",
        "| way | CPU s | ratio | wall s | peak MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| {name} | {result.cpu:.2f} | {result.cpu / ours.cpu:.1f} | {result.wall:.1f} | {result.peak_mb:.0f} |"
        for name, result in results.items()
    ]
    return [*rows, "", *left_out, ""]


def _throttled() -> list[str]:
    found = throttled.measure()
    print(f"throttled: {found.seconds:.0f} s of {found.bound:.0f} s, {found.refused} refused")
    return [
        f"## {throttled.VMS:,} VMs under the documented rate limits",
        "",
        "In virtual time, so it is the same on every machine.",
        "",
        f"- the least that is possible: {found.bound:.0f} s = {found.arithmetic}",
        f"- taken: {found.seconds:.0f} s, {found.seconds / found.bound:.3f} times that; {found.good} of "
        f"{throttled.VMS} VMs well",
        f"- refused with 429: {found.refused} of {found.requests} requests",
        "",
    ]


def _start_up(runs: int) -> list[str]:
    def command(code: str) -> list[str]:
        return [sys.executable, "-c", f"import sys; sys.path.insert(0, '.tree'); {code}"]

    bare, full = [], []
    for _number in range(runs + 1):
        bare.append(run(command("pass"), {}))
        full.append(run(command(START_UP), {}))
    start, loaded = median("python", bare[1:]), median("loaded", full[1:])
    print(f"start-up: {loaded.wall - start.wall:.2f} s")
    return [
        "## Start-up",
        "",
        f"Importing the controller side with its libraries: {loaded.wall - start.wall:.2f} s wall, "
        f"{loaded.cpu - start.cpu:.2f} s CPU and {loaded.peak_mb - start.peak_mb:.0f} MB above a bare Python.",
        "",
    ]


if __name__ == "__main__":
    sys.exit(main())
