"""A Linux guest, seen from the host."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from . import images
from .engines import DISK, ENGINES
from .extension.pace import DOCUMENTED, Pace
from .spec import GuestSpec
from .writer import Writer

_PROJECT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_SERVER_SECONDS = 60.0
# The kernel's limit for the path of a unix socket, its ending zero included.
_SOCKET_PATH_BYTES = 108
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
# Overlay mount options are separated by commas, its folders by colons.
_UNFIT_PATH = re.compile(r"[,:\\\s]")
LOGIN_ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LOGNAME": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "USER": "root",
}


class LinuxGuest:
    """One guest. Use it in a `with` statement; several start side by side with `begin` and `wait_until_ready`.

    `directory` holds everything of the guest on the host: keys, logs, disk image, copies. Without one, a temporary
    folder is made and removed. `templates` keeps the fresh images from which guests are copied.
    `pace` scales the extension's sleeps and limits; `frozen_folders` lie on the data file system and freeze with it;
    `server_options` are lines added to the database's configuration.
    """

    user = "root"
    ssh_host = "127.0.0.1"

    def __init__(
        self,
        name: str = "guest",
        engine: str | None = None,
        filesystem: str = "ext4",
        *,
        directory: Path | None = None,
        templates: Path | None = None,
        megabytes: int = images.DEFAULT_MEGABYTES,
        pace: Pace = DOCUMENTED,
        frozen_folders: Sequence[str] = (),
        server_options: Sequence[str] = (),
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no guest's name: small letters, digits and -, at most 31.")
        if engine is not None and engine not in ENGINES:
            raise ValueError(f"There is no engine {engine!r}; there are {', '.join(ENGINES)}.")
        if filesystem not in images.MAKE_FILE_SYSTEM:
            raise ValueError(f"There is no file system {filesystem!r}; there are {', '.join(images.MAKE_FILE_SYSTEM)}.")
        self.name = name
        self.engine = engine
        self.filesystem = filesystem
        self.pid = 0
        self.ssh_port = 0
        self._directory = directory
        self._templates = templates
        self._megabytes = megabytes
        self._pace = pace
        self._frozen_folders = tuple(frozen_folders)
        self._server_options = tuple(server_options)
        self._stack = ExitStack()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._lines = b""
        self._clients = 0

    @property
    def folder(self) -> Path:
        if self._directory is None:
            raise RuntimeError("The guest has not been started.")
        return self._directory

    @property
    def ssh_key(self) -> Path:
        return self.folder / "client_key"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def socket(self) -> Path:
        """The agent's socket: requests for installs and snapshots, see extension/request.py."""
        return self.folder / "agent.sock"

    @property
    def database_socket(self) -> Path | None:
        """The database's unix socket, reachable from the host."""
        return None if self.engine is None else self.folder / "run" / ENGINES[self.engine].socket

    @property
    def ledger(self) -> Path:
        """What writers of this guest wrote, and when."""
        return self.folder / "ledger.txt"

    @property
    def copies(self) -> Path:
        return self.folder / "copies"

    def __enter__(self) -> Self:
        self.begin()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def begin(self) -> None:
        """Start the guest without waiting for it."""
        if self._directory is None:
            self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="linux-guest-")))
        self._directory = self._directory.absolute()
        self._check_paths()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._lock_directory()
        for name in ("copies", "run"):
            (self._directory / name).mkdir(mode=0o755, exist_ok=True)
        for name in ("layers", "root"):
            shutil.rmtree(self._directory / name, ignore_errors=True)
        templates = self._templates or self._directory / "templates"
        fresh = images.template(templates, self.engine, self.filesystem, self._megabytes)
        images.copy_file(fresh, self._directory / "disk.img")
        self.ledger.unlink(missing_ok=True)
        self._make_keys()
        with ExitStack() as listeners:
            ssh = listeners.enter_context(socket.create_server((self.ssh_host, 0), backlog=64))
            self.ssh_port = ssh.getsockname()[1]
            self._write_known_hosts()
            self.socket.unlink(missing_ok=True)
            service = listeners.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            service.bind(str(self.socket))
            self.socket.chmod(0o600)
            service.listen(8)
            self._start_keeper(ssh.fileno(), service.fileno(), lock)

    def wait_until_ready(self) -> None:
        """Wait until the guest answers, its database too."""
        self.pid = int(str(self._hear(_START_SECONDS)["pid"]))
        self._hear(_START_SECONDS)
        if self.engine is not None:
            self.wait_for_server()

    def stop(self) -> None:
        """End the guest and everything in it. Its folder stays when it was given."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            for pipe in (keeper.stdin, keeper.stdout):
                if pipe is not None:
                    pipe.close()
            try:
                keeper.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.wait()
        self._stack.close()

    def run(
        self,
        command: Sequence[str],
        *,
        user: str | None = None,
        text_input: str | None = None,
        timeout: float = 60.0,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest, without SSH, as root or another of its users."""
        done = subprocess.run(
            self.command(command, user=user),
            input=text_input if text_input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            env=LOGIN_ENVIRONMENT,
            check=False,
        )
        if check and done.returncode:
            said = (done.stderr or done.stdout)[-2000:]
            raise RuntimeError(f"{self.name}: {' '.join(command)} ended with status {done.returncode}: {said}")
        return done

    def command(self, command: Sequence[str], *, user: str | None = None) -> list[str]:
        """The command line, for the host, that runs a command in the guest."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--ipc", "--uts", "--root", "--wd", "--"]
        return [*enter, *as_user, *command]

    def enter(self, command: Sequence[str], user: str | None) -> list[str]:
        return self.command(command, user=user)

    def new_clients(self, count: int) -> list[int]:
        """Numbers for clients that no writer of this guest has had."""
        first = self._clients + 1
        self._clients += count
        return list(range(first, first + count))

    def writer(
        self, *, clients: int = 4, tables: Sequence[str] = (), pause: float = 0.002, ledger: Path | None = None
    ) -> Writer:
        """Clients that write numbered rows for as long as the `with` block lasts."""
        return Writer(self, clients=clients, tables=tables, pause=pause, ledger=ledger)

    def ssh_command(self, *command: str) -> list[str]:
        """The command line that runs a command in the guest over SSH, with the unmodified client."""
        options = (
            f"IdentityFile={self.ssh_key}",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.known_hosts}",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
        )
        words = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "none", *words, "-p", str(self.ssh_port), f"{self.user}@{self.ssh_host}", *command]

    def path(self, inside: str | Path) -> Path:
        """Where the host finds a file of the guest."""
        return Path(f"/proc/{self.pid}/root") / Path(inside).relative_to("/")

    @property
    def disk(self) -> Path:
        """Where the guest's data file system is mounted, inside."""
        return DISK

    def start_server(self) -> None:
        self._order({"do": "start_server"})
        self.wait_for_server()

    def stop_server(self, number: int = signal.SIGTERM) -> None:
        """Send the database a signal and wait until it has gone, with the processes that it had started."""
        still_there = RuntimeError(f"{self.name}: the {self.engine} server did not end.")
        if not self._order({"do": "stop_server", "signal": int(number)})["done"]:
            raise still_there
        deadline = time.monotonic() + _STOP_SECONDS
        while self.run(["pgrep", f"^{ENGINES[str(self.engine)].programs[0]}"], check=False).returncode == 0:
            if time.monotonic() > deadline:
                raise still_there
            time.sleep(0.02)

    def wait_for_server(self) -> None:
        engine = ENGINES[str(self.engine)]
        deadline = time.monotonic() + _SERVER_SECONDS
        while self.run(engine.ready_command(engine.run_folder), check=False, timeout=20).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.name}: the {engine.name} server did not start: {self._log_end('server.log')}"
                )
            time.sleep(0.05)

    def ask(self, **request: object) -> Iterator[dict[str, object]]:
        """Send the agent one request; its answers as they come, the last one final."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(self.socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for line in lines:
                    yield json.loads(line)

    def snapshot(self, task_id: str, **request: object) -> dict[str, object]:
        """Have a restore point's snapshot taken; the final answer."""
        answers = list(self.ask(run="snapshot", task_id=task_id, **request))
        if not answers or not answers[-1].get("final"):
            raise RuntimeError(f"{self.name}: the agent went away before its last word: {self._log_end('guest.log')}")
        return answers[-1]

    def _order(self, order: dict[str, object]) -> dict[str, object]:
        if self._keeper is None or self._keeper.stdin is None:
            raise RuntimeError(f"{self.name} is not running.")
        self._keeper.stdin.write(json.dumps(order).encode())
        self._keeper.stdin.flush()
        return self._hear(_START_SECONDS * 2)

    def _hear(self, seconds: float) -> dict[str, object]:
        """The next line of the keeper."""
        if self._keeper is None or self._keeper.stdout is None:
            raise RuntimeError(f"{self.name} is not running.")
        deadline = time.monotonic() + seconds
        while b"\n" not in self._lines:
            ready, _, _ = select.select([self._keeper.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._keeper.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise RuntimeError(f"{self.name} did not start: {self._log_end('guest.log')}")
            self._lines += chunk
        line, _, self._lines = self._lines.partition(b"\n")
        words: dict[str, object] = json.loads(line)
        if "error" in words:
            raise RuntimeError(f"{self.name} did not start: {words['error']}")
        return words

    def _lock_directory(self) -> int:
        """One guest per directory. The guest's processes hold the lock too, so it lasts until the last has gone."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._stack.callback(os.close, lock)
        deadline = time.monotonic() + _STOP_SECONDS / 3
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"Another guest runs in {self.folder}: stop it, or choose another directory."
                    ) from None
                time.sleep(0.05)
            else:
                return lock

    def _check_paths(self) -> None:
        longest = max(len(os.fsencode(path)) for path in (self.socket, self.database_socket or self.socket))
        if longest >= _SOCKET_PATH_BYTES:
            raise ValueError(f"{self.folder} is too long a path for a unix socket in it: choose a shorter directory.")
        if _UNFIT_PATH.search(str(self.folder)):
            raise ValueError(f"{self.folder} holds a character that an overlay mount cannot take: , : \\ or a blank.")

    def _make_keys(self) -> None:
        for name in ("host_key", "client_key"):
            key = self.folder / name
            if not key.exists():
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(key)],
                    check=True,
                    timeout=30,
                )

    def _write_known_hosts(self) -> None:
        kind, key, _comment = (self.folder / "host_key.pub").read_text().split(maxsplit=2)
        self.known_hosts.write_text(f"[{self.ssh_host}]:{self.ssh_port} {kind} {key}\n")

    def _start_keeper(self, ssh: int, service: int, lock: int) -> None:
        spec = GuestSpec(
            name=self.name,
            folder=str(self.folder),
            engine=self.engine,
            filesystem=self.filesystem,
            project=str(_PROJECT),
            interpreter=sys.executable,
            waits=self._pace.waits,
            limits=self._pace.limits,
            frozen_folders=self._frozen_folders,
            server_options=self._server_options,
            ssh_listener=ssh,
            service_listener=service,
        )
        (self.folder / "guest.json").write_text(spec.to_json())
        with (self.folder / "guest.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.linux_guest.keeper"],
                cwd=_PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(ssh, service, lock),
                # A Ctrl-C at the terminal is for the host's process, which then stops the guest.
                start_new_session=True,
            )
        if self._keeper.stdin is not None:
            self._keeper.stdin.write(spec.to_json().encode() + b"\n")
            self._keeper.stdin.flush()

    def _log_end(self, name: str) -> str:
        log = self.folder / name
        return log.read_text(errors="replace")[-2000:] if log.exists() else "no log"
