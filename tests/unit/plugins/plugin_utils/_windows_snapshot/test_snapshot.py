# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a Windows guest knows about its snapshots: every story in tests/data/vss/guests."""

from __future__ import annotations

import json
import random
import typing as t
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import SNAPSHOT
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.guest import ANSWER_LIMIT
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows_snapshot.evidence import (
    EXTENSION,
    older,
    read_evidence,
    snapshot_question,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows_snapshot.findings import snapshot_findings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows_snapshot.machine_keys import (
    machine_keys_problem,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows_snapshot.snapshot import (
    guest_snapshot,
    read_snapshot,
)

from tests.winrm_guest.direct import Bench
from tests.winrm_guest.machine import DATA, from_story

STORIES = sorted((DATA / "guests").glob("*.yml"))
NOW = datetime(2026, 3, 14, 2, 10, tzinfo=timezone.utc)
Json = dict[str, t.Any]


def look(bench: Bench, now: datetime = NOW, wire: float = 2.0) -> Json:
    snapshot = read_snapshot(read_evidence(bench.guest.run(SNAPSHOT, **snapshot_question(wire))))
    return guest_snapshot(snapshot, snapshot_findings(snapshot, now))


def at(result: Json, path: str) -> t.Any:
    value: t.Any = result
    for name in path.split("."):
        value = value[name]
    return value


@pytest.fixture(params=STORIES, ids=lambda path: path.stem)
def story(request: pytest.FixtureRequest) -> Json:
    path: Path = request.param
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_guest_is_told_as_the_story_has_it(story: Json) -> None:
    bench = Bench(from_story(story))
    now = datetime.fromisoformat(story["now"]) if "now" in story else NOW
    result = look(bench, now)
    assert [finding["code"] for finding in result["findings"]] == story["expect"]["findings"]
    assert result["verdict"] == story["expect"]["verdict"]
    for path, expected in story.get("shows", {}).items():
        assert at(result, path) == expected, path
    assert bench.machine.unknown == []


def test_every_finding_has_a_sentence_a_remedy_and_clean_evidence(story: Json) -> None:
    for finding in look(Bench(from_story(story)))["findings"]:
        assert finding["message"].isprintable()
        assert finding["remedy"]
        assert finding["evidence"] is None or finding["evidence"].isprintable()


def test_no_story_brings_a_secret_an_escape_sequence_or_a_heavy_result(story: Json) -> None:
    text = json.dumps(look(Bench(from_story(story))), ensure_ascii=False)
    assert "SECRET" not in text
    assert "NEVER-TO-BE-READ" not in text
    assert text.isprintable()
    assert len(text) < 100_000


def test_the_extensions_settings_are_never_opened(story: Json) -> None:
    bench = Bench(from_story(story))
    look(bench)
    assert bench.machine.opened
    assert not [path for path in bench.machine.opened if "RuntimeSettings" in path or path.endswith(".settings")]


def test_every_key_of_the_shared_shape_is_there_whatever_happens(story: Json) -> None:
    result = look(Bench(from_story(story)))
    assert result.keys() == {"os", "verdict", "agent", "extension", "last_run", "configuration", "findings"}
    assert result["os"] == "windows"
    assert result["agent"].keys() == {
        *("state", "service", "version", "installed_version", "last_seen", "extensions_enabled", "policy"),
        *("wire_server", "windows"),
    }
    assert result["extension"].keys() == {
        *("name", "installed", "version", "folder", "state", "status", "code", "message", "versions", "running"),
        "windows",
    }
    if result["last_run"]:
        assert result["last_run"].keys() == {
            *("sequence", "task", "started", "ended", "seconds", "state", "code", "code_name", "meaning", "health"),
            *("health_name", "health_state", "consistency_reached", "hold_seconds", "freeze_seconds", "pre", "post"),
            *("freeze", "snapshot", "sources", "windows"),
        }


def test_a_check_is_one_round_trip() -> None:
    bench = Bench(from_story({}))
    look(bench)
    assert bench.commands == ["snapshot"]


def test_a_log_of_many_megabytes_comes_as_its_last_lines() -> None:
    log = "C:\\WindowsAzure\\Logs\\WaAppAgent.log"
    story = {
        "machine": {"files": {log: {"text": "a line of the agent's log, of which there are many\n", "times": 500_000}}}
    }
    bench = Bench(from_story(story))
    lines = look(bench)["agent"]["windows"]["log"]["lines"]
    assert len(lines) == 40
    assert set(lines) == {"a line of the agent's log, of which there are many"}


def test_the_largest_answer_that_can_be_is_read() -> None:
    names = {
        "C:\\WindowsAzure\\Logs\\WaAppAgent.log": 10_000_000,
        "C:\\WindowsAzure\\Logs\\AggregateStatus\\aggregatestatus.json": 10_000_000,
        f"C:\\Packages\\Plugins\\{EXTENSION}\\1.0.92.0\\Status\\792.status": 10_000_000,
        r"C:\Program Files\Microsoft SQL Server\90\Shared\SqlWriterLogger.txt": 10_000_000,
    }
    bench = Bench(
        from_story({"machine": {"files": {path: {"text": "x", "times": size} for path, size in names.items()}}})
    )
    look(bench)
    assert len(bench.transport.answers[-1]) < ANSWER_LIMIT / 4


def test_the_wire_server_is_not_asked_when_the_user_does_not_want_it() -> None:
    result = look(Bench(from_story({"machine": {"facts": {"wire": {"80": "ConnectionRefused"}}}})), wire=0.0)
    assert result["agent"]["wire_server"] == {"80": "not_probed", "32526": "not_probed"}
    assert result["verdict"] == "ok"


@pytest.mark.parametrize("seed", range(200))
def test_no_answer_of_the_right_form_and_wrong_content_is_an_error(seed: int) -> None:
    """Every value of a good answer is replaced at random by something else."""
    dice = random.Random(seed)
    bench = Bench(from_story({}))
    answer = bench.guest.run(SNAPSHOT, **snapshot_question(2.0))
    junk: list[t.Any] = [
        None,
        True,
        -1,
        1e308,
        "",
        "\x1b[0m",
        "9" * 400,
        [],
        {},
        [[[]]],
        {"data": "%%%"},
        "a\tb\tc\td\te",
    ]

    def spoiled(value: t.Any) -> t.Any:
        if dice.random() < 0.2:
            return dice.choice(junk)
        if isinstance(value, dict):
            return {key: spoiled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [spoiled(item) for item in value]
        return value

    snapshot = read_snapshot(read_evidence({key: spoiled(value) for key, value in answer.items()}))
    assert guest_snapshot(snapshot, snapshot_findings(snapshot, NOW))["os"] == "windows"


@pytest.mark.parametrize(
    ("sddl", "problem"),
    [
        (None, None),
        ("", None),
        ("O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)", None),
        ("O:SYG:SYD:PAI(A;;FRFW;;;WD)(A;;GA;;;BA)S:AI(AU;SA;FA;;;WD)", None),
        ("D:(A;OICI;FA;;;BA)(A;;FA;;;WD)", None),
        ("D:PAI(A;;0x12019f;;;WD)(A;;0x1301bf;;;BA)", "Administrators do not have full control"),
        ("D:PAI(A;;FR;;;WD)(A;;FA;;;BA)", "Everyone may not read and write"),
        ("D:PAI(D;;FA;;;WD)(A;;0x12019f;;;WD)(A;;FA;;;BA)", "something is denied there"),
        ("D:NO_ACCESS_CONTROL", "Everyone may not read and write"),
        ("D:(A;;0xZZ;;;WD)", "Everyone may not read and write"),
    ],
)
def test_rights_of_machine_keys_are_read_from_their_sddl(sddl: str | None, problem: str | None) -> None:
    assert machine_keys_problem(sddl) == problem


@pytest.mark.parametrize(
    ("version", "is_older"),
    [
        ("2.7.41491.1009", True),
        ("2.7.41491.1010", False),
        ("2.8", False),
        ("2.6.1198.718", True),
        ("x", False),
        ("", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, is_older: bool) -> None:
    assert older(version, "2.7.41491.1010") is is_older
