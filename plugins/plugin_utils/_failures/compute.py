# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Azure Compute says about a VM, its disks and its extensions."""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

_entry = partial(
    Entry,
    seen=(Seen.ARM, Seen.RESTORE_POINT),
    docs="Understand common error messages when you manage virtual machines in Azure",
)

COMPUTE: tuple[Entry, ...] = (
    _entry(
        key="operation_in_progress",
        codes=("OperationNotAllowed", "Conflict", "AnotherOperationInProgress"),
        words=r"another ?operation|ongoing operation is|conflicting operation|conflict with a concurrent request",
        cause="Another operation on this resource is running.",
        remedy="Wait until it is finished.",
        retry=Retry.LATER,
        example=Example(
            "OperationNotAllowed",
            "Operation 'Create Restore Point' is not allowed on VM 'web01' since another operation is in progress.",
            409,
        ),
    ),
    _entry(
        key="resource_moved",
        codes=("OperationNotAllowed", "Conflict", "BadRequest", "InvalidParameter"),
        words=r"\b(being|been|was|were) moved\b|move operation",
        cause="The VM is being moved to another resource group or subscription, or was: its restore points stay where "
        "they were made, and belong to the resource ID that it had then.",
        remedy="Wait until the move has ended, and read the inventory anew: under its new ID the VM gets a collection "
        "of its own.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "OperationNotAllowed", "The operation is not allowed since the resource 'web01' is being moved.", 409
        ),
    ),
    _entry(
        key="vm_not_running",
        codes=("OperationNotAllowed", "Conflict"),
        words=r"VM is not running|VM to be running|is (either )?deallocated",
        cause="The VM does not run, which this needs.",
        remedy="Start the VM, or leave it out.",
        retry=Retry.FIX_FIRST,
        example=Example("OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.", 409),
    ),
    _entry(
        key="extension_in_failed_state",
        codes=("OperationNotAllowed",),
        words=r"extension .{0,100}in failed state",
        cause="An extension of the VM is in the state failed and blocks the operation.",
        remedy="Put right or remove the extension that the message names. If it is the snapshot extension, repair it "
        "with snapshot_extension state=repaired.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "OperationNotAllowed",
            "Operation 'Create Restore Point' is not allowed on VM 'web01' since VM has extension 'MonitorAgent' in "
            "failed state.",
            409,
        ),
    ),
    _entry(
        key="extension_being_deleted",
        codes=("OperationNotAllowed",),
        words=r"VM extension .{0,100}marked for deletion",
        cause="The extension is being deleted.",
        remedy="Wait until the deletion is finished, or send it again if it hangs.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "OperationNotAllowed",
            "Operation 'PUT' is not allowed on VM extension 'VMSnapshotLinux' since it is marked for deletion. You can "
            "only retry the Delete operation (or wait for an ongoing one to complete).",
            409,
        ),
    ),
    _entry(
        key="vm_being_deleted",
        codes=("OperationNotAllowed",),
        words=r"VM is marked for deletion",
        cause="The VM is being deleted.",
        remedy="Take the VM out of the inventory.",
        retry=Retry.NEVER,
        example=Example(
            "OperationNotAllowed",
            "Operation 'Create Restore Point' is not allowed on VM 'w1' since the VM is marked for deletion. You can "
            "only retry the Delete operation (or wait for an ongoing one to complete).",
            409,
        ),
    ),
    _entry(
        key="vm_generalized",
        codes=("OperationNotAllowed",),
        words=r"VM is generalized",
        cause="The VM is generalized: it is the template of an image and can no longer run.",
        remedy="Take the VM out of the inventory.",
        retry=Retry.NEVER,
        example=Example(
            "OperationNotAllowed",
            "Operation 'Create Restore Point' is not allowed on VM 'golden' since the VM is generalized.",
            409,
        ),
    ),
    _entry(
        key="operation_not_allowed",
        codes=("OperationNotAllowed",),
        cause="The VM or resource is in a state in which Azure does not allow this.",
        remedy="Put right the state that the message names, and run again.",
        retry=Retry.FIX_FIRST,
        example=Example("OperationNotAllowed", "The operation is not allowed in the present state.", 409),
    ),
    _entry(
        key="platform_update",
        codes=("ResourceUpdateBlockedOnPlatformUpdate",),
        cause="Azure is updating the platform under this VM.",
        remedy="Try again later.",
        retry=Retry.LATER,
        example=Example(
            "ResourceUpdateBlockedOnPlatformUpdate",
            "Resource cannot be updated at this time due to ongoing platform update. Please try again later.",
            409,
        ),
    ),
    _entry(
        key="disks_busy",
        codes=("AttachDiskWhileBeingDetached", "DiskPreparationError", "DiskProcessingError", "DiskImageNotReady"),
        cause="A disk of the VM is just being attached, detached or prepared.",
        remedy="Wait until the disks are ready. If it stays, look for a failed disk in the VM's instance view.",
        retry=Retry.LATER,
        example=Example(
            "AttachDiskWhileBeingDetached",
            "Cannot attach data disk 'data1' to VM 'web01' because the disk is currently being detached. Please wait "
            "until the disk is completely detached and then try again.",
            409,
        ),
    ),
    _entry(
        key="extension_type_unknown",
        codes=("ArtifactNotFound", "ArtifactVersionNotFound"),
        seen=(Seen.ARM, Seen.EXTENSION),
        cause="This region has no extension of this publisher, type or version.",
        remedy="Check the names: publisher Microsoft.Azure.RecoveryServices, type VMSnapshot on Windows and "
        "VMSnapshotLinux on Linux, and no fixed version.",
        retry=Retry.NEVER,
        example=Example(
            "ArtifactNotFound",
            "The VM extension with publisher 'Microsoft.RecoveryServices' and type 'VMSnapshot' could not be found in "
            "location 'westeurope'.",
            404,
        ),
    ),
    _entry(
        key="extension_twice",
        codes=("BadRequest",),
        words=r"multiple VMExtensions per handler",
        seen=(Seen.ARM,),
        cause="The VM has this extension already, under another resource name.",
        remedy="Address the extension by the name that it has; snapshot_extension_info shows it.",
        retry=Retry.NEVER,
        example=Example(
            "BadRequest",
            "Multiple VMExtensions per handler not supported for OS type 'Linux'. VMExtension 'snap' with handler "
            "'Microsoft.Azure.RecoveryServices.VMSnapshotLinux' already added or specified in input.",
            400,
        ),
    ),
    _entry(
        key="snapshot_extension_failed",
        codes=("VMExtensionProvisioningError", "VMExtensionHandlerNonTransientError"),
        words=r"VMSnapshot",
        seen=(Seen.ARM, Seen.RESTORE_POINT, Seen.EXTENSION),
        cause="The snapshot extension failed in the guest.",
        remedy="Look at its log in the guest with guest_snapshot_info, then repair it with snapshot_extension "
        "state=repaired.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMExtensionProvisioningError",
            "VM has reported a failure when processing extension 'VMSnapshot'. Error message: \"Install failed\".",
        ),
    ),
    _entry(
        key="other_extension_failed",
        codes=("VMExtensionProvisioningError", "VMExtensionHandlerNonTransientError"),
        seen=(Seen.ARM, Seen.RESTORE_POINT, Seen.EXTENSION),
        cause="An extension of the VM failed; Azure takes a restore point only after all of them are provisioned.",
        remedy="Put right or remove the extension that the message names.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMExtensionProvisioningError",
            "VM has reported a failure when processing extension 'CustomScript'. Error message: \"Command execution "
            'finished, but failed because it returned a non-zero exit code of: 1".',
        ),
    ),
    _entry(
        key="extension_timed_out",
        codes=("VMExtensionProvisioningTimeout",),
        seen=(Seen.ARM, Seen.RESTORE_POINT, Seen.EXTENSION),
        cause="An extension did not finish in time, or its status never came.",
        remedy="Check that the agent is ready and that the extension is not waiting for something in the guest.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "VMExtensionProvisioningTimeout",
            "Provisioning of VM extension 'CustomScript' has timed out. Extension installation may be taking too long, "
            "or extension status could not be obtained.",
        ),
    ),
    _entry(
        key="extension_service_fault",
        codes=("VMExtensionManagementInternalError", "VMArtifactRepositoryInternalError"),
        seen=(Seen.ARM, Seen.EXTENSION),
        cause="Azure had an internal error with the VM's extensions.",
        remedy="Try again later; the extensions' instance view has more.",
        retry=Retry.LATER,
        example=Example(
            "VMExtensionManagementInternalError", "Internal error occurred while processing VM extension 'VMSnapshot'."
        ),
    ),
)
