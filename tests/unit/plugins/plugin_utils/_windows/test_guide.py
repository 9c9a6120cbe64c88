# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""docs/windows.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.appconsistent.azure.plugins.plugin_utils._vss.services import FORBIDDEN_SERVICES, TABLE
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import COMMANDS
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows_snapshot.events import EVENT_LABELS

ROOT = Path(__file__).parents[5]
GUIDE = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
SOURCES = ("_vss/findings.py", "_vss/repair.py", "_windows_snapshot/findings.py")
# Put together at run time from a name.
DYNAMIC = {
    "vss.providers_unreadable",
    "vss.storage_unreadable",
    "vss.volumes_unreadable",
} | {f"events.{label}" for label in EVENT_LABELS.values()}


def codes_of(text: str, quote: str) -> set[str]:
    areas = "guest|agent|extension|run|com|settings|events|vss"
    return set(re.findall(rf"{quote}((?:{areas})\.[a-z0-9_]+){quote}", text))


def test_every_finding_that_can_come_is_in_the_guide_and_no_other() -> None:
    folder = ROOT / "plugins" / "plugin_utils"
    in_code = set.union(*(codes_of((folder / name).read_text(encoding="utf-8"), '"') for name in SOURCES)) | DYNAMIC
    in_guide = codes_of(GUIDE.partition("## Findings")[2], "`")
    assert in_guide == in_code


def test_every_finding_of_the_guide_has_a_story() -> None:
    data = ROOT / "tests" / "data" / "vss"
    told = "".join(
        path.read_text(encoding="utf-8") for name in ("stories", "guests") for path in (data / name).glob("*.yml")
    )
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "tests" / "unit" / "plugins" / "plugin_utils" / "_vss").glob("test_*.py")
    )
    untold = {code for code in codes_of(GUIDE, "`") if code not in told and code not in tests}
    assert untold == set()


def test_every_text_that_is_sent_is_in_the_guide_with_whether_it_changes_something() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", GUIDE, re.MULTILINE))
    assert rows == {name: "yes" if command.changes else "no" for name, command in COMMANDS.items()}


def test_every_service_that_the_guide_names_has_the_impact_it_says() -> None:
    table = GUIDE.partition("| impact | meaning |")[2].partition("\n\n")[0]
    known = {row.service: row.impact for row in TABLE if row.service}
    for impact, names in re.findall(
        r"^\| `(quiet|brief|outage|forbidden)` \| [^|]+ \| ([^|]+) \|", table, re.MULTILINE
    ):
        for name in names.strip().split(", "):
            assert known.get(name, impact) == impact, name
            assert (impact == "forbidden") == (name.casefold() in FORBIDDEN_SERVICES), name
