# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP006, UP035 - these tests run on the guest's Pythons too, 3.6 and newer
"""The last run of the extension, told from recorded logs and status files."""

import calendar
import re
import time
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.guest_tree import GuestTree, codes, evidence, log_text, root_owns_everything, status_text

SEQUENCES = {
    "application_consistent": 17,
    "killed_in_pre": 17,
    "pre_timed_out": 18,
    "freeze_refused": 19,
    "crash_consistent": 19,
    "freeze_hung": 20,
    "pre_failed_no_snapshot": 21,
    "script_refused": 22,
    "neither_scripts_nor_freeze": 22,
    "no_scripts": 23,
    "host_error": 24,
    "post_failed": 25,
    "visits_after_the_run": 26,
    "visit_during_the_run": 26,
    "two_runs": 28,
    "python_2": 29,
    "workload_framework": 30,
    "no_plugins": 31,
    "thawed_early": 32,
    "crash_in_pre": 33,
    "runner_died": 34,
    "too_late": 35,
}


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: Any) -> Iterator[GuestTree]:
    root_owns_everything(monkeypatch)
    yield GuestTree(tmp_path)


@pytest.fixture
def helsinki(monkeypatch: Any) -> Iterator[None]:
    """A guest two hours ahead of UTC in March."""
    monkeypatch.setenv("TZ", "EET-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run_of(guest: GuestTree, story: str) -> Dict[str, Any]:
    run: Dict[str, Any] = guest.story(story, SEQUENCES[story]).look()["last_run"]
    return run


def test_a_good_run_is_told_in_full(guest: GuestTree) -> None:
    seen = guest.story("application_consistent", 17).look()
    run = seen["last_run"]
    assert run["sequence"] == 17
    assert run["task"] == "0d6b7c2e-1111-4c4c-9a9a-000000000001"
    assert (run["started"], run["ended"], run["seconds"]) == ("2026-03-14T02:00:07Z", "2026-03-14T02:00:23Z", 16.29)
    assert (run["state"], run["code"], run["code_name"]) == ("finished", 0, "success_appconsistent")
    assert (run["health"], run["health_state"]) == (0, "green")
    assert run["consistency_reached"] == "application"
    assert run["hold_seconds"] == 11.428
    assert run["freeze_seconds"] == 3.314
    assert run["pre"] == {
        "state": "succeeded",
        "code": 0,
        "exit_code": 0,
        "started": "2026-03-14T02:00:10Z",
        "seconds": 2.004,
    }
    assert run["post"]["seconds"] == 1.003
    assert run["freeze"] == {"state": "done", "mounts": ["/datadisk"], "error": None}
    assert run["snapshot"] == {"by": "host", "state": "taken", "disks": 2, "failed_disks": 0}
    assert run["sources"]["agree"] is True
    assert run["sources"]["log_complete"] is True
    assert run["linux"]["telemetry"]["extensionVersion"] == "1.0.9216.0"
    assert (seen["verdict"], seen["findings"]) == ("ok", [])


@pytest.mark.parametrize(
    "story, code, health, reached, pre, post, freeze, snapshot",
    [
        ("application_consistent", 0, 0, "application", "succeeded", "succeeded", "done", "taken"),
        ("pre_timed_out", 1, 308, "file_system", "timed_out", "succeeded", "done", "taken"),
        ("freeze_refused", 121, 121, "none", "succeeded", "succeeded", "failed", "failed"),
        ("pre_failed_no_snapshot", 300, 300, "none", "failed", "succeeded", "not_done", "not_taken"),
        ("script_refused", 1, 306, "file_system", "refused", "refused", "done", "taken"),
        ("neither_scripts_nor_freeze", 1, 306, "crash", "refused", "refused", "skipped", "taken"),
        ("no_scripts", 1, 1, "file_system", "refused", "refused", "done", "taken"),
        ("post_failed", 1, 301, "file_system", "succeeded", "failed", "done", "taken"),
        ("visits_after_the_run", 0, 0, "application", "succeeded", "succeeded", "done", "taken"),
        ("visit_during_the_run", 0, 0, "application", "succeeded", "succeeded", "done", "taken"),
        ("two_runs", 0, 0, "application", "succeeded", "succeeded", "done", "taken"),
        ("workload_framework", 0, 0, "application", "not_run", "not_run", "done", "taken"),
        ("no_plugins", 0, 0, "file_system", "not_run", "not_run", "done", "taken"),
        ("thawed_early", 2, 2, "none", "succeeded", "succeeded", "thawed_early", "failed"),
        ("crash_in_pre", 2, 2, "none", "failed", "not_run", "not_done", "not_taken"),
        ("runner_died", 1, 310, "file_system", "failed", "succeeded", "done", "taken"),
        ("too_late", 402, 402, "none", "not_run", "not_run", "not_done", "not_taken"),
    ],
)
def test_each_story_is_told_as_it_was(
    guest: GuestTree,
    story: str,
    code: int,
    health: int,
    reached: str,
    pre: str,
    post: str,
    freeze: str,
    snapshot: str,
) -> None:
    run = run_of(guest, story)
    told = (
        run["code"],
        run["health"],
        run["consistency_reached"],
        run["pre"]["state"],
        run["post"]["state"],
        run["freeze"]["state"],
        run["snapshot"]["state"],
    )
    assert told == (code, health, reached, pre, post, freeze, snapshot)
    assert run["state"] == "finished"
    assert run["sources"]["log_complete"] is True


def test_the_exit_status_of_a_script_is_told(guest: GuestTree) -> None:
    run = run_of(guest, "pre_failed_no_snapshot")
    assert (run["pre"]["code"], run["pre"]["exit_code"]) == (300, 7)
    assert run["linux"]["fixable"] == "yes"


def test_a_block_that_stands_after_the_final_line_belongs_to_the_run(guest: GuestTree) -> None:
    run = run_of(guest, "freeze_refused")
    assert run["post"]["started"] == "2026-03-16T02:00:17Z"
    assert run["freeze"]["mounts"] == ["/datadisk"]
    assert run["freeze"]["error"] == "/datadisk with error message: Device or resource busy"
    assert run["ended"] == "2026-03-16T02:00:19Z"


def test_a_failed_freeze_says_which_mount_and_what_to_do(guest: GuestTree) -> None:
    failed = evidence(guest.story("freeze_refused", 19).look(), "run.failed")
    assert failed["severity"] == "error"
    assert "/datadisk" in failed["evidence"]
    assert "MountsToSkip" in failed["remedy"]


def test_a_freeze_that_never_came_back_is_called_hung(guest: GuestTree) -> None:
    seen = guest.story("freeze_hung", 20).look()
    assert seen["last_run"]["state"] == "lost"
    assert seen["last_run"]["freeze"]["state"] == "hung"
    assert seen["last_run"]["consistency_reached"] is None
    assert {"run.lost", "run.freeze_hung", "run.post_never_ran"} <= set(codes(seen))


def test_a_daemon_that_waits_for_its_freeze_too_long_is_stuck(guest: GuestTree) -> None:
    guest.story("freeze_hung", 20).daemon(20)
    assert guest.look()["last_run"]["state"] == "stuck"
    assert "run.stuck" in codes(guest.look())


def test_a_daemon_that_froze_a_minute_ago_is_still_at_work(guest: GuestTree) -> None:
    guest.story("freeze_hung", 20).daemon(20)
    guest.now = calendar.timegm((2026, 3, 17, 2, 1, 13))
    run = guest.look()["last_run"]
    assert (run["state"], run["freeze"]["state"]) == ("running", "unknown")
    assert "run.post_never_ran" not in codes(guest.look())


def test_a_daemon_older_than_any_run_can_be_is_stuck(guest: GuestTree) -> None:
    guest.story("killed_in_pre", 17)
    guest.daemon(17, seconds=900.0)
    guest.write("proc/uptime", "9000.0 1.0\n")
    assert guest.look()["last_run"]["state"] == "stuck"


def test_code_4_without_a_process_is_a_lost_run_and_the_application_may_be_held(guest: GuestTree) -> None:
    seen = guest.story("killed_in_pre", 17).look()
    assert seen["last_run"]["state"] == "lost"
    assert seen["last_run"]["pre"]["state"] == "unfinished"
    assert "takes writes" in evidence(seen, "run.post_never_ran")["remedy"]


def test_code_4_seconds_after_the_start_is_a_run_that_begins(guest: GuestTree) -> None:
    begun = log_text("killed_in_pre").split(b"starting daemon")[0].rsplit(b"\n", 3)[0] + b"\n"
    guest.story("killed_in_pre", 17).log(begun)
    guest.now = calendar.timegm((2026, 3, 14, 2, 0, 14))
    assert guest.look()["last_run"]["state"] == "running"
    guest.now += 60
    assert guest.look()["last_run"]["state"] == "lost"


def test_a_daemon_that_is_gone_a_second_after_it_began_is_lost_and_not_running(guest: GuestTree) -> None:
    guest.story("killed_in_pre", 17)
    guest.now = calendar.timegm((2026, 3, 14, 2, 0, 14))
    assert guest.look()["last_run"]["state"] == "lost"


def test_another_sequence_number_does_not_make_a_run_live(guest: GuestTree) -> None:
    guest.story("killed_in_pre", 17).daemon(18)
    assert guest.look()["last_run"]["state"] == "lost"


def test_a_code_for_which_the_extension_writes_no_status_is_read_from_the_log(guest: GuestTree) -> None:
    seen = guest.story("host_error", 24).look()
    assert (seen["last_run"]["state"], seen["last_run"]["code"]) == ("finished", 556)
    assert seen["last_run"]["snapshot"]["failed_disks"] == 1
    assert "host service" in evidence(seen, "run.failed")["message"]


def test_scripts_refused_in_silence_are_told_by_the_log(guest: GuestTree) -> None:
    seen = guest.story("no_scripts", 23).look()
    short = evidence(seen, "run.not_application_consistent")
    assert "No scripts are configured" in short["message"]
    assert "316" in short["evidence"]


def test_a_run_without_scripts_is_not_believed_to_be_application_consistent(guest: GuestTree) -> None:
    assert "run.scripts_never_ran" in codes(guest.story("no_plugins", 31).look())


def test_the_workload_framework_is_named(guest: GuestTree) -> None:
    seen = guest.story("workload_framework", 30).look()
    assert "postgres" in evidence(seen, "run.workload_framework")["message"]
    assert seen["last_run"]["linux"]["workload"] == "postgres"


def test_a_crash_in_the_framework_says_that_post_never_ran(guest: GuestTree) -> None:
    seen = guest.story("crash_in_pre", 33).look()
    assert "run.post_never_ran" in codes(seen)
    assert "unsupported operand" in evidence(seen, "run.failed")["evidence"]


def test_a_long_hold_is_pointed_out(guest: GuestTree) -> None:
    seen = guest.story("runner_died", 34).look()
    assert seen["last_run"]["hold_seconds"] == 1811.51
    assert "run.hold_was_long" in codes(seen)


@pytest.mark.usefixtures("helsinki")
def test_python_2_stamps_are_local_time(guest: GuestTree) -> None:
    run = run_of(guest, "python_2")
    assert run["linux"]["python_2"] is True
    assert (run["started"], run["ended"]) == ("2026-03-25T02:00:07Z", "2026-03-25T02:00:23Z")
    assert run["consistency_reached"] == "application"
    assert run["hold_seconds"] == 11.0


def test_a_block_in_another_time_zone_is_laid_beside_the_rest(guest: GuestTree) -> None:
    def later(found: "re.Match[bytes]") -> bytes:
        return found.group(0).replace(b" 02:", b" 07:", 1)

    shifted = re.sub(rb"(?m)^2026/03/14 02:.*$", later, log_text("application_consistent"))
    assert shifted != log_text("application_consistent")
    guest.story("application_consistent", 17).log(shifted)
    run = guest.look()["last_run"]
    assert (run["freeze_seconds"], run["hold_seconds"]) == (3.314, 11.428)


def test_a_clock_that_goes_back_between_two_runs_does_not_mix_them(guest: GuestTree) -> None:
    earlier = log_text("application_consistent").replace(b"2026-03-14", b"2030-01-01").replace(b"-03/14", b"2030/01/01")
    guest.story("post_failed", 25).log(earlier + log_text("post_failed"))
    run = guest.look()["last_run"]
    assert (run["sequence"], run["code"], run["post"]["state"]) == (25, 1, "failed")


def test_without_the_log_the_status_file_tells_what_it_can(guest: GuestTree) -> None:
    guest.agent().extension().scripts().status(status_text("pre_timed_out"), 18)
    run = guest.look()["last_run"]
    assert (run["code"], run["health"], run["consistency_reached"]) == (1, 308, "file_system")
    assert (run["pre"]["state"], run["post"]["state"], run["hold_seconds"]) == ("timed_out", "unknown", None)
    assert run["sources"]["log"] is None


def test_without_the_status_file_the_log_tells_what_it_can(guest: GuestTree) -> None:
    guest.agent().extension().scripts().log(log_text("pre_timed_out"))
    run = guest.look()["last_run"]
    assert (run["sequence"], run["code"], run["health"], run["consistency_reached"]) == (18, 1, None, "file_system")
    assert run["pre"]["state"] == "timed_out"


def test_a_single_disk_that_was_only_crash_consistent_is_called_that(guest: GuestTree) -> None:
    guest.agent().extension().scripts().status(status_text("crash_consistent"), 19)
    assert guest.look()["last_run"]["consistency_reached"] == "crash"


def test_a_log_of_another_run_is_not_laid_over_a_newer_status(guest: GuestTree) -> None:
    guest.agent().extension().scripts().log(log_text("application_consistent"))
    guest.status(status_text("post_failed"), 25)
    run = guest.look()["last_run"]
    assert (run["sequence"], run["code"]) == (25, 1)
    assert run["sources"]["log"] is None


def test_a_run_that_left_no_status_hides_the_older_one(guest: GuestTree) -> None:
    guest.agent().extension().scripts().status(status_text("application_consistent"), 17)
    guest.log(log_text("application_consistent") + log_text("freeze_hung"))
    run = guest.look()["last_run"]
    assert (run["sequence"], run["state"]) == (20, "lost")
    assert run["sources"]["status"] is None


def test_status_and_log_that_disagree_are_both_named(guest: GuestTree) -> None:
    guest.story("application_consistent", 17)
    guest.log(log_text("application_consistent").replace(b"Enable,success,0,", b"Enable,success,1,"))
    assert guest.look()["last_run"]["sources"]["agree"] is False
    assert "run.sources_disagree" in codes(guest.look())


def test_a_log_that_begins_in_the_middle_of_the_run_says_so(guest: GuestTree) -> None:
    text = log_text("application_consistent")
    guest.story("application_consistent", 17).log(text[text.index(b"Prescript for") - 30 :])
    seen = guest.look()
    assert seen["last_run"]["sources"]["log_complete"] is False
    assert seen["last_run"]["pre"]["state"] == "unknown"
    assert seen["last_run"]["consistency_reached"] == "application"
    assert "run.log_cut" in codes(seen)


@pytest.mark.parametrize("story", sorted(set(SEQUENCES) - {"crash_consistent"}))
def test_a_log_cut_anywhere_never_breaks_the_answer(guest: GuestTree, story: str) -> None:
    text = log_text(story)
    guest.story(story, SEQUENCES[story])
    for end in range(0, len(text), max(1, len(text) // 40)):
        guest.log(text[:end])
        assert set(guest.look()) == {"os", "verdict", "agent", "extension", "last_run", "configuration", "findings"}


def test_a_status_file_cut_anywhere_never_breaks_the_answer(guest: GuestTree) -> None:
    text = status_text("application_consistent")
    guest.story("application_consistent", 17)
    for end in range(0, len(text) - 1, 97):
        guest.status(text[:end], 17)
        assert "run.status_unreadable" in codes(guest.look())
        assert guest.look()["last_run"]["code"] == 0
