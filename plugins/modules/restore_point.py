#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: restore_point
short_description: One restore point of an Azure virtual machine
version_added: 0.1.0
description:
  - Makes a restore point of a virtual machine, deletes one, or copies one to another region.
  - The collection is made when it is missing. After the point is finished its consistency is read back; less than
    O(minimum_consistency) fails the task.
  - For many machines use M(appconsistent.azure.restore_points), which works on all of them at once.
options:
  name:
    description: Name of the restore point.
    type: str
    required: true
  state:
    description: Whether the restore point should exist.
    type: str
    choices: [present, absent]
    default: present
  source_restore_point:
    description:
      - Resource ID of a restore point to copy. The collection then belongs to the source's collection and lies in
        O(location).
    type: str
  location:
    description: Region of the copy. Required with O(source_restore_point).
    type: str
  wait:
    description: Whether to wait until the restore point is finished.
    type: bool
    default: true
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
  - appconsistent.azure.wish
  - appconsistent.azure.wish.consistency
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.restore_points
  - module: appconsistent.azure.restore_point_info
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Take an application-consistent restore point before the upgrade
  appconsistent.azure.restore_point:
    name: before-upgrade

- name: Take a crash-consistent one of a stopped machine, without its scratch disk
  appconsistent.azure.restore_point:
    name: cold
    consistency: CrashConsistent
    exclude_disks:
      - "{{ azure_vm_id.split('/virtualMachines/')[0] }}/disks/scratch"

- name: Delete it
  appconsistent.azure.restore_point:
    name: before-upgrade
    state: absent
"""

RETURN = r"""
vm_id:
  description: Resource ID of the virtual machine.
  returned: success
  type: str
restore_point:
  description: The restore point, empty when there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Resource ID.
      type: str
    name:
      description: Name.
      type: str
    consistency_mode:
      description: V(ApplicationConsistent), V(FileSystemConsistent) or V(CrashConsistent), as Azure says it.
      type: str
    provisioning_state:
      description: Creating, Succeeded or Failed.
      type: str
    time_created:
      description: When it was taken, in ISO 8601.
      type: str
    exclude_disks:
      description: Resource IDs of the disks that were left out.
      type: list
      elements: str
    disk_restore_points:
      description: Resource IDs of the disk restore points.
      type: list
      elements: str
    source_restore_point:
      description: Resource ID of the point that this one is a copy of.
      type: str
    replication_percent:
      description: How far a copy has come, 100 when it is usable, none where Azure says nothing.
      type: float
restore_point_collection_id:
  description: Resource ID of the collection.
  returned: when O(state=present)
  type: str
verdict:
  description: As in M(appconsistent.azure.restore_points).
  returned: when O(state=present) and O(source_restore_point) is not given
  type: str
consistency_requested:
  description: What was asked for.
  returned: when O(state=present) and O(source_restore_point) is not given
  type: str
consistency_reached:
  description: What Azure says the point is.
  returned: when O(state=present) and O(source_restore_point) is not given
  type: str
disks_missing:
  description: The ids of the VM's disks that its point lacks, but for those left out with O(exclude_disks).
  returned: when O(state=present) and no copy is made
  type: list
  elements: str
degraded:
  description: Whether the point is weaker than O(minimum_consistency).
  returned: when O(state=present) and O(source_restore_point) is not given
  type: bool
cause:
  description: Why it fell short.
  returned: when O(state=present) and O(source_restore_point) is not given
  type: str
advice:
  description: What to do next.
  returned: when O(state=present) and O(source_restore_point) is not given
  type: str
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
