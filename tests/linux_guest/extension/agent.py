"""The guest agent's stand-in: one unix socket, one request per connection, answers as JSON lines.

It installs the handler, numbers the runs, starts the extension's daemon for each and passes on what that tells. When
the daemon dies without a last word, the agent says so: the status file then stays as it was, at "still running".
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from ..engines import DISK
from ..safe_freeze import SafeFreeze
from ..spec import GuestSpec
from . import codes, daemon, log, request, snapshot
from .handler import Handler
from .request import Request
from .run_record import RunRecord

_LINE_BYTES = 65536
_MESSAGE_BYTES = 65536
_AGENT_LOG = Path("/var/log/waagent.log")
_PID_FILE = Path("/run/waagent.pid")
_AGENT_CONFIGURATION = Path("/etc/waagent.conf")
_AGENT_VERSION = "2.15.0.0"


class Agent:
    def __init__(self, spec: GuestSpec, safe_freeze: socket.socket, image: int, copies: int) -> None:
        self._spec = spec
        self._safe_freeze = safe_freeze
        self._image = image
        self._copies = copies
        self._handler = Handler(daemon.AGENT_FOLDER, daemon.LOG_PARENT, daemon.AZURE_FOLDER)
        self._lock = threading.Lock()

    def answer(self, connection: socket.socket) -> None:
        """Serve one request. A caller that goes away does not stop the run, as in Azure."""

        def tell(words: dict[str, object]) -> None:
            try:
                connection.sendall(json.dumps(words).encode() + b"\n")
            except OSError:
                return

        with connection:
            try:
                asked = request.parse(_read_line(connection))
            except (ValueError, TypeError) as error:
                tell({"final": True, "code": None, "health": None, "image": None, "error": str(error)})
                return
            try:
                self._obey(asked, tell)
            except Exception as error:
                tell(_failed(RunRecord(), f"{type(error).__name__}: {error}"))

    def _obey(self, asked: Request, tell: Callable[[dict[str, object]], None]) -> None:
        if asked.run == "install":
            with self._lock:
                self._install()
            tell(_done())
        elif asked.run == "uninstall":
            with self._lock:
                self._uninstall()
            tell(_done())
        elif asked.consistency == "crash":
            record = RunRecord(tell)
            name = f"{asked.task_id}.img"
            with self._freezer_session() as session:
                snapshot.copy_at_once(self._disk(), name, SafeFreeze(session), record)
            final = record.final(code=codes.SUCCESS, health=codes.SUCCESS, image=self._image_path(name), error=None)
            self._keep(asked, final)
            tell(final)
        else:
            self._snapshot(asked, tell)

    def _install(self) -> None:
        name = self._handler.folder.name
        self._say(name, "Target handler state: enabled [incarnation_1]")
        self._handler.install(self._spec.project)
        self._say(name, "[Enable] current handler state is: installed")

    def _uninstall(self) -> None:
        name = self._handler.folder.name
        self._say(name, "Target handler state: uninstall [incarnation_2]")
        self._say(name, "[Uninstall] current handler state is: enabled")
        self._handler.uninstall()
        self._say(name, f"Remove extension handler directory: {self._handler.folder}")

    def _say(self, prefix: str, message: str) -> None:
        stamp = log.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with _AGENT_LOG.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} INFO ExtHandler [{prefix}] {message}\n")

    def start(self) -> None:
        """What a running agent leaves for people to see."""
        _PID_FILE.write_text(f"{os.getpid()}\n")
        _AGENT_CONFIGURATION.write_text("Extensions.Enabled=y\nAutoUpdate.UpdateToLatestVersion=y\n")
        self._say("HEARTBEAT", f"Agent WALinuxAgent-{_AGENT_VERSION} is running as the goal state agent")

    def _snapshot(self, asked: Request, tell: Callable[[dict[str, object]], None]) -> None:
        with self._lock:
            if not self._handler.installed:
                self._install()
                tell({"progress": "installed"})
            number = self._handler.next_number()
            self._handler.write_settings(number, asked.task_id)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        record = RunRecord()
        with ours, self._freezer_session() as session:
            with theirs:
                child = self._start_daemon(asked, number, theirs.fileno(), session.fileno())
            session.close()
            tell({"progress": "started", "number": number})
            final = self._follow(ours, record, tell)
            child.wait()
        if final is None:
            name = f"{asked.task_id}.img"
            final = _failed(record, "The extension's daemon died; its status stays at 4, still running.")
            if "copied_at" in record.wall:
                final["image"] = self._image_path(name)
        elif final["image"] is not None:
            final["image"] = self._image_path(str(final["image"]))
        self._keep(asked, final)
        tell(final)

    def _keep(self, asked: Request, final: dict[str, object]) -> None:
        """Leave the final answer beside the copy, for whoever proves it later."""
        name = f"{asked.task_id}.json"
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self._copies)
        with os.fdopen(target, "w") as file:
            json.dump(final, file)

    def _follow(
        self, channel: socket.socket, record: RunRecord, tell: Callable[[dict[str, object]], None]
    ) -> dict[str, object] | None:
        while True:
            message = channel.recv(_MESSAGE_BYTES)
            if not message:
                return None
            words: dict[str, object] = json.loads(message)
            if words.get("final"):
                return words
            record.note(str(words["moment"]), float(str(words["at"])), float(str(words["monotonic"])))
            tell(words)

    def _start_daemon(self, asked: Request, number: int, channel: int, session: int) -> subprocess.Popen[bytes]:
        order = {
            "channel": channel,
            "freezer": session,
            "image": self._image,
            "copies": self._copies,
            "number": number,
            "waits": self._spec.waits,
            "limits": self._spec.limits,
            "request": asked.to_json(),
        }
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "AZURE_GUEST_AGENT_EXTENSION_PATH": str(self._handler.folder),
            "AZURE_GUEST_AGENT_EXTENSION_VERSION": self._handler.folder.name.rsplit("-", 1)[1],
            "AZURE_GUEST_AGENT_WIRE_PROTOCOL_ADDRESS": "168.63.129.16",
            "ConfigSequenceNumber": str(number),
            daemon.ORDER: json.dumps(order),
        }
        return subprocess.Popen(
            [self._spec.interpreter, "main/handle.py", f"-seqNo:{number}", "-daemon"],
            cwd=self._handler.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # The guest's own log on the host: what the emulation itself had to say when it broke.
            stderr=None,
            pass_fds=(channel, session, self._image, self._copies),
            start_new_session=True,
        )

    def _freezer_session(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._lock:
            socket.send_fds(self._safe_freeze, [b"session"], [theirs.fileno()])
        return ours

    def _disk(self) -> snapshot.Disk:
        return snapshot.Disk(DISK, self._image, self._copies)

    def _image_path(self, name: str) -> str:
        return str(self._spec.copies / name)


def _read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        chunk = connection.recv(4096)
        if not chunk:
            break
        line += chunk
        if len(line) > _LINE_BYTES:
            raise ValueError(f"The request is longer than {_LINE_BYTES} bytes.")
    return line


def _done() -> dict[str, object]:
    return RunRecord().final(code=0, health=0, image=None, error=None)


def _failed(record: RunRecord, error: str) -> dict[str, object]:
    return record.final(code=codes.RUNNING, health=codes.RUNNING, image=None, error=error)


def serve(spec: GuestSpec, safe_freeze: socket.socket, image: int, copies: int) -> None:
    """Serve requests for as long as the guest lives."""
    agent = Agent(spec, safe_freeze, image, copies)
    agent.start()
    listener = socket.socket(fileno=spec.service_listener)
    while True:
        connection, _address = listener.accept()
        threading.Thread(target=agent.answer, args=(connection,), daemon=True).start()
