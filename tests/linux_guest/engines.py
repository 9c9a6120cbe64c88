"""The three databases: how each is laid out in a guest, started, asked and checked."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Where the guest's data file system is mounted.
DISK = Path("/datadisk")


def _postgresql_program(name: str) -> str:
    """Debian keeps the server's programs out of PATH, below the version."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parent.parent.name)
    )
    return str(versions[-1]) if versions else name


@dataclass(frozen=True)
class Engine:
    """What differs between databases. Paths are those inside a guest."""

    name: str
    user: str
    programs: tuple[str, ...]
    package: str
    # Below the data file system.
    folder: str
    run_folder: Path
    socket: str
    configuration: tuple[tuple[Path, str], ...]

    @property
    def socket_path(self) -> Path:
        return self.run_folder / self.socket

    def missing_programs(self) -> list[str]:
        return [name for name in self.programs if shutil.which(self._program(name)) is None]

    def _program(self, name: str) -> str:
        return _postgresql_program(name) if self.name == "postgresql" else name

    def initialise(self, disk: Path) -> None:
        """Make an empty database in a freshly made file system."""
        folder = disk / self.folder
        folder.mkdir(mode=0o700)
        account = pwd.getpwnam(self.user)
        os.chown(folder, account.pw_uid, account.pw_gid)
        if self.name == "mariadb":
            command = ["mariadb-install-db", "--no-defaults", f"--user={self.user}", f"--datadir={folder}"]
            command += ["--skip-test-db", "--auth-root-authentication-method=socket", "--innodb-log-file-size=10M"]
            self._run(command, as_user=False)
        elif self.name == "postgresql":
            command = [self._program("initdb"), "-D", str(folder), "-A", "peer", "-k", "--no-sync", "--locale=C.UTF-8"]
            self._run(command, as_user=True)

    def _run(self, command: list[str], *, as_user: bool) -> None:
        account = self.user if as_user else None
        made = subprocess.run(
            command, cwd="/", user=account, group=account, capture_output=True, text=True, timeout=100, check=False
        )
        if made.returncode:
            raise RuntimeError(f"{command[0]} ended with status {made.returncode}: {made.stderr[-1000:]}")

    def server_command(self, disk: Path, run_folder: Path, *, defaults: bool) -> list[str]:
        """Start the server on a data folder. `defaults`: with the guest's own configuration files."""
        data, socket = disk / self.folder, run_folder / self.socket
        if self.name == "mariadb":
            if defaults:
                return ["mariadbd", f"--user={self.user}"]
            return ["mariadbd", "--no-defaults", *_MARIADB_OPTIONS, f"--datadir={data}", f"--socket={socket}"]
        if self.name == "postgresql":
            options = [f"unix_socket_directories={run_folder}", *_POSTGRESQL_OPTIONS]
            return [
                self._program("postgres"),
                "-D",
                str(data),
                *(word for option in options for word in ("-c", option)),
            ]
        if defaults:
            return ["redis-server", "/etc/redis/redis.conf"]
        return ["redis-server", "--port", "0", "--unixsocket", str(socket), "--dir", str(data)]

    def ready_command(self, run_folder: Path) -> list[str]:
        socket = str(run_folder / self.socket)
        if self.name == "mariadb":
            return ["mariadb-admin", "--no-defaults", f"--socket={socket}", "ping"]
        if self.name == "postgresql":
            return ["pg_isready", "-q", "-h", str(run_folder)]
        # redis-cli ends with status 0 whatever the server said.
        return ["sh", "-c", 'test "$(redis-cli -s "$1" ping)" = PONG', "sh", socket]


_MARIADB_OPTIONS = (
    "--skip-networking",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=10M",
    "--aria-pagecache-buffer-size=8M",
    "--key-buffer-size=8M",
)
_POSTGRESQL_OPTIONS = ("listen_addresses=", "shared_buffers=32MB", "max_wal_size=128MB", "min_wal_size=32MB")


def _mariadb_configuration() -> str:
    options = "\n".join(option.removeprefix("--") for option in _MARIADB_OPTIONS)
    return f"[mysqld]\ndatadir={DISK}/mysql\nsocket=/run/mysqld/mysqld.sock\n{options}\n"


ENGINES = {
    "mariadb": Engine(
        name="mariadb",
        user="mysql",
        programs=("mariadbd", "mariadb", "mariadb-admin", "mariadb-install-db", "mariadb-check"),
        package="mariadb-server",
        folder="mysql",
        run_folder=Path("/run/mysqld"),
        socket="mysqld.sock",
        configuration=((Path("/etc/mysql/mariadb.conf.d/zz-guest.cnf"), _mariadb_configuration()),),
    ),
    "postgresql": Engine(
        name="postgresql",
        user="postgres",
        programs=("postgres", "initdb", "psql", "pg_isready", "pg_amcheck"),
        package="postgresql",
        folder="postgresql",
        run_folder=Path("/run/postgresql"),
        socket=".s.PGSQL.5432",
        configuration=(),
    ),
    "redis": Engine(
        name="redis",
        user="redis",
        programs=("redis-server", "redis-cli", "redis-check-rdb", "redis-check-aof"),
        package="redis-server",
        folder="redis",
        run_folder=Path("/run/redis"),
        socket="redis-server.sock",
        configuration=(
            (
                Path("/etc/redis/redis.conf"),
                f"port 0\nunixsocket /run/redis/redis-server.sock\nunixsocketperm 770\ndir {DISK}/redis\n",
            ),
        ),
    ),
}
