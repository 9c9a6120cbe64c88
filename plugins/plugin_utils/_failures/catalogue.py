# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every failure that is known, in groups by who reports it."""

from __future__ import annotations

from itertools import chain

from .azure_backup import BACKUP
from .compute import COMPUTE
from .entry import Entry
from .linux_agent import AGENT
from .linux_extension import LINUX
from .resource_manager import ARM
from .restore_points import RESTORE_POINTS
from .rights import RIGHTS
from .sign_in import SIGN_IN
from .vss import VSS
from .workload_conf import WORKLOAD

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
