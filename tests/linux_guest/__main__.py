"""Start guests in the foreground: one JSON line when all are ready, then wait for SIGTERM or Ctrl-C.

python -m tests.linux_guest --directory DIR --guest db-1=mariadb --guest db-2=postgresql --guest web=none
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from . import LinuxGuest, Pace, requirements
from .engines import ENGINES

# Of the documented seconds: the extension's own sleeps take a tenth, its limits stay.
_QUICK_WAITS = 0.1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.linux_guest", description=str(__doc__).split(":", 1)[0])
    parser.add_argument("--directory", type=Path, required=True, help="where keys, logs, images and copies go")
    parser.add_argument(
        "--guest",
        action="append",
        required=True,
        metavar="NAME=ENGINE",
        help=f"a guest and its database: {', '.join(ENGINES)} or none; may be repeated",
    )
    parser.add_argument("--filesystem", default="ext4", choices=("ext4", "xfs"), help="of the data disk")
    parser.add_argument(
        "--writers", type=int, default=0, metavar="N", help="clients that write to each database until the end"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the extension's own sleeps; limits stay")
    return parser.parse_args(arguments)


def _describe(guest: LinuxGuest) -> dict[str, object]:
    return {
        "host": guest.ssh_host,
        "port": guest.ssh_port,
        "user": guest.user,
        "key_file": str(guest.ssh_key),
        "known_hosts_file": str(guest.known_hosts),
        "socket": str(guest.socket),
        "engine": guest.engine,
        "database_socket": str(guest.database_socket) if guest.database_socket else None,
        "folder": str(guest.folder),
        "copies": str(guest.copies),
        "ledger": str(guest.ledger),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    wanted = dict(pair.partition("=")[::2] for pair in options.guest)
    engines = {name: None if engine in {"", "none"} else engine for name, engine in wanted.items()}
    unknown = sorted({engine for engine in engines.values() if engine is not None and engine not in ENGINES})
    if unknown:
        print(f"There is no engine {', '.join(unknown)}; there are {', '.join(ENGINES)}.", file=sys.stderr)
        return 2
    missing = {line for engine in set(engines.values()) for line in requirements(engine, options.filesystem)}
    if missing:
        print("\n".join(sorted(missing)), file=sys.stderr)
        return 2
    signals = {signal.SIGTERM, signal.SIGINT}
    # Held back from the start on, so that one that comes early is not lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        return _serve(options, engines, signals)
    except (RuntimeError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace, engines: dict[str, str | None], signals: set[signal.Signals]) -> int:
    with ExitStack() as stack:
        guests = []
        for name, engine in engines.items():
            guest = LinuxGuest(
                name,
                engine,
                options.filesystem,
                directory=options.directory / name,
                templates=options.directory / "templates",
                pace=Pace(waits=_QUICK_WAITS) if options.quick else Pace(),
            )
            stack.callback(guest.stop)
            guests.append(guest)
            guest.begin()
        for guest in guests:
            guest.wait_until_ready()
            if options.writers and guest.engine is not None:
                stack.enter_context(guest.writer(clients=options.writers))
        print(json.dumps({"guests": {guest.name: _describe(guest) for guest in guests}}), flush=True)
        signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
