# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Azure's host service as a guest sees it: the agent gets its orders there, and the extension asks it for snapshots."""

import errno
import selectors
import socket
import time
from typing import Dict, Sequence

# Fixed in the agent and, for the snapshot calls, in the extension (freezesnapshotter.py).
ADDRESS = "168.63.129.16"
# 80: goal state and snapshot calls. 32526: the host's plugin for extensions.
PORTS = (80, 32526)


def not_probed() -> Dict[str, str]:
    return {str(port): "not_probed" for port in PORTS}


def probe(timeout: float, address: str = ADDRESS, ports: Sequence[int] = PORTS) -> Dict[str, str]:
    """Whether the ports that the agent and the snapshot calls need can be reached; all are tried at once."""
    answers = {str(port): "timed_out" for port in ports}
    waiting = selectors.DefaultSelector()
    sockets = []
    try:
        for port in ports:
            trial = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(trial)
            trial.setblocking(False)
            code = trial.connect_ex((address, port))
            if code in (0, errno.EINPROGRESS):
                waiting.register(trial, selectors.EVENT_WRITE, str(port))
            else:
                answers[str(port)] = _answer(code)
        deadline = time.monotonic() + timeout
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            for key, _events in ready:
                trial = key.fileobj  # type: ignore[assignment]
                waiting.unregister(trial)
                answers[key.data] = _answer(trial.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    finally:
        waiting.close()
        for trial in sockets:
            trial.close()
    return answers


def _answer(code: int) -> str:
    if code == 0:
        return "open"
    if code == errno.ECONNREFUSED:
        return "refused"
    return "timed_out" if code == errno.ETIMEDOUT else "unreachable"
