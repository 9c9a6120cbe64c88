# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """What every action on a Windows guest has in common."""

    DOCUMENTATION = r"""
attributes:
  action:
    description: Is implemented as an action plugin, which sends plain commands through the task's connection.
    support: full
  async:
    description: Supports the C(async) keyword.
    support: none
  platform:
    description: The operating system of the guest.
    platforms: windows
    support: full
notes:
  - Works over the connections C(winrm), C(psrp) and C(ssh), with Windows PowerShell 5.1 or newer in full language mode.
    The guest needs no Python, no module and no collection.
  - The account must be a member of the guest's Administrators group with an elevated token. C(become) is not used.
  - The commands that are sent are fixed texts and can be read, and tried without changing anything, with the playbook
    C(appconsistent.azure.windows_self_check).
"""

    VSS = r"""
options:
  busy_timeout:
    description:
      - For how many seconds to wait, with growing pauses, for writers that are in the middle of a snapshot.
      - A busy writer is never restarted. One that is still busy after this time is a finding.
    type: int
    default: 120
  list_timeout:
    description:
      - For how many seconds C(vssadmin list writers) may run on the guest, from 10 to 3600. It is ended there when it
        takes longer, which happens when a writer hangs.
    type: int
    default: 180
  writer_services:
    description:
      - Writers and the services that own them, which go before the built-in table. For writers of other products.
    type: list
    elements: dict
    default: []
    suboptions:
      writer:
        description: The writer's name or its id (a GUID), as C(vssadmin list writers) shows it.
        type: str
        required: true
      service:
        description: The short name of the service that owns it.
        type: str
        required: true
      impact:
        description:
          - What a restart of the service costs. With V(outage), M(appconsistent.azure.vss_writers) restarts it only
            when it is named in O(appconsistent.azure.vss_writers#module:allow_outage).
        type: str
        choices: [quiet, brief, outage]
        default: brief
"""
