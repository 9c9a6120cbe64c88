# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every command that this collection sends to a Windows guest: a table of fixed PowerShell texts.

The texts are the files of the folder `powershell`. Nothing is pasted into one but a base64 word, the arguments as
JSON. The scripts collect and send back; what it means is worked out on the controller. They are written for Windows
PowerShell 5.1 and newer, read no translated text, and answer between two markers in base64, so that code pages,
profiles and progress records cannot damage the answer.
"""

from __future__ import annotations

import base64
import functools
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

# As language.ps1 and envelope.ps1 write them.
BEGIN = "##appconsistent begin"
END = "##appconsistent end"
LANGUAGE = "##appconsistent language"

# What one question to WMI may take. Where it hangs, each question does.
WMI_SECONDS: t.Final = 30
# What a tool may take to be ended, and to be read to its end, after its own time is over (tool.ps1).
TOOL_END_SECONDS: t.Final = 10

_ARGUMENTS = "@@arguments@@"
_FOLDER = Path(__file__).with_name("powershell")


@functools.cache
def _part(name: str) -> str:
    """Return a file as it is sent: without comments and indentation, which a command line's length has no room for."""
    lines = (line.strip() for line in (_FOLDER / f"{name}.ps1").read_text(encoding="ascii").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


# What stands on the command line when the text itself goes through standard input.
READER: t.Final = f"{_part('language')}\n{_part('reader')}"


@dataclass(frozen=True)
class Command:
    """A fixed text, joined from `parts`, names of files.

    `changes` is what check mode goes by; `seconds` is the longest it can take beside its arguments, of which `wmi`
    questions to WMI are none. A `repeatable`
    change ends the same however often it is sent, so it may be sent again when an answer is lost.
    """

    name: str
    parts: tuple[str, ...]
    changes: bool
    seconds: float
    purpose: str
    repeatable: bool = False
    wmi: int = 0

    @property
    def longest(self) -> float:
        """The longest that it can take beside its arguments, in seconds: more than all its parts together."""
        return self.seconds + self.wmi * WMI_SECONDS

    @property
    def body(self) -> str:
        """What the command itself does, without what stands around every command."""
        return "\n".join(_part(part) for part in self.parts)

    @property
    def text(self) -> str:
        """The whole script, with a placeholder where the arguments go."""
        return f"{_part('language')}\n{_part('envelope')}".replace("@@name@@", self.name).replace("@@body@@", self.body)

    def script(self, arguments: t.Mapping[str, t.Any]) -> str:
        """The whole script with its arguments. The alphabet of base64 cannot end a quoted string."""
        given = {**arguments, "wmi_timeout": WMI_SECONDS} if self.wmi else arguments
        word = base64.b64encode(json.dumps(given, ensure_ascii=True, sort_keys=True).encode("ascii")).decode("ascii")
        return self.text.replace(_ARGUMENTS, word)


SURVEY = Command(
    name="survey",
    parts=("identity", "services", "tool", "survey"),
    changes=False,
    seconds=60 + TOOL_END_SECONDS,
    wmi=3,
    purpose="Lists the VSS writers, providers, shadow storage and volumes, and all services with their dependents.",
)

RESTART = Command(
    name="restart_service",
    parts=("restart_service",),
    changes=True,
    seconds=60,
    purpose="Restarts one service and starts the services again that depended on it and ran.",
)

READ_VALUES = Command(
    name="read_values",
    parts=("read_values",),
    changes=False,
    seconds=60,
    purpose="Reads values of the registry.",
)

WRITE_VALUES = Command(
    name="write_values",
    parts=("write_values", "read_values"),
    changes=True,
    repeatable=True,
    seconds=60,
    purpose="Writes or removes values of the registry, and reads them again.",
)

SNAPSHOT = Command(
    name="snapshot",
    parts=("identity", "services", "read_values", "files", "snapshot"),
    changes=False,
    seconds=300,
    wmi=3,
    purpose="Collects what the agent and the snapshot extension left behind, and the state of what they need.",
)

PARSE = Command(
    name="parse",
    parts=("parse",),
    changes=False,
    seconds=120,
    purpose="Has PowerShell parse texts without running them.",
)

COMMANDS: t.Final = {command.name: command for command in (SURVEY, RESTART, READ_VALUES, WRITE_VALUES, SNAPSHOT, PARSE)}
