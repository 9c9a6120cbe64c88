"""A loopback Azure Resource Manager for tests and the demo: see README.md."""

from __future__ import annotations

from .simulator import Simulator

__all__ = ["Simulator"]
