#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: restore_point_collection
short_description: Deletes a restore point collection whose virtual machine is gone
version_added: 0.1.0
description:
  - A virtual machine that is deleted or moved leaves its restore points behind, which Azure keeps and bills.
    M(appconsistent.azure.restore_point_info) with O(appconsistent.azure.restore_point_info#module:subscription_id)
    finds them, and this module deletes such a collection with all the points in it.
  - A collection whose machine is there, or cannot be read, is never deleted, and neither is one that holds another
    number of points than O(points) says.
options:
  id:
    description: Resource ID of the collection.
    type: str
    required: true
  state:
    description: V(absent) deletes the collection and its points.
    type: str
    choices: [absent]
    required: true
  points:
    description:
      - How many restore points the collection holds, as a confirmation that somebody has looked at what is lost.
      - The default only takes an empty collection.
    type: int
    default: 0
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
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.restore_point_info
  - module: appconsistent.azure.restore_point
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Look for what machines have left behind
  appconsistent.azure.restore_point_info:
    subscription_id: 5d1f0a52-0000-4000-a000-000000000001
  register: found

- name: Show it, to be looked at by a person
  ansible.builtin.debug:
    msg: "{{ found.restore_point_collections | selectattr('source', 'eq', 'gone') }}"

- name: Delete one of them, with the two points that nobody needs any more
  appconsistent.azure.restore_point_collection:
    id: "{{ collection_id }}"
    points: 2
    state: absent

- name: Delete the empty ones
  appconsistent.azure.restore_point_collection:
    id: "{{ item.id }}"
    state: absent
  loop: >-
    {{ found.restore_point_collections | selectattr('source', 'eq', 'gone') | selectattr('points', 'eq', 0) }}
"""

RETURN = r"""
restore_points:
  description: Names of the points that went with the collection, or would in check mode.
  returned: success
  type: list
  elements: str
"""
