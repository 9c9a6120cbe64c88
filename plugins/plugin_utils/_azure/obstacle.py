# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One thing about a machine that stands in the way of a point, or may, with what to do about it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# Titles of Microsoft's pages, as the failure catalogue names them.
MATRIX = "Support matrix for VM restore points"
TROUBLESHOOTING = "Troubleshoot restore point failures"
POLICY_PAGE = "Azure Policy: deny effect"
EXTENSION_PAGE = "VMSnapshot extension"


class ObstacleResult(t.TypedDict):
    """An obstacle as modules return it, in `findings`; `severity` is blocks or warns."""

    code: str
    blocks: bool
    message: str
    remedy: str
    docs: str
    severity: str


@dataclass(frozen=True)
class Obstacle:
    """`blocks` tells that no request makes sense before it is put right; `docs` is the title of the page to read."""

    code: str
    blocks: bool
    message: str
    remedy: str
    docs: str = ""

    def describe(self) -> ObstacleResult:
        return {
            "code": self.code,
            "blocks": self.blocks,
            "message": self.message,
            "remedy": self.remedy,
            "docs": self.docs,
            "severity": "blocks" if self.blocks else "warns",
        }
