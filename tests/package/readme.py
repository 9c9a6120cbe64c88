# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""README as a newcomer follows it: files are written as they stand, commands run as they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .conftest import ROOT, User

TEXT = (ROOT / "README.md").read_text()
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: a file (its first line is a comment with its name), commands, or what is shown."""

    section: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        if self.language == "sh":
            return self.text.splitlines()
        # Minute, hour, day, month, weekday, command.
        return [line.split(None, 5)[5] for line in self.text.splitlines()] if self.language == "cron" else []


def blocks() -> list[Block]:
    found = []
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE):
        section = part.partition("\n")[0]
        found += [Block(section, match[1], match[2]) for match in _BLOCK.finditer(part)]
    return found


def write_files(user: User, section: str) -> None:
    for block in blocks():
        if block.section == section and block.language == "yaml":
            path = user.folder / block.text.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)


def follow(user: User, section: str, **variables: str) -> list[str]:
    """Do what a section says; return what each command printed. A command that fails ends the test."""
    write_files(user, section)
    printed = []
    for command in (command for block in blocks() if block.section == section for command in block.commands):
        done = user.run("bash", "-c", command, **variables)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout + done.stderr)
    return printed
