# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which version of the collection speaks to Azure; it is written down in galaxy.yml and nowhere else."""

from __future__ import annotations

import json
import re
from pathlib import Path


def collection_version(root: Path = Path(__file__).parents[3]) -> str:
    """Return the version as `ansible-galaxy` wrote it at the installation, that of galaxy.yml in a checkout."""
    try:
        return str(json.loads((root / "MANIFEST.json").read_text())["collection_info"]["version"])
    except FileNotFoundError:
        found = re.search(r"^version: *(\S+)$", (root / "galaxy.yml").read_text(), re.MULTILINE)
        return found[1] if found else "unknown"
