"""extension.log and shell.log, in the formats that the extension leaves behind.

Between freeze and thaw nothing may be written to a disk, so lines are kept in memory and come out in one block
later: the file is not in time order. When the freeze fails the block has no end line and comes last of all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
# The number in the log is that of the environment file's schema, not the extension's version.
_SCHEMA = "1.0"
_START = "================== Logs during Freeze Start =============="
_END = "================== Logs during Freeze End =============="


def now() -> datetime:
    return datetime.now(UTC)


class ExtensionLog:
    def __init__(
        self,
        folder: Path,
        *,
        enabled: bool = True,
        drop_while_frozen: bool = False,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._file = folder / "extension.log"
        self._enabled = enabled
        self._drop_while_frozen = drop_while_frozen
        self._clock = clock
        self._kept: list[str] | None = None
        self._lock = threading.Lock()

    def __call__(self, message: str, level: str = "Info") -> None:
        with self._lock:
            if self._kept is not None:
                stamp = self._clock().strftime("%Y/%m/%d %H:%M:%S.%f")
                self._kept.append(f"{stamp}  {level}  {message} \n")
            else:
                self._write(self._line(message))

    def first(self, message: str) -> None:
        """The first line of a process, before it knows its own name."""
        self._write(f"{_stamp(self._clock())} [MyBackupTestLinuxInt-0.0]{message}\n")

    def final(self, message: str) -> None:
        """A line that goes to the file even while others are kept."""
        with self._lock:
            self._write(self._line(message))

    def keep(self) -> None:
        """Hold lines in memory from here on."""
        with self._lock:
            self._kept = []

    def release(self, *, complete: bool) -> None:
        """Write what was kept. A block that a failed freeze left behind has no end line."""
        with self._lock:
            kept, self._kept = self._kept, None
            if kept is None:
                return
            lines = [] if self._drop_while_frozen else kept
            end = f"{_END}\n\n" if complete else ""
            self._write(self._line(_START) + "".join(lines) + end)

    def _line(self, message: str) -> str:
        return f"{_stamp(self._clock())} [{HANDLER}-{_SCHEMA}]{message}\n"

    def _write(self, text: str) -> None:
        if self._enabled:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(text)


def _stamp(moment: datetime) -> str:
    # str() leaves the fraction out when it is exactly 0, as the extension does.
    return str(moment.replace(tzinfo=None))


def shell_line(folder: Path, text: str, clock: Callable[[], datetime] = now) -> None:
    with (folder / "shell.log").open("a", encoding="utf-8") as file:
        file.write(f"{clock().strftime('%a %b %e %H:%M:%S UTC %Y')}- {text}\n")
