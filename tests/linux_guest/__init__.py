"""Real Linux guests on one machine, for tests and the demo. See README.md."""

from __future__ import annotations

from .extension.pace import DOCUMENTED, Pace
from .guest import LinuxGuest
from .requirements import requirements

__all__ = ["DOCUMENTED", "LinuxGuest", "Pace", "requirements"]
