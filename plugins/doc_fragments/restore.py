# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """Which point is restored, and which of its disks."""

    DOCUMENTATION = r"""
options:
  restore_point:
    description:
      - Name of the restore point. It is never chosen for you, for the newest one can have been taken after the damage.
      - M(appconsistent.azure.restore_point_info) lists them with what they hold.
    type: str
    required: true
  disks:
    description:
      - The disks to restore, each V(os), V(lun:2), or the name or resource ID of the disk that the point was taken of.
      - The default is all that the point holds.
    type: list
    elements: str
    default: []
  minimum_consistency:
    description: The least that the point has to be worth; a weaker one is refused.
    type: str
    choices: [ApplicationConsistent, FileSystemConsistent, CrashConsistent]
    default: ApplicationConsistent
  collection_resource_group:
    description: Resource group of the restore point collection. The default is that of the virtual machine.
    type: str
  collection_name:
    description: Name of the restore point collection, as for M(appconsistent.azure.restore_points).
    type: str
"""
