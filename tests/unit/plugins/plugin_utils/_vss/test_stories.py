# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every story in tests/data/vss/stories, checked and repaired, in virtual time."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.plan import RepairPolicy
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.repair import Limits, Repairer
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.report import repair_report, report
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.services import Services, WriterService
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.watch import until_idle

from tests.winrm_guest.direct import Bench
from tests.winrm_guest.machine import DATA, from_story

STORIES = sorted((DATA / "stories").glob("*.yml"))
LIMITS = Limits(listing=180, busy=120, settle=120)
Story = dict[str, t.Any]


def load(path: Path) -> Story:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def services(story: Story) -> Services:
    return Services(WriterService(**row) for row in story.get("rows", []))


def policy(story: Story) -> RepairPolicy:
    told = dict(story.get("policy", {}))
    return RepairPolicy(**{**told, "allow_outage": frozenset(told.get("allow_outage", []))})


def codes(result: dict[str, t.Any]) -> list[str]:
    return [finding["code"] for finding in result["findings"]]


@pytest.fixture(params=STORIES, ids=lambda path: path.stem)
def story(request: pytest.FixtureRequest) -> Story:
    return load(request.param)


def test_the_check_finds_what_the_story_tells(story: Story) -> None:
    bench = Bench(from_story(story))
    result = report(until_idle(bench.guest, services(story), LIMITS.listing, LIMITS.busy), services(story))
    assert codes(result) == story["expect"]["findings"]
    assert result["verdict"] == story["expect"]["verdict"]
    assert set(bench.commands) == {"survey"}
    assert (bench.machine.unknown, bench.machine.changes) == ([], 0)


def test_the_repair_does_what_the_story_tells_and_no_more(story: Story) -> None:
    bench = Bench(from_story(story))
    expected = story["expect"]["repair"]
    repair = Repairer(bench.guest, services(story), policy(story), LIMITS).run()
    result = repair_report(repair, services(story), "win1", check_mode=False)
    assert [restart["service"] for restart in result["restarts"]] == expected["restarted"]
    # Once per service, and once more at most to bring back what stopped.
    stops = [arguments["service"] for arguments in bench.received("restart_service") if arguments["stop"]]
    assert stops == expected["restarted"]
    assert repair.healed is expected["healed"]
    assert result["reboot_required"] is expected.get("reboot", False)
    assert [left["service"] for left in result["left"]] == expected.get("left", [])
    if "outcomes" in expected:
        assert [restart["outcome"] for restart in result["restarts"]] == expected["outcomes"]
    if "from_attempt" in expected:
        assert result["application_consistent_from_attempt"] == expected["from_attempt"]
    if "findings" in expected:
        assert codes(result) == expected["findings"]
    for status, key in (("Running", "running"), ("Stopped", "stopped")):
        for name in expected.get(key, []):
            assert bench.machine.services[name].status == status, name
    assert bench.machine.unknown == []


def test_check_mode_sends_nothing_that_changes(story: Story) -> None:
    bench = Bench(from_story(story), check_mode=True)
    repair = Repairer(bench.guest, services(story), policy(story), LIMITS).run()
    assert set(bench.commands) == {"survey"}
    assert (bench.machine.changes, bench.machine.restarted) == (0, [])
    assert all(restart.outcome == "planned" for restart in repair.restarts)


def test_a_failed_repair_names_the_host_and_the_next_step(story: Story) -> None:
    bench = Bench(from_story(story))
    repair = Repairer(bench.guest, services(story), policy(story), LIMITS).run()
    result = repair_report(repair, services(story), "win1", check_mode=False)
    errors = [finding for finding in result["findings"] if finding["severity"] == "error"]
    assert result.get("failed", False) is bool(errors)
    if errors:
        assert "win1" in result["msg"]
        assert errors[0]["remedy"] in result["msg"]


def test_every_left_writer_says_what_a_person_should_do(story: Story) -> None:
    bench = Bench(from_story(story))
    repair = Repairer(bench.guest, services(story), policy(story), LIMITS).run()
    for left in repair.left:
        assert left.reason
        assert left.remedy


def test_every_finding_has_a_sentence_and_a_remedy(story: Story) -> None:
    bench = Bench(from_story(story))
    result = report(until_idle(bench.guest, services(story), LIMITS.listing, LIMITS.busy), services(story))
    for finding in result["findings"]:
        assert finding["message"].endswith(".")
        assert finding["remedy"].rstrip(")").endswith((".", "demand"))
        assert finding["evidence"] is None or "\n" not in finding["evidence"]
