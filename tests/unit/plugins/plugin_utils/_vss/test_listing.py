# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The list of writers is read by position, id and number, and by nothing else."""

from __future__ import annotations

import random

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.listing import (
    WRITER_LIMIT,
    Listing,
    console_text,
    read_listing,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.services import Services
from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.writers import judged

from tests.winrm_guest import listings
from tests.winrm_guest.machine import DATA, machine

LANGUAGES = ("en", "de", "fr", "es", "ja", "nl")
WRITER = "e8132975-6f93-4464-a53e-1050253ae220"
BLOCK = f"""{{name}}
   A: {{{{{WRITER}}}}}
   B: {{{{1bddd48e-0000-4000-8000-000000000001}}}}
   C: [1] D
   E: F
"""


def recorded(language: str) -> Listing:
    return read_listing(console_text((DATA / "listings" / f"{language}.txt").read_bytes(), 850))


def essence(listing: Listing) -> list[tuple[str, str, str, int]]:
    return [(writer.name, writer.id, writer.instance_id, writer.state) for writer in listing.writers]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_reads_alike(language: str) -> None:
    listing = recorded(language)
    assert essence(listing) == essence(recorded("en"))
    assert len(listing.writers) == 11
    assert (listing.unread, listing.ended) == ((), True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_judged_alike(language: str) -> None:
    health = {writer.name: writer.health for writer in judged(recorded(language).writers, Services())}
    assert {name: state for name, state in health.items() if state != "healthy"} == {
        "System Writer": "failed",
        "SqlServerWriter": "failed",
        "WMI Writer": "busy",
        "IIS Config Writer": "last_error",
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("console", ["utf-8", "oem"])
def test_every_language_reads_alike_from_every_code_page(language: str, console: str) -> None:
    guest = machine(language=language, console=console, writers={"System Writer": {"state": 9, "error": "timed_out"}})
    data, _code = listings.output(guest)
    listing = read_listing(console_text(data, listings.language(language)["code_page"]))
    assert [writer.state for writer in listing.writers] == [writer.state for writer in guest.writers]
    assert listing.unread == ()
    # The words are right, too, not only the numbers.
    assert listing.writers[3].state_text == listings.language(language)["states"]["failed"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_code_page_costs_letters_and_no_writer(language: str) -> None:
    data, _code = listings.output(machine(language=language, console="oem"))
    listing = read_listing(console_text(data, 437))
    assert [writer.id for writer in listing.writers] == [writer.id for writer in machine().writers]
    assert listing.unread == ()


@pytest.mark.parametrize(
    "head",
    [
        "Writer name: 'System Writer'",
        'Verfassername: "System Writer"',
        "Nom du rédacteur : 'System Writer'",
        "Nom du rédacteur\u00a0: «\u00a0System Writer\u00a0»".replace("\u00a0System", "System").replace(
            "Writer\u00a0", "Writer"
        ),
        "Name: \u201eSystem Writer\u201c",
        "ライター名\uff1a「System Writer」",
        "Name: System Writer",
    ],
)
def test_every_kind_of_quote_and_colon_is_understood(head: str) -> None:
    [writer] = read_listing(BLOCK.format(name=head)).writers
    assert (writer.name, writer.id, writer.error_text) == ("System Writer", WRITER, "F")


def test_a_name_with_quotes_brackets_and_colons_stays_whole() -> None:
    [writer] = read_listing(BLOCK.format(name="Writer name: 'Bob's \"VSS: Writer\" (MSMQ) [1]'")).writers
    assert writer.name == 'Bob\'s "VSS: Writer" (MSMQ) [1]'


@pytest.mark.parametrize("at", range(0, 700, 7))
def test_a_list_that_is_cut_anywhere_is_never_longer_than_it_was_and_seldom_looks_whole(at: int) -> None:
    text = listings.text("en", machine().writers[:2])
    listing = read_listing(text[:at])
    assert len(listing.writers) <= 2
    if listing.writers and at < len(text) - 2:
        whole = listing.ended and not listing.unread
        # What ends with a line of a whole block cannot be told from a shorter list.
        assert not whole or text[:at].rstrip("\r\n").endswith("No error")


@pytest.mark.parametrize("language", ["en", "de", "ja"])
def test_a_last_line_without_an_end_is_whole_where_another_writer_ends_alike(language: str) -> None:
    text = listings.text(language, machine().writers[:3]).rstrip()
    assert read_listing(text).ended
    assert not read_listing(text[:-2]).ended
    assert not read_listing(listings.text(language, machine().writers[:1]).rstrip()).ended


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u202c", "\u2069"])
def test_a_mark_of_direction_beside_a_quote_is_no_part_of_a_name(mark: str) -> None:
    [writer] = read_listing(BLOCK.format(name=f"Writer name: {mark}'System Writer'{mark}")).writers
    assert writer.name == "System Writer"


def test_a_name_longer_than_a_line_is_read_begins_as_it_should() -> None:
    [writer] = read_listing(BLOCK.format(name="Writer name: '" + "N" * 2000 + "'")).writers
    assert set(writer.name.rstrip(".\u2026")) == {"N"}


def test_a_block_that_does_not_fit_is_kept_and_named() -> None:
    broken = BLOCK.format(name="Writer name: 'A'").replace("[1]", "(1)")
    listing = read_listing(broken + "\n" + BLOCK.format(name="Writer name: 'B'"))
    assert [writer.name for writer in listing.writers] == ["B"]
    assert listing.unread == ("Writer name: 'A'",)


def test_errors_of_the_tool_are_kept_as_what_it_said() -> None:
    listing = read_listing("banner\r\n\r\nError: A component encountered an unexpected error.\r\n")
    assert listing.writers == ()
    assert listing.remarks == ("banner", "Error: A component encountered an unexpected error.")


@pytest.mark.parametrize("seed", range(30))
def test_rubbish_is_read_without_an_error(seed: int) -> None:
    random_bytes = random.Random(seed).randbytes(20_000)
    for code_page in (437, 850, 932, 65001, 0, -1):
        listing = read_listing(console_text(random_bytes, code_page))
        assert listing.writers == ()


def test_escape_sequences_and_control_characters_do_not_get_through() -> None:
    [writer] = read_listing(BLOCK.format(name="Writer name: '\x1b[31mSystem\x07 Writer\x1b]0;title\x07'")).writers
    assert writer.name.isprintable()


def test_no_machine_has_more_writers_than_the_limit() -> None:
    listing = read_listing(
        "\n".join(BLOCK.format(name=f"Writer name: 'W{number}'") for number in range(WRITER_LIMIT + 5))
    )
    assert len(listing.writers) == WRITER_LIMIT
    assert len(listing.unread) == 5


def test_a_line_is_cut_before_any_pattern_sees_it() -> None:
    [writer] = read_listing(BLOCK.format(name="Writer name: " + "'" * 1_000_000 + "x")).writers
    assert len(writer.name) <= 200


def test_utf_16_is_recognised_by_its_mark() -> None:
    text = listings.text("ja", machine().writers[:1])
    assert console_text(b"\xff\xfe" + text.encode("utf-16-le"), 932) == text
    assert console_text(b"\xef\xbb\xbf" + text.encode("utf-8"), 932) == text
