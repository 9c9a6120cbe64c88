#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_extension_info
short_description: The snapshot extension of an Azure virtual machine and what stands in its way
version_added: 0.1.0
description:
  - Reads the snapshot extension, the guest agent, the power state and all other extensions of a machine, and lists
    every finding that would keep Azure from making an application-consistent restore point.
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
  - module: appconsistent.azure.snapshot_extension
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Read it
  appconsistent.azure.snapshot_extension_info:
  register: extension

- name: Show what is in the way
  ansible.builtin.debug:
    msg: "{{ extension.snapshot_extension.findings | map(attribute='message') | list }}"
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
    state:
      description:
        - V(missing), V(updating), V(failed), V(disabled) (there for Azure, but not for the agent in the guest),
          V(healthy), or V(unknown) while the agent says nothing.
      type: str
    handler:
      description: The handler as the guest agent reports it, with C(version), C(ready) and C(message).
      type: dict
    vm:
      description: The machine, with power state, region, operating system and what its guest agent says.
      type: dict
    other_extensions:
      description: The other extensions of the machine, each with its provisioning state.
      type: list
      elements: dict
    findings:
      description:
        - What stands in the way of an application-consistent point, each with code, severity, message, remedy and docs.
      type: list
      elements: dict
"""
