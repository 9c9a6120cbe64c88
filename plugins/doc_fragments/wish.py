# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """What is wanted of a restore point."""

    DOCUMENTATION = r"""
options:
  exclude_disks:
    description:
      - Disks that the restore point leaves out, each by its resource ID, its name, or its LUN as in V(lun:2). A machine
        leaves out those that are its own; a word that names no disk of any machine is told as a warning.
    type: list
    elements: str
    default: []
  collection_resource_group:
    description:
      - Resource group of the restore point collection. The default is that of the virtual machine.
      - Must not be under a delete lock, or old points can never be removed.
    type: str
  collection_name:
    description:
      - Name of the restore point collection, for a policy that demands one of a certain form. C({vm}), C({group}) and
        C({hash}) stand for the machine's name, its resource group, and eight digits that tell its resource ID from all
        others. Every machine needs a collection of its own.
      - The default is V({vm}-{hash}). Where the name is changed, the points under the old one are not looked at.
    type: str
  collection_tags:
    description:
      - Tags of the restore point collection, for a policy that demands them. They are given to a new collection, and to
        one that lacks them before the next point is made; other tags of the collection stay.
    type: dict
    default: {}
  min_interval:
    description:
      - Least time since the last point of the machine before another one is asked for, such as V(3h) or V(20m).
      - The default is V(3h) for application-consistent and V(1h) for crash-consistent points, as Azure's support
        matrix says. Azure's overview page allows three per hour, which is V(20m).
    type: str
  timeout:
    description:
      - How long to wait for one machine, such as V(30m) or V(1h). A point that is not finished by then goes on in
        Azure; the next run takes it up.
    type: str
    default: 1h
"""

    CONSISTENCY = r"""
options:
  consistency:
    description: The consistency to ask for.
    type: str
    choices: [ApplicationConsistent, CrashConsistent]
    default: ApplicationConsistent
  minimum_consistency:
    description:
      - The least that is good enough. Azure may succeed with less than it was asked for; a point below this is
        V(degraded) and counts as a failure.
      - The default is what O(consistency) asks for.
    type: str
    choices: [ApplicationConsistent, FileSystemConsistent, CrashConsistent]
"""

    SCHEDULE = r"""
options:
  schedule:
    description:
      - Name of the schedule that the points belong to. Only points of the same schedule count as fresh, and only they
        are deleted; which those are is told by their names alone.
      - A point is named C(SCHEDULE-WINDOW), where the window is the start of the span of O(max_age) that it was made
        in, counted from 1970 in UTC, not the time of day of the point; with O(schedule_key) it is C(SCHEDULE--KEY).
        Later attempts have a number at the end. A schedule and a key hold single hyphens only, and none at an end.
    type: str
    default: appconsistent
  schedule_key:
    description:
      - Names the one point that is wanted of the schedule, such as V(2026-11-23) or V(before-patch-4711). However
        often and wherever the task runs, a machine gets exactly one good point for it.
      - Without it, any good point of the schedule younger than O(max_age) is enough.
    type: str
  max_age:
    description:
      - A good point of the schedule younger than this, such as V(24h), is fresh. Not used with O(schedule_key).
    type: str
    default: 24h
"""

    RETENTION = r"""
options:
  keep:
    description:
      - How many points of the schedule to keep for each machine; older ones are deleted, after a good new one or when
        a fresh one is there, never before. A failed point of the schedule holds nothing and is deleted then in any
        case.
      - Points of other schedules, other tools and people are never touched.
      - Where all of the 500 points that Azure allows a machine are used, as many of the points that would go anyway are
        deleted before the new one as it needs.
    type: int
  keep_for:
    description: Points of the schedule older than this, such as V(30d), are deleted. Together with O(keep), either is
      reason enough.
    type: str
  keep_good:
    description: At least so many application-consistent points of the schedule stay, however old.
    type: int
    default: 1
"""
