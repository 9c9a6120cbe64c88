# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The guest without the network, for tests of what happens on the controller, in virtual time."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import BlockingClock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.guest import (
    COMMAND_LINE_LIMIT,
    ConnectionLost,
    Output,
    WindowsGuest,
)

from . import console
from .machine import Machine


@dataclass
class VirtualClock:
    """Time that passes only where the code sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> BlockingClock:
        """For the code."""
        return BlockingClock(monotonic=lambda: self.now, sleep=self.sleep)


class DirectTransport:
    """Hands a command line to the console of a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.sent: list[tuple[str, bytes | None, float]] = []
        self.answers: list[bytes] = []
        self.reconnected = 0

    def execute(self, command_line: str, stdin: bytes | None, seconds: float) -> Output:
        """Run it at once."""
        self.sent.append((command_line, stdin, seconds))
        output = console.run(self._machine, command_line, stdin or b"")
        self.answers.append(output.out)
        if output.drop:
            raise ConnectionLost(f"The connection to {self._machine.name} broke: reset by peer")
        # As the connection plugins do it, with what is not UTF-8 kept as surrogates.
        out = output.out.decode("utf-8", errors="surrogateescape")
        return Output(output.code, out, output.err.decode("utf-8", errors="surrogateescape"))

    def reconnect(self) -> None:
        """Connect again, or not while the machine is away."""
        if self._machine.away > 0:
            self._machine.away -= 1
            raise ConnectionLost(f"The connection to {self._machine.name} broke: connection refused")
        self.reconnected += 1


@dataclass
class Bench:
    """A machine with a guest object in front of it and a clock of its own."""

    machine: Machine
    check_mode: bool = False
    limit: int | None = COMMAND_LINE_LIMIT
    time: VirtualClock = field(default_factory=VirtualClock)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transport = DirectTransport(self.machine)
        self.guest = WindowsGuest(
            self.machine.name,
            self.transport,
            check_mode=self.check_mode,
            command_line_limit=self.limit,
            clock=self.time.clock(),
            tell=self.told.append,
        )

    @property
    def commands(self) -> list[str]:
        """The names of what arrived, in order."""
        return [name for name, _arguments in self.machine.received]

    def received(self, name: str) -> list[dict[str, t.Any]]:
        """The arguments of each arrival of one command."""
        return [arguments for arrived, arguments in self.machine.received if arrived == name]
