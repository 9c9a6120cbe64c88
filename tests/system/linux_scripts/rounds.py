"""Rounds of a snapshot under load, each copy proved. What a round claims is said once, here."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.linux_guest import CopyReport, LinuxGuest, Row, Window, Writer, broken_hold, verify_copy

# Rows between two rounds: writers are back at work before the next one.
_ROWS_BETWEEN = 100


@dataclass(frozen=True)
class Round:
    number: int
    final: dict[str, object]
    report: CopyReport
    # What went through although the application was held; empty too when it is not meant to be held.
    through: tuple[Row, ...]

    @property
    def good(self) -> bool:
        return self.final["code"] == "0" and self.report.good and not self.through

    def __str__(self) -> str:
        return (
            f"round {self.number}: code {self.final['code']}, error {self.final['error']}, "
            f"{len(self.through)} rows went through the hold, {self.report}"
        )


def play(guest: LinuxGuest, writer: Writer, count: int, *, stops_writes: bool, fault: str | None = None) -> list[Round]:
    """Take snapshots one after the other under load; prove the copies beside it."""
    engine = str(guest.engine)

    def prove(number: int, final: dict[str, object], rows: Sequence[Row]) -> Round:
        image = Path(str(final["image"]))
        window = Window.of(final, stops_writes=stops_writes)
        try:
            report = verify_copy(engine, image, rows, window)
        finally:
            image.unlink(missing_ok=True)
        return Round(number, final, report, tuple(broken_hold(rows, final)) if stops_writes else ())

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as provers:
        under_way = []
        for number in range(1, count + 1):
            writer.wait_for_rows(_ROWS_BETWEEN)
            asked = {} if fault is None else {"fault": fault}
            final = guest.snapshot(f"round-{number}", **asked)
            under_way.append(provers.submit(prove, number, final, writer.rows()))
        return [done.result() for done in under_way]


def told(name: str, rounds: Sequence[Round]) -> str:
    """One line for the test's output."""
    holds = sorted(float(str(played.final["hold_seconds"])) for played in rounds if played.final["hold_seconds"])
    middle = f"{holds[len(holds) // 2]:.2f}" if holds else "-"
    good = sum(played.good for played in rounds)
    rows = max(played.report.rows for played in rounds)
    return f"{name}: {good} of {len(rounds)} rounds good; median hold {middle} s; {rows} rows in the last copy"
