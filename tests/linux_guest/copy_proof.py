"""The proof that a copy is good: start it as a server, with nothing but the engine's normal start, and look."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import images
from .engines import Finding
from .ledger import Row, Verdict, Window, judge

_PROJECT = Path(__file__).resolve().parents[2]
_PROOF_SECONDS = 240.0


@dataclass(frozen=True)
class CopyReport:
    """What a copy turned out to be."""

    engine: str
    # Whether the server started on it, as it was.
    started: bool
    rows: int
    # Acknowledged before the hold, and not there.
    missing: tuple[Row, ...]
    # Sent after the hold began, and there.
    extra: tuple[Row, ...]
    # Not there although something later is: no single instant.
    torn: tuple[Row, ...]
    engine_check: tuple[Finding, ...]
    server_log_excerpt: str

    @property
    def checks_passed(self) -> bool:
        return self.started and bool(self.engine_check) and all(finding.sound for finding in self.engine_check)

    @property
    def good(self) -> bool:
        return self.checks_passed and not (self.missing or self.extra or self.torn)

    def __str__(self) -> str:
        checks = "; ".join(f"{finding.check}: {finding.text[:300]}" for finding in self.engine_check)
        return (
            f"{self.engine} copy {'is good' if self.good else 'IS NOT GOOD'}: "
            f"{'started' if self.started else 'did not start'}, {self.rows} rows, {len(self.missing)} missing, "
            f"{len(self.extra)} too many, {len(self.torn)} torn; {checks}"
        )


def verify_copy(
    engine: str,
    image: Path,
    written: Sequence[Row] = (),
    window: Window | None = None,
    *,
    filesystem: str = "ext4",
) -> CopyReport:
    """Start the image as a server on a scratch copy of it, and hold it against what was written."""
    with tempfile.TemporaryDirectory(prefix="copy-proof-") as folder:
        scratch = Path(folder) / "disk.img"
        images.copy_file(image, scratch)
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--ipc", "--fork"]
        command += ["--kill-child=KILL", "--mount-proc", "--", sys.executable, "-m", "tests.linux_guest.copy_server"]
        done = subprocess.run(
            [*command, engine, str(scratch), filesystem],
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            timeout=_PROOF_SECONDS,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{image} could not be looked at: {done.stderr[-3000:]}")
    seen = json.loads(done.stdout)
    present = {table: [(client, number) for client, number in pairs] for table, pairs in seen["rows"].items()}
    verdict = judge(written, present, window) if seen["started"] else Verdict((), (), ())
    return CopyReport(
        engine=engine,
        started=seen["started"],
        rows=sum(len(pairs) for pairs in present.values()),
        missing=verdict.lost,
        extra=verdict.late,
        torn=verdict.torn,
        engine_check=tuple(Finding(*finding) for finding in seen["findings"]),
        server_log_excerpt=seen["log"],
    )
