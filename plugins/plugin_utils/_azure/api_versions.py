# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What to do where a cloud does not know an api-version: sovereign clouds and Azure Stack are months or years behind.

The refusal names the versions that are known, and the newest of them that this collection can speak is used instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .._errors import AzureError

# Resource Manager's and the providers' codes for a version that they do not know.
_CODES = ("noregisteredproviderfound", "invalidapiversionparameter", "invalidresourcetype", "unsupportedapiversion")
_VERSION = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:-preview)?\b")
# The oldest version, by the beginning of a type, in which what is sent and read is as in the one that is asked for
# (Azure/azure-rest-api-specs). Restore points are application-consistent by default since 2021-03-01 and name their
# consistency; 2022-03-01 is asked for by Azure's own refusals.
_LEAST = {
    "microsoft.authorization/locks": "2016-09-01",
    "microsoft.authorization/policyexemptions": "2020-07-01-preview",
    "microsoft.authorization/policy": "2019-09-01",
    "microsoft.compute/disks": "2020-06-30",
    "microsoft.compute/restorepointcollections": "2022-03-01",
    "microsoft.compute/virtualmachines": "2021-07-01",
}


@dataclass
class ApiVersions:
    """What has been used instead, by type and version; one for all requests of a connection."""

    _instead: dict[tuple[str, str], str] = field(default_factory=dict)

    def now(self, kind: str, wanted: str) -> str:
        return self._instead.get((kind, wanted), wanted)

    def fall_back(self, kind: str, wanted: str, error: AzureError) -> bool:
        """Note what to use after a refusal; tell whether there is something. Each step goes to an older version."""
        least = next((version for start, version in _LEAST.items() if kind.startswith(start)), "")
        if error.code.lower() not in _CODES or not least:
            return False
        used = self.now(kind, wanted)
        named = [version for version in _VERSION.findall(error.azure_message) if least <= version < used]
        # A version that is not a preview first: a preview of the same day is another thing.
        best = max(named, key=lambda version: (not version.endswith("preview"), version), default="")
        if best:
            self._instead[kind, wanted] = best
        return bool(best)

    def told(self) -> list[str]:
        """Return a sentence for each version that another one stands for."""
        return [
            f"This cloud does not know version {wanted} of {kind}, so {used} is used"
            for (kind, wanted), used in self._instead.items()
        ]
