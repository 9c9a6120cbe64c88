#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: restore_point_info
short_description: The restore points of an Azure virtual machine
version_added: 0.1.0
description:
  - Lists the restore points of a virtual machine with the consistency that was reached.
options:
  collection_name:
    description: Name of the restore point collection. The default is made of the machine's name and its ID.
    type: str
  collection_resource_group:
    description: Resource group of the restore point collection. The default is that of the virtual machine.
    type: str
  all_collections:
    description:
      - Whether to look through all collections of the subscription for points of this machine, those of Azure Backup
        and others included.
    type: bool
    default: false
  subscription_id:
    description:
      - A subscription, all of whose collections are listed instead of those of one machine, and which of them were made
        for a machine that is gone.
    type: str
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
  - appconsistent.azure.attributes.reads_only
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.restore_point
  - module: appconsistent.azure.restore_point_collection
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: What is there for this machine
  appconsistent.azure.restore_point_info:
  register: points

- name: When was the last application-consistent one
  ansible.builtin.debug:
    msg: "{{ points.latest_application_consistent.time_created | default('never') }}"

- name: What have machines left behind that are gone
  appconsistent.azure.restore_point_info:
    subscription_id: 5d1f0a52-0000-4000-a000-000000000001
  register: found
"""

RETURN = r"""
vm_id:
  description: Resource ID of the virtual machine.
  returned: success
  type: str
restore_points:
  description: The restore points, oldest first in each collection.
  returned: success
  type: list
  elements: dict
  contains:
    collection_id:
      description: Resource ID of the collection that the point lies in.
      type: str
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
    of_this_vm:
      description:
        - Whether Azure's C(vmId) says that the point was taken of the VM as it is now. A VM that was deleted and made
          anew keeps its resource ID, and the points of the one before it lie in the same collection.
        - V(false) where there is no such VM any more.
      type: bool
    disks_missing:
      description: Resource IDs of the disks that the VM has now and a finished point lacks, for whatever reason.
      type: list
      elements: str
    security_type:
      description: C(TrustedLaunch) or C(ConfidentialVM) where the VM was one, else empty.
      type: str
    disks:
      description: The disks that the point holds, the OS disk first; none while it is being made.
      type: list
      elements: dict
      contains:
        id:
          description: Resource ID of the disk restore point.
          type: str
        role:
          description: V(os) or V(data).
          type: str
        lun:
          description: The number of a data disk, none for the OS disk.
          type: int
        name:
          description: Name of the disk that it was taken of.
          type: str
        source_disk:
          description: Resource ID of the disk that it was taken of.
          type: str
        size_gb:
          description: Size in GiB.
          type: int
        sku:
          description: Storage type, such as C(Premium_LRS).
          type: str
        caching:
          description: Host caching, C(None), C(ReadOnly) or C(ReadWrite).
          type: str
        write_accelerator:
          description: Whether the disk had a write accelerator.
          type: bool
        encryption_type:
          description: How it is encrypted at rest, such as C(EncryptionAtRestWithPlatformKey).
          type: str
        disk_encryption_set:
          description: Resource ID of the disk encryption set, empty without one.
          type: str
        replication_percent:
          description: How far this disk of a copy has come, none where Azure says nothing.
          type: float
        access_state:
          description: Whether a disk can be made of it, in Azure's words; empty where Azure says nothing.
          type: str
latest_application_consistent:
  description:
    - The newest finished application-consistent point that was taken of this VM and holds all its disks but those that
      it was told to leave out; empty when there is none.
  returned: success
  type: dict
restore_point_collections:
  description: The collections that were looked at.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Resource ID.
      type: str
    name:
      description: Name.
      type: str
    location:
      description: Region.
      type: str
    points:
      description: How many restore points it holds.
      type: int
    source:
      description:
        - With O(subscription_id), what became of the machine. V(gone) is deleted or moved, V(there) is there, and
          V(unknown) cannot be read, so that it may be there.
      type: str
    source_id:
      description: Resource ID of the machine that it was made for or, for copies, of the collection.
      type: str
"""
