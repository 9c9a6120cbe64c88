# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a guest holds, whatever a run or a power cut has left in its folders."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.standing_hold import MARK, standing_hold
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.stuck_hold import RUN, taken_between_runs

ID = "6f1c2a52-3f0e-4a64-9c1b-0e5f6d7a8b90"
OTHER = "11111111-2222-4333-8444-555555555555"


def guest(root: Path, *, uptime: float = 1000.0, mark: str | None = None, **run: str) -> str:
    files = {f"{RUN}/current/{name}": text for name, text in run.items()} | {"/proc/uptime": f"{uptime} 5.0\n"}
    if mark is not None:
        files[MARK] = mark
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return str(root)


def codes(root: str) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in standing_hold(root)[1]]


def test_a_guest_without_scripts_holds_nothing(tmp_path: Path) -> None:
    told, findings = standing_hold(str(tmp_path))
    assert findings == []
    assert told == {"state": None, "run": None, "hooks": [], "reason": None, "interrupted": None}


def test_a_run_that_has_ended_is_no_news(tmp_path: Path) -> None:
    root = guest(tmp_path, id=ID, state="released", hooks="20-mariadb\n", mark=f"{ID}\n")
    assert codes(root) == []
    assert standing_hold(root)[0]["state"] == "released"


@pytest.mark.parametrize("state", ["freezing", "held", "releasing"])
def test_a_hold_within_its_time_is_under_way(tmp_path: Path, state: str) -> None:
    root = guest(tmp_path, id=ID, state=state, until="105000", hooks="20-mariadb\n", mark=ID)
    assert codes(root) == [("hold.under_way", "info")]
    assert standing_hold(root)[0]["hooks"] == ["20-mariadb"]


@pytest.mark.parametrize("state", ["freezing", "held", "releasing"])
def test_a_hold_that_nobody_ends_is_an_error_with_the_way_out(tmp_path: Path, state: str) -> None:
    root = guest(tmp_path, id=ID, state=state, until="70000", hooks="20-mariadb\n", mark=ID)
    (finding,) = standing_hold(root)[1]
    assert (finding.code, finding.severity) == ("hold.overdue", "error")
    assert "What 20-mariadb holds should have been released 300 s ago" in finding.message
    assert "post.sh" in finding.remedy


def test_a_stuck_hold_is_an_error_with_the_hooks_own_words(tmp_path: Path) -> None:
    root = guest(tmp_path, id=ID, state="stuck", hooks="20-mariadb\n", reason="no server answers\n", mark=ID)
    assert codes(root) == [("hold.stuck", "error")]
    assert standing_hold(root)[0]["reason"] == "no server answers"


@pytest.mark.parametrize("run", ["", OTHER])
def test_a_restored_machine_that_is_not_cleaned_up_is_an_error(tmp_path: Path, run: str) -> None:
    root = guest(tmp_path, mark=f"{ID}\n", id=run, state="released" if run else "")
    assert codes(root) == [("hold.interrupted", "error")]
    assert standing_hold(root)[0]["interrupted"] == ID


@pytest.mark.parametrize("rubbish", ["", "\x00\x01", "held\x1b[31m", "9" * 5000, "\u00e4"])
def test_rubbish_is_read_without_an_error(tmp_path: Path, rubbish: str) -> None:
    root = guest(tmp_path, id=rubbish, state=rubbish, until=rubbish, hooks=rubbish, reason=rubbish, mark=rubbish)
    told, _findings = standing_hold(root)
    assert all(value is None or str(value).isprintable() for value in told.values())


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    root = guest(tmp_path, id=ID)
    os.mkfifo(tmp_path / RUN.lstrip("/") / "current" / "state")
    assert standing_hold(root)[0]["state"] is None


class Beside:
    """Somebody else who has the run's lock, for as many pauses as are said; the clock is the pauses'."""

    def __init__(self, root: Path, pauses: int) -> None:
        self.path = root / RUN.lstrip("/") / "lock"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.other = self.path.open("w")
        fcntl.flock(self.other, fcntl.LOCK_EX)
        self.pauses, self.time = pauses, 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.pauses -= 1
        if self.pauses == 0:
            self.other.close()

    def taken(self, root: Path) -> str:
        with self.path.open("w") as ours:
            return taken_between_runs(
                ours.fileno(), str(root), ("freezing", "held", "releasing"), lambda: self.time, self.sleep
            )


def test_a_watchdog_that_has_nothing_left_to_do_is_waited_for(tmp_path: Path) -> None:
    beside = Beside(tmp_path, pauses=20)
    root = guest(tmp_path, id=ID, state="released\n")
    assert (beside.taken(Path(root)), beside.pauses) == ("", 0)


@pytest.mark.parametrize(("state", "word"), [("", "it is starting"), ("released", "released")])
def test_a_lock_that_stays_taken_is_not_waited_for_for_ever(tmp_path: Path, state: str, word: str) -> None:
    beside = Beside(tmp_path, pauses=1000)
    root = guest(tmp_path, id=ID, state=state)
    assert beside.taken(Path(root)) == word
    assert 5.0 < beside.time < 7.0
    beside.other.close()


@pytest.mark.parametrize("state", ["freezing", "held"])
def test_a_run_that_holds_is_not_waited_for_at_all(tmp_path: Path, state: str) -> None:
    beside = Beside(tmp_path, pauses=1000)
    root = guest(tmp_path, id=ID, state=state)
    assert (beside.taken(Path(root)), beside.time) == (state, 0.0)
    beside.other.close()
