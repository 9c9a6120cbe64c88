#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_extension_guard
short_description: Guard the snapshot extension of an Azure virtual machine against deletion
version_added: 0.1.0
description:
  - Puts a C(CanNotDelete) lock on the snapshot extension itself, so that nobody deletes it by mistake. Azure refuses
    the deletion with C(ScopeLocked) then; updates of the extension go on.
  - The lock stands at the extension's own scope. A lock on the group that holds the restore point collections would
    keep old points from being removed.
  - As long as the lock is there, the extension cannot be removed for a repair either, and the machine may not be
    deleted; remove the guard first.
options:
  state:
    description: Whether the extension is guarded. V(absent) removes only the lock named O(lock_name).
    type: str
    choices: [present, absent]
    default: present
  lock_name:
    description: Name of the lock. A lock of another name that forbids deletion is accepted as it is.
    type: str
    default: appconsistent-guard
  notes:
    description: Note that is kept with the lock, up to 512 characters.
    type: str
    default: "Keeps the snapshot extension from being deleted: application-consistent restore points need it."
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
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.snapshot_extension
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Nobody deletes the snapshot extension by mistake
  appconsistent.azure.snapshot_extension_guard:

- name: Take the guard away for a repair
  appconsistent.azure.snapshot_extension_guard:
    state: absent
"""

RETURN = r"""
snapshot_extension_guard:
  description: The guard.
  returned: success
  type: dict
  contains:
    guarded:
      description: Whether a lock keeps the extension from being deleted.
      type: bool
    extension_id:
      description: Resource ID of the guarded extension.
      type: str
    lock:
      description: The lock, with C(id), C(name), C(level) and C(notes).
      type: dict
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
