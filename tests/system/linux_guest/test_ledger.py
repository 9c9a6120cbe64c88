"""What is claimed of a copy, on rows small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

from tests.linux_guest import Row, Window, broken_hold, ledger

# One client's three rows, each acknowledged a second after it was sent.
FIRST = Row("entries", 1, 1, 10.0, 11.0)
SECOND = Row("entries", 1, 2, 12.0, 13.0)
THIRD = Row("entries", 1, 3, 14.0, 15.0)
ROWS = [FIRST, SECOND, THIRD]
HOLD_AFTER_SECOND = Window(all_acknowledged_before=13.5, none_sent_after=13.5)


def present(*rows: Row) -> dict[str, list[tuple[int, int]]]:
    return {"entries": [(row.client, row.number) for row in rows]}


def test_a_copy_with_all_rows_before_the_hold_and_none_after_is_sound() -> None:
    assert ledger.judge(ROWS, present(FIRST, SECOND), HOLD_AFTER_SECOND).sound


def test_a_row_acknowledged_before_the_hold_must_be_there() -> None:
    assert ledger.judge(ROWS, present(FIRST), HOLD_AFTER_SECOND).lost == (SECOND,)


def test_a_row_sent_after_the_hold_began_must_not_be_there() -> None:
    assert ledger.judge(ROWS, present(FIRST, SECOND, THIRD), HOLD_AFTER_SECOND).late == (THIRD,)


def test_a_row_under_way_when_the_hold_began_may_be_there_or_not() -> None:
    window = Window(all_acknowledged_before=12.5, none_sent_after=12.5)

    assert ledger.judge(ROWS, present(FIRST), window).sound
    assert ledger.judge(ROWS, present(FIRST, SECOND), window).sound


def test_a_copy_that_skips_a_row_is_torn_even_without_any_window() -> None:
    assert ledger.judge(ROWS, present(FIRST, THIRD), None).torn == (SECOND,)


def test_rows_of_two_clients_that_overlap_are_in_no_order() -> None:
    other = Row("entries", 2, 1, 12.5, 14.5)

    assert ledger.judge([*ROWS, other], present(FIRST, other), None).sound


def test_a_row_that_was_never_acknowledged_may_be_missing() -> None:
    unknown = Row("entries", 1, 2, 12.0, None)

    assert ledger.judge([FIRST, unknown, THIRD], present(FIRST, THIRD), None).sound


def test_a_row_that_went_through_during_the_hold_breaks_it() -> None:
    final = {"monotonic": {"pre_ended": 11.5, "post_started": 13.5}}

    assert broken_hold(ROWS, final) == [SECOND]
    assert broken_hold([FIRST, THIRD], final) == []


def test_without_a_hold_the_freeze_is_the_border() -> None:
    moments = {"pre_ended": 1.0, "freeze_called_at": 2.0, "frozen_at": 3.0}

    assert Window.of({"monotonic": moments}, stops_writes=False) == Window(2.0, 3.0)
    assert Window.of({"monotonic": moments}, stops_writes=True) == Window(1.0, 1.0)


def test_a_ledger_cut_short_by_a_kill_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.txt"
    path.write_text(FIRST.to_line() + Row("entries", 1, 2, 12.0, None).to_line() + THIRD.to_line()[:12])

    assert ledger.read(path) == [FIRST, Row("entries", 1, 2, 12.0, None)]
