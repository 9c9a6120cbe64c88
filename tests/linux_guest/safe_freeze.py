"""The process that freezes a file system and thaws it again, whatever becomes of everybody else.

A write to a frozen file system sleeps and cannot be killed. So this process stands outside the guest, writes
nothing, ignores signals, and thaws at its deadline, as the extension's freeze binary does. When the guest is gone
it thaws at once and ends.

One control socket per guest hands over a session (a socket) for each run. A session is told {"freeze": seconds}
along with an open directory, and {"thaw": true}; it answers each with one JSON object.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable

from . import kernel

_MESSAGE_BYTES = 4096


class _Session:
    """One run of the extension: what it froze, and until when at most."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.mount_point: int | None = None
        self.deadline = 0.0
        self.late = False

    def freeze(self, seconds: float, mount_point: int, now: float) -> dict[str, object]:
        try:
            kernel.freeze(mount_point)
        except OSError as error:
            os.close(mount_point)
            return {"frozen": False, "errno": error.errno}
        self.mount_point, self.deadline, self.late = mount_point, now + seconds, False
        return {"frozen": True}

    def release(self) -> None:
        if self.mount_point is not None:
            kernel.thaw(self.mount_point)
            os.close(self.mount_point)
            self.mount_point = None

    def release_late(self) -> None:
        self.release()
        self.late = True

    def thaw(self) -> dict[str, object]:
        late = self.late or self.mount_point is None
        self.release()
        return {"thawed": True, "late": late}


def serve(control: socket.socket, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Serve sessions until the control socket is closed, then thaw what is left and return."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions: set[_Session] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            deadlines = [session.deadline for session in sessions if session.mount_point is not None]
            ready = selector.select(max(0.0, min(deadlines) - monotonic()) if deadlines else None)
            for key, _mask in ready:
                if key.fileobj is control:
                    message, descriptors, _flags, _sender = socket.recv_fds(control, _MESSAGE_BYTES, 1)
                    if not message:
                        for session in sessions:
                            session.release()
                        return
                    session = _Session(socket.socket(fileno=descriptors[0]))
                    sessions.add(session)
                    selector.register(session.channel, selectors.EVENT_READ, session)
                elif isinstance(key.data, _Session) and not _answer(key.data, monotonic):
                    # The run has died. Like the real binary, what is frozen stays so until the deadline.
                    selector.unregister(key.data.channel)
                    key.data.channel.close()
                    if key.data.mount_point is None:
                        sessions.discard(key.data)
            for session in list(sessions):
                if session.mount_point is not None and session.deadline <= monotonic():
                    session.release_late()
                    if session.channel.fileno() == -1:
                        sessions.discard(session)


def _answer(session: _Session, monotonic: Callable[[], float]) -> bool:
    try:
        message, descriptors, _flags, _sender = socket.recv_fds(session.channel, _MESSAGE_BYTES, 1)
        if not message:
            return False
        order = json.loads(message)
        if "freeze" in order:
            reply = session.freeze(float(order["freeze"]), descriptors[0], monotonic())
        else:
            reply = session.thaw()
        session.channel.send(json.dumps(reply).encode())
    except OSError:
        return False
    return True


class SafeFreeze:
    """A run's side of one session."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def freeze(self, mount_point: int, seconds: float, wait: float) -> int | None:
        """Freeze for at most `seconds`. The error number when it is refused, None when frozen.

        Raises TimeoutError when no answer comes within `wait`.
        """
        socket.send_fds(self._channel, [json.dumps({"freeze": seconds}).encode()], [mount_point])
        reply = self._receive(wait)
        return None if reply["frozen"] else int(str(reply["errno"]))

    def thaw(self, wait: float) -> bool:
        """Thaw. False when the deadline had come first, so that the copy may be torn."""
        self._channel.send(json.dumps({"thaw": True}).encode())
        return not self._receive(wait)["late"]

    def _receive(self, wait: float) -> dict[str, object]:
        self._channel.settimeout(wait)
        message = self._channel.recv(_MESSAGE_BYTES)
        if not message:
            raise ConnectionError("The process that freezes and thaws has gone.")
        reply: dict[str, object] = json.loads(message)
        return reply
