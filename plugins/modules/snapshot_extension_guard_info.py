#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_extension_guard_info
short_description: How the snapshot extension of an Azure virtual machine is guarded, and who removed it
version_added: 0.1.0
description:
  - Reads the lock and the policy that guard the snapshot extension, and a break-glass that is going on.
  - Tells from Azure's activity log who removed the extension or its guard, when, and from which address. The log is
    minutes late and goes back 90 days; what was removed inside the guest does not stand there, but shows as
    RV(snapshot_extension_guard.extension_state=disabled).
options:
  look_back:
    description: How far to look back in the activity log, such as V(7d), at most 89 days.
    type: str
    default: 7d
attributes:
  action_group:
    support: full
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: N/A
extends_documentation_fragment:
  - appconsistent.azure.azure
  - appconsistent.azure.azure.vm
  - appconsistent.azure.guard
  - appconsistent.azure.guard.collection
  - appconsistent.azure.attributes.reads_only
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.snapshot_extension_guard
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Look at the guard
  appconsistent.azure.snapshot_extension_guard_info:
    method: both
  register: guard

- name: Show who removed the extension
  ansible.builtin.debug:
    msg: "{{ guard.snapshot_extension_guard.removed.extension.caller | default('nobody', true) }}"
"""

RETURN = r"""
snapshot_extension_guard:
  description: The guard.
  returned: success
  type: dict
  contains:
    guarded:
      description: Whether Azure refuses to delete the extension.
      type: bool
    extension_id:
      description: Resource ID of the extension, empty when there is none.
      type: str
    extension_state:
      description: V(missing), V(updating), V(failed), V(disabled), V(healthy) or V(unknown).
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
      description: Locks of others that hinder restore points, each with code, severity, message, remedy and docs.
      type: list
      elements: dict
    removed:
      description:
        - The last removal of the C(extension) and of its C(lock), each with C(caller), C(application), C(time),
          C(client_address) and C(correlation_id), or empty.
      type: dict
    not_read:
      description: What could not be read, such as the activity log for want of a right.
      type: list
      elements: str
"""
