# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Azure Backup's codes for the same snapshot extension, after its two troubleshooting pages.

Nothing in Microsoft's pages says literally that each remedy holds for restore points too. The restore point page sends
its readers to them for VSS and COM+, and the extension is the same.
"""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

# Each of its codes stands for one cause.
_backup = partial(Entry, code_tells=True)
_vms = partial(_backup, docs="Troubleshoot backup errors with Azure VMs", seen=(Seen.BACKUP, Seen.EXTENSION))
_agent = partial(
    _backup, docs="Troubleshoot Azure Backup failure: Issues with the agent or extension", seen=(Seen.BACKUP,)
)

BACKUP: tuple[Entry, ...] = (
    _vms(
        key="backup_vss_writers_bad",
        codes=("ExtensionFailedVssWriterInBadState",),
        cause="One or more VSS writers in the guest were not stable when the backup asked for a snapshot.",
        remedy="Restart the services that own the failed writers (vss_writers does it). If they fail again, set "
        "SnapshotWithoutThreads as the page says and take load off the disks.",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example(
            "ExtensionFailedVssWriterInBadState",
            "Snapshot operation failed because VSS writers were in a bad state.",
            os="windows",
        ),
    ),
    _vms(
        key="backup_vss_service_bad",
        codes=("ExtensionFailedVssServiceInBadState",),
        cause="The Volume Shadow Copy service in the guest does not work.",
        remedy="Restart the service VSS, then the VM if it persists. (Stopped is normal when it is idle, Disabled is "
        "not.)",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionFailedVssServiceInBadState",
            "Snapshot operation failed due to VSS (Volume Shadow Copy) service in bad state.",
            os="windows",
        ),
    ),
    _vms(
        key="backup_com_plus",
        codes=("ExtensionSnapshotFailedCOM", "ExtensionInstallationFailedCOM"),
        cause="The Windows service COM+ System Application does not run or does not work.",
        remedy="Start the service COMSysApp, and set MSDTC to log on as Network Service. If neither starts, install "
        "MSDTC anew with msdtc -uninstall and msdtc -install.",
        retry=Retry.FIX_FIRST,
        example=Example("ExtensionSnapshotFailedCOM", "Snapshot operation failed due to COM+ error", os="windows"),
    ),
    _vms(
        key="backup_msdtc",
        codes=("ExtensionInstallationFailedMDTC",),
        cause="COM+ in the guest cannot talk to the Distributed Transaction Coordinator.",
        remedy="Set the service MSDTC to log on as Network Service and start it. If it does not start, install it "
        "anew with msdtc -uninstall and msdtc -install.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionInstallationFailedMDTC",
            'Extension installation failed with the error "COM+ was unable to talk to the Microsoft Distributed '
            'Transaction Coordinator"',
            os="windows",
        ),
    ),
    _vms(
        key="backup_machine_keys",
        codes=("ExtensionConfigParsingFailure",),
        cause="The extension cannot read its settings: the rights on the MachineKeys folder were changed.",
        remedy="Reset the rights of %ProgramData%\\Microsoft\\Crypto\\RSA\\MachineKeys to the defaults. Then delete "
        "the certificates issued to Windows Azure CRP Certificate Generator.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionConfigParsingFailure", "Failure in parsing the config for the backup extension.", os="windows"
        ),
    ),
    _vms(
        key="backup_extension_stuck",
        codes=("ExtensionStuckInDeletionState",),
        cause="The snapshot extension hangs in a state between installed and removed.",
        remedy="Repair the extension with snapshot_extension state=repaired, which removes it, lets Azure install it "
        "anew and puts its guard back. The agent must be ready for that.",
        retry=Retry.FIX_FIRST,
        example=Example("ExtensionStuckInDeletionState", "Extension state is not supportive to the backup operation"),
    ),
    _vms(
        key="backup_snapshot_limit",
        codes=("ExtensionFailedSnapshotLimitReachedError",),
        cause="A disk of the VM has as many snapshots as it may have.",
        remedy="Delete snapshots and restore points that are no longer needed. With Azure Site Recovery on the VM, "
        "move its snapshots to another hour.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionFailedSnapshotLimitReachedError",
            "Snapshot operation failed as snapshot limit is exceeded for some of the disks attached",
        ),
    ),
    _vms(
        key="backup_vm_resources",
        codes=("ExtensionFailedTimeoutVMNetworkUnresponsive",),
        cause="The network calls of the snapshot were too slow, mostly because the VM is short of CPU or disk "
        "throughput.",
        remedy="Move the schedule to a quieter hour, or give the VM a larger size. On Windows the page's value "
        "SnapshotMethod=firstHostThenGuest takes the snapshot through the host.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionFailedTimeoutVMNetworkUnresponsive", "Snapshot operation failed due to inadequate VM resources."
        ),
    ),
    _vms(
        key="backup_no_secure_network",
        codes=("ExtensionSnapshotFailedNoSecureNetwork",),
        cause="The extension could not open a secure connection: .NET in the guest does not offer strong cryptography.",
        remedy="Set SchUseStrongCrypto to 1 for every .NET Framework version in the guest's registry.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionSnapshotFailedNoSecureNetwork",
            "The snapshot operation failed because of failure to create a secure network communication channel.",
            os="windows",
        ),
    ),
    _vms(
        key="backup_vc_redistributable",
        codes=("ExtensionVCRedistInstallationFailure",),
        cause="The Visual C++ redistributable that the snapshot extension brings could not be installed.",
        remedy="Install vcredist2013_x64 from the extension's folder below C:\\Packages\\Plugins. If that fails, set "
        "the start value of the service msiserver to 3 and look for denied registry keys in the event log.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionVCRedistInstallationFailure",
            "The snapshot operation failed because of failure to install Visual C++ Redistributable for Visual Studio "
            "2012.",
            os="windows",
        ),
    ),
    _vms(
        key="bitlocker_locked",
        codes=("ExtensionSnapshotBitlockerError",),
        words=r"locked by BitLocker|ExtensionSnapshotBitlockerError",
        words_suffice=True,
        cause="A volume of the VM is locked by BitLocker, so VSS cannot copy it.",
        remedy="Unlock the volume, or turn BitLocker off on it.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionSnapshotBitlockerError",
            "The snapshot operation failed with the Volume Shadow Copy Service (VSS) operation error This drive is "
            "locked by BitLocker Drive Encryption. You must unlock this drive from the Control Panel.",
            os="windows",
        ),
    ),
    _vms(
        key="backup_freeze_failed",
        codes=("UserErrorFsFreezeFailed",),
        cause="A file system of the Linux guest could not be frozen.",
        remedy="Find the mount in the extension's log; check it with fsck, unmount duplicates, or name it in "
        "MountsToSkip in /etc/azure/vmbackup.conf.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "UserErrorFsFreezeFailed",
            "Failed to freeze one or more mount-points of the VM to take a file-system consistent snapshot.",
            os="linux",
        ),
    ),
    _vms(
        key="backup_vm_state",
        codes=("UserErrorVmNotInDesirableState", "VmNotInDesirableState"),
        cause="The VM is in a failed state or just changing its power state.",
        remedy="Wait until the VM is Running or stopped for good, and put right a failed provisioning. With SELinux, "
        "exempt /var/lib/waagent from the policy.",
        retry=Retry.FIX_FIRST,
        example=Example("UserErrorVmNotInDesirableState", "VM is not in a state that allows backups."),
    ),
    _vms(
        key="backup_denied_by_policy",
        codes=("UserErrorRequestDisallowedByPolicy",),
        cause="An Azure Policy denies what the snapshot needs, such as the extension or an untagged resource group.",
        remedy="Exempt the snapshot extension and the collections' resource group from the policy, or turn its effect "
        "from deny to modify.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "UserErrorRequestDisallowedByPolicy",
            "An invalid policy is configured on the VM which is preventing Snapshot operation.",
        ),
    ),
    _agent(
        key="backup_agent_silent",
        codes=("UserErrorGuestAgentStatusUnavailable",),
        cause="The VM agent does not talk to Azure: it is stopped, too old, broken or not installed.",
        remedy="Restart the agent in the guest, update it if it stays silent, and see that all extensions are "
        "provisioned.",
        retry=Retry.FIX_FIRST,
        example=Example("UserErrorGuestAgentStatusUnavailable", "VM Agent unable to communicate with Azure Backup"),
    ),
    _agent(
        key="backup_snapshot_status",
        codes=("GuestAgentSnapshotTaskStatusError",),
        cause="The agent gave no status for the snapshot: it or the extension was blocked, too old or overloaded.",
        remedy="Restart and update the agent, then look at the extension's log in the guest. On Windows see that "
        "neither antivirus nor AppLocker stops IaaSBcdrExtension.exe.",
        retry=Retry.LATER,
        example=Example(
            "GuestAgentSnapshotTaskStatusError", "Could not communicate with the VM agent for snapshot status"
        ),
    ),
    _agent(
        key="backup_provisioning_failed",
        codes=("UserErrorVmProvisioningStateFailed",),
        cause="An extension failed and took the provisioning state of the VM with it.",
        remedy="Put right the failed extension. If it is the snapshot extension itself, repair it with "
        "snapshot_extension state=repaired.",
        retry=Retry.FIX_FIRST,
        example=Example("UserErrorVmProvisioningStateFailed", "The VM is in failed provisioning state"),
    ),
    _agent(
        key="backup_collection_limit",
        codes=("UserErrorRpCollectionLimitReached",),
        cause="Azure Backup keeps at most 18 instant restore points of a VM, and old ones were not cleaned up.",
        remedy="Remove delete locks from the resource group of Azure Backup's collections (AzureBackupRG_...), then "
        "let it clean up.",
        retry=Retry.FIX_FIRST,
        example=Example("UserErrorRpCollectionLimitReached", "The Restore Point collection max limit has reached."),
    ),
    _agent(
        key="backup_key_vault_rights",
        codes=("UserErrorKeyvaultPermissionsNotConfigured", "UserErrorKeyvaultPermissionNotConfigured"),
        cause="Azure Backup may not read the key vault of this encrypted VM.",
        remedy="Grant Azure Backup access to the key vault.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "UserErrorKeyvaultPermissionsNotConfigured",
            "Backup doesn't have sufficient permissions to the key vault for backup of encrypted VMs.",
        ),
    ),
    _agent(
        key="backup_no_network",
        codes=("ExtensionSnapshotFailedNoNetwork",),
        seen=(Seen.BACKUP, Seen.EXTENSION),
        cause="The snapshot extension in the guest reached neither the host nor Azure Storage.",
        remedy="Allow the guest 168.63.129.16 on ports 80, 443 and 32526 past firewall and proxy, and see that DHCP "
        "is on in the guest.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ExtensionSnapshotFailedNoNetwork",
            "Snapshot operation failed due to no network connectivity on the virtual machine",
        ),
    ),
    _agent(
        key="backup_extension_failed",
        codes=("ExtensionOperationFailedForManagedDisks", "ExtensionOperationFailed"),
        cause="The snapshot extension failed without a more exact reason.",
        remedy="Look at the extension's log in the guest and at the agent. Repair the extension with "
        "snapshot_extension if it does not load.",
        retry=Retry.LATER,
        example=Example("ExtensionOperationFailedForManagedDisks", "VMSnapshot extension operation failed"),
    ),
    _agent(
        key="backup_internal_error",
        codes=("BackUpOperationFailed", "BackUpOperationFailedV2"),
        cause="Azure Backup had an internal error; a silent agent or a lock on the collections' resource group shows "
        "itself like this too.",
        remedy="Try again in a few minutes. If it comes back, check the agent, the extension and the locks.",
        retry=Retry.LATER,
        example=Example(
            "BackUpOperationFailed",
            "Backup failed with an internal error - Please retry the operation in a few minutes",
        ),
    ),
    _agent(
        key="backup_disk_size",
        codes=("UserErrorUnsupportedDiskSize",),
        cause="A disk is larger than Azure Backup takes (32 TB).",
        remedy="Split the disk into smaller ones.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "UserErrorUnsupportedDiskSize", "The configured disk size(s) is currently not supported by Azure Backup."
        ),
    ),
    _agent(
        key="backup_in_progress",
        codes=("UserErrorBackupOperationInProgress", "SystemBackupOperationInProgress"),
        cause="Another backup of this VM is running.",
        remedy="Wait until it is finished, or cancel it in the vault.",
        retry=Retry.LATER,
        example=Example(
            "UserErrorBackupOperationInProgress",
            "Unable to initiate backup as another backup operation is currently in progress",
        ),
    ),
    _agent(
        key="backup_inner_error",
        codes=("UserErrorCrpReportedUserError",),
        cause="Azure Compute refused the backup; its own code and message stand inside this error.",
        remedy="Read the inner error and look its code up here.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "UserErrorCrpReportedUserError",
            "Backup failed due to an error. For details, see Job Error Message Details.",
        ),
    ),
    _agent(
        key="backup_not_protected",
        codes=("UserErrorBcmDatasourceNotPresent",),
        cause="The VM is not protected by Azure Backup, or no longer.",
        remedy="Protect the VM in a vault again, or take its jobs out of the schedule.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "UserErrorBcmDatasourceNotPresent",
            "Backup failed: This virtual machine is not (actively) protected by Azure Backup.",
        ),
    ),
)
