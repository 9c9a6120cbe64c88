#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: vss_writers_info
short_description: The VSS writers of a Windows guest, and what is wrong with them
version_added: 0.1.0
description:
  - Lists the writers, providers, shadow storage and services of the Volume Shadow Copy Service (VSS), and gives a
    finding with a remedy for each thing that would keep a restore point from being application-consistent.
  - Does not depend on the language of Windows. Writers are known by their ids and states by their numbers; whether a
    text means "no error" is known for English, French and German, and in any other language worked out from what the
    writers have in common.
  - One round trip to the guest, and one more for each time that busy writers have to be looked at again.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
extends_documentation_fragment:
  - appconsistent.azure.windows
  - appconsistent.azure.windows.vss
  - appconsistent.azure.attributes.reads_only
seealso:
  - module: appconsistent.azure.vss_writers
  - module: appconsistent.azure.guest_snapshot_info
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Look at the writers
  appconsistent.azure.vss_writers_info:
  register: vss

- name: Stop here if an application-consistent restore point cannot be expected
  ansible.builtin.assert:
    that: vss.verdict != 'error'
    fail_msg: "{{ vss.findings | map(attribute='message') | join(' ') }}"

- name: Tell which service owns the writer of another product
  appconsistent.azure.vss_writers_info:
    writer_services:
      - writer: Oracle VSS Writer - ORCL
        service: OracleVssWriterORCL
"""

RETURN = r"""
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
