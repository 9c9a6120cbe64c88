"""PostgreSQL, with checksums on its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .engine import DISK, LEDGER, Client, Engine, Enter, Finding, PipeClient

_OPTIONS = ("listen_addresses=", "shared_buffers=32MB", "max_wal_size=128MB", "min_wal_size=32MB")
_FILLER = 120


class PostgreSQL(Engine):
    name = "postgresql"
    user = "postgres"
    package = "postgresql"
    programs = ("postgres", "initdb", "psql", "pg_isready", "pg_amcheck", "pg_checksums")
    folder = "postgresql"
    run_folder = Path("/run/postgresql")
    socket = ".s.PGSQL.5432"

    def program(self, name: str) -> str:
        """Debian keeps the server's programs out of PATH, below the version."""
        found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
        versions = sorted(found, key=lambda path: float(path.parent.parent.name))
        return str(versions[-1]) if versions else name

    def fill(self, folder: Path) -> None:
        command = [self.program("initdb"), "-D", str(folder), "-A", "peer", "-k", "--no-sync", "--locale=C.UTF-8"]
        self.must(command, user=self.user)

    def configuration(self, options: Sequence[str]) -> Iterable[tuple[Path, str]]:
        del options
        return ()

    def guest_command(self, options: Sequence[str]) -> list[str]:
        return self._server(DISK, self.run_folder, options)

    def copy_command(self, disk: Path, run_folder: Path) -> list[str]:
        return self._server(disk, run_folder, ())

    def _server(self, disk: Path, run_folder: Path, options: Sequence[str]) -> list[str]:
        settings = (f"unix_socket_directories={run_folder}", *_OPTIONS, *options)
        words = [word for setting in settings for word in ("-c", setting)]
        return [self.program("postgres"), "-D", str(disk / self.folder), *words]

    def ready_command(self, run_folder: Path) -> list[str]:
        return ["pg_isready", "-q", "-h", str(run_folder)]

    def make_ledger(self, enter: Enter, tables: Sequence[str]) -> None:
        exists = self.must(
            enter([*self._sql(self.run_folder, "postgres"), "-c", "SELECT datname FROM pg_database"], self.user)
        )
        if LEDGER not in exists.split():
            self.must(enter([*self._sql(self.run_folder, "postgres"), "-c", f"CREATE DATABASE {LEDGER}"], self.user))
        statements = [
            f"CREATE TABLE IF NOT EXISTS {table} (client INT, number INT, filler TEXT, PRIMARY KEY (client, number));"
            for table in tables
        ]
        self.must(enter(self._sql(self.run_folder), self.user), text_input="\n".join(statements))

    def client(self, enter: Enter, number: int, host_socket: Path) -> Client:
        del host_socket
        return _Client(enter(self._sql(self.run_folder), self.user), number)

    def read_ledger(self, run_folder: Path) -> dict[str, list[tuple[int, int]]]:
        databases = self.must(
            [*self._sql(run_folder, "postgres"), "-c", "SELECT datname FROM pg_database"], user=self.user
        )
        if LEDGER not in databases.split():
            return {}
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = self.must([*self._sql(run_folder), "-c", query], user=self.user).split()
        rows = {}
        for table in tables:
            # The filler too: every page is read, and its checksum looked at.
            text = self.must(
                [*self._sql(run_folder), "-c", f"SELECT client, number, length(filler) FROM {table}"], user=self.user
            )
            lines = (line.split("|") for line in text.splitlines())
            rows[table] = [(int(client), int(number)) for client, number, _length in lines]
        return rows

    def check_after_stop(self, disk: Path) -> list[Finding]:
        command = [self.program("pg_checksums"), "--check", "-D", str(disk / self.folder)]
        return [self.finding("pg_checksums", command, user=self.user)]

    def check_server(self, run_folder: Path) -> list[Finding]:
        command = [self.program("pg_amcheck"), "-h", str(run_folder), "--all", "--install-missing", "--heapallindexed"]
        return [self.finding("pg_amcheck", [*command, "--parent-check"], user=self.user)]

    def _sql(self, run_folder: Path, database: str = LEDGER) -> list[str]:
        return ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(run_folder), "-d", database]


class _Client(PipeClient):
    def __init__(self, command: Sequence[str], number: int) -> None:
        super().__init__(command)
        self._number = number

    def write(self, table: str, number: int) -> None:
        filler = f"{number:08d}" * (_FILLER // 8)
        self.exchange(
            f"INSERT INTO {table} VALUES ({self._number}, {number}, '{filler}') RETURNING number;", str(number)
        )
