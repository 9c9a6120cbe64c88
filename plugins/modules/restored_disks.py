#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: restored_disks
short_description: Makes managed disks of the disks in a restore point of an Azure virtual machine
version_added: 0.1.0
description:
  - Makes a disk of each disk in the point, or of those that O(disks) names, and attaches them to nothing. For single
    files, attach one to a machine that can read it; for a new machine, make it with the restored OS disk.
  - The machine itself is not touched, and may be gone, so long as its points are there.
  - Names are derived from the disk and the point, so that a second run, or one after a killed run, finds its disks. A
    disk that was attached by M(appconsistent.azure.restored_vm) is not fresh any more, and another one is made.
  - The disks are closed to access over the network.
  - It has not run against the real Azure where it is developed.
options:
  resource_group:
    description: Resource group of the disks. The default is that of the virtual machine.
    type: str
  zone:
    description:
      - Availability zone of the disks, such as V(2). A disk that a machine in a zone is to get has to be in that zone.
      - The default is none.
    type: str
  sku:
    description: Storage type, such as V(StandardSSD_LRS). The default is that of the disk that the point was taken of.
    type: str
  disk_encryption_set:
    description:
      - Resource ID of a disk encryption set with a key of your own.
      - The default is that of the point's disk, where Azure tells one, else a key of the platform.
    type: str
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
  - module: appconsistent.azure.restored_vm
  - module: appconsistent.azure.restore_point_info
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: A disk of the data disk as it was that night, to look for a file
  appconsistent.azure.restored_disks:
    restore_point: nightly-20261127T220000Z
    disks: ["lun:0"]
    resource_group: rg-look
    sku: StandardSSD_LRS
  register: restored

- name: Say what to attach
  ansible.builtin.debug:
    msg: "{{ restored.disks[0].id }}"
"""

RETURN = r"""
vm_id:
  description: Resource ID of the virtual machine that the point was taken of.
  returned: success
  type: str
restore_point:
  description: The restore point.
  returned: success
  type: dict
disks:
  description: The disks, also those that were there already; in check mode as they would be.
  returned: success
  type: list
  elements: dict
  contains:
    role:
      description: V(os) or V(data).
      type: str
    lun:
      description: The number that a data disk had, none for the OS disk.
      type: int
    id:
      description: Resource ID.
      type: str
    name:
      description: Name.
      type: str
    source_disk:
      description: Resource ID of the disk that the point was taken of.
      type: str
    size_gb:
      description: Size in GiB.
      type: int
    sku:
      description: Storage type.
      type: str
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
