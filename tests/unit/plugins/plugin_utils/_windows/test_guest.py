# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A command on its way to a guest and its answer on the way back, with everything that can go wrong on both."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows import guest as subject
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import (
    READ_VALUES,
    READER,
    RESTART,
    SURVEY,
    WRITE_VALUES,
)

from tests.winrm_guest.console import COMMAND_LINE_LIMIT
from tests.winrm_guest.direct import Bench
from tests.winrm_guest.machine import machine

SHORT: dict[str, t.Any] = {"places": [{"path": r"SYSTEM\CurrentControlSet\Services\msiserver", "name": "Start"}]}


def restart(bench: Bench) -> dict[str, t.Any]:
    return bench.guest.run(RESTART, service="SQLWriter", dependents=[], stop=True, limit=60)


def survey(bench: Bench) -> dict[str, t.Any]:
    return bench.guest.run(SURVEY, list_timeout=180)


def test_a_short_text_goes_on_the_command_line_in_one_round_trip() -> None:
    bench = Bench(machine())
    assert bench.guest.run(READ_VALUES, **SHORT)["registry"] == ["DWord\t3"]
    [(line, stdin, _seconds)] = bench.transport.sent
    assert stdin is None
    assert line == READ_VALUES.script(SHORT)


def test_a_long_text_goes_through_standard_input_as_it_is() -> None:
    bench = Bench(machine())
    survey(bench)
    [(line, stdin, _seconds)] = bench.transport.sent
    assert line == READER
    assert stdin == (SURVEY.script({"list_timeout": 180}) + "\n").encode("ascii")


def test_the_longest_text_on_a_command_line_fits_into_what_cmd_takes() -> None:
    prefix = len("PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand ")
    encoded = -(-subject.COMMAND_LINE_LIMIT * 2 // 3) * 4
    assert prefix + encoded <= COMMAND_LINE_LIMIT


def test_a_way_without_limit_gets_every_text_as_its_command() -> None:
    bench = Bench(machine(), limit=None)
    survey(bench)
    [(line, stdin, _seconds)] = bench.transport.sent
    assert (line, stdin) == (SURVEY.script({"list_timeout": 180}), None)


def test_the_time_allowed_is_the_commands_own_and_the_callers_and_some_grace() -> None:
    bench = Bench(machine())
    bench.guest.run(SURVEY, seconds=180, list_timeout=180)
    assert bench.transport.sent[0][2] == SURVEY.longest + 180 + subject.GRACE_SECONDS


def test_check_mode_does_not_send_a_change_whoever_asks_for_it() -> None:
    bench = Bench(machine(), check_mode=True)
    with pytest.raises(subject.GuestError, match="restart_service changes win1"):
        restart(bench)
    assert bench.transport.sent == []


def test_noise_around_the_answer_does_no_harm() -> None:
    bench = Bench(machine(faults=[["survey", "noise"]]))
    assert survey(bench)["elevated"] is True


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        ("cut", subject.AnswerUnusable, r"The answer of win1 to survey was cut short after \d+ characters\."),
        ("rubbish", subject.AnswerUnusable, r"win1 gave no answer to survey \(exit code 0\)"),
        ("nothing", subject.AnswerUnusable, r"win1 gave no answer to survey \(exit code 0\)\."),
        ("flood", subject.AnswerUnusable, r"win1 answered survey with 10485760 characters; more than 8388608 are not"),
        ("flood_in_markers", subject.AnswerUnusable, r"win1 answered survey with \d+ characters"),
        ("not_base64", subject.AnswerUnusable, r"win1 answered survey with something that is not base64 of JSON"),
        ("not_json", subject.AnswerUnusable, r"win1 answered survey with something that is not base64 of JSON"),
        ("another", subject.AnswerUnusable, r"win1 answered another question than survey"),
        ("no_data", subject.AnswerUnusable, r"win1 answered survey without data"),
        ("script_error", subject.CommandFailed, r"survey failed on win1: System.UnauthorizedAccessException: Zugriff"),
    ],
)
def test_a_bad_answer_is_one_sentence(fault: str, kind: type[Exception], sentence: str) -> None:
    bench = Bench(machine(faults=[["survey", fault]]))
    with pytest.raises(kind, match=sentence) as error:
        survey(bench)
    # Not the rubbish itself.
    assert len(str(error.value)) < 700
    assert str(error.value).isprintable()


def test_constrained_language_mode_is_named_with_what_to_do() -> None:
    bench = Bench(machine(language_mode="ConstrainedLanguage"))
    with pytest.raises(subject.CommandRefused, match=r"ConstrainedLanguage mode.*AppLocker"):
        survey(bench)


def test_a_text_that_nobody_has_read_is_not_understood() -> None:
    bench = Bench(machine())
    output = bench.transport.execute("Get-Process", None, 1.0)
    assert output.code == 1
    assert bench.machine.unknown == ["Get-Process"]


def test_reading_is_repeated_once_when_the_connection_breaks() -> None:
    bench = Bench(machine(faults=[["survey", "drop_before"]]))
    assert survey(bench)["elevated"] is True
    assert bench.transport.reconnected == 1
    assert "the connection broke; asking once more" in bench.told


def test_reading_is_not_repeated_for_ever() -> None:
    bench = Bench(machine(faults=[["survey", "drop_before"], ["survey", "drop_after"]]))
    with pytest.raises(subject.ConnectionLost, match="win1 broke"):
        survey(bench)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_restart_is_never_sent_twice(fault: str) -> None:
    bench = Bench(machine(faults=[["restart_service", fault]]))
    with pytest.raises(subject.ConnectionLost):
        restart(bench)
    assert len(bench.transport.sent) == 1


def test_a_change_that_ends_the_same_each_time_is_repeated() -> None:
    bench = Bench(machine(faults=[["write_values", "drop_after"]]))
    value = {"path": r"SOFTWARE\Microsoft\BcdrAgent", "name": "USEVSSCOPYBACKUP", "kind": "String", "data": "TRUE"}
    assert bench.guest.run(WRITE_VALUES, places=[value])["registry"] == ["String\tTRUE"]
    assert bench.machine.changes == 2


def test_arrays_that_powershell_5_wraps_are_unwrapped() -> None:
    wrapped = {"a": {"value": [{"b": {"value": [], "Count": 0}}], "Count": 1}, "value": 1, "Count": 2}
    assert subject.unwrapped(wrapped) == {"a": [{"b": []}], "value": 1, "Count": 2}
