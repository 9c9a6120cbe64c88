# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""docs/benchmarks.md, written section by section."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.__main__ import TITLES, read, write


def test_a_section_measured_anew_leaves_the_others_as_they_stand(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    write(page, {title: f"old {name}\n\n| a |\n| --- |" for name, title in TITLES.items()})
    kept = read(page)
    assert list(kept) == list(TITLES.values())
    write(page, {**kept, TITLES["fleet"]: "new"})
    assert read(page) == {**kept, TITLES["fleet"]: "new"}


def test_a_page_that_is_not_there_has_no_sections(tmp_path: Path) -> None:
    assert read(tmp_path / "benchmarks.md") == {}
