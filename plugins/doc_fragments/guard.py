# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """How the snapshot extension is guarded."""

    DOCUMENTATION = r"""
options:
  method:
    description:
      - V(lock) puts a C(CanNotDelete) lock on the extension itself. It works at once, needs
        C(Microsoft.Authorization/locks/*), goes when the extension goes, and also keeps the machine from being deleted
        until it is removed.
      - V(policy) defines and assigns an Azure Policy with the effect C(denyAction) at O(policy_scope). It takes minutes
        to work, survives the extension, guards every machine of the scope with one object, and hinders neither the
        deletion of a machine nor that of a group. Needs C(Microsoft.Authorization/policyDefinitions/*),
        C(policyAssignments/*) and C(policyExemptions/*).
      - V(both) does both.
    type: str
    choices: [lock, policy, both]
    default: lock
  lock_name:
    description:
      - Name of the lock. A lock of another name that stands at the extension and forbids deletion is accepted as it is.
      - Locks whose note does not contain C(appconsistent.azure) are somebody else's, and are neither changed nor
        removed.
    type: str
    default: appconsistent-guard
  policy_name:
    description: Name of the policy's definition, assignment and exemptions.
    type: str
    default: appconsistent-guard
  policy_scope:
    description: Where the policy is assigned, the machine's resource group or its subscription.
    type: str
    choices: [resource_group, subscription]
    default: resource_group
"""

    NOTES = r"""
options:
  notes:
    description:
      - Note that is kept with the lock, up to 512 characters. C(appconsistent.azure) is added if it is missing.
    type: str
    default: >-
      Keeps the snapshot extension from being deleted: application-consistent restore points need it
      (appconsistent.azure).
"""

    COLLECTION = r"""
options:
  collection_resource_group:
    description:
      - Resource group of the restore point collection. The default is that of the virtual machine.
      - Break-glass is noted there, as the tag C(appconsistent-guard-lifted) of the collection.
    type: str
  collection_name:
    description: Name of the restore point collection, as for M(appconsistent.azure.restore_points).
    type: str
"""
