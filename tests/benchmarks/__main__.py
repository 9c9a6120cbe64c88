# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""`make bench`: every benchmark, side by side with what a user would do instead. Writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import typing as t
from pathlib import Path

from . import alternatives, fleet, linux_guests, start_up, windows_guests
from .measure import ROOT, machine

TITLES = {
    "fleet": "The fleet task without throttling",
    "alternatives": "Beside what a user would pick instead",
    "throttled": "Under the documented rate limits",
    "start_up": "Start-up",
    "linux": "The scripts on Linux guests over SSH",
    "windows": "Windows guests checked over WinRM",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=TITLES, nargs="+", help="measure these, and keep the others as they stand")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    parser.add_argument("--az", default=shutil.which("az"), help="the Azure CLI's command (default: the one on PATH)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    say = functools.partial(print, flush=True)
    sections: dict[str, t.Callable[[], list[str]]] = {
        "fleet": lambda: fleet.section(options.runs, say),
        "alternatives": lambda: alternatives.section(options.runs, say, options.az),
        "throttled": lambda: throttled_section(say),
        "start_up": lambda: start_up.section(options.runs, say),
        "linux": lambda: linux_guests.section(options.runs, say),
        "windows": lambda: windows_guests.section(options.runs, say),
    }
    kept = read(options.output) if options.only else {}
    # In this order, whichever are asked for: memory is only told above that of this process, and `throttled` fills it.
    for name in (name for name in TITLES if name in (options.only or TITLES)):
        say(f"{TITLES[name]} ...")
        lines = sections[name]()
        runs = "" if name == "throttled" else f" Counted runs: {options.runs}; the figures are medians."
        kept[TITLES[name]] = "\n".join([*lines, "", f"Measured on {machine()}.{runs}"])
        write(options.output, kept)
    say(f"Written: {options.output}")
    return 0


def throttled_section(say: t.Callable[[str], None]) -> list[str]:
    # Imported late: a command's peak memory is never told as less than that of the process that started it.
    from . import throttled

    return throttled.section(say)


def read(path: Path) -> dict[str, str]:
    """Return the sections of an earlier run by title."""
    parts = path.read_text().split("\n## ")[1:] if path.exists() else []
    return {title: text.strip() for title, _newline, text in (part.partition("\n") for part in parts)}


def write(path: Path, sections: t.Mapping[str, str]) -> None:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; `make bench BENCH='--only fleet'` measures one section anew. CPU is user and system",
        "time of all processes of a command, memory that of its largest process. The simulator and the guests run in",
        "processes that are not counted. Each command runs once more before those that are counted, but for the",
        "largest fleet. Ratios are the thing to look at: what else a machine does disturbs the seconds.",
        "",
    ]
    for title in TITLES.values():
        if title in sections:
            lines += [f"## {title}", "", sections[title], ""]
    path.write_text("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
