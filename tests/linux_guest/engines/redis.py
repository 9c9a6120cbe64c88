"""Redis: lists, one per client. Spoken to over its socket, the protocol being a few lines."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from .engine import DISK, LEDGER, Client, ClientLost, Engine, Enter, Finding

_ANSWER_SECONDS = 300.0
_CHUNK = 65536


class Redis(Engine):
    name = "redis"
    user = "redis"
    package = "redis-server"
    programs = ("redis-server", "redis-cli", "redis-check-rdb", "redis-check-aof")
    folder = "redis"
    run_folder = Path("/run/redis")
    socket = "redis-server.sock"

    def fill(self, folder: Path) -> None:
        """The server makes its own files."""

    def configuration(self, options: Sequence[str]) -> Iterable[tuple[Path, str]]:
        lines = ["port 0", f"unixsocket {self.run_folder}/{self.socket}", "unixsocketperm 770"]
        lines += [f"dir {DISK}/{self.folder}", *options]
        yield Path("/etc/redis/redis.conf"), "\n".join([*lines, ""])

    def guest_command(self, options: Sequence[str]) -> list[str]:
        del options
        return ["redis-server", "/etc/redis/redis.conf"]

    def copy_command(self, disk: Path, run_folder: Path) -> list[str]:
        folder = disk / self.folder
        command = ["redis-server", "--port", "0", "--unixsocket", str(run_folder / self.socket), "--dir", str(folder)]
        if (folder / "appendonlydir").is_dir():
            command += ["--appendonly", "yes"]
        return command

    def ready_command(self, run_folder: Path) -> list[str]:
        # redis-cli ends with status 0 whatever the server said.
        return ["sh", "-c", 'test "$(redis-cli -s "$1" ping)" = PONG', "sh", str(run_folder / self.socket)]

    def make_ledger(self, enter: Enter, tables: Sequence[str]) -> None:
        """Lists come into being with their first item."""

    def client(self, enter: Enter, number: int, host_socket: Path) -> Client:
        del enter
        return _Client(host_socket, number)

    def read_ledger(self, run_folder: Path) -> dict[str, list[tuple[int, int]]]:
        session = _Session(run_folder / self.socket)
        try:
            rows: list[tuple[int, int]] = []
            keys = session.ask("KEYS", f"{LEDGER}:*")
            for key in keys if isinstance(keys, list) else ():
                items = session.ask("LRANGE", str(key), "0", "-1")
                client = int(str(key).rpartition(":")[2])
                rows += [(client, int(str(item))) for item in (items if isinstance(items, list) else ())]
            return {"entries": rows}
        finally:
            session.close()

    def check_before_start(self, disk: Path) -> list[Finding]:
        folder = disk / self.folder
        findings = []
        if (folder / "dump.rdb").exists():
            findings.append(self.finding("redis-check-rdb", ["redis-check-rdb", str(folder / "dump.rdb")]))
        findings += [
            self.finding("redis-check-aof", ["redis-check-aof", str(manifest)])
            for manifest in folder.glob("appendonlydir/*.manifest")
        ]
        return findings

    def check_server(self, run_folder: Path) -> list[Finding]:
        session = _Session(run_folder / self.socket)
        try:
            return [Finding("redis-server", True, f"{session.ask('DBSIZE')} keys loaded")]
        finally:
            session.close()


class _Session:
    """Just enough of RESP for short commands."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_ANSWER_SECONDS)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._heard = b""

    def close(self) -> None:
        self._socket.close()

    def ask(self, *words: str) -> object:
        request = b"*%d\r\n" % len(words)
        for word in words:
            request += b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode())
        self._socket.sendall(request)
        return self._answer()

    def _answer(self) -> object:
        line = self._until_line_end()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise ConnectionError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._exactly(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        return rest.decode()

    def _until_line_end(self) -> bytes:
        while b"\r\n" not in self._heard:
            self._more()
        line, _, self._heard = self._heard.partition(b"\r\n")
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self._heard) < count:
            self._more()
        data, self._heard = self._heard[:count], self._heard[count:]
        return data

    def _more(self) -> None:
        chunk = self._socket.recv(_CHUNK)
        if not chunk:
            raise ConnectionError("The server has closed the connection.")
        self._heard += chunk


class _Client(Client):
    def __init__(self, path: Path, number: int) -> None:
        try:
            self._session = _Session(path)
        except OSError as error:
            raise ClientLost(str(error)) from error
        self._key = f"{LEDGER}:{number}"

    def write(self, table: str, number: int) -> None:
        del table
        try:
            self._session.ask("RPUSH", self._key, str(number))
        except OSError as error:
            raise ClientLost(str(error)) from error

    def close(self) -> None:
        self._session.close()
