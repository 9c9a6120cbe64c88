# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""`python -m tests.winrm_guest --guests 200`: loopback guests in the foreground; prints their inventory as one line."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from .machine import machine
from .server import WinRMServer


def main() -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.winrm_guest", description=__doc__)
    parser.add_argument("--guests", type=int, default=1, help="how many (default 1)")
    options = parser.parse_args()
    guests = [machine(f"win{number:04}") for number in range(options.guests)]
    with WinRMServer(guests) as server:
        hosts = {guest.name: server.host_vars(guest) for guest in guests}
        print(json.dumps({"all": {"hosts": hosts}}), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
