# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Windows guests on loopback, in the foreground, until a signal comes. Their inventory goes to a file or to the screen.

`PYTHONPATH=.tree python -m tests.winrm_guest --guests 200` starts healthy ones; `--story writer_timed_out` one of a
story in tests/data/vss/stories, called as the story is. Then run the role against them.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

import yaml

from .machine import DATA, Machine, from_story, machine
from .server import WinRMServer


def main() -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.winrm_guest", description=__doc__)
    stories = sorted(path.stem for path in (DATA / "stories").glob("*.yml"))
    parser.add_argument("--guests", type=int, default=0, help="how many healthy ones")
    told = ", ".join(stories)
    parser.add_argument("--story", action="append", default=[], choices=stories, metavar="STORY", help=told)
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="where to write it (default: to the screen)")
    options = parser.parse_args()
    guests = [machine(f"win{number:04}") for number in range(options.guests)] + [_told(name) for name in options.story]
    guests = guests or [machine()]
    with WinRMServer(guests) as server:
        hosts = {guest.name: server.host_vars(guest) for guest in guests}
        inventory = json.dumps({"all": {"children": {"windows": {"hosts": hosts}}}})
        if options.inventory:
            options.inventory.write_text(inventory, encoding="utf-8")
        print(f"{len(hosts)} guests" if options.inventory else inventory, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


def _told(story: str) -> Machine:
    return from_story(yaml.safe_load((DATA / "stories" / f"{story}.yml").read_text(encoding="utf-8")), story)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
