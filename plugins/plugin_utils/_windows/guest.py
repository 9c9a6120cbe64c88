# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sends a command to a Windows guest and reads the answer, or says in one sentence why there is none.

GuestError                   (an AppConsistentError) everything a guest can do wrong
├── CommandRefused           PowerShell there runs in constrained language mode
├── CommandFailed            PowerShell ran the command and it ended in an error
├── AnswerUnusable           cut short, too long, or not what was asked for
├── GuestTimedOut            no answer in the time allowed
└── ConnectionLost           the connection broke while the command was under way; what it did is not known
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
from dataclasses import dataclass

from ...module_utils._printable import printable
from .._clock import BlockingClock
from .._errors import AppConsistentError
from .commands import BEGIN, END, LANGUAGE, READER, Command

# cmd.exe takes 8,191 characters; base64 of UTF-16 makes 8 of 3, and the prefix that Ansible puts before it has 83.
COMMAND_LINE_LIMIT: t.Final = 3000
# The longest honest answer (all services, a listing cut at 1 MiB, three log tails) stays well below.
ANSWER_LIMIT: t.Final = 8 * 1024 * 1024
# Above the command's own limit, for the round trips and the start of PowerShell.
GRACE_SECONDS: t.Final = 60.0


class GuestError(AppConsistentError):
    """Everything a guest can do wrong."""


class CommandRefused(GuestError):
    """PowerShell there runs in constrained language mode."""


class CommandFailed(GuestError):
    """PowerShell ran the command and it ended in an error."""


class AnswerUnusable(GuestError):
    """Cut short, too long, or not what was asked for."""


class GuestTimedOut(GuestError):
    """No answer in the time allowed."""


class ConnectionLost(GuestError):
    """The connection broke while the command was under way; what it did is not known."""


@dataclass(frozen=True)
class Output:
    """What came back from the connection."""

    code: int
    out: str
    err: str


class Transport(t.Protocol):
    """The way to a guest. Raises ConnectionLost and GuestTimedOut, nothing else of its own."""

    def execute(self, command_line: str, stdin: bytes | None, seconds: float) -> Output:
        """Run a command line to its end."""

    def reconnect(self) -> None:
        """Begin anew after the connection was lost."""


class WindowsGuest:
    """One Windows machine, reached through a transport."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        check_mode: bool = False,
        command_line_limit: int | None = COMMAND_LINE_LIMIT,
        clock: BlockingClock | None = None,
        tell: t.Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.name = name
        self.clock = clock or BlockingClock()
        self.tell = tell
        self.check_mode = check_mode
        self._transport = transport
        self._limit = command_line_limit

    def run(self, command: Command, *, seconds: float = 0.0, **arguments: t.Any) -> dict[str, t.Any]:
        """Send `command` and return what it collected. `seconds` comes on top of the command's own."""
        if command.changes and self.check_mode:
            raise GuestError(f"{command.name} changes {self.name} and must not be sent in check mode")
        script = command.script(arguments)
        stdin: bytes | None = None
        if self._limit is not None and len(script) > self._limit:
            stdin, script = (script + "\n").encode("ascii"), READER
        limit = command.longest + seconds + GRACE_SECONDS
        try:
            output = self._transport.execute(script, stdin, limit)
        except ConnectionLost:
            if command.changes and not command.repeatable:
                raise
            # Reading is safe to repeat; most changes are not, for they may have been made.
            self.tell("the connection broke; asking once more")
            self._transport.reconnect()
            output = self._transport.execute(script, stdin, limit)
        return self._data(command, output)

    def reconnect(self) -> None:
        """Make the connection anew."""
        self._transport.reconnect()

    def _data(self, command: Command, output: Output) -> dict[str, t.Any]:
        if len(output.out) > ANSWER_LIMIT:
            raise AnswerUnusable(
                f"{self.name} answered {command.name} with {len(output.out)} characters; more than {ANSWER_LIMIT} are"
                " not read",
                advice="Nothing was taken from it. Look at what PowerShell prints there at its start.",
            )
        body = self._between_markers(command, output)
        try:
            answer = unwrapped(json.loads(base64.b64decode("".join(body.split()), validate=True).decode("utf-8")))
        except (binascii.Error, ValueError, RecursionError) as error:
            raise AnswerUnusable(
                f"{self.name} answered {command.name} with something that is not base64 of JSON ({error})",
                advice="Run the collection's playbook windows_self_check.yml against it.",
            ) from error
        if not isinstance(answer, dict) or answer.get("command") != command.name:
            raise AnswerUnusable(f"{self.name} answered another question than {command.name}")
        if not answer.get("ok"):
            raise self._failure(command, answer.get("error"))
        data = answer.get("data")
        if not isinstance(data, dict):
            raise AnswerUnusable(f"{self.name} answered {command.name} without data")
        return data

    def _between_markers(self, command: Command, output: Output) -> str:
        before, begun, rest = output.out.partition(BEGIN)
        if not begun:
            if LANGUAGE in before:
                mode = before.partition(LANGUAGE)[2].strip().partition("\n")[0].strip()
                raise CommandRefused(
                    f"PowerShell on {self.name} runs in {printable(mode, 40) or 'a restricted'} mode, which forbids"
                    f" what {command.name} needs",
                    advice="Let AppLocker or App Control trust this account's sessions, or use another account.",
                )
            said = (output.err or output.out).strip()
            raise AnswerUnusable(
                f"{self.name} gave no answer to {command.name} (exit code {output.code})"
                + (f": {printable(said, 300)}" if said else ""),
                advice="Run the collection's playbook windows_self_check.yml against it.",
            )
        body, ended, _after = rest.partition(END)
        if not ended:
            raise AnswerUnusable(
                f"The answer of {self.name} to {command.name} was cut short after {len(output.out)} characters",
                advice="Nothing was taken from it. Try again; if it happens each time, look at what is between.",
            )
        return body

    def _failure(self, command: Command, error: object) -> CommandFailed:
        told: dict[str, t.Any] = error if isinstance(error, dict) else {}
        kind = printable(str(told.get("type", "an unknown error")), 200)
        line = printable(str(told.get("line", "?")), 20)
        message = printable(str(told.get("message", "")))
        return CommandFailed(
            f"{command.name} failed on {self.name}: {kind}: {message} (line {line})",
            advice="Run the collection's playbook windows_self_check.yml against it.",
        )


def unwrapped(value: t.Any) -> t.Any:
    """Undo what ConvertTo-Json of PowerShell 5.1 does to some arrays: {"value": [...], "Count": n}."""
    if isinstance(value, dict):
        if value.keys() == {"value", "Count"} and isinstance(value["value"], list):
            return unwrapped(value["value"])
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value
