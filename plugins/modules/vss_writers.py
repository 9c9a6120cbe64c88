#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: vss_writers
short_description: Bring the VSS writers of a Windows guest back to health
version_added: 0.1.0
description:
  - Restarts the services that own the writers that failed, or that are not listed although their service runs, and
    looks again until they are back. Each service is restarted once, however many of its writers are bad, and the
    services that depend on it and ran are started again.
  - Nothing is restarted while a snapshot is under way, and nothing on the word of a list of writers that could not be
    read whole.
  - When more than half of the writers failed at once, only the service C(VSS) is restarted at first, since then their
    own services are not the cause.
  - Services that a tool must not restart (such as C(NTDS), C(ClusSvc), C(EventSystem) and C(MSExchangeIS)) are left
    alone, and RV(left) says what a person should do.
  - After a writer failed, Azure's next three attempts may still be file-system consistent. From the fourth on it asks
    the writers again. RV(application_consistent_from_attempt) says which it is.
attributes:
  check_mode:
    support: full
    details: Lists the writers, which starts the service C(VSS) on demand, and restarts nothing.
  diff_mode:
    support: full
extends_documentation_fragment:
  - appconsistent.azure.windows
  - appconsistent.azure.windows.vss
  - appconsistent.azure.attributes
options:
  state:
    description: The only state there is.
    type: str
    choices: [healthy]
    default: healthy
  max_impact:
    description:
      - The most that a restart may cost without the service being named in O(allow_outage).
      - With V(quiet) nobody notices it. With V(brief) a management function, or services that depend on it, are away
        for some seconds, as with C(Winmgmt), C(DFSR) or C(MSExchangeRepl).
    type: str
    choices: [quiet, brief]
    default: brief
  allow_outage:
    description:
      - Services that may be restarted although their workload is away in the meantime, such as C(DHCPServer),
        C(CertSvc), C(TSGateway) or C(IISADMIN). They are restarted only when one of their writers is bad.
    type: list
    elements: str
    default: []
  restart_on_last_error:
    description:
      - Whether to restart the service of a writer that is stable, but was left with an error by the last snapshot.
      - Azure asks only for a stable state, so this is not needed for a restore point.
    type: bool
    default: false
  restart_stuck:
    description:
      - Whether to restart the services of writers that wait for a backup which is over.
      - A writer counts as such only if the service VSS did not run when it was first looked at, or if it has been
        frozen for longer than VSS allows. Where neither can be told it counts as busy, and nothing is restarted.
    type: bool
    default: false
  settle_timeout:
    description:
      - For how many seconds to look again, with growing pauses, until the writers are back. A writer can be away for
        some seconds after its service starts.
    type: int
    default: 120
seealso:
  - module: appconsistent.azure.vss_writers_info
  - name: Troubleshoot restore point failures
    description: Microsoft's steps for the failures that this module repairs.
    link: https://learn.microsoft.com/azure/virtual-machines/restore-point-troubleshooting
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: See what would be restarted
  appconsistent.azure.vss_writers:
  check_mode: true
  register: plan

- name: Bring the writers back, quiet services only
  appconsistent.azure.vss_writers:
    max_impact: quiet

- name: Bring them back in the maintenance window, the DHCP server's too, and restart the VM where only that helps
  block:
    - name: Repair
      appconsistent.azure.vss_writers:
        allow_outage: [DHCPServer]
      register: vss
      failed_when: vss is failed and not (vss.reboot_required | default(false))

    - name: Restart the VM
      ansible.windows.win_reboot:
      when: vss.reboot_required
"""

RETURN = r"""
restarts:
  description: The services that were restarted, or in check mode would be, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: str
      sample: CryptSvc
    impact:
      description: What the restart costs.
      type: str
      sample: quiet
    writers:
      description: The writers for which it is done.
      type: list
      elements: str
      sample: [System Writer]
    dependents:
      description: The services that run, depend on it, and are restarted with it.
      type: list
      elements: str
    outcome:
      description:
        - V(restarted), V(started) where it did not run, V(failed), V(planned) in check mode, or V(unknown) when the
          connection broke in between. Then the service and its dependents were started where they did not run.
      type: str
      sample: restarted
    problems:
      description: What went wrong.
      type: list
      elements: str
left:
  description: The writers that were not repaired, each with C(service), C(writers), C(reason) and C(remedy).
  returned: success
  type: list
  elements: dict
reboot_required:
  description: Whether nothing less than a restart of the VM helps. This module does not do it.
  returned: success
  type: bool
expected_verdict:
  description:
    - In check mode the verdict that is to be expected of the real run, where each restart goes well. Otherwise the same
      as RV(verdict).
  returned: success
  type: str
  sample: ok
application_consistent_from_attempt:
  description:
    - From which attempt of Azure on a restore point can be application-consistent, V(1) when nothing was wrong and V(4)
      after a repair. Null while a writer is still bad.
  returned: success
  type: int
  sample: 4
failure:
  description: Where the guest could not be asked, the same as the message in parts.
  returned: failure
  type: dict
vss_writers:
  description: The writers as listed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The writer's name.
      type: str
      sample: System Writer
    id:
      description: The id of the kind of writer, in lower case.
      type: str
      sample: e8132975-6f93-4464-a53e-1050253ae220
    instance_id:
      description: The id of this instance, in lower case.
      type: str
    state:
      description: The number of the state, which is what VSS calls C(VSS_WRITER_STATE).
      type: int
      sample: 9
    state_name:
      description: The name of that number, V(none) for one that is not known.
      type: str
      sample: VSS_WS_FAILED_AT_FREEZE
    last_error:
      description: The text of the last error, in the language of the guest.
      type: str
      sample: Timed out
    last_error_code:
      description: The name of that error, V(none) where the text is not known.
      type: str
      sample: VSS_E_WRITERERROR_TIMEOUT
    last_error_hresult:
      description: The number of that error.
      type: str
      sample: "0x800423F2"
    health:
      description:
        - V(healthy) is stable without an error. V(last_error) is stable, but the last snapshot left an error.
          V(unclear) is stable, and whether there was an error cannot be told. V(busy) is in the middle of a snapshot.
          V(failed) is anything else.
      type: str
      sample: failed
    service:
      description: The service that owns the writer, V(none) where there is none or none is known.
      type: str
      sample: CryptSvc
    restart_impact:
      description:
        - What a restart of that service costs, V(quiet), V(brief), V(outage), V(forbidden) or V(none), where there is
          nothing to restart. Null for a writer that is not known.
      type: str
      sample: quiet
vss_providers:
  description: The providers, each with C(id), C(name), C(type) and C(version). Null where they could not be listed.
  returned: success
  type: list
  elements: dict
vss_shadow_storage:
  description:
    - Where the shadow copies of each volume are kept, with C(volume), C(on), C(used_bytes), C(allocated_bytes) and
      C(maximum_bytes), which is null for unbounded. Null where it could not be listed.
  returned: success
  type: list
  elements: dict
vss_volumes:
  description: The fixed volumes, with C(id), C(drive), C(capacity_bytes) and C(free_bytes).
  returned: success
  type: list
  elements: dict
vss_services:
  description: The services of VSS itself, with C(name), C(status), C(start) and C(account). They stop when idle.
  returned: success
  type: list
  elements: dict
findings:
  description: What is wrong, errors first.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: A stable name that a playbook may branch on.
      type: str
      sample: vss.writer_failed
    severity:
      description: V(error), V(warning) or V(info).
      type: str
    message:
      description: What is wrong, in one sentence.
      type: str
    remedy:
      description: What to do about it.
      type: str
    evidence:
      description: What was seen, in one line.
      type: str
verdict:
  description: The worst severity found, V(ok), V(warning) or V(error).
  returned: success
  type: str
  sample: ok
"""
