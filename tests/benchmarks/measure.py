# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whole processes, measured from outside: CPU seconds with all children, wall seconds, and the largest memory."""

from __future__ import annotations

import importlib.metadata
import os
import statistics
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sample:
    cpu: float
    wall: float
    peak_mb: float


@dataclass(frozen=True)
class Result:
    """Medians over the runs of one command."""

    name: str
    cpu: float
    wall: float
    peak_mb: float
    runs: int


def run(command: t.Sequence[str], environment: t.Mapping[str, str], allowed: t.Container[int] = (0,)) -> Sample:
    """Run a command to its end. Children count in CPU; memory is that of the largest single process."""
    began = time.monotonic()
    process = subprocess.Popen(
        list(command), cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read() if process.stderr else b""
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.decode()[-1500:]}")
    return Sample(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024)


def median(name: str, samples: t.Sequence[Sample]) -> Result:
    def of(take: t.Callable[[Sample], float]) -> float:
        return statistics.median(take(sample) for sample in samples)

    return Result(name, of(lambda s: s.cpu), of(lambda s: s.wall), of(lambda s: s.peak_mb), len(samples))


def machine() -> str:
    """Name the machine that the figures come from."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = ".".join(map(str, sys.version_info[:3]))
    ansible = importlib.metadata.version("ansible-core")
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, Python {python}, ansible-core {ansible}"
