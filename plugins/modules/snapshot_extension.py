#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_extension
short_description: The snapshot extension of an Azure virtual machine, present and healthy
version_added: 0.1.0
description:
  - Sees that the extension that takes application-consistent snapshots (VMSnapshot, VMSnapshotLinux) is installed and
    healthy.
  - Where it is missing, Azure is made to install it, by one application-consistent restore point. Azure installs it so
    by itself; an installation by hand lacks the settings that only the service can give and ends as failed.
  - That point follows O(schedule) and O(max_age), so M(appconsistent.azure.restore_points) finds it fresh afterwards
    and makes no second one.
options:
  state:
    description:
      - V(present) sees that the extension is there and healthy.
      - V(absent) removes it, as Azure's documented repair does. Until Azure has installed it again, restore points are
        not application-consistent.
    type: str
    choices: [present, absent]
    default: present
  reason:
    description: Why the extension is removed. Required with O(state=absent).
    type: str
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
  - appconsistent.azure.wish.schedule
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.snapshot_extension_info
  - module: appconsistent.azure.snapshot_extension_guard
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: The snapshot extension is there and healthy
  appconsistent.azure.snapshot_extension:

- name: Remove a broken one, so that Azure installs it anew
  appconsistent.azure.snapshot_extension:
    state: absent
    reason: its provisioning failed twice
"""

RETURN = r"""
snapshot_extension:
  description: The extension and the machine around it.
  returned: success
  type: dict
  contains:
    installed:
      description: Whether the machine has the snapshot extension.
      type: bool
    healthy:
      description: Whether it is provisioned and the guest agent is ready.
      type: bool
    id:
      description: Resource ID of the extension.
      type: str
    name:
      description: Name of the extension resource.
      type: str
    publisher:
      description: Publisher.
      type: str
    type:
      description: V(VMSnapshot) on Windows, V(VMSnapshotLinux) on Linux.
      type: str
    version:
      description: Version of its handler.
      type: str
    provisioning_state:
      description: Provisioning state of the extension.
      type: str
    message:
      description: What its handler last said.
      type: str
    vm:
      description: The machine, with power state, region, operating system and what its guest agent says.
      type: dict
    other_extensions:
      description: The other extensions of the machine, each with its provisioning state.
      type: list
      elements: dict
    findings:
      description: What stands in the way of an application-consistent point, each with code, message and remedy.
      type: list
      elements: dict
installed_by:
  description: V(restore point) when this task had Azure install it, else empty.
  returned: when O(state=present)
  type: str
restore_point:
  description: The restore point that installed it, empty when none was made.
  returned: when O(state=present)
  type: dict
reason:
  description: The stated reason.
  returned: when O(state=absent) and something was removed
  type: str
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
