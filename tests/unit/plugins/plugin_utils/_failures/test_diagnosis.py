# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One verdict from several witnesses: who is believed first, and what is said when nobody knows."""

from __future__ import annotations

import typing as t

from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.diagnosis import diagnose, lines

Json = dict[str, t.Any]
DEGRADED: Json = {
    "ok": False,
    "verdict": "degraded",
    "consistency_requested": "ApplicationConsistent",
    "consistency_reached": "FileSystemConsistent",
    "cause": "The guest's pre- or post-script is missing, was refused or failed.",
    "advice": "Deploy the scripts.",
    "failure": {},
    "findings": [],
}
BLOCKED = {
    "findings": [
        {"code": "snapshot_handler_missing", "severity": "warns", "message": "No handler", "remedy": "Look at it."},
        {
            "code": "agent_not_ready",
            "severity": "blocks",
            "message": "No agent",
            "remedy": "Restart it.",
            "docs": "Page",
        },
    ]
}
GUEST: Json = {
    "guest_snapshot": {
        "os": "linux",
        "last_run": {"code": 301, "meaning": "the pre-script failed", "consistency_reached": "file_system"},
        "findings": [
            {"code": "config.mode", "severity": "error", "message": "The file is writable.", "remedy": "Set 0600."},
            {"code": "noise", "severity": "info", "message": "Nothing.", "remedy": ""},
        ],
    }
}
WRITERS = {
    "findings": [{"code": "writer_bad", "severity": "error", "message": "SqlServerWriter failed", "remedy": "R"}]
}
REMOVED: Json = {
    "snapshot_extension_guard": {
        "extension_state": "missing",
        "removed": {
            "extension": {
                "caller": "eve@example.org",
                "time": "2026-11-20T02:00:07+00:00",
                "client_address": "192.0.2.7",
                "correlation_id": "c0",
            }
        },
    }
}


def verdict(
    azure: Json | None = None,
    readiness: Json | None = None,
    guest: Json | None = None,
    writers: Json | None = None,
    guard: Json | None = None,
) -> Json:
    return diagnose(azure or {}, readiness or {}, guest or {}, writers or {}, guard or {})


def failure(key: str, code: str = "InternalExecutionError") -> Json:
    failed = {"code": code, "message": "said Azure", "status": 200, "key": key}
    return {**DEGRADED, "verdict": "failed", "failure": failed, "consistency_reached": ""}


def test_a_machine_that_is_well_gets_no_advice() -> None:
    found = verdict({"ok": True}, BLOCKED)
    assert (found["verdict"], found["next_step"]) == ("well", "")
    assert lines("db1", found) == ["db1: nothing to do."]


def test_a_planned_point_is_well_only_where_nothing_speaks_against_it() -> None:
    planned = {"ok": True, "verdict": "planned"}
    assert verdict(planned)["verdict"] == "well"
    assert verdict(planned, guard=REMOVED)["code"] == "extension_removed"


def test_who_removed_the_extension_comes_before_everything_else() -> None:
    found = verdict(DEGRADED, BLOCKED, GUEST, WRITERS, REMOVED)
    assert found["code"] == "extension_removed"
    assert "eve@example.org" in found["cause"]
    assert found["next_step"].startswith("Have it installed")
    assert next(cause["code"] for cause in found["also"]) == "agent_not_ready"


def test_what_blocks_comes_before_what_the_guest_says() -> None:
    found = verdict(DEGRADED, BLOCKED, GUEST)
    assert (found["code"], found["where"], found["docs"]) == ("agent_not_ready", "azure", "Page")


def test_the_guests_own_word_beats_azures_open_causes() -> None:
    found = verdict(failure("internal_error"), {}, GUEST)
    assert (found["where"], found["evidence"]) == ("guest", "the pre-script failed")
    assert "internal_error" in [cause["code"] for cause in found["also"]]


def test_a_classified_failure_of_azure_stays_first() -> None:
    found = verdict(failure("vss_writers_bad", "VMRestorePointClientError"), {}, {}, WRITERS)
    assert found["code"] == "vss_writers_bad"
    assert [cause["code"] for cause in found["also"]] == ["writer_bad"]


def test_a_bad_writer_explains_a_degraded_point() -> None:
    found = verdict(DEGRADED, {}, {}, WRITERS)
    assert found["code"] == "writer_bad"
    assert "Asked for ApplicationConsistent, reached FileSystemConsistent." in "\n".join(lines("db1", found))


def test_a_shortfall_that_nobody_explains_keeps_its_general_advice() -> None:
    found = verdict(DEGRADED)
    assert (found["verdict"], found["next_step"]) == ("explained", "Deploy the scripts.")


def test_without_any_witness_it_says_where_to_look() -> None:
    found = verdict({**DEGRADED, "cause": "", "advice": ""})
    assert found["verdict"] == "unexplained"
    assert "activity log" in found["next_step"]


def test_a_guest_that_cannot_be_reached_is_named_and_does_not_stop_the_rest() -> None:
    found = verdict(DEGRADED, BLOCKED, {"unreachable": True, "msg": "Failed to connect: timed out\nmore"})
    assert found["not_looked_at"] == ["the guest: Failed to connect: timed out"]
    assert found["code"] == "agent_not_ready"
    assert "  Not looked at: the guest: Failed to connect: timed out" in lines("db1", found)


def test_the_next_step_is_the_first_line() -> None:
    assert lines("db1", verdict(DEGRADED, BLOCKED))[0] == "db1: Restart it."


def test_information_is_no_cause_and_nothing_is_told_twice() -> None:
    twice = {"findings": [*BLOCKED["findings"], *BLOCKED["findings"]]}
    found = verdict(DEGRADED, twice, GUEST)
    codes = [found["code"], *(cause["code"] for cause in found["also"])]
    assert len(codes) == len(set(codes))
    assert "noise" not in codes


def test_secrets_in_what_a_task_said_do_not_get_through() -> None:
    said = {"failed": True, "msg": "GET https://blob/x?sig=secret failed"}
    assert "secret" not in str(verdict(DEGRADED, {}, said))


def test_nonsense_from_a_guest_is_survived() -> None:
    odd: Json = {"guest_snapshot": {"findings": "many", "last_run": [1], "os": 7}}
    assert verdict(DEGRADED, {"findings": None}, odd)["verdict"] == "explained"
