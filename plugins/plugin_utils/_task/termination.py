# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Being told to end: by SIGTERM or SIGINT, or because the process that reads our result is gone.

ansible-core hands SIGTERM on to its workers and dies (2.19 and newer) or just dies (2.16), and whoever kills a whole
job kills the parent only. A worker that lived on would make points whose results nobody sees. What it has to say then
cannot go through the parent, so the parent's stderr is kept open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import typing as t

# Seconds between two looks at whether the parent is still there.
_LOOK = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Ending:
    """What ended the work, if something did. `why` is empty as long as nothing has."""

    def __init__(self, stop: t.Callable[[str], None]) -> None:
        self._stop = stop
        self._parent = os.getppid()
        self._terminal = _stderr_of(self._parent)
        self._before: dict[int, t.Any] = {}
        self._signal = 0
        self.why = ""

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # Only the main thread may listen to signals.
            with contextlib.suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self._heard, number)
                self._before[number] = before

    def _heard(self, number: int) -> None:
        self._signal = self._signal or number
        self._end(f"the run was told to end ({signal.Signals(number).name})")

    async def watch_parent(self) -> None:
        while not self.orphaned:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(_LOOK)
        self._end("the process that ran the playbook is gone")

    @property
    def orphaned(self) -> bool:
        return os.getppid() != self._parent

    def _end(self, why: str) -> None:
        if not self.why:
            self.why = why
            self._stop(why)

    def say(self, lines: t.Iterable[str]) -> None:
        """Say last words where the parent would have shown them."""
        if self._terminal is not None:
            with contextlib.suppress(OSError):
                os.write(self._terminal, "".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Put everything back, and let a signal do what it would have done without us."""
        loop = asyncio.get_running_loop()
        for number, before in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, before)
        if self._terminal is not None:
            os.close(self._terminal)
        if self._signal:
            os.kill(os.getpid(), self._signal)


@contextlib.asynccontextmanager
async def ending(stop: t.Callable[[str], None]) -> t.AsyncIterator[Ending]:
    """Call `stop` with the reason when the body is told to end; the body then has to come to its end by itself."""
    told = Ending(stop)
    told.listen()
    watcher = asyncio.create_task(told.watch_parent())
    try:
        yield told
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
        told.close()


def leave_if_orphaned(parent: int) -> None:
    """End this process at once where `parent` is gone.

    A worker holds the reading end of the pipe to its parent as well as the writing one. So what is written there for a
    parent that is gone is no error: the pipe fills, and the worker would wait for its reader for ever.
    """
    if os.getppid() != parent:
        os._exit(1)


def _stderr_of(process: int) -> int | None:
    """Open another process's stderr for writing; None where the system has no such thing, or it may not be opened."""
    try:
        return os.open(f"/proc/{process}/fd/2", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
