# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A number and a text become a judgement, and where they do not suffice, none is made up."""

from __future__ import annotations

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.listing import ListedWriter
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.services import Services
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.writers import STATES, advice, judged


def health(*writers: tuple[int, str]) -> list[str]:
    listed = [ListedWriter(f"W{n}", f"id{n}", f"in{n}", state, "", text) for n, (state, text) in enumerate(writers)]
    return [writer.health for writer in judged(listed, Services())]


@pytest.mark.parametrize(("state", "expected"), [(1, "healthy"), *((n, "busy") for n in (2, 3, 4, 5))])
def test_states_that_are_not_failures(state: int, expected: str) -> None:
    assert health((state, "No error")) == [expected]


@pytest.mark.parametrize("state", [0, *range(6, 16), 16, 99, 999])
def test_every_other_state_is_a_failure_known_or_not(state: int) -> None:
    assert health((state, "No error")) == ["failed"]


@pytest.mark.parametrize("text", ["No error", "no error.", " Kein  Fehler", "Aucune erreur"])
def test_known_words_for_no_error(text: str) -> None:
    assert health((1, text)) == ["healthy"]


def test_stable_with_an_error_is_not_healthy() -> None:
    assert health((1, "No error"), (1, "Timed out")) == ["healthy", "last_error"]


def test_three_stable_writers_teach_what_no_error_is_called() -> None:
    assert health((1, "Geen"), (1, "Geen"), (1, "Geen"), (1, "Anders")) == [
        "healthy",
        "healthy",
        "healthy",
        "last_error",
    ]


def test_two_are_too_few_to_teach_it() -> None:
    assert health((1, "Geen"), (1, "Geen")) == ["unclear", "unclear"]


def test_a_tie_teaches_nothing() -> None:
    assert health(*[(1, "Geen")] * 3, *[(1, "Anders")] * 3) == ["unclear"] * 6


def test_a_text_that_a_failed_writer_shows_is_not_taken_for_no_error() -> None:
    assert health(*[(1, "Tijd")] * 5, (9, "Tijd")) == ["unclear"] * 5 + ["failed"]


def test_a_known_error_that_all_share_is_not_taken_for_no_error() -> None:
    assert health(*[(1, "Timed out")] * 5) == ["last_error"] * 5


def test_next_to_a_known_word_for_no_error_an_unknown_text_is_an_error() -> None:
    assert health((1, "No error"), (1, "Quelque chose")) == ["healthy", "last_error"]


def test_nothing_listed_is_nothing_judged() -> None:
    assert health() == []


def test_states_are_those_of_vss_h() -> None:
    assert list(STATES) == list(range(16))
    assert STATES[9] == "VSS_WS_FAILED_AT_FREEZE"


@pytest.mark.parametrize(
    ("text", "hresult"),
    [
        ("Inconsistent shadow copy", "0x800423F0"),
        ("Out of resources", "0x800423F1"),
        ("Timed out", "0x800423F2"),
        ("Retryable error", "0x800423F3"),
        ("Wiederholbarer Fehler", "0x800423F3"),
        ("Non-retryable error", "0x800423F4"),
    ],
)
def test_a_known_error_has_its_number_and_advice_from_the_catalogue(text: str, hresult: str) -> None:
    [writer] = judged([ListedWriter("W", "id", "in", 9, "", text)], Services())
    assert writer.error is not None
    assert writer.error.hresult == hresult
    assert len(advice(writer.error, restartable=True)) > 20
    assert "vss_writers" not in advice(writer.error, restartable=False)
