# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP006, UP035 - these tests run on the guest's Pythons too, 3.6 and newer
"""Every finding of the catalogues is used, is given its words, and tells what to do."""

import ast
import re
import string
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest import extension_codes, findings
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal import findings as rehearsal_findings

FOLDERS = [Path(str(catalogue.__file__)).parent for catalogue in (findings, rehearsal_findings)]
CATALOGUES: Dict[str, Any] = dict(findings.CATALOGUE, **rehearsal_findings.CATALOGUE)
# What a finding of the rehearsal gets from the extension's code.
KNOWN = {"code", "meaning", "remedy"}


def calls() -> List[Tuple[str, Set[str]]]:
    """Each call of ``finding`` with a fixed name, and the words that it is given."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "finding":
                name = node.args[0]
                words = {keyword.arg for keyword in node.keywords if keyword.arg}
                if "known" in words:
                    words |= KNOWN
                found.append((ast.literal_eval(name), words))
    return found


def wanted(code: str) -> Set[str]:
    _severity, message, remedy = CATALOGUES[code]
    return {field for text in (message, remedy) for _, field, _, _ in string.Formatter().parse(text) if field}


def test_every_finding_is_given_the_words_that_it_needs() -> None:
    for code, words in calls():
        assert wanted(code) <= words, code


def test_every_finding_of_the_catalogues_is_made_somewhere() -> None:
    assert set(CATALOGUES) == {code for code, _words in calls()}


def test_the_guide_lists_every_finding() -> None:
    guide = (Path(__file__).parents[5] / "docs/linux_guest.md").read_text()
    assert [code for code in CATALOGUES if "| `" + code + "` | " + CATALOGUES[code][0] not in guide] == []


@pytest.mark.parametrize("code", sorted(CATALOGUES))
def test_every_finding_says_what_to_do(code: str) -> None:
    severity, message, remedy = CATALOGUES[code]
    assert severity in ("error", "warning", "info")
    assert message[-1] in ".}" and remedy
    assert re.match(r"[a-z]+\.[a-z_]+$", code)


@pytest.mark.parametrize("code", sorted(extension_codes.CODES))
def test_every_code_of_the_extension_has_a_meaning_and_a_remedy(code: int) -> None:
    known = extension_codes.CODES[code]
    assert known.meaning.endswith(".") and known.remedy.endswith(".")
    assert known.health in ("green", "yellow", "red", None)
    assert known.fixable in ("yes", "no", "maybe", "wait")


def test_a_code_that_nobody_knows_is_told_as_such() -> None:
    assert "9999" in extension_codes.code_entry(9999).meaning
