# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every failure that is known, in groups by who reports it."""

from __future__ import annotations

from itertools import chain

from ._failure_catalogue_agent import AGENT
from ._failure_catalogue_arm import ARM
from ._failure_catalogue_backup import BACKUP
from ._failure_catalogue_compute import COMPUTE
from ._failure_catalogue_linux import LINUX
from ._failure_catalogue_restore_points import RESTORE_POINTS
from ._failure_catalogue_rights import RIGHTS
from ._failure_catalogue_sign_in import SIGN_IN
from ._failure_catalogue_vss import VSS
from ._failure_catalogue_workload import WORKLOAD
from ._failure_entry import Entry

GROUPS: dict[str, tuple[Entry, ...]] = {
    "Restore points": RESTORE_POINTS,
    "VMs and extensions": COMPUTE,
    "Rights, locks and policies": RIGHTS,
    "Azure Resource Manager": ARM,
    "Signing in": SIGN_IN,
    "Linux guest: scripts, freeze, snapshot": LINUX,
    "Linux guest: the workload.conf framework": WORKLOAD,
    "Linux guest: the agent": AGENT,
    "Windows guest: VSS": VSS,
    "Azure Backup codes for the same extension": BACKUP,
}

CATALOGUE: tuple[Entry, ...] = tuple(chain.from_iterable(GROUPS.values()))
