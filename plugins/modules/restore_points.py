#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: restore_points
short_description: Application-consistent restore points for a whole fleet of Azure virtual machines
version_added: 0.1.0
description:
  - Sees that every virtual machine of the play's current batch has a good restore point, and makes the missing ones,
    all at once and in one task.
  - Asks, waits, and reads back what was really reached. Azure can succeed with a weaker point than it was asked for;
    that is reported as V(degraded), never as reached.
  - Names are derived from O(schedule) and time or O(schedule_key), so a run that is killed, repeated or run twice at
    once adopts what is there and never makes a point twice.
  - The age of a point is reckoned by Azure's clock, not by the controller's. Where the two are more than five minutes
    apart the task warns, and from an hour on it deletes no old point.
  - Machines with the same variable C(azure_application) are taken in the order of their variable C(azure_wave), the
    machines of one wave at once. After a wave in which one fell short the later waves of that application are not
    begun. Azure has no restore point of several machines at one instant.
  - Before a point is asked for, everything that M(appconsistent.azure.snapshot_readiness_info) knows is checked. What
    blocks is V(refused), the rest is in RV(hosts). A point that somebody else is making of a machine is waited for.
  - Told to end by SIGTERM or SIGINT, it stops waiting, prints where each machine stands, and writes O(results_file).
    What was asked for goes on in Azure, and the next run takes it up.
  - One machine's failure does not stop the others and does not fail the task; look at RV(hosts). The role
    P(appconsistent.azure.restore_points#role) asserts the verdict on each host.
options:
  wait:
    description: Whether to wait until the points are finished. Without waiting the verdict is V(running).
    type: bool
    default: true
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
    support: full
extends_documentation_fragment:
  - appconsistent.azure.azure
  - appconsistent.azure.azure.fleet
  - appconsistent.azure.wish
  - appconsistent.azure.wish.consistency
  - appconsistent.azure.wish.schedule
  - appconsistent.azure.wish.retention
  - appconsistent.azure.attributes
  - appconsistent.azure.attributes.controller
  - appconsistent.azure.attributes.azure_group
seealso:
  - module: appconsistent.azure.restore_point
  - module: appconsistent.azure.snapshot_extension
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Every VM has an application-consistent restore point younger than a day
  hosts: azure_vms
  gather_facts: false
  tasks:
    - name: Take the missing ones
      appconsistent.azure.restore_points:
        schedule: nightly
        max_age: 20h
      run_once: true
      register: points

    - name: This VM has what was asked for
      ansible.builtin.assert:
        that: points.hosts[inventory_hostname].ok
        fail_msg: "{{ points.hosts[inventory_hostname].cause }} {{ points.hosts[inventory_hostname].advice }}"

- name: Keep thirty of them, and in any case the last three good ones
  hosts: azure_vms
  gather_facts: false
  tasks:
    - name: Take the missing ones and delete what is too many
      appconsistent.azure.restore_points:
        schedule: nightly
        keep: 30
        keep_good: 3
      run_once: true

- name: Machines of two tenants in one task, within two hours
  hosts: azure_vms
  gather_facts: false
  tasks:
    - name: Take the missing ones
      appconsistent.azure.restore_points:
        schedule: nightly
        run_timeout: 2h
        credentials:
          - subscriptions: ["{{ partner_subscription_id }}"]
            tenant: "{{ partner_tenant_id }}"
            client_id: "{{ partner_client_id }}"
            secret: "{{ partner_secret }}"
      run_once: true

- name: Exactly one restore point per VM before a change, file-system-consistent is good enough
  hosts: azure_vms
  gather_facts: false
  tasks:
    - name: Take it
      appconsistent.azure.restore_points:
        schedule: change
        schedule_key: "{{ change_number }}"
        minimum_consistency: FileSystemConsistent
        min_interval: 20m
      run_once: true
"""

RETURN = r"""
hosts:
  description: What came out for each host, by its inventory name.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether the machine has what was asked for (or would have, in check mode).
      type: bool
    verdict:
      description:
        - V(reached) (a new point, good), V(fresh) (a good one was there), V(planned) (check mode would make one),
          V(degraded) (less than O(minimum_consistency)), V(incomplete) (the point is finished, but lacks a disk of the
          VM or holds an earlier VM of its name), V(refused) (nothing was asked of Azure, something is in the
          way), V(failed), V(running) (not finished in time, it goes on in Azure), or V(not_begun) (there was no time,
          the run was told to end, or an earlier wave fell short).
      type: str
    changed:
      description: Whether something was made in Azure.
      type: bool
    consistency_requested:
      description: What was asked for.
      type: str
    consistency_reached:
      description: What Azure says the point is, empty when there is no finished point.
      type: str
    minimum_consistency:
      description: What would have been good enough.
      type: str
    disks_missing:
      description: The ids of the VM's disks that its point lacks, but for those left out with O(exclude_disks).
      type: list
      elements: str
    degraded:
      description: Whether there is a point, but a weaker one than O(minimum_consistency).
      type: bool
    restore_point:
      description: The restore point as in M(appconsistent.azure.restore_point), empty when there is none.
      type: dict
    restore_point_collection_id:
      description: Resource ID of the collection, which may not exist yet.
      type: str
    operation:
      description: ID of Azure's operation that makes the point, for Azure's support; empty where this run began none.
      type: str
    seconds:
      description: How long the run was busy with this machine.
      type: float
    cause:
      description: Why it fell short.
      type: str
    advice:
      description: What to do next.
      type: str
    failure:
      description: What Azure said, with C(code), C(message), C(status), the catalogue's C(key) and its C(retry) class.
      type: dict
    findings:
      description:
        - What was found wrong with the machine before anything was asked, each with C(code), C(blocks), C(severity)
          (V(blocks) or V(warns)), C(message), C(remedy) and C(docs), the title of Microsoft's page.
      type: list
      elements: dict
    next_attempt:
      description: When the next attempt makes sense, if that is known.
      type: str
    retention:
      description:
        - What became of old points, with C(removed) and C(failed) by name and reason, how many are C(kept) of the
          schedule, how many C(others) there are, and a C(warning). Empty without O(keep) and O(keep_for).
      type: dict
    vm_id:
      description: Resource ID of the virtual machine.
      type: str
  sample:
    db1:
      ok: true
      verdict: reached
      changed: true
      consistency_requested: ApplicationConsistent
      consistency_reached: ApplicationConsistent
summary:
  description: How many machines there were, how many are well, and how many of each verdict.
  returned: success
  type: dict
  sample: {total: 12, ok: 9, changed: 7, reached: 7, fresh: 2, degraded: 1, refused: 2, failed: 0, running: 0}
table:
  description: The table that is printed at the end, a list of lines.
  returned: success
  type: list
  elements: str
"""
