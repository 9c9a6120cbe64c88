# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Linux guest that is looked into, as far as it has to be replaced in a test."""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .._finding import Finding


class Guest(NamedTuple):
    """The machine: where its file system begins, who looks, when (seconds since 1970), and what asks it."""

    root: str
    uid: int
    now: float
    ask_version: Callable[[str], str]
    probe: Callable[[], Dict[str, str]]
    lint: Callable[[], List[Finding]] = list
    root_uid: int = 0
    # What the scripts hold, for a result, and what is to be said of it.
    hold: Callable[[], Tuple[Dict[str, Any], List[Finding]]] = lambda: ({}, [])

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def shown(self, path: Optional[str]) -> Optional[str]:
        """A path as the guest's administrator knows it."""
        if path is None or self.root == "/":
            return path
        return "/" + os.path.relpath(path, self.root)
