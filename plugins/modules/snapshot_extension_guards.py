#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_extension_guards
short_description: The snapshot extensions of a whole fleet, present, healthy and guarded
version_added: 0.1.0
description:
  - Sees for every virtual machine of the play's current batch that the snapshot extension is there, well and guarded,
    all at once and in one task, and tells what was not so. That is called drift.
  - A missing extension is installed (O(install)), by a restore point. A failed one, or one that was disabled inside the
    guest, is repaired when O(repair) says so. A missing guard is always put back, unless it is lifted on purpose.
  - Who removed an extension or a guard, when and from where, is read from Azure's activity log.
  - An extension that is gone may be an automatic update. For O(grace) after its removal it is waited for.
  - One machine's failure does not stop the others and does not fail the task; look at RV(hosts).
options:
  install:
    description: Whether to have a missing extension installed.
    type: bool
    default: true
  repair:
    description: Whether to repair a failed or disabled extension, which removes it and has it installed anew.
    type: bool
    default: false
  grace:
    description: How long after its removal an extension may come back by itself, as it does in an automatic update.
    type: str
    default: 5m
  look_back:
    description: How far to look back in the activity log, such as V(7d), at most 89 days.
    type: str
    default: 7d
  schedule:
    description: Name of the schedule that a point belongs to which is made for the installation.
    type: str
    default: appconsistent
  min_interval:
    description: Least time since the last point of the machine before one that installs the extension.
    type: str
    default: 20m
  exclude_disks:
    description: Disks that such a point leaves out, each by resource ID, name or LUN (V(lun:2)).
    type: list
    elements: str
    default: []
  timeout:
    description: How long to work on one machine, O(grace) included.
    type: str
    default: 1h
attributes:
  action_group:
    support: full
  async:
    support: none
  bypass_host_loop:
    description: Runs once for all hosts of the batch. Use it with C(run_once=true), so that every host gets the result.
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
    details: RV(hosts) and the table say what would be done.
extends_documentation_fragment:
  - appconsistent.azure.azure
  - appconsistent.azure.azure.fleet
  - appconsistent.azure.guard
  - appconsistent.azure.guard.notes
  - appconsistent.azure.guard.collection
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.snapshot_extension_guard
  - module: appconsistent.azure.snapshot_extension
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Every snapshot extension is there, healthy and guarded
  hosts: azure_vms
  gather_facts: false
  tasks:
    - name: See to it
      appconsistent.azure.snapshot_extension_guards:
        method: both
      run_once: true
      register: extensions

    - name: This VM's extension is as it should be
      ansible.builtin.assert:
        that: extensions.hosts[inventory_hostname].ok
        fail_msg: "{{ extensions.hosts[inventory_hostname].cause }} {{ extensions.hosts[inventory_hostname].advice }}"
"""

RETURN = r"""
hosts:
  description: What came out for each host, by its inventory name.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether the extension is as it should be now (or would be, in check mode).
      type: bool
    verdict:
      description:
        - V(guarded), V(healed) (drift was found and put right), V(lifted) (the guard is off on purpose), V(drifted)
          (something is left to do), V(half-guarded) (the lock is there, the policy could not be seen to) or V(failed).
      type: str
    changed:
      description: Whether something was changed in Azure.
      type: bool
    drift:
      description:
        - What was not as it should be, each with C(code) (V(extension_missing), V(extension_failed),
          V(extension_disabled), V(guard_removed)), C(message), C(healed), C(removed_by) and C(removed_in), which is
          V(Azure), V(guest) or empty when that is not known.
      type: list
      elements: dict
    extension_state:
      description: State of the extension after the work.
      type: str
    snapshot_extension_guard:
      description: The guard. The keys are those of M(appconsistent.azure.snapshot_extension_guard).
      type: dict
    not_read:
      description: What could not be read, such as the activity log for want of a right.
      type: list
      elements: str
    cause:
      description: What drifted or went wrong.
      type: str
    advice:
      description: What to do next.
      type: str
    failure:
      description: What Azure said, with C(code), C(message), C(status), the catalogue's C(key) and its C(retry) class.
      type: dict
    vm_id:
      description: Resource ID of the virtual machine.
      type: str
summary:
  description: How many machines there were, how many are well, and how many of each verdict.
  returned: success
  type: dict
table:
  description: The table that is printed at the end, a list of lines.
  returned: success
  type: list
  elements: str
"""
