"""What a guest, a writer and the proof of a copy need to know of a database."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

# Where the guest's data file system is mounted.
DISK = Path("/datadisk")
# Where writers keep their rows.
LEDGER = "ledger"
_COMMAND_SECONDS = 120.0
# Not the caller's own: another account may not search all of its folders.
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class ClientLost(Exception):
    """A client's session has ended; whether its last row was written is not known."""


class Client(ABC):
    """One session that writes numbered rows."""

    @abstractmethod
    def write(self, table: str, number: int) -> None:
        """Write one row. Returns when the server has acknowledged it; raises ClientLost."""

    @abstractmethod
    def close(self) -> None: ...


class Finding(NamedTuple):
    """What one of the engine's own checks said."""

    check: str
    sound: bool
    text: str


# Turns a command of the guest (and the account it is for) into one of the host.
Enter = Callable[[Sequence[str], str | None], list[str]]


class Engine(ABC):
    """Paths are those inside a guest, unless said otherwise."""

    name: ClassVar[str]
    user: ClassVar[str]
    package: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    # Below the data file system.
    folder: ClassVar[str]
    run_folder: ClassVar[Path]
    socket: ClassVar[str]
    # The kinds of table a writer can write to; the first is the usual one.
    tables: ClassVar[tuple[str, ...]] = ("entries",)

    @property
    def server_account(self) -> str | None:
        """Who starts the server."""
        return self.user

    def program(self, name: str) -> str:
        return name

    def missing_programs(self) -> list[str]:
        return [name for name in self.programs if shutil.which(self.program(name)) is None]

    def initialise(self, disk: Path) -> None:
        """Make an empty database in a freshly made file system."""
        folder = disk / self.folder
        folder.mkdir(mode=0o700)
        account = pwd.getpwnam(self.user)
        os.chown(folder, account.pw_uid, account.pw_gid)
        self.fill(folder)

    @abstractmethod
    def fill(self, folder: Path) -> None:
        """Put an empty database in an empty folder."""

    @abstractmethod
    def configuration(self, options: Sequence[str]) -> Iterable[tuple[Path, str]]:
        """The guest's configuration files; `options` are more lines of the engine's own language."""

    @abstractmethod
    def guest_command(self, options: Sequence[str]) -> list[str]:
        """Start the guest's server."""

    @abstractmethod
    def copy_command(self, disk: Path, run_folder: Path) -> list[str]:
        """Start a server on a copy, with its socket in a folder of its own."""

    @abstractmethod
    def ready_command(self, run_folder: Path) -> list[str]:
        """A command that succeeds once the server answers."""

    @abstractmethod
    def make_ledger(self, enter: Enter, tables: Sequence[str]) -> None:
        """Make the tables that writers write to, unless they are there."""

    @abstractmethod
    def client(self, enter: Enter, number: int, host_socket: Path) -> Client:
        """Open a session. `host_socket` is the server's socket as the host sees it."""

    @abstractmethod
    def read_ledger(self, run_folder: Path) -> dict[str, list[tuple[int, int]]]:
        """All rows of a running server: table -> (client, number)."""

    def check_before_start(self, disk: Path) -> list[Finding]:
        """The engine's checks of the files of a copy, as they are."""
        del disk
        return []

    def check_after_stop(self, disk: Path) -> list[Finding]:
        """The engine's checks of files whose server was stopped in good order."""
        del disk
        return []

    @abstractmethod
    def check_server(self, run_folder: Path) -> list[Finding]:
        """The engine's checks of a running server, before anything else has touched its tables."""

    def finding(self, check: str, command: Sequence[str], *, user: str | None = None) -> Finding:
        done = self.execute(command, user=user)
        return Finding(check, done.returncode == 0, (done.stdout + done.stderr).strip())

    def execute(
        self, command: Sequence[str], *, user: str | None = None, text_input: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd="/",
            env=_ENVIRONMENT,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            input=text_input,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def must(self, command: Sequence[str], *, user: str | None = None, text_input: str = "") -> str:
        done = self.execute(command, user=user, text_input=text_input)
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stderr[-1000:]}")
        return done.stdout


class PipeClient(Client):
    """The engine's own command-line client, kept open, fed line by line."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=_ENVIRONMENT,
            start_new_session=True,
        )

    def exchange(self, statement: str, answer: str) -> None:
        """Send one line; wait for the line that says it is done."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ClientLost("The client has no pipes.")
        try:
            self._process.stdin.write(statement + "\n")
            self._process.stdin.flush()
            heard = self._process.stdout.readline()
        except OSError as error:
            raise ClientLost(str(error)) from error
        if heard.strip() != answer:
            raise ClientLost(f"The server said {heard.strip()!r} for {answer!r}.")

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
