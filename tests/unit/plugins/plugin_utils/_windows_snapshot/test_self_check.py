# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The self-check tries what reads, has all parsed, changes nothing, and notices what a guest does not understand."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import COMMANDS
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows_snapshot.self_check import (
    Checked,
    self_check,
)

from tests.winrm_guest.direct import Bench
from tests.winrm_guest.machine import machine


def check(**changes: t.Any) -> tuple[dict[str, Checked], Bench]:
    bench = Bench(machine(**changes), check_mode=True)
    checked, _about = self_check(bench.guest)
    return {item.command: item for item in checked}, bench


def problems(**changes: t.Any) -> dict[str, tuple[str, ...]]:
    checked, _bench = check(**changes)
    return {name: item.problems for name, item in checked.items() if item.problems}


def test_on_a_good_guest_every_command_is_in_order() -> None:
    checked, bench = check()
    assert checked.keys() == COMMANDS.keys()
    assert not any(item.problems for item in checked.values())
    assert (bench.machine.changes, bench.machine.unknown) == (0, [])


def test_what_reads_is_run_and_what_changes_is_only_parsed() -> None:
    checked, bench = check()
    for name, item in checked.items():
        assert item.how == ("parsed" if COMMANDS[name].changes else "ran")
    assert set(bench.commands) == {name for name, command in COMMANDS.items() if not command.changes}


def test_it_says_what_it_ran_on() -> None:
    _checked, about = self_check(Bench(machine(language="de")).guest)
    assert (about["culture"], about["powershell"], about["elevated"]) == ("de-DE", "5.1.20348.2849", True)
    assert about["writers"] == 11


@pytest.mark.parametrize(
    ("changes", "command", "words"),
    [
        ({"missing_cmdlets": ["Get-Acl"]}, "snapshot", "there is no command Get-Acl"),
        ({"parse_errors": {"restart_service": ["7: Unexpected token"]}}, "restart_service", "line 7: Unexpected token"),
        ({"parse_errors": {"reader": ["2: x"]}}, "parse", "reader: line 2: x"),
        ({"elevated": False}, "survey", "the account has no administrator rights"),
        ({"listing": "cut"}, "survey", "the list of writers is not whole"),
        ({"listing": "empty"}, "survey", "the list of writers is not whole (0 writers"),
        ({"faults": [["read_values", "script_error"]]}, "read_values", "read_values failed on win1"),
        ({"faults": [["snapshot", "cut"]]}, "snapshot", "was cut short"),
        ({"facts": {"machine_keys": None}}, "snapshot", "the rights of the folder MachineKeys were not read"),
        ({"facts": {"memory": None}}, "snapshot", "memory or disk were not read"),
        ({"facts": {"problems": {"providers": "CimException: x"}}}, "survey", "providers: CimException: x"),
        ({"facts": {"providers": []}}, "survey", "the provider of Windows was not listed"),
        ({"registry": {r"SYSTEM\CurrentControlSet\Services\msiserver": None}}, "read_values", "every Windows has"),
        ({"services": {"RpcSs": None}}, "survey", "the services that depend on RpcSs were not listed"),
    ],
)
def test_what_is_not_as_on_any_windows_is_named_with_its_command(
    changes: dict[str, t.Any], command: str, words: str
) -> None:
    found = problems(**changes)
    assert any(words in problem for problem in found[command]), found


def test_a_guest_that_cannot_even_parse_fails_every_command_that_it_cannot_answer_for() -> None:
    found = problems(faults=[["parse", "script_error"]])
    assert found.keys() == COMMANDS.keys()
    assert "parse failed on win1" in found["parse"][0]


def test_constrained_language_mode_is_the_first_thing_it_says() -> None:
    found = problems(language_mode="ConstrainedLanguage")
    assert "ConstrainedLanguage mode" in found["parse"][0]


def test_an_unclear_language_is_a_problem_that_a_person_should_see() -> None:
    found = problems(language="nl", writers={"System Writer": {"state": 9, "error": "no_error"}})
    assert any("could not be told from their texts" in problem for problem in found["survey"])
