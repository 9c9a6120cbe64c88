"""The process between the host and one guest: makes the namespaces, and sees that nothing outlives it.

    host's process -> keeper -> the process that freezes and thaws   (outside the guest, see safe_freeze)
                             -> supervisor, the guest's first process -> sshd, agent, database

Orders come in as lines on standard input, answers leave on standard output. When standard input ends, because the
host's process stopped the guest or was killed, the guest is killed, and its mounts and loop device go with it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys

from . import kernel, safe_freeze
from .spec import GuestSpec
from .supervisor import Supervisor


def _start_safe_freeze(listeners: tuple[int, ...]) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        for number in listeners:
            os.close(number)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):
            os.dup2(null, number)
        os.chdir("/")
        try:
            safe_freeze.serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    return ours


def _start_guest(spec: GuestSpec, freezer: socket.socket) -> tuple[int, socket.socket]:
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):
            os.dup2(null, number)
        os.close(null)
        code = 1
        try:
            Supervisor(spec, theirs, freezer).run()
            code = 0
        except BaseException as error:
            theirs.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            raise
        finally:
            os._exit(code)
    theirs.close()
    freezer.close()
    return pid, ours


def main() -> int:
    # Unbuffered: what follows the first line is read from the descriptor.
    with open(0, "rb", buffering=0, closefd=False) as orders:
        spec = GuestSpec.from_json(orders.readline().decode())
    listeners = (spec.ssh_listener, spec.service_listener)
    freezer = _start_safe_freeze(listeners)
    pid, guest = _start_guest(spec, freezer)
    for number in listeners:
        os.close(number)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os.kill(pid, signal.SIGKILL))
    print(json.dumps({"pid": pid}), flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(guest, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _mask in selector.select():
                if key.fileobj is guest:
                    message = guest.recv(65536)
                    if not message:
                        os.waitpid(pid, 0)
                        return 1
                    sys.stdout.buffer.write(message + b"\n")
                    sys.stdout.flush()
                    continue
                line = os.read(0, 65536)
                if not line:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    return 0
                guest.send(line)


if __name__ == "__main__":
    sys.exit(main())
