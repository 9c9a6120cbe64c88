#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_extension_guard
short_description: Guard the snapshot extension of an Azure virtual machine against deletion
version_added: 0.1.0
description:
  - Keeps the snapshot extension from being deleted by mistake, with a lock at the extension itself, with an Azure
    Policy of the effect C(denyAction), or with both. Azure answers a deletion with C(ScopeLocked) or
    C(RequestDisallowedByPolicy) then; updates of the extension go on.
  - Never locks a group. A lock that covers the restore point collections keeps old points from being removed, and at
    500 Azure makes no new ones; those that are there are reported as findings.
  - O(state=lifted) is the break-glass. It takes a reason and ends by itself, a policy's exemption in Azure, a lock with
    the next run of O(state=present) after the end. Runs before the end leave the guard lifted.
options:
  state:
    description:
      - V(present) guards the extension, and restores what was removed.
      - V(lifted) takes the guard away for O(lift_for).
      - V(absent) takes away the lock named O(lock_name) if it is ours, and with O(method=policy) or O(method=both) the
        policy's assignment, for all machines of O(policy_scope).
    type: str
    choices: [present, lifted, absent]
    default: present
  reason:
    description: Why the guard is lifted. Required with O(state=lifted).
    type: str
  lift_for:
    description: How long the guard stays lifted, such as V(2h), up to V(7d).
    type: str
    default: 1h
  end_lift:
    description: Whether O(state=present) ends a break-glass that is still going on.
    type: bool
    default: false
attributes:
  action_group:
    support: full
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment:
  - appconsistent.azure.azure
  - appconsistent.azure.azure.vm
  - appconsistent.azure.guard
  - appconsistent.azure.guard.notes
  - appconsistent.azure.guard.collection
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.snapshot_extension
  - module: appconsistent.azure.snapshot_extension_guard_info
  - module: appconsistent.azure.snapshot_extension_guards
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Nobody deletes the snapshot extension by mistake
  appconsistent.azure.snapshot_extension_guard:

- name: One policy for all machines of the resource group, too
  appconsistent.azure.snapshot_extension_guard:
    method: both

- name: Lift the guard for a change
  appconsistent.azure.snapshot_extension_guard:
    method: both
    state: lifted
    reason: change 4711, the vendor replaces the agent
    lift_for: 2h

- name: The change is over
  appconsistent.azure.snapshot_extension_guard:
    method: both
    end_lift: true

- name: Do without the guard
  appconsistent.azure.snapshot_extension_guard:
    method: both
    state: absent
"""

RETURN = r"""
snapshot_extension_guard:
  description: The guard.
  returned: success
  type: dict
  contains:
    guarded:
      description: Whether Azure refuses to delete the extension. A new policy needs minutes until it does.
      type: bool
    extension_id:
      description: Resource ID of the guarded extension.
      type: str
    lock:
      description: The lock, with C(id), C(name), C(level) and C(notes).
      type: dict
    policy:
      description: The policy, with C(name), C(scope), C(assigned) and C(exempt). Empty with O(method=lock).
      type: dict
    lifted:
      description: C(until) and C(reason) of a break-glass that is going on, else empty.
      type: dict
    findings:
      description:
        - Locks of others that hinder restore points, and C(policy_not_in_force_yet) after a run that assigned the
          policy or ended an exemption, each with code, severity, message, remedy and docs.
      type: list
      elements: dict
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
