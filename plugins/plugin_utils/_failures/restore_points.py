# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures of restore points, after Microsoft's page "Troubleshoot restore point failures"."""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

_entry = partial(Entry, docs="Troubleshoot restore point failures", seen=(Seen.RESTORE_POINT,))

# Azure says the same of a restore point and of the snapshot for it, the latter often without a code of its own.
_AT = r"(restore ?point|snapshot operation)"

RESTORE_POINTS: tuple[Entry, ...] = (
    _entry(
        key="vss_writers_bad",
        codes=("VMRestorePointClientError",),
        words=_AT + r".{0,300}VSS writers?\b.{0,60}\bbad state",
        words_suffice=True,
        cause="One or more VSS writers in the guest were not stable when the snapshot was asked for.",
        remedy="Restart the services that own the failed writers (vss_writers does it), and reboot the VM if they do "
        "not become stable.",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed due to VSS Writers in bad state. Restart VSS Writer services and reboot VM.",
            os="windows",
        ),
    ),
    _entry(
        key="com_plus_error",
        codes=("VMRestorePointClientError",),
        words=_AT + r".{0,300}COM\+ error",
        words_suffice=True,
        cause="The Windows service COM+ System Application does not run or does not work.",
        remedy="Restart the service COMSysApp in the guest, then the VM if it persists.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            'Restore Point creation failed due to COM+ error. Please restart windows service "COM+ System Application" '
            "(COMSysApp). If the issue persists, restart the VM.",
            os="windows",
        ),
    ),
    _entry(
        key="com_plus_memory",
        codes=("VMRestorePointClientError",),
        words=r"COM\+ memory|memory.{0,40}COM\+",
        words_suffice=True,
        cause="The memory quota of COM+ in the guest is used up.",
        remedy="Restart the service COMSysApp in the guest, then the VM if it persists.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed due to insufficient memory available in COM+ memory quota. Please restart "
            'windows service "COM+ System Application" (COMSysApp). If the issue persists, restart the VM.',
            os="windows",
        ),
    ),
    _entry(
        key="msdtc_unreachable",
        codes=("VMRestorePointClientError",),
        words=_AT + r".{0,300}Distributed Transaction Coordinator",
        words_suffice=True,
        cause="COM+ in the guest cannot talk to the Distributed Transaction Coordinator.",
        remedy="Set the service MSDTC to log on as Network Service and start it. If it does not start, install it "
        "anew with msdtc -uninstall and msdtc -install.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            'Restore Point creation failed with the error "COM+ was unable to talk to the Microsoft Distributed '
            'Transaction Coordinator".',
            os="windows",
        ),
    ),
    _entry(
        key="vc_redistributable",
        codes=("VMRestorePointClientError",),
        words=_AT + r".{0,300}Visual C\+\+",
        words_suffice=True,
        cause="The Visual C++ redistributable that the snapshot extension brings could not be installed.",
        remedy="Install vcredist2013_x64 from the extension's folder below C:\\Packages\\Plugins, then restart the VM. "
        "(The message names 2012, the file is that of 2013.)",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed due to failure in installation of Visual C++ Redistributable for Visual "
            "Studio 2012. Please install Visual C++ Redistributable for Visual Studio 2012.",
            os="windows",
        ),
    ),
    _entry(
        key="restore_point_limit",
        codes=("VMRestorePointClientError", "OperationNotAllowed"),
        words=_AT + r".{0,300}(snapshot limit|cannot exceed)",
        words_suffice=True,
        cause="A disk has as many snapshots as it may have; a VM can have 500 restore points over all collections.",
        remedy="Delete restore points that are no longer needed, and let retention keep fewer of them.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed as the maximum allowed snapshot limit of one or more disk blobs has been "
            "reached. Please delete some existing restore points of this VM and then retry.",
        ),
    ),
    _entry(
        key="vm_resources",
        codes=("VMRestorePointClientError",),
        words=_AT + r".{0,300}inadequate VM resources",
        words_suffice=True,
        cause="The VM had too little CPU, memory or disk throughput left to take the snapshot in time.",
        remedy="Move the schedule to a quieter hour, or give the VM a larger size.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed due to inadequate VM resources. Increase VM resources by changing the VM "
            "size and retry the operation.",
        ),
    ),
    _entry(
        key="guest_network",
        codes=("VMRestorePointClientError",),
        words=_AT + r".{0,300}no network connectivity",
        words_suffice=True,
        cause="The snapshot extension in the guest reached neither the host nor Azure Storage.",
        remedy="Allow the guest 168.63.129.16 on ports 80, 443 and 32526 past firewall and proxy, and see that DHCP "
        "is on in the guest.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed due to no network connectivity on the virtual machine. Ensure that VM has "
            "network access. Either allowlist the Azure datacenter IP ranges or set up a proxy server.",
        ),
    ),
    _entry(
        key="concurrent_create",
        codes=("VMRestorePointClientError",),
        words=r"concurrent.{0,10}create ?restore ?point",
        words_suffice=True,
        cause="Another restore point of this VM is being made; Azure makes one at a time.",
        remedy="Wait until the running restore point is finished.",
        retry=Retry.LATER,
        example=Example(
            "VMRestorePointClientError",
            "RestorePoint creation failed since a concurrent 'Create RestorePoint' operation was triggered on the VM.",
        ),
    ),
    _entry(
        key="shared_disks",
        codes=("VMRestorePointClientError", "OperationNotAllowed"),
        words=r"restore ?point.{0,300}shared disk",
        words_suffice=True,
        cause="The VM has a shared disk, which a restore point cannot hold.",
        remedy="Exclude the shared disk from the restore point.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMRestorePointClientError",
            "Creation of Restore Point of a Virtual Machine with Shared disks is not supported. You may exclude this "
            "disk from the restore point via excludeDisks property.",
        ),
    ),
    _entry(
        key="restore_point_client_error",
        codes=("VMRestorePointClientError",),
        cause="Something in the VM keeps Azure from taking the restore point, for a reason that has no entry here.",
        remedy="Put right what the message names, then see that the agent is ready and all extensions are provisioned.",
        retry=Retry.FIX_FIRST,
        example=Example("VMRestorePointClientError", "Restore Point creation failed due to a problem inside the VM."),
    ),
    _entry(
        key="vm_changed_during_create",
        codes=("OperationNotAllowed", "Conflict"),
        words=r"changes were made to the virtual machine",
        words_suffice=True,
        cause="The VM was changed while the restore point was being made, for example a disk was attached.",
        remedy="Wait until the change of the VM is finished.",
        retry=Retry.LATER,
        example=Example(
            "OperationNotAllowed",
            "Changes were made to the Virtual Machine while the operation 'Create Restore Point' was in progress. "
            "Operation Create Restore Point cannot be completed at this time. Please try again later.",
            409,
        ),
    ),
    _entry(
        key="disks_not_allocated",
        codes=("OperationNotAllowed",),
        words=r"disk\S{0,4}\s.{0,40}not.{0,20}allocated",
        words_suffice=True,
        cause="A disk of the VM was never allocated well, so it cannot be captured.",
        remedy="Exclude the disk from the restore point, or detach and repair it.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "OperationNotAllowed",
            "Operation 'Create Restore Point' is not allowed as disk(s) have not been allocated successfully. Please "
            "exclude these disk(s) using excludeDisks property and retry.",
            409,
        ),
    ),
    _entry(
        key="agent_silent",
        codes=("VMAgentStatusCommunicationError",),
        cause="The VM agent has not reported: it is stopped, too old, broken or not installed, or the VM does not run.",
        remedy="Start the VM and its agent, and see that the agent is Ready and all extensions are provisioned.",
        retry=Retry.FIX_FIRST,
        seen=(Seen.RESTORE_POINT, Seen.EXTENSION),
        example=Example(
            "VMAgentStatusCommunicationError", "VM 'web01' has not reported status for VM agent or extensions."
        ),
    ),
    _entry(
        key="agent_silent_windows",
        codes=("VMAgentStatusCommunicationError",),
        os="windows",
        cause="The Windows VM agent has not reported: it is stopped, too old, broken or not installed.",
        remedy="Restart the services RdAgent and WindowsAzureGuestAgent. If they stay silent, install the newest agent "
        "and see that .NET 4.5 is there.",
        retry=Retry.FIX_FIRST,
        seen=(Seen.RESTORE_POINT, Seen.EXTENSION),
        example=Example(
            "VMAgentStatusCommunicationError",
            "VM 'win01' has not reported status for VM agent or extensions.",
            os="windows",
        ),
    ),
    _entry(
        key="agent_silent_linux",
        codes=("VMAgentStatusCommunicationError",),
        os="linux",
        cause="The Linux VM agent has not reported: it is stopped, too old, broken or not installed.",
        remedy="Restart walinuxagent (waagent outside Debian and Ubuntu). If it stays silent, update it from the "
        "distribution's packages and set Extensions.Enabled=y in /etc/waagent.conf.",
        retry=Retry.FIX_FIRST,
        seen=(Seen.RESTORE_POINT, Seen.EXTENSION),
        example=Example(
            "VMAgentStatusCommunicationError",
            "VM 'db01' has not reported status for VM agent or extensions.",
            os="linux",
        ),
    ),
    _entry(
        key="snapshot_internal_error",
        codes=("VMRestorePointInternalError",),
        cause="The snapshot inside the VM was not started or did not finish; Azure does not say why.",
        remedy="Check that the agent is ready and that every extension of the VM is provisioned, then try again.",
        retry=Retry.LATER,
        example=Example(
            "VMRestorePointInternalError",
            "Restore Point creation failed due to an internal execution error while creating VM snapshot. Please retry "
            "the operation after some time.",
        ),
    ),
    _entry(
        key="snapshot_internal_error_windows",
        codes=("VMRestorePointInternalError",),
        os="windows",
        cause="The snapshot extension in the Windows guest was not started or did not finish.",
        remedy="Check the agent and all extensions. If they are well, look for IaaSBcdrExtension.exe as a faulting "
        "application in the Application log: antivirus and AppLocker must leave it and the extension's folders alone.",
        retry=Retry.LATER,
        example=Example(
            "VMRestorePointInternalError",
            "Restore Point creation failed due to an internal execution error while creating VM snapshot. Please retry "
            "the operation after some time.",
            os="windows",
        ),
    ),
    _entry(
        key="snapshot_internal_error_linux",
        codes=("VMRestorePointInternalError",),
        os="linux",
        cause="The snapshot extension in the Linux guest was not started or did not finish.",
        remedy="Look at the last run with guest_snapshot_info. If there was none, update the agent and see that "
        "/etc/waagent.conf has Extensions.Enabled=y and Provisioning.Agent=auto.",
        retry=Retry.LATER,
        example=Example(
            "VMRestorePointInternalError",
            "Restore Point creation failed due to an internal execution error while creating VM snapshot. Please retry "
            "the operation after some time.",
            os="linux",
        ),
    ),
    _entry(
        key="extension_status_unreadable",
        codes=("InternalDiskRestorePointError",),
        cause="Azure could not read the status of the snapshot extension, so the snapshot could not be taken.",
        remedy="Check that the agent is ready and that every extension of the VM is provisioned, then try again.",
        retry=Retry.LATER,
        example=Example(
            "InternalDiskRestorePointError",
            "Extension status can't be retrieved, hence the snapshot can't be taken.",
        ),
    ),
    _entry(
        key="internal_error",
        codes=("InternalError", "InternalExecutionError", "InternalOperationError"),
        cause="Azure had an internal error; an agent that does not answer, or a lock on the collections' resource "
        "group, shows itself like this too.",
        remedy="Try again later. If it comes back, check the agent, the extensions and the locks above the restore "
        "point collection, and on Windows install vcredist2013_x64 from the extension's folder anew.",
        retry=Retry.LATER,
        seen=(Seen.RESTORE_POINT, Seen.ARM),
        example=Example("InternalExecutionError", "An internal execution error occurred. Please retry later."),
    ),
    _entry(
        key="disk_restore_point_in_use",
        codes=("DiskRestorePointUsedByCustomer",),
        cause="A disk restore point of this point is still shared by a signed URL, so it cannot be deleted.",
        remedy="End the shared access of each disk restore point (endGetAccess), then delete again.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "DiskRestorePointUsedByCustomer",
            "There is an active shared access signature outstanding for disk restore point. Call EndGetAccess before "
            "deleting the restore point.",
        ),
    ),
    _entry(
        key="key_vault_missing",
        codes=("DiskRestorePointClientError",),
        words=r"key ?vault",
        cause="The key vault behind a disk encryption set of this VM is gone.",
        remedy="Recover the deleted key vault, or create it anew with the same name and keys.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "DiskRestorePointClientError",
            "Keyvault associated with DiskEncryptionSet not found. The resource may have been deleted due to which "
            "Restore Point creation failed. Please retry the operation after re-creating the missing resource.",
        ),
    ),
    _entry(
        key="disk_restore_point_client_error",
        codes=("DiskRestorePointClientError",),
        cause="Something about a disk of the VM keeps Azure from taking the restore point.",
        remedy="Put right what the message names, or exclude the disk from the restore point.",
        retry=Retry.FIX_FIRST,
        example=Example("DiskRestorePointClientError", "The disk cannot be captured in its present state."),
    ),
    _entry(
        key="api_version_too_old",
        codes=("BadRequest",),
        words=r"can be made with api-version",
        cause="The API version that was asked for does not know this kind of restore point.",
        remedy="Raise the API version to the one that the message names.",
        retry=Retry.NEVER,
        seen=(Seen.ARM,),
        example=Example("BadRequest", "This request can be made with api-version '2022-03-01' or newer.", 400),
    ),
    _entry(
        key="os_provisioning",
        codes=("OSProvisioningClientError", "OSProvisioningTimedOut", "OSProvisioningInternalError"),
        cause="The operating system of the VM never finished its first set-up.",
        remedy="Put right the provisioning as the message says; mostly the image was not generalized.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "OSProvisioningClientError",
            "OS Provisioning did not finish in the allotted time. This error occurred too many times consecutively "
            "from image. Make sure the image has been properly prepared (generalized).",
        ),
    ),
    _entry(
        key="allocation_failed",
        codes=("AllocationFailed", "OverconstrainedAllocationRequest"),
        cause="Azure had no capacity left for this VM where it has to run.",
        remedy="Try again later, or change the size or placement of the VM.",
        retry=Retry.LATER,
        example=Example(
            "AllocationFailed",
            "Allocation failed. If you are trying to add a new VM to an Availability Set or update/resize an existing "
            "VM in an Availability Set, it is possible that the cluster is out of capacity.",
        ),
    ),
    _entry(
        key="collection_being_deleted",
        codes=("OperationNotAllowed",),
        words=r"restore ?point collection.{0,300}marked for deletion",
        words_suffice=True,
        cause="The restore point collection is being deleted.",
        remedy="Wait until the deletion is finished, or use a collection of another name.",
        retry=Retry.FIX_FIRST,
        docs="Understand common error messages when you manage virtual machines in Azure",
        example=Example(
            "OperationNotAllowed",
            "Operation 'Create Restore Point' is not allowed as Restore point collection 'web01' is marked for "
            "deletion.",
            409,
        ),
    ),
    _entry(
        key="restore_points_throttled",
        codes=("TooManyRequests", "OperationNotAllowed", "Conflict"),
        words=r"restore ?point",
        statuses=(429,),
        words_suffice=True,
        cause="More restore point requests were sent than Azure takes: three of each kind per VM and hour, and a limit "
        "per subscription and region.",
        remedy="Wait for the time that Azure named, and plan at least three hours between two points of a VM.",
        retry=Retry.LATER,
        docs="Overview of Virtual Machine restore points",
        example=Example(
            "TooManyRequests",
            '{"operationGroup":"PutRestorePointResource","startTime":"2026-03-14T02:00:00+00:00",'
            '"endTime":"2026-03-14T03:00:00+00:00","allowedRequestCount":3,"measuredRequestCount":4}',
            429,
        ),
    ),
)
