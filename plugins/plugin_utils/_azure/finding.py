# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One thing that was found about a machine, with what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .._json import Json

# Titles of Microsoft's pages, as the failure catalogue names them.
MATRIX = "Support matrix for VM restore points"
TROUBLESHOOTING = "Troubleshoot restore point failures"
EXTENSION_PAGE = "VMSnapshot extension"


@dataclass(frozen=True)
class Finding:
    """`blocks` tells that no request makes sense before it is put right; `docs` is the title of the page to read."""

    code: str
    blocks: bool
    message: str
    remedy: str
    docs: str = ""

    def describe(self) -> Json:
        return {**asdict(self), "severity": "blocks" if self.blocks else "warns"}
