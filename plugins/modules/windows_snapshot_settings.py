#!/usr/bin/python
# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# Documentation only: the action plugin of the same name does the work.

DOCUMENTATION = r"""
module: windows_snapshot_settings
short_description: The registry values of a Windows guest that govern its snapshots
version_added: 0.1.0
description:
  - Sets or removes the registry values that Microsoft documents for the snapshot extension on Windows. An option that
    is not given leaves its value alone, so that without any option the module only reads.
  - The values are documented for Azure Backup. Its extension is the one that takes restore points, too, and the restore
    point page refers to the same steps, but nothing says literally that restore points honour each value.
  - None of them is needed on a healthy guest.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment:
  - appconsistent.azure.windows
  - appconsistent.azure.attributes
options:
  snapshot_without_threads:
    description:
      - Take the snapshot without threads of its own. Documented as the step after restarting the services of writers
        in a bad state, when that did not help.
      - C(SnapshotWithoutThreads) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgentPersistentKeys).
    type: bool
  snapshot_method:
    description:
      - With V(firstHostThenGuest) the snapshot is taken through the host first. Documented for guests whose network
        does not respond in time (C(ExtensionFailedTimeoutVMNetworkUnresponsive)). V(default) removes the value.
      - C(SnapshotMethod) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgentPersistentKeys).
    type: str
    choices: [default, firstHostThenGuest]
  calculate_snapshot_time_from_host:
    description:
      - Documented together with O(snapshot_method=firstHostThenGuest), and refused without it.
      - C(CalculateSnapshotTimeFromHost) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgentPersistentKeys).
    type: bool
  use_vss_copy_backup:
    description:
      - Take a copy-only backup, so that the log chain of SQL Server stays whole for another backup product.
      - Refused together with O(use_vss_full_backup). Microsoft's page has named either one in the same sentence at
        different times. Set it only after a look at whether C(is_copy_only) in C(msdb.dbo.backupset) becomes what you
        want. On VMs that are registered with the SQL IaaS extension Azure sets it by itself.
      - C(USEVSSCOPYBACKUP) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgent).
    type: bool
  use_vss_full_backup:
    description:
      - Take a full backup. Refused together with O(use_vss_copy_backup).
      - C(UseVssFullBackup) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgent).
    type: bool
  reinstall_provider:
    description:
      - With V(true), has the extension install its VSS provider anew at its next run, and V(false) is as if it was not
        given. The extension sets the values back, so this is for a repair and not for every run.
      - C(IsCommonProviderInstalled) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgentPersistentKeys) and
        C(IsProviderInstalled) in C(HKLM\\SOFTWARE\\Microsoft\\BcdrAgent).
    type: bool
  strong_crypto:
    description:
      - Let .NET programs negotiate current TLS versions. Documented for C(ExtensionSnapshotFailedNoSecureNetwork). It
        is for all .NET programs of the guest.
      - C(SchUseStrongCrypto) in the keys of .NET 2.0 and 4, 64 and 32 bit.
    type: bool
  windows_installer_start:
    description:
      - The start type of the service C(msiserver), which the extension needs in order to install the Visual C++
        runtime. V(manual) is the default of Windows. Takes effect after a restart of the VM.
      - C(Start) in C(HKLM\\SYSTEM\\CurrentControlSet\\Services\\msiserver).
    type: str
    choices: [manual]
seealso:
  - module: appconsistent.azure.guest_snapshot_info
  - name: Troubleshoot backup failures on Azure virtual machines
    description: Where Microsoft documents the values.
    link: https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
- name: See what is set
  appconsistent.azure.windows_snapshot_settings:
  register: settings

- name: Leave the log chain of SQL Server alone
  appconsistent.azure.windows_snapshot_settings:
    use_vss_copy_backup: true
    use_vss_full_backup: false

- name: Take the snapshot through the host on a guest whose network is slow to respond
  appconsistent.azure.windows_snapshot_settings:
    snapshot_method: firstHostThenGuest
    calculate_snapshot_time_from_host: true

- name: Back to what Azure does by itself
  appconsistent.azure.windows_snapshot_settings:
    snapshot_without_threads: false
    snapshot_method: default
    calculate_snapshot_time_from_host: false
"""

RETURN = r"""
windows_snapshot_settings:
  description:
    - Each option as it is on the guest after the run, in check mode as it would be. Null where what is there fits none
      of the option's values.
  returned: success
  type: dict
  sample:
    snapshot_without_threads: false
    snapshot_method: default
    calculate_snapshot_time_from_host: false
    use_vss_copy_backup: true
    use_vss_full_backup: false
    reinstall_provider: null
    strong_crypto: true
    windows_installer_start: manual
registry:
  description: Each value as it stands in the registry, kind and data. Null where it is not there.
  returned: success
  type: dict
  sample:
    'HKLM\SOFTWARE\Microsoft\BcdrAgent\USEVSSCOPYBACKUP': 'String: TRUE'
"""
