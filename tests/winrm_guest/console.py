# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What happens with a command line: taken apart, held against the texts that the collection sends, and run.

A text that is not to the letter one of them is refused as PowerShell refuses what it does not know, and remembered.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import COMMANDS, READER

from . import answers
from .machine import Machine

PLACEHOLDER = "@@arguments@@"
# What cmd.exe takes at most.
COMMAND_LINE_LIMIT = 8191

_ENCODED = re.compile(
    r"powershell(?:\.exe)? -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand (\S+)",
    re.IGNORECASE,
)
_CLIXML = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<S S="Error">%s_x000D__x000A_</S></Objs>'
)


@dataclass
class Output:
    """What a command line printed; `drop` cuts the connection instead of an answer."""

    code: int
    out: bytes = b""
    err: bytes = b""
    drop: bool = False


def run(machine: Machine, line: str, stdin: bytes) -> Output:
    """Run a command line on a machine."""
    if len(line) > COMMAND_LINE_LIMIT:
        return Output(1, err=b"The command line is too long.\r\n")
    text = _decoded(line)
    if text == READER:
        text = "\n".join(stdin.decode("ascii").splitlines())
    elif stdin:
        machine.unknown.append(f"standard input for a command that does not read it: {text[:200]}")
    if text in answers.PLAIN:
        machine.received.append((text, {}))
        return Output(0, answers.PLAIN[text](machine))
    known = _recognised(text)
    if known is None:
        machine.unknown.append(text)
        return Output(1, err=_CLIXML % b"The term is not recognized as the name of a cmdlet.")
    name, arguments = known
    machine.received.append((name, arguments))
    return _answered(machine, name, arguments)


def reads_input(line: str) -> bool:
    """Whether a command line is the one that reads its text from standard input."""
    return _decoded(line) == READER


def _answered(machine: Machine, name: str, arguments: dict[str, t.Any]) -> Output:
    if machine.language_mode != "FullLanguage":
        return Output(3, f"##appconsistent language {machine.language_mode}\r\n".encode())
    fault = machine.take_fault(name)
    if fault == "drop_before":
        return Output(1, drop=True)
    if fault == "script_error":
        error = {"type": "System.UnauthorizedAccessException", "message": "Zugriff verweigert", "line": 12}
        return Output(1, _envelope({"command": name, "ok": False, "error": error, "data": {}}))
    try:
        data = answers.COMMANDS[name](machine, arguments)
    except answers.Failed as failed:
        kind, message = failed.args
        return Output(
            1, _envelope({"command": name, "ok": False, "error": {"type": kind, "message": message, "line": 9}})
        )
    out = _envelope({"command": name, "ok": True, "data": data})
    damaged = {
        "cut": lambda: out[: len(out) // 2],
        "rubbish": lambda: bytes(range(256)) * 40,
        "flood": lambda: b"A" * (10 * 1024 * 1024),
        "flood_in_markers": lambda: out.replace(b"begin\r\n", b"begin\r\n" + b"QUJD" * (3 * 1024 * 1024), 1),
        "not_base64": lambda: b"##appconsistent begin\r\n\xff\xfe not base64 !\r\n##appconsistent end\r\n",
        "not_json": lambda: b"##appconsistent begin\r\n" + base64.b64encode(b"{") + b"\r\n##appconsistent end\r\n",
        "another": lambda: _envelope({"command": "another", "ok": True, "data": {}}),
        "no_data": lambda: _envelope({"command": name, "ok": True, "data": [1, 2]}),
        "nothing": lambda: b"",
        "noise": lambda: b"Welcome, \xfe\xff profile\r\n" + out + b"Goodbye\r\n",
    }
    if fault == "drop_after":
        return Output(0, drop=True)
    return Output(0, damaged[fault]() if fault else out, _CLIXML % b"noise" if fault == "noise" else b"")


def _envelope(answer: dict[str, t.Any]) -> bytes:
    """As the closing lines of each text do it, with the line breaks of .NET."""
    body = base64.b64encode(json.dumps(answer, ensure_ascii=False).encode("utf-8", errors="replace"))
    lines = b"\r\n".join(body[start : start + 76] for start in range(0, len(body), 76))
    return b"##appconsistent begin\r\n" + lines + b"\r\n##appconsistent end\r\n"


def _decoded(line: str) -> str:
    """Ansible encodes once or, with some versions and connections, twice."""
    while match := _ENCODED.fullmatch(line.strip()):
        line = base64.b64decode(match[1]).decode("utf-16-le")
    return line


def _recognised(text: str) -> tuple[str, dict[str, t.Any]] | None:
    for name, text_of in ((command.name, command.text) for command in COMMANDS.values()):
        before, _placeholder, after = text_of.partition(PLACEHOLDER)
        if text.startswith(before) and text.endswith(after):
            word = text[len(before) : len(text) - len(after)]
            if re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", word):
                arguments: dict[str, t.Any] = json.loads(base64.b64decode(word))
                return name, arguments
    return None
