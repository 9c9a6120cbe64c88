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
      - V(present) sees that the extension is there and healthy. It waits for one that Azure is working on, and fails
        with a sentence of its own for one that has failed.
      - V(repaired) does Azure's documented repair. It removes the extension and has Azure install it anew by a restore
        point. The guard that O(method) names is lifted before and always put back after, also when the repair fails.
        Nothing is removed when Azure could not install it again, because the machine is stopped, another extension has
        failed, or the last point is too young.
      - V(absent) removes it, as Azure's documented repair does. Until Azure has installed it again, restore points are
        not application-consistent.
    type: str
    choices: [present, repaired, absent]
    default: present
  install_by:
    description:
      - V(restore_point) has Azure install a missing extension, by an application-consistent restore point.
      - V(extension_resource) installs it like any other extension. This is not advised, because its settings (task id,
        signed blob addresses) come from the service only. Without them the handler ends as failed, and a failed
        extension blocks every restore point of the machine until O(state=repaired).
    type: str
    choices: [restore_point, extension_resource]
    default: restore_point
  handler_version:
    description: Version to ask for with O(install_by=extension_resource), as major and minor.
    type: str
    default: "1.0"
  min_interval:
    description:
      - Least time since the last point before the one that installs the extension. The default is that of Azure's
        overview page, three points per hour.
    type: str
    default: 20m
  reason:
    description: Why the extension is removed. Required with O(state=absent) and O(state=repaired).
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
  - appconsistent.azure.guard
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

- name: Repair a broken one, its guard is lifted meanwhile and put back
  appconsistent.azure.snapshot_extension:
    state: repaired
    reason: its provisioning failed twice
    min_interval: 0s
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
installed_by:
  description: V(restore point) or V(extension resource) when this task had it installed, else empty.
  returned: when O(state=present) or O(state=repaired)
  type: str
restore_point:
  description: The restore point that installed it, empty when none was made.
  returned: when O(state=present) or O(state=repaired)
  type: dict
reason:
  description: The stated reason.
  returned: when something was removed
  type: str
guard:
  description: Whether the extension was guarded (C(was_guarded)) and whether the guard is back (C(restored)).
  returned: when O(state=repaired)
  type: dict
steps:
  description: What the repair did, in order.
  returned: when O(state=repaired)
  type: list
  elements: str
failure:
  description: What went wrong, with C(kind), C(code), C(message), C(status) and C(advice).
  returned: on failure
  type: dict
"""
