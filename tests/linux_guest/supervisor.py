"""The guest's first process: starts sshd for each caller, the agent's stand-in and the database, and buries orphans."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import kernel, root_tree
from .engines import ENGINES
from .extension import agent
from .spec import GuestSpec

# What systemd gives a service of root.
SERVICE_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_STOP_SECONDS = 60.0


class Supervisor:
    def __init__(self, spec: GuestSpec, orders: socket.socket, safe_freeze: socket.socket) -> None:
        self._spec = spec
        self._orders = orders
        self._safe_freeze = safe_freeze
        self._sshd_log = os.open(Path(spec.folder) / "sshd.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._server_log = os.open(Path(spec.folder) / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._image = os.open(spec.image, os.O_RDONLY)
        self._copies = os.open(spec.copies, os.O_RDONLY | os.O_DIRECTORY)
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._server: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Become the guest and serve it until the orders' socket closes; everything else of the guest dies with us."""
        kernel.die_with_parent(signal.SIGKILL)
        os.setsid()
        socket.sethostname(self._spec.name)
        root_tree.enter(self._spec)
        self._start_agent()
        listener = socket.socket(fileno=self._spec.ssh_listener)
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        if self._spec.engine is not None:
            self._start_server()
        self._say({"ready": True})
        with selectors.DefaultSelector() as selector:
            for source in (self._orders, listener, wake):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _mask in selector.select():
                    if key.fileobj is listener:
                        self._start_sshd(listener)
                    elif key.fileobj is wake:
                        wake.recv(4096)
                    elif not self._obey():
                        return
                self._bury()

    def _say(self, words: dict[str, object]) -> None:
        self._orders.send(json.dumps(words).encode())

    def _obey(self) -> bool:
        message = self._orders.recv(65536)
        if not message:
            return False
        order = json.loads(message)
        if order["do"] == "start_server":
            self._start_server()
            self._say({"done": True})
        elif order["do"] == "stop_server":
            self._say({"done": self._stop_server(int(order["signal"]))})
        return True

    def _spawn(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        child: subprocess.Popen[bytes] = subprocess.Popen(command, cwd="/", start_new_session=True, **options)  # type: ignore[call-overload]
        self._children[child.pid] = child
        return child

    def _start_sshd(self, listener: socket.socket) -> None:
        connection, _address = listener.accept()
        with connection:
            self._spawn(
                ["/usr/sbin/sshd", "-i", "-e", "-f", str(root_tree.SSHD_CONFIGURATION_FILE)],
                stdin=connection,
                stdout=connection,
                stderr=self._sshd_log,
                env=SERVICE_ENVIRONMENT,
            )

    def _start_server(self) -> None:
        engine = ENGINES[str(self._spec.engine)]
        user = engine.server_account
        self._server = self._spawn(
            engine.guest_command(self._spec.server_options),
            stdin=subprocess.DEVNULL,
            stdout=self._server_log,
            stderr=self._server_log,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            env=SERVICE_ENVIRONMENT,
        )

    def _stop_server(self, number: int) -> bool:
        """Send the server a signal and wait until it has gone."""
        server = self._server
        if server is None or server.pid not in self._children:
            return True
        os.kill(server.pid, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while server.pid in self._children:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
            self._bury()
        return True

    def _start_agent(self) -> None:
        if os.fork() == 0:
            self._orders.close()
            os.close(self._spec.ssh_listener)
            os.setsid()
            try:
                agent.serve(self._spec, self._safe_freeze, self._image, self._copies)
            finally:
                os._exit(1)
        # Ours must close: when the agent dies, whatever is frozen is thawed.
        self._safe_freeze.close()
        os.close(self._spec.service_listener)
        os.close(self._image)
        os.close(self._copies)

    def _bury(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                child.returncode = os.waitstatus_to_exitcode(status)
