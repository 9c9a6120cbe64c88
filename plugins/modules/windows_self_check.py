#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: windows_self_check
short_description: Confirm on a Windows guest that every command of this collection works there
version_added: 0.1.0
description:
  - Has the guest's PowerShell parse every text that this collection can send, without running it, and look up the
    commands in it. Then runs those that only read, and holds what they answer against what every Windows has.
  - The collection is developed without a Windows at hand. Run this once on each kind of Windows that you have before
    you rely on it, and report what it says if it fails.
  - Changes nothing.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
extends_documentation_fragment:
  - appconsistent.azure.windows
  - appconsistent.azure.attributes.reads_only
seealso:
  - module: appconsistent.azure.vss_writers_info
  - module: appconsistent.azure.guest_snapshot_info
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: Try every command
  appconsistent.azure.windows_self_check:
  register: check

- name: Show how each one fared
  ansible.builtin.debug:
    var: check.windows_self_check.commands
"""

RETURN = r"""
windows_self_check:
  description: How each command fared.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether every command is as it should be. The task fails when it is not.
      type: bool
    powershell:
      description: The version of PowerShell.
      type: str
      sample: 5.1.20348.2849
    os:
      description: The version of Windows.
      type: str
      sample: 10.0.20348.0
    culture:
      description: The language of Windows.
      type: str
      sample: de-DE
    product:
      description: V(ServerNT), V(LanmanNT) on a domain controller, or V(WinNT) on a client.
      type: str
    elevated:
      description: Whether the account has administrator rights.
      type: bool
    writers:
      description: How many VSS writers were listed.
      type: int
    commands:
      description: One entry a command.
      type: list
      elements: dict
      contains:
        command:
          description: Its name.
          type: str
          sample: survey
        purpose:
          description: What it is for.
          type: str
        changes:
          description: Whether it changes something. Such a command is parsed and not run.
          type: bool
        how:
          description: V(ran), V(parsed) or V(neither).
          type: str
        seconds:
          description: How long it took, with the way there and back. Null where it was not run.
          type: float
        ok:
          description: Whether nothing was wrong with it.
          type: bool
        problems:
          description: What was wrong.
          type: list
          elements: str
"""
