"""Prove one restore point's copy of a guest.

    python -m tests.linux_guest.prove --guest DIR/NAME --task TASK [--stops-writes]

Starts the copy as a server and holds it against the guest's ledger and the moments of the run, which the agent left
beside the copy. Prints one JSON object; ends with status 0 when the copy is good, 1 when it is not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import ledger
from .copy_proof import CopyReport, verify_copy
from .spec import GuestSpec


def prove(guest: Path, task: str, *, stops_writes: bool, image: Path | None = None) -> CopyReport:
    """`guest` is the guest's folder on the host; `image` the copy, if it has been moved from there."""
    spec = GuestSpec.from_json((guest / "guest.json").read_text())
    if spec.engine is None:
        raise ValueError(f"The guest {spec.name} has no database.")
    final = json.loads((spec.copies / f"{task}.json").read_text())
    rows = ledger.read(guest / "ledger.txt") if (guest / "ledger.txt").exists() else []
    window = ledger.Window.of(final, stops_writes=stops_writes)
    return verify_copy(spec.engine, image or spec.copies / f"{task}.img", rows, window, filesystem=spec.filesystem)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.linux_guest.prove", description="Prove a copy of a guest.")
    parser.add_argument("--guest", type=Path, required=True, help="the guest's folder")
    parser.add_argument("--task", required=True, help="the task id of the snapshot")
    parser.add_argument("--image", type=Path, help="the copy, when it is no longer in the guest's folder")
    parser.add_argument("--stops-writes", action="store_true", help="the pre script stops all writes until post")
    options = parser.parse_args(arguments)
    report = prove(options.guest, options.task, stops_writes=options.stops_writes, image=options.image)
    print(
        json.dumps(
            {
                "good": report.good,
                "engine": report.engine,
                "started": report.started,
                "rows": report.rows,
                "missing": [str(row) for row in report.missing],
                "extra": [str(row) for row in report.extra],
                "torn": [str(row) for row in report.torn],
                "engine_check": [finding._asdict() for finding in report.engine_check],
                "server_log_excerpt": report.server_log_excerpt,
            }
        )
    )
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
