"""MariaDB, with tables of its crash-safe engine and of the two that a power cut damages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from .engine import DISK, LEDGER, Client, Engine, Enter, Finding, PipeClient

# Small, so that a guest starts fast and its copies are small.
_OPTIONS = (
    "skip-networking",
    "innodb-buffer-pool-size=32M",
    "innodb-log-file-size=10M",
    "aria-pagecache-buffer-size=8M",
    "key-buffer-size=8M",
)
_ENGINES = {"innodb": "InnoDB", "aria": "Aria", "myisam": "MyISAM"}
_FILLER = 120


class MariaDB(Engine):
    name = "mariadb"
    user = "mysql"
    package = "mariadb-server"
    programs = ("mariadbd", "mariadb", "mariadb-admin", "mariadb-install-db", "mariadb-check")
    folder = "mysql"
    run_folder = Path("/run/mysqld")
    socket = "mysqld.sock"
    tables = tuple(_ENGINES)

    @property
    def server_account(self) -> str | None:
        """mariadbd changes to its account by itself."""
        return None

    def fill(self, folder: Path) -> None:
        command = ["mariadb-install-db", "--no-defaults", f"--user={self.user}", f"--datadir={folder}"]
        command += ["--skip-test-db", "--auth-root-authentication-method=socket", "--innodb-log-file-size=10M"]
        with tempfile.TemporaryDirectory(dir="/dev/shm") as own:
            shutil.chown(own, self.user)
            self.must([*command, f"--tmpdir={own}"])

    def configuration(self, options: Sequence[str]) -> Iterable[tuple[Path, str]]:
        lines = [f"datadir={DISK}/{self.folder}", f"socket={self.run_folder}/{self.socket}", *_OPTIONS, *options]
        # A server that starts removes the temporary tables of any other from the folder that it shares with it.
        lines.append(f"tmpdir={self.run_folder}")
        yield Path("/etc/mysql/mariadb.conf.d/zz-guest.cnf"), "\n".join(["[mysqld]", *lines, ""])

    def guest_command(self, options: Sequence[str]) -> list[str]:
        del options
        return ["mariadbd", f"--user={self.user}"]

    def copy_command(self, disk: Path, run_folder: Path) -> list[str]:
        options = [f"--{option}" for option in _OPTIONS]
        # Off: a copy that needs a repair must say so and not be repaired behind our back when a table is opened.
        options += ["--myisam-recover-options=OFF", "--aria-recover-options=OFF", f"--user={self.user}"]
        places = [f"--datadir={disk / self.folder}", f"--socket={run_folder / self.socket}", f"--tmpdir={run_folder}"]
        return ["mariadbd", "--no-defaults", *options, *places, f"--pid-file={run_folder / 'pid'}"]

    def ready_command(self, run_folder: Path) -> list[str]:
        return ["mariadb-admin", "--no-defaults", f"--socket={run_folder / self.socket}", "ping"]

    def make_ledger(self, enter: Enter, tables: Sequence[str]) -> None:
        statements = [f"CREATE DATABASE IF NOT EXISTS {LEDGER};"]
        statements += [
            f"CREATE TABLE IF NOT EXISTS {LEDGER}.{table} (client INT, number INT, filler VARCHAR({_FILLER}), "
            f"PRIMARY KEY (client, number), KEY (filler)) ENGINE={_ENGINES[table]};"
            for table in tables
        ]
        self.must(enter(self._sql(self.run_folder), None), text_input="\n".join(statements))

    def client(self, enter: Enter, number: int, host_socket: Path) -> Client:
        del host_socket
        return _Client(enter([*self._sql(self.run_folder), "--unbuffered", "--skip-reconnect"], None), number)

    def read_ledger(self, run_folder: Path) -> dict[str, list[tuple[int, int]]]:
        query = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{LEDGER}'"
        tables = self.must([*self._sql(run_folder), "-e", query]).split()
        rows = {}
        for table in tables:
            # The whole table, not an index of it.
            text = self.must(
                [*self._sql(run_folder), "-e", f"SELECT client, number FROM {LEDGER}.{table} IGNORE INDEX (PRIMARY)"]
            )
            rows[table] = [
                (int(client), int(number)) for client, number in (line.split() for line in text.splitlines())
            ]
        return rows

    def check_server(self, run_folder: Path) -> list[Finding]:
        """CHECK TABLE of everything. mariadb-check ends with status 0 whatever it found: each table must say OK."""
        socket = f"--socket={run_folder / self.socket}"
        done = self.execute(["mariadb-check", "--no-defaults", socket, "--check", "--extended", "--all-databases"])
        verdicts = [line for line in done.stdout.splitlines() if line.strip()]
        bad = [line for line in verdicts if not line.endswith(" OK")]
        text = "\n".join(bad) if bad or done.returncode else f"{len(verdicts)} tables OK"
        return [Finding("mariadb-check", done.returncode == 0 and not bad and bool(verdicts), text + done.stderr)]

    def _sql(self, run_folder: Path) -> list[str]:
        return ["mariadb", "--no-defaults", "--batch", "--skip-column-names", f"--socket={run_folder / self.socket}"]


class _Client(PipeClient):
    def __init__(self, command: Sequence[str], number: int) -> None:
        super().__init__(command)
        self._number = number

    def write(self, table: str, number: int) -> None:
        filler = f"{number:08d}" * (_FILLER // 8)
        self.exchange(
            f"INSERT INTO {LEDGER}.{table} VALUES ({self._number}, {number}, '{filler}'); SELECT {number};", str(number)
        )
