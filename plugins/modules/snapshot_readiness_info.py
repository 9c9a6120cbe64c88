#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: snapshot_readiness_info
short_description: Whether the machines of a fleet can get restore points, and what speaks against it
version_added: 0.1.0
description:
  - Looks at every virtual machine of the play's current batch, all at once and in one task, and lists whatever would
    keep Azure from making the restore point that is asked for, or make it worth less.
  - The machine itself counts (power, agent, every extension, disks, operating system, kind of VM, changes that are
    going on), and so does what lies around it (locks, policies that keep the extension out, points that are being
    made, the last points and the limits of three per hour and 500, other owners of points, shared disks).
  - What lies around is read once per subscription or resource group, so a machine costs one or two requests.
  - What the identity may not read becomes the finding C(not_checked).
  - Policies count alone and as members of initiatives, with the parameters, excluded scopes and exemptions of their
    assignment.
options:
  consistency:
    description: The consistency that points are to be asked for.
    type: str
    choices: [ApplicationConsistent, CrashConsistent]
    default: ApplicationConsistent
  exclude_disks:
    description: Disks that the points leave out, each by resource ID, name or LUN (V(lun:2)).
    type: list
    elements: str
    default: []
  collection_resource_group:
    description: Resource group of the restore point collections. The default is that of each virtual machine.
    type: str
  collection_name:
    description: Name of the restore point collections, as for M(appconsistent.azure.restore_points).
    type: str
  collection_tags:
    description: Tags of the restore point collections, as for M(appconsistent.azure.restore_points).
    type: dict
    default: {}
  min_interval:
    description: Least time between two points of a machine. The default is V(3h), for crash-consistent ones V(1h).
    type: str
  timeout:
    description: How long to wait for Azure's answers.
    type: str
    default: 15m
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
    support: N/A
extends_documentation_fragment:
  - appconsistent.azure.azure
  - appconsistent.azure.azure.fleet
  - appconsistent.azure.attributes.reads_only
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.restore_points
  - module: appconsistent.azure.snapshot_extension_info
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: What keeps these machines from their restore points
  hosts: azure_vms
  gather_facts: false
  tasks:
    - name: Look at all of them
      appconsistent.azure.snapshot_readiness_info:
      run_once: true
      register: readiness

    - name: This VM is ready
      ansible.builtin.assert:
        that: readiness.hosts[inventory_hostname].ready
        fail_msg: "{{ readiness.hosts[inventory_hostname].cause }} {{ readiness.hosts[inventory_hostname].advice }}"
"""

RETURN = r"""
hosts:
  description: What was found for each host, by its inventory name.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether nothing blocks a point. RV(hosts.ok) is the same.
      type: bool
    ok:
      description: Whether nothing blocks a point.
      type: bool
    verdict:
      description: V(ready), V(warned), V(blocked), or V(failed) when the machine could not be read.
      type: str
    findings:
      description:
        - Everything that was found, what blocks first, each with C(code), C(blocks), C(severity) (V(blocks)
          or V(warns)), C(message), C(remedy) and C(docs), the title of Microsoft's page.
      type: list
      elements: dict
    facts:
      description:
        - What was read, with power state, agent, size, operating system, C(snapshot_extension), C(other_extensions),
          C(points), C(points_limit) and C(collections) with their owners.
      type: dict
    cause:
      description: What blocks, or else what is worth a warning.
      type: str
    advice:
      description: What to do next.
      type: str
    changed:
      description: Always V(false).
      type: bool
    vm_id:
      description: Resource ID of the virtual machine.
      type: str
summary:
  description: How many machines there were, how many are ready, and how many of each verdict.
  returned: success
  type: dict
table:
  description: The table that is printed at the end, a list of lines.
  returned: success
  type: list
  elements: str
"""
