# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The documented registry values: what is written, what is left alone, and what is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.settings import (
    ARGUMENT_SPEC,
    PLACES,
    SETTINGS,
    Value,
    Values,
    changes,
    oddities,
    read_values,
    states,
)

COPY = r"SOFTWARE\Microsoft\BcdrAgent\USEVSSCOPYBACKUP"
FULL = r"SOFTWARE\Microsoft\BcdrAgent\UseVssFullBackup"
THREADS = r"SOFTWARE\Microsoft\BcdrAgentPersistentKeys\SnapshotWithoutThreads"
METHOD = r"SOFTWARE\Microsoft\BcdrAgentPersistentKeys\SnapshotMethod"
TIME = r"SOFTWARE\Microsoft\BcdrAgentPersistentKeys\CalculateSnapshotTimeFromHost"
INSTALLER = r"SYSTEM\CurrentControlSet\Services\msiserver\Start"


def registry(**there: tuple[str, str]) -> Values:
    """All places, empty but for those named by the last part of their path."""
    values: Values = dict.fromkeys(PLACES)
    for name, (kind, data) in there.items():
        place = next(place for place in PLACES if place.name == name)
        values[place] = Value(kind, data)
    return values


def todo(values: Values, **options: t.Any) -> dict[str, t.Any]:
    return {rf"{change.place.path}\{change.place.name}": change.data for change in changes(options, values)}


def test_nothing_asked_is_nothing_written() -> None:
    assert todo(registry()) == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"snapshot_without_threads": True}, {THREADS: "True"}),
        ({"use_vss_copy_backup": True}, {COPY: "TRUE"}),
        ({"use_vss_full_backup": True}, {FULL: "True"}),
        (
            {"snapshot_method": "firstHostThenGuest", "calculate_snapshot_time_from_host": True},
            {METHOD: "firstHostThenGuest", TIME: "True"},
        ),
    ],
)
def test_values_are_written_in_the_documented_words(options: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert todo(registry(), **options) == expected


@pytest.mark.parametrize("there", ["True", "TRUE", "true"])
def test_what_is_there_in_another_case_is_left_alone(there: str) -> None:
    assert todo(registry(SnapshotWithoutThreads=("String", there)), snapshot_without_threads=True) == {}


def test_a_number_where_a_text_belongs_is_replaced() -> None:
    assert todo(registry(SnapshotWithoutThreads=("DWord", "1")), snapshot_without_threads=True) == {THREADS: "True"}


@pytest.mark.parametrize("there", [None, ("String", "False"), ("String", "FALSE")])
def test_off_is_the_absence_or_the_word(there: tuple[str, str] | None) -> None:
    values = registry(**({"SnapshotWithoutThreads": there} if there else {}))
    assert todo(values, snapshot_without_threads=False) == {}
    assert states(values)["snapshot_without_threads"] is False


def test_off_removes_what_is_on() -> None:
    assert todo(registry(SnapshotWithoutThreads=("String", "True")), snapshot_without_threads=False) == {THREADS: None}


def test_strong_crypto_is_for_both_runtimes_and_both_widths() -> None:
    written = todo(registry(), strong_crypto=True)
    assert len(written) == 4
    assert set(written.values()) == {1}
    assert sum("WOW6432Node" in path for path in written) == 2


@pytest.mark.parametrize("there", ["4", "2"])
def test_the_installer_is_set_to_manual_from_anything_else(there: str) -> None:
    assert todo(registry(Start=("DWord", there)), windows_installer_start="manual") == {INSTALLER: 3}


def test_a_provider_is_asked_to_be_installed_anew_in_both_places_and_false_asks_for_nothing() -> None:
    assert set(todo(registry(), reinstall_provider=True).values()) == {"False"}
    assert len(todo(registry(), reinstall_provider=True)) == 2
    assert todo(registry(), reinstall_provider=False) == {}


@pytest.mark.parametrize(
    ("there", "options"),
    [
        ({}, {"use_vss_copy_backup": True, "use_vss_full_backup": True}),
        ({"UseVssFullBackup": ("String", "True")}, {"use_vss_copy_backup": True}),
        ({"USEVSSCOPYBACKUP": ("String", "true")}, {"use_vss_full_backup": True}),
    ],
)
def test_two_opposite_backups_are_refused_also_when_one_is_there_already(
    there: dict[str, tuple[str, str]], options: dict[str, t.Any]
) -> None:
    with pytest.raises(InvalidInput, match="use_vss_copy_backup and use_vss_full_backup would both be set"):
        todo(registry(**there), **options)


def test_one_backup_can_be_exchanged_for_the_other() -> None:
    values = registry(UseVssFullBackup=("String", "True"))
    assert todo(values, use_vss_copy_backup=True, use_vss_full_backup=False) == {COPY: "TRUE", FULL: None}


def test_a_contradiction_on_the_guest_does_not_stop_what_has_nothing_to_do_with_it() -> None:
    values = registry(UseVssFullBackup=("String", "True"), USEVSSCOPYBACKUP=("String", "TRUE"))
    assert todo(values, snapshot_without_threads=True) == {THREADS: "True"}


@pytest.mark.parametrize(
    ("there", "options"),
    [
        ({}, {"calculate_snapshot_time_from_host": True}),
        ({}, {"calculate_snapshot_time_from_host": True, "snapshot_method": "default"}),
        (
            {
                "SnapshotMethod": ("String", "firstHostThenGuest"),
                "CalculateSnapshotTimeFromHost": ("String", "True"),
            },
            {"snapshot_method": "default"},
        ),
    ],
)
def test_the_time_from_the_host_is_refused_without_its_method(
    there: dict[str, tuple[str, str]], options: dict[str, t.Any]
) -> None:
    with pytest.raises(InvalidInput, match="only together with snapshot_method: firstHostThenGuest"):
        todo(registry(**there), **options)


def test_values_that_mean_nothing_are_found() -> None:
    assert oddities(registry()) == []
    assert oddities(registry(SnapshotMethod=("String", "guestOnly"))) == [
        r"HKLM\SOFTWARE\Microsoft\BcdrAgentPersistentKeys\SnapshotMethod is String 'guestOnly'"
    ]
    assert states(registry(SnapshotMethod=("String", "guestOnly")))["snapshot_method"] is None


@pytest.mark.parametrize("answer", [None, [], "String\tTrue", [None, 3, {}], ["no tab"] * 99, ["String\tTrue"] * 99])
def test_any_answer_gives_every_place_a_value_or_none(answer: t.Any) -> None:
    assert read_values(PLACES, answer).keys() == set(PLACES)


def test_every_option_has_a_setting_and_no_key_of_the_extension_is_a_number() -> None:
    assert {setting.option for setting in SETTINGS} == ARGUMENT_SPEC.keys()
    for setting in SETTINGS:
        if any("Bcdr" in place.path for place in setting.places):
            assert setting.kind == "String"
