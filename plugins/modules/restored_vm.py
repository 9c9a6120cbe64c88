#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: restored_vm
short_description: Brings an Azure virtual machine back to a restore point, in place, and undoes that
version_added: 0.1.0
description:
  - Makes a disk of each disk in the point, stops (deallocates) the machine, exchanges its disks in B(one) update,
    starts it and waits for its agent. The machine keeps its name, network, identity and extensions.
  - The old disks are kept, and O(state=undone) brings them back as long as they are there. Nothing is ever deleted.
  - A new disk is of the type, the zone, the encryption set and the tags of the one that it replaces, and closed to
    access over the network.
  - A run that is killed or fails half-way leaves the machine with its old disks or with all the new ones. Run it again
    to finish, or O(state=undone) to go back; a failure says which disks the machine has. What was made is used again,
    unless the machine has run on it since.
  - A machine is refused, before anything is made, when the point was taken of an earlier machine of its name, is
    weaker than O(minimum_consistency), lacks one of its disks or holds one that it does not have any more (unless
    O(disks) names what is wanted), when the machine is in a scale set, confidential, encrypted by Azure Disk
    Encryption, on an ephemeral or with a shared disk, under a read-only lock, or while a restore point of it is being
    made.
  - It has not run against the real Azure where it is developed. Whether Azure takes an OS disk and data disks in one
    update is documented nowhere; if it does not, it refuses the update and the machine keeps its disks.
options:
  state:
    description:
      - V(present) restores; a machine that has the disks of this point already stays as it is, with what was written to
        them since, and RV(msg) says so. To have them anew, undo the restore and restore again.
      - V(undone) gives it back the disks that the restore from this point replaced; the point itself may be gone.
    type: str
    choices: [present, undone]
    default: present
  start:
    description: Whether the machine runs afterwards. With V(false) it stays deallocated.
    type: bool
    default: true
  agent_timeout:
    description: How long to wait for the guest agent, as a sign that the machine has come up. RV(agent_ready) tells.
    type: str
    default: 10m
  timeout:
    description: How long all of it may take.
    type: str
    default: 1h
attributes:
  action_group:
    support: full
  async:
    support: none
  check_mode:
    support: full
    details: Returns the plan in RV(steps) and RV(disks).
  diff_mode:
    support: full
extends_documentation_fragment:
  - appconsistent.azure.azure
  - appconsistent.azure.azure.vm
  - appconsistent.azure.restore
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.restore_point_info
  - module: appconsistent.azure.restore_points
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Which points are there, and what do they hold?
  appconsistent.azure.restore_point_info:
  register: held

- name: What would a restore do? (ansible-playbook --check asks the same)
  appconsistent.azure.restored_vm:
    restore_point: nightly-20261127T220000Z
  check_mode: true
  register: plan

- name: Show the plan to a person
  ansible.builtin.debug:
    msg: "{{ plan.steps }}"

- name: Bring the machine back to that night
  appconsistent.azure.restored_vm:
    restore_point: nightly-20261127T220000Z

- name: It was not the damage that was thought, so back to the disks of today
  appconsistent.azure.restored_vm:
    restore_point: nightly-20261127T220000Z
    state: undone

- name: Only one data disk, and the machine is started by hand later
  appconsistent.azure.restored_vm:
    restore_point: nightly-20261127T220000Z
    disks: ["lun:2"]
    start: false
"""

RETURN = r"""
vm_id:
  description: Resource ID of the virtual machine.
  returned: success
  type: str
msg:
  description: What to know, in words.
  returned: when the machine has the disks of the point already, or on failure
  type: str
verdict:
  description:
    - V(restored), V(undone), or V(unchanged) where there was nothing to do; V(started) where only that was missing.
    - V(planned) in check mode, V(failed) where it broke off half-way.
  returned: when the machine was not refused
  type: str
steps:
  description: What would be done, one sentence each.
  returned: in check mode
  type: list
  elements: str
disks:
  description: The disks that were exchanged, or would be.
  returned: when the machine was not refused
  type: list
  elements: dict
  contains:
    role:
      description: V(os) or V(data).
      type: str
    lun:
      description: The number of a data disk, none for the OS disk.
      type: int
    disk:
      description: Resource ID of the disk that the machine gets.
      type: str
    replaces:
      description: Resource ID of the disk whose place it takes; empty where it is there already, or takes none.
      type: str
    size_gb:
      description: Size in GiB, which is what it costs by. Not with O(state=undone).
      type: int
    sku:
      description: Storage type. Not with O(state=undone).
      type: str
kept_disks:
  description: Resource IDs of the disks that the machine loses. They stay, and cost, until somebody deletes them.
  returned: when the machine was not refused
  type: list
  elements: str
restore_point:
  description: The restore point; empty with O(state=undone).
  returned: when the machine was not refused
  type: dict
not_read:
  description: What could not be looked at beforehand, such as locks, and why.
  returned: when the machine was not refused
  type: list
  elements: str
power:
  description: Whether the machine runs, in Azure's word.
  returned: success, not in check mode
  type: str
agent_ready:
  description: Whether the guest agent reported within O(agent_timeout).
  returned: success, not in check mode
  type: bool
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
