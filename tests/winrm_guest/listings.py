# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""vssadmin's output in the language and code page of a machine."""

from __future__ import annotations

import functools
import json
import typing as t

from .machine import DATA, Machine, Writer


@functools.cache
def language(code: str) -> dict[str, t.Any]:
    """The labels and texts of a language. tests/data/vss/README.md says which of them were seen on a real Windows."""
    loaded: dict[str, t.Any] = json.loads((DATA / "languages.json").read_text(encoding="utf-8"))[code]
    return loaded


def text(code: str, writers: t.Iterable[Writer]) -> str:
    """The listing, with CRLF line ends."""
    words = language(code)
    lines = [*words["banner"], ""]
    for writer in writers:
        lines += [
            f"{words['name']}{words['open']}{writer.name}{words['close']}",
            f"   {words['id']}{{{writer.id}}}",
            f"   {words['instance']}{{{writer.instance}}}",
            f"   {words['state']}[{writer.state}] {words['states'][_word(writer.state)]}",
            f"   {words['error']}{words['errors'][writer.error]}",
            "",
        ]
    return "\r\n".join(lines) + "\r\n"


def output(machine: Machine) -> tuple[bytes, int]:
    """What vssadmin writes, and its exit code."""
    if not machine.elevated or machine.listing == "refused":
        return "\r\n".join(
            [*language(machine.language)["banner"], "", "Error: You don't have the correct permissions."]
        ).encode(), 2
    if machine.listing == "broken":
        words = "Error: A Volume Shadow Copy Service component encountered an unexpected error."
        return f"{words}\r\nCheck the Application event log for more information.\r\n".encode(), 2
    if machine.listing == "empty":
        return "\r\n".join([*language(machine.language)["banner"], ""]).encode(), 0
    if machine.listing == "rubbish":
        return bytes(range(256)) * 64, 0
    console = f"cp{language(machine.language)['code_page']}" if machine.console == "oem" else machine.console
    data = text(machine.language, machine.listed()).encode(console, errors="replace")
    if machine.listing == "cut":
        return data[: len(data) * 2 // 3], 0
    if machine.listing == "huge":
        return data * (10 * 1024 * 1024 // len(data) + 1), 0
    return data, 0


def _word(state: int) -> str:
    if state == 1:
        return "stable"
    return "waiting" if 2 <= state <= 5 else "failed"
