"""How each server is made, started, asked and written to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from .machine import Machine

_FOLDER = "/tmp/server"
_PSQL = f"runuser -u postgres -- psql -h {_FOLDER} -qAtX -v ON_ERROR_STOP=1 -c"


@dataclass(frozen=True)
class Server:
    """`script` ends as the server; `write` takes a number, and succeeds once the server has acknowledged it."""

    name: str
    script: str
    ready: tuple[str, ...]
    write: str
    prepare: str
    profile: Mapping[str, object]

    def start(self, machine: Machine) -> None:
        self.go(machine)
        done = machine.execute("sh", "-c", self.prepare)
        assert done.returncode == 0, done.stdout + done.stderr

    def go(self, machine: Machine) -> None:
        machine.begin("setsid", "sh", "-c", f"mkdir -p {_FOLDER} && cd {_FOLDER} && {self.script}")
        machine.wait_for(*self.ready)

    def pid(self, machine: Machine) -> str:
        return machine.execute("cat", f"{_FOLDER}/pid").stdout.split()[0]


_SQL = f"mysql --no-defaults -N -uroot -S {_FOLDER}/s"
MYSQL = Server(
    "mysql",
    "chown mysql . && "
    f"{{ [ -d d ] || mysqld --no-defaults --initialize-insecure --user=mysql --datadir={_FOLDER}/d; }} && "
    f"exec mysqld --no-defaults --user=mysql --datadir={_FOLDER}/d --socket={_FOLDER}/s --pid-file={_FOLDER}/pid "
    "--mysqlx=OFF --skip-networking",
    (*_SQL.split(), "-e", "SELECT 1"),
    f'{_SQL} -e "INSERT INTO t.a VALUES ($1)"',
    f'{_SQL} -e "CREATE DATABASE t; CREATE TABLE t.a (i INT)"',
    {"name": "mysql", "socket": f"{_FOLDER}/s", "user": "root"},
)


def _redis(name: str) -> Server:
    client = f"{name}-cli -s {_FOLDER}/s"
    return Server(
        name,
        f"exec {name}-server --port 0 --unixsocket {_FOLDER}/s --dir {_FOLDER} --pidfile {_FOLDER}/pid --save ''",
        (*client.split(), "PING"),
        f'[ "$(timeout 5 {client} RPUSH list $1)" -gt 0 ]',
        "true",
        {"name": name, "socket": f"{_FOLDER}/s"},
    )


REDIS, VALKEY = _redis("redis"), _redis("valkey")
POSTGRESQL = Server(
    "postgresql",
    "chown postgres . && bin=$(echo /usr/lib/postgresql/*/bin) && "
    f"{{ [ -d d ] || runuser -u postgres -- $bin/initdb -D {_FOLDER}/d -A peer >init.log; }} && "
    f"exec runuser -u postgres -- $bin/postgres -D {_FOLDER}/d -k {_FOLDER} -c listen_addresses= "
    f"-c external_pid_file={_FOLDER}/pid",
    (*_PSQL.split(), "SELECT 1"),
    f'{_PSQL} "INSERT INTO a VALUES ($1)"',
    f'{_PSQL} "CREATE TABLE a (i int)"',
    {"name": "postgresql", "socket": _FOLDER},
)


class Writer:
    """Writes one number after the other, from a thread, and knows which were acknowledged."""

    def __init__(self, machine: Machine, server: Server) -> None:
        self._machine, self._server = machine, server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.acknowledged = 0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)

    def _work(self) -> None:
        number = 0
        while not self._end.is_set():
            number += 1
            if self._machine.execute("sh", "-c", self._server.write, "sh", str(number)).returncode == 0:
                self.acknowledged += 1
