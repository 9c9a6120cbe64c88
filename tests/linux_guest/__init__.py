"""Real Linux guests on one machine, for tests and the demo. See README.md."""

from __future__ import annotations

from .copy_proof import CopyReport, verify_copy
from .extension.pace import DOCUMENTED, Pace
from .guest import LinuxGuest
from .ledger import Row, Window, broken_hold
from .requirements import requirements
from .writer import Writer

__all__ = [
    "DOCUMENTED",
    "CopyReport",
    "LinuxGuest",
    "Pace",
    "Row",
    "Window",
    "Writer",
    "broken_hold",
    "requirements",
    "verify_copy",
]
