# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """What every module of the collection can say about itself."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and return the predicted change; sends no request that writes.
  diff_mode:
    description: Returns what changed, or in check mode what would change.
"""

    READS_ONLY = r"""
attributes:
  check_mode:
    description: Can run in check mode and return the predicted change; sends no request that writes.
    support: full
    details: This module does not change anything.
  diff_mode:
    description: Returns what changed, or in check mode what would change.
    support: N/A
    details: This module does not change anything.
"""

    CONTROLLER = r"""
attributes:
  action:
    description: Is implemented as an action plugin and runs in the controller's process.
    support: full
  async:
    description: Supports the C(async) keyword.
    support: none
"""

    AZURE_GROUP = r"""
attributes:
  action_group:
    description: Takes its defaults from C(module_defaults) under this group.
    support: full
    membership: [appconsistent.azure.azure]
"""
