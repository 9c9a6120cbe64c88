# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The PowerShell that goes to a guest: fixed, read by a person, parsed by a grammar, and fit for every way there."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows import commands
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import (
    COMMANDS,
    PARSE,
    READER,
    TOOL_END_SECONDS,
    WMI_SECONDS,
    Command,
)

from tests.winrm_guest import answers
from tests.winrm_guest.console import PLACEHOLDER

FOLDER = Path(commands.__file__).with_name("powershell")
TEXTS = {"_reader": READER, **{name: command.text for name, command in COMMANDS.items()}}
EACH_TEXT = pytest.mark.parametrize("name", sorted(TEXTS))
EACH_COMMAND = pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
# What a text may do to a guest. Anything that changes it must be in a command that says so.
CHANGING = re.compile(
    r"\.Stop\(|\.Start\(\)|SetValue|DeleteValue|CreateSubKey|Set-|Remove-|New-Item|Restart-|Stop-|Start-Service|Out-File",
    re.IGNORECASE,
)


def parse(text: str) -> tree_sitter.Tree:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language())).parse(text.encode("utf-8"))


def test_each_file_that_a_person_reads_is_sent_and_nothing_else_is() -> None:
    files = {path.stem: path.read_text(encoding="ascii") for path in FOLDER.glob("*.ps1")}
    sent = {part for command in COMMANDS.values() for part in command.parts}
    assert files.keys() == sent | {"language", "envelope", "reader"}
    assert COMMANDS.keys() == answers.COMMANDS.keys()
    written = {line.strip() for text in files.values() for line in text.splitlines()}
    # What the envelope names is the command's own name, and its body.
    filled = {line.replace(f"'{name}'", "'@@name@@'") for name, text in TEXTS.items() for line in text.splitlines()}
    assert filled <= written
    assert {line for line in written if line and not line.startswith("#")} - filled == {"@@body@@"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ps1")), ids=lambda path: path.stem)
def test_each_file_says_what_it_is_for_and_is_whole_by_itself(path: Path) -> None:
    text = path.read_text(encoding="ascii")
    assert text.splitlines()[3].startswith("# ")
    assert not parse(text.replace("@@body@@", "1")).root_node.has_error
    # A comment goes before it is sent: none may stand behind a command, where it would swallow what follows.
    assert not re.search(r"^[^#'\"]*[^#'\"\s`$][^'\"]*\s#", text, re.MULTILINE)


@EACH_TEXT
def test_the_grammar_of_powershell_accepts_it(name: str) -> None:
    assert not parse(TEXTS[name]).root_node.has_error


def test_the_grammar_refuses_what_is_not_powershell() -> None:
    assert parse(TEXTS["survey"].replace("}catch{", "}catch", 1)).root_node.has_error


@EACH_TEXT
def test_it_survives_how_ansible_core_up_to_2_20_cleans_a_script(name: str) -> None:
    cleaned = "\n".join(line.strip() for line in TEXTS[name].splitlines() if line.strip())
    assert cleaned == TEXTS[name]


@EACH_TEXT
def test_it_is_plain_ascii_without_control_characters(name: str) -> None:
    assert all(character == "\n" or " " <= character <= "~" for character in TEXTS[name])


@EACH_TEXT
def test_constrained_language_mode_is_asked_for_before_anything_that_it_forbids(name: str) -> None:
    lines = TEXTS[name].splitlines()
    check = next(number for number, line in enumerate(lines) if "LanguageMode" in line)
    assert not any(re.search(r"\[[A-Z][\w.]+\]::|\.\w+\(", line) for line in lines[: check + 2])


@EACH_COMMAND
def test_only_a_command_that_says_so_changes_anything(command: Command) -> None:
    if not command.changes:
        assert not CHANGING.search(command.body.replace("Start-One", "")), CHANGING.search(command.body)
    else:
        assert CHANGING.search(command.body)


@EACH_COMMAND
def test_the_extensions_settings_are_never_gone_near(command: Command) -> None:
    assert not re.search(r"RuntimeSettings|\.settings\b|protectedSettings", command.text)


@EACH_COMMAND
def test_no_name_is_one_that_a_hashtable_has_itself(command: Command) -> None:
    """PowerShell takes `$table.Values = x` for the table's own property, which cannot be written."""
    own = {"count", "isfixedsize", "isreadonly", "issynchronized", "item", "keys", "syncroot", "values", "length"}
    written = {name.casefold() for name in re.findall(r"\$[a-z]\.(\w+)=", command.text)}
    assert written
    assert not written & own


@EACH_COMMAND
def test_no_output_is_read_by_its_words(command: Command) -> None:
    assert not re.search(r"-match|Select-String|findstr", command.body, re.IGNORECASE)


@EACH_COMMAND
def test_arguments_are_one_base64_word_whatever_is_in_them(command: Command) -> None:
    hostile = {"service": "x'); Stop-Computer #", "more": ["\u2019;calc;\u2019", "\n'@\n", "$(whoami)", "`"]}
    script = command.script(hostile)
    before, _, after = command.text.partition(PLACEHOLDER)
    word = script[len(before) : len(script) - len(after)]
    assert script == before + word + after
    assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", word)
    given = json.loads(base64.b64decode(word))
    assert {name: given[name] for name in hostile} == hostile
    assert set(given) - set(hostile) == ({"wmi_timeout"} if command.wmi else set())


@EACH_COMMAND
def test_every_command_says_what_it_is_for(command: Command) -> None:
    assert command.purpose.endswith(".")
    assert command.seconds > 0
    assert not (command.repeatable and not command.changes)


def test_the_reader_fits_on_a_command_line_even_when_it_is_encoded_twice() -> None:
    once = base64.b64encode(READER.encode("utf-16-le"))
    twice = base64.b64encode(b"PowerShell -EncodedCommand " + once).decode().encode("utf-16-le")
    assert len(base64.b64encode(twice)) < 8191


def test_a_cmdlet_is_used_only_where_windows_powershell_has_it() -> None:
    """The names are checked on a real guest by windows_self_check; here they are at least few and known to us."""
    names = set(
        re.findall(r"\b(?:Get|New|Where|Sort|Select|ConvertTo|ConvertFrom|Test)-[A-Z]\w+", "".join(TEXTS.values()))
    )
    own = set(re.findall(r"function ([\w-]+)", "".join(TEXTS.values())))
    assert names - own == {
        "ConvertFrom-Json",
        "ConvertTo-Json",
        "Get-Acl",
        "Get-ChildItem",
        "Get-CimInstance",
        "Get-Command",
        "Get-Item",
        "Get-Service",
        "Get-WinEvent",
        "New-Object",
        "Select-Object",
        "Sort-Object",
        "Test-Path",
        "Where-Object",
    }
    assert PARSE.name in COMMANDS


@EACH_COMMAND
def test_the_limits_inside_a_command_add_up_to_less_than_the_one_around_it(command: Command) -> None:
    """Else the controller gives up first, and the part of the answer that was there is lost."""
    assert command.body.count("-OperationTimeoutSec $p.wmi_timeout") == command.wmi
    assert "-OperationTimeoutSec $p.wmi_timeout" in command.body or "CimInstance" not in command.body
    assert command.longest > command.wmi * WMI_SECONDS + (TOOL_END_SECONDS if "Invoke-Tool" in command.body else 0)
