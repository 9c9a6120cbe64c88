"""Several clients that write numbered rows steadily, and a ledger of what was acknowledged when."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .engines import ENGINES, ClientLost
from .engines.engine import Client
from .ledger import Row

if TYPE_CHECKING:
    from .guest import LinuxGuest

_RETRY_SECONDS = 0.05
_START_SECONDS = 60.0


class Writer:
    """Writes from the start to the end of a `with` block. Each client has one row under way at a time."""

    def __init__(
        self,
        guest: LinuxGuest,
        *,
        clients: int = 4,
        tables: Sequence[str] = (),
        pause: float = 0.002,
        ledger: Path | None = None,
    ) -> None:
        self._guest = guest
        self._engine = ENGINES[str(guest.engine)]
        self._tables = tuple(tables) or self._engine.tables[:1]
        self._clients = clients
        self._pause = pause
        self.ledger = ledger or guest.ledger
        self._rows: list[Row] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._engine.make_ledger(self._guest.enter, self._tables)
        self._file = self.ledger.open("a", buffering=1)
        for number in self._guest.new_clients(self._clients):
            thread = threading.Thread(target=self._write, args=(number,), daemon=True, name=f"writer-{number}")
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_START_SECONDS)
        self._file.close()

    def rows(self) -> list[Row]:
        """All that was written so far."""
        with self._changed:
            return list(self._rows)

    def wait_for_rows(self, count: int, seconds: float = _START_SECONDS) -> None:
        """Wait until so many more rows have been acknowledged than at the call."""
        with self._changed:
            wanted = self._acknowledged() + count
            if not self._changed.wait_for(lambda: self._acknowledged() >= wanted, seconds):
                raise TimeoutError(f"{count} more rows were not written within {seconds:g} seconds.")

    def _acknowledged(self) -> int:
        return sum(row.acknowledged is not None for row in self._rows)

    def _write(self, client_number: int) -> None:
        client: Client | None = None
        number = 0
        try:
            while not self._stop.is_set():
                try:
                    if client is None:
                        client = self._engine.client(self._guest.enter, client_number, self._host_socket())
                    number += 1
                    for table in self._tables:
                        self._write_row(client, table, client_number, number)
                except ClientLost:
                    if client is not None:
                        client.close()
                        client = None
                    self._stop.wait(_RETRY_SECONDS)
                self._stop.wait(self._pause)
        finally:
            if client is not None:
                client.close()

    def _write_row(self, client: Client, table: str, client_number: int, number: int) -> None:
        sent = time.monotonic()
        acknowledged: float | None = None
        try:
            client.write(table, number)
            acknowledged = time.monotonic()
        finally:
            row = Row(table, client_number, number, sent, acknowledged)
            with self._changed:
                self._rows.append(row)
                self._file.write(row.to_line())
                self._changed.notify_all()

    def _host_socket(self) -> Path:
        path = self._guest.database_socket
        if path is None:
            raise RuntimeError(f"{self._guest.name} has no database.")
        return path
