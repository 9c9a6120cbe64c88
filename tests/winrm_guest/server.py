# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinRM over HTTP on loopback: sign-in, shells, commands. One server holds any number of guests, one path each."""

from __future__ import annotations

import base64
import socket
import threading
import types
import typing as t
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import soap
from .console import Output, run
from .machine import Machine

USER = "deployer"
PASSWORD = "a-made-up-password-for-loopback"
# What one Receive carries; a real service keeps its envelopes below 500 KB.
_PART = 64 * 1024


class Dropped(Exception):
    """The connection is to be cut without an answer."""


@dataclass
class _Command:
    line: str
    stdin: bytearray = field(default_factory=bytearray)
    output: Output | None = None
    sent: int = 0
    silent: int = 0


@dataclass
class _Shell:
    commands: dict[str, _Command] = field(default_factory=dict)


class Endpoint:
    """The WinRM service of one guest."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.shells: dict[str, _Shell] = {}
        self._lock = threading.RLock()

    def answer(self, request: soap.Request) -> tuple[int, bytes]:
        """Return the HTTP status and the body, or raise Dropped."""
        with self._lock:
            if request.action == "Create":
                if self.machine.away > 0:
                    self.machine.away -= 1
                    raise Dropped
                shell_id = str(uuid.uuid4()).upper()
                self.shells[shell_id] = _Shell()
                return 200, soap.created(request, shell_id)
            shell = self.shells.get(request.shell_id)
            if shell is None:
                return 500, soap.fault(soap.NO_SUCH_SHELL, "The shell was not found on the server.")
            return getattr(self, f"_{request.action.lower()}", self._unknown)(request, shell)

    def _command(self, request: soap.Request, shell: _Shell) -> tuple[int, bytes]:
        command_id = str(uuid.uuid4()).upper()
        shell.commands[command_id] = _Command(request.command_line, silent=self.machine.silent_receives)
        return 200, soap.started(request, command_id)

    def _send(self, request: soap.Request, shell: _Shell) -> tuple[int, bytes]:
        shell.commands[request.command_id].stdin.extend(request.stdin)
        return 200, soap.accepted(request)

    def _receive(self, request: soap.Request, shell: _Shell) -> tuple[int, bytes]:
        command = shell.commands[request.command_id]
        if command.silent > 0:
            command.silent -= 1
            return 500, soap.fault(soap.OPERATION_TIMEOUT, "The WS-Management service cannot complete the operation.")
        if command.output is None:
            command.output = run(self.machine, command.line, bytes(command.stdin))
            if command.output.drop:
                self.shells.clear()
                raise Dropped
        out = command.output
        part = out.out[command.sent : command.sent + _PART]
        command.sent += len(part)
        parts = [soap.Part("stdout", part)] if part else []
        if command.sent < len(out.out):
            return 200, soap.received(request, parts, None)
        if out.err:
            parts.append(soap.Part("stderr", out.err))
        return 200, soap.received(request, parts, out.code)

    def _signal(self, request: soap.Request, shell: _Shell) -> tuple[int, bytes]:
        shell.commands.pop(request.command_id, None)
        return 200, soap.accepted(request)

    def _delete(self, request: soap.Request, _shell: _Shell) -> tuple[int, bytes]:
        del self.shells[request.shell_id]
        return 200, soap.accepted(request)

    def _unknown(self, request: soap.Request, _shell: _Shell) -> tuple[int, bytes]:
        return 500, soap.fault(2150858752, f"The action {request.action} is not supported.")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        endpoint = self.server.endpoints.get(self.path.removeprefix("/wsman/"))
        if endpoint is None:
            self._reply(404, b"")
        elif self.headers.get("Authorization") != _basic(USER, PASSWORD):
            self._reply(401, b"", {"WWW-Authenticate": 'Basic realm="WSMAN"'})
        else:
            self._serve(endpoint, body)

    def _serve(self, endpoint: Endpoint, body: bytes) -> None:
        try:
            request = soap.read(body)
            status, answer = endpoint.answer(request)
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Exception as error:
            # A crash here would look like a broken connection to the client.
            endpoint.machine.trouble.append(f"{type(error).__name__}: {error}")
            status, answer = 500, soap.fault(1, f"the test's own server failed: {error!r}")
        self._reply(status, answer)

    def _reply(self, status: int, body: bytes, headers: t.Mapping[str, str] = types.MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    endpoints: dict[str, Endpoint]

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A connection that was cut on purpose is no error."""


class WinRMServer:
    """Runs the guests for as long as the block lasts."""

    def __init__(self, machines: t.Iterable[Machine] = ()) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.endpoints = {machine.name: Endpoint(machine) for machine in machines}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> WinRMServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        return self._server.endpoints

    @property
    def open_shells(self) -> list[str]:
        """The guests on which a client left a shell behind."""
        return [name for name, endpoint in self.endpoints.items() if endpoint.shells]

    def host_vars(self, machine: Machine) -> dict[str, t.Any]:
        """What an inventory says of a guest."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_connection": "winrm",
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic",
            "ansible_winrm_path": f"/wsman/{machine.name}",
            "ansible_user": USER,
            "ansible_password": PASSWORD,
        }


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
