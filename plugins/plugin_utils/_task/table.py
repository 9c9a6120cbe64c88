# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The table that a fleet task ends with, as a person reads it."""

from __future__ import annotations

import textwrap
import typing as t
from dataclasses import dataclass

from .results import MachineResult

_WIDTH = 120
_LEAST_NOTES = 40
R = t.TypeVar("R", bound=MachineResult)


@dataclass(frozen=True)
class Column(t.Generic[R]):
    """A column between the machine's name and its verdict."""

    title: str
    cell: t.Callable[[R], str]


def table(results: t.Sequence[R], columns: t.Sequence[Column[R]], good: str) -> list[str]:
    """Return a line per machine, those that fell short last, each with its cause and advice.

    `good` completes the sentence "3 of 4 VMs ..." of the last line.
    """
    if not results:
        return ["no VMs"]
    ordered = sorted(results, key=lambda result: (not result.good, result.host))
    titles = ("VM", *(column.title for column in columns), "verdict")
    rows = [(result.host, *(column.cell(result) for column in columns), result.word) for result in ordered]
    widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]
    indent = sum(widths) + 2 * len(widths)
    lines = [f"{_join(titles, widths)}cause and advice"]
    for result, row in zip(ordered, rows, strict=True):
        notes = textwrap.wrap(result.notes(), max(_LEAST_NOTES, _WIDTH - indent), break_on_hyphens=False)
        first, *others = notes or [""]
        lines.append((_join(row, widths) + first).rstrip())
        lines.extend(" " * indent + rest for rest in others)
    lines.append(f"{sum(result.good for result in results)} of {len(results)} VMs {good}.")
    return lines


def _join(cells: t.Sequence[str], widths: t.Sequence[int]) -> str:
    return "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
