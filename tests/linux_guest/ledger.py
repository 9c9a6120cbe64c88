"""What writers wrote, and what a copy must therefore hold.

A row is *sent* when its client handed it to the server, and *acknowledged* when the server's answer was heard. Both
are noted on the monotonic clock, outside the file system that is frozen. With the moments of a run this makes three
claims about a copy:

lost      A row acknowledged before the hold must be in the copy. The hold begins, at the latest, when pre has ended;
          without a hold that stops writes, it begins when the freeze is called.
late      A row sent after the hold began must not be in it: it was made while writes were stopped, or later.
          Without such a hold the border is the end of the freeze call.
torn      The copy is one instant: when it lacks a row that had been acknowledged before another was sent, it must
          lack that other one too. This needs no moments of the run, only the writers' own order.

And one about the hold itself: no row sent after pre ended is acknowledged before post starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    table: str
    client: int
    number: int
    sent: float
    # None: the session was lost before the answer; the row may be there or not.
    acknowledged: float | None

    def __str__(self) -> str:
        return f"{self.table}/{self.client}/{self.number}"

    def to_line(self) -> str:
        acknowledged = "-" if self.acknowledged is None else f"{self.acknowledged:.9f}"
        return f"{self.table} {self.client} {self.number} {self.sent:.9f} {acknowledged}\n"


def read(path: Path) -> list[Row]:
    """The rows of a ledger file. A last line that was cut short by a kill is left out."""
    rows = []
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            table, client, number, sent, acknowledged = line.split()
            known = None if acknowledged == "-" else float(acknowledged)
            rows.append(Row(table, int(client), int(number), float(sent), known))
    return rows


@dataclass(frozen=True)
class Window:
    """The borders for one copy: what must be in it, what must not."""

    all_acknowledged_before: float
    none_sent_after: float

    @classmethod
    def of(cls, final: Mapping[str, object], *, stops_writes: bool) -> Window:
        """From an agent's final answer. `stops_writes`: the pre script holds all writes until post."""
        moments = final["monotonic"]
        if not isinstance(moments, Mapping):
            raise TypeError("The answer has no moments on the monotonic clock.")
        if stops_writes:
            return cls(float(moments["pre_ended"]), float(moments["pre_ended"]))
        return cls(float(moments["freeze_called_at"]), float(moments["frozen_at"]))


Present = Mapping[str, Iterable[tuple[int, int]]]


@dataclass(frozen=True)
class Verdict:
    lost: tuple[Row, ...]
    late: tuple[Row, ...]
    torn: tuple[Row, ...]

    @property
    def sound(self) -> bool:
        return not (self.lost or self.late or self.torn)


def judge(rows: Sequence[Row], present: Present, window: Window | None) -> Verdict:
    """Hold a copy's rows against what was written."""
    here = {(table, client, number) for table, pairs in present.items() for client, number in pairs}
    found = [row for row in rows if row[:3] in here]
    absent = [row for row in rows if row.acknowledged is not None and row[:3] not in here]
    newest = max((row.sent for row in found), default=float("-inf"))
    return Verdict(
        lost=tuple(row for row in absent if window and _acknowledged(row) < window.all_acknowledged_before),
        late=tuple(row for row in found if window and row.sent > window.none_sent_after),
        torn=tuple(row for row in absent if _acknowledged(row) < newest),
    )


def broken_hold(rows: Iterable[Row], final: Mapping[str, object]) -> list[Row]:
    """Rows that went through while the application was held. Empty: the hold was real."""
    moments = final["monotonic"]
    if not isinstance(moments, Mapping):
        raise TypeError("The answer has no moments on the monotonic clock.")
    start, end = float(moments["pre_ended"]), float(moments["post_started"])
    return [row for row in rows if row.sent > start and row.acknowledged is not None and row.acknowledged < end]


def _acknowledged(row: Row) -> float:
    return float("inf") if row.acknowledged is None else row.acknowledged
