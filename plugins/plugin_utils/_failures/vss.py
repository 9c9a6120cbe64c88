# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""VSS errors of a Windows guest by HRESULT, as the event log, the extension's log and DiskShadow name them.

Numbers and meanings are those of vsserror.h. "Wait ten minutes, at most three times" is the advice of the reference
of IVssComponentEx2::SetFailure and of the VSS snapshot functions.
"""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

_entry = partial(Entry, os="windows", seen=(Seen.GUEST, Seen.EXTENSION), docs="Event and Error Handling Under VSS")

VSS: tuple[Entry, ...] = (
    _entry(
        key="vss_writer_partial_set",
        codes=("0x800423F0", "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT"),
        cause="A writer needs volumes that are not in the snapshot.",
        remedy="Put the application's data on disks that are not excluded, or stop excluding them.",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example(
            "0x800423F0", "The shadow-copy set only contains a subset of the volumes needed.", os="windows"
        ),
    ),
    _entry(
        key="vss_writer_resources",
        codes=("0x800423F1", "VSS_E_WRITERERROR_OUTOFRESOURCES"),
        cause="A writer ran out of memory or another resource of the guest.",
        remedy="Wait ten minutes and try again, at most three times. If it comes back, free memory and disk space.",
        retry=Retry.LATER,
        writer_failed=True,
        example=Example("0x800423F1", "A resource allocation failed while processing this operation.", os="windows"),
    ),
    _entry(
        key="vss_writer_timeout",
        codes=("0x800423F2", "VSS_E_WRITERERROR_TIMEOUT"),
        cause="Too much time passed between freeze and thaw for a writer, mostly because the disks are slow or busy.",
        remedy="Wait ten minutes and try again, at most three times. If it comes back, take load off the disks or "
        "give them more throughput.",
        retry=Retry.LATER,
        writer_failed=True,
        example=Example("0x800423F2", "The writer's timeout expired between the Freeze and Thaw events.", os="windows"),
    ),
    _entry(
        key="vss_writer_retryable",
        codes=("0x800423F3", "VSS_E_WRITERERROR_RETRYABLE"),
        cause="A writer failed for a reason that it takes to be passing.",
        remedy="Wait ten minutes and try again, at most three times. If it comes back, restart the writer's service "
        "(vss_writers does it).",
        retry=Retry.LATER,
        writer_failed=True,
        example=Example("0x800423F3", "The writer experienced a transient error.", os="windows"),
    ),
    _entry(
        key="vss_writer_not_retryable",
        codes=("0x800423F4", "VSS_E_WRITERERROR_NONRETRYABLE"),
        cause="A writer failed for a reason that will come back.",
        remedy="Read the Application log for the writer's own error and put that right. Then restart its service "
        "(vss_writers does it).",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example("0x800423F4", "The writer experienced a non-transient error.", os="windows"),
    ),
    _entry(
        key="vss_writer_partial_failure",
        codes=("0x80042336", "VSS_E_WRITERERROR_PARTIAL_FAILURE"),
        cause="A writer failed for some of its components only, such as one database.",
        remedy="Read the Application log for the failed component and put that right.",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example("0x80042336", "The writer experienced a partial failure.", os="windows"),
    ),
    _entry(
        key="vss_writer_silent",
        codes=("0x80042319", "VSS_E_WRITER_NOT_RESPONDING"),
        cause="A writer did not answer: its service has ended or hangs.",
        remedy="Restart the service that owns the writer (vss_writers does it).",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example("0x80042319", "A writer did not respond to a GatherWriterStatus call.", os="windows"),
    ),
    _entry(
        key="vss_writer_infrastructure",
        codes=("0x80042318", "VSS_E_WRITER_INFRASTRUCTURE", "0x80042315", "VSS_E_UNEXPECTED_WRITER_ERROR"),
        cause="VSS could not talk to the writers at all.",
        remedy="Start the services EventSystem and COMSysApp, then VSS. Reboot the VM if it comes back.",
        retry=Retry.FIX_FIRST,
        writer_failed=True,
        example=Example("0x80042318", "The problem occurred while trying to contact VSS writers.", os="windows"),
    ),
    _entry(
        key="vss_provider",
        codes=("0x80042306", "VSS_E_PROVIDER_VETO", "0x8004230F", "VSS_E_UNEXPECTED_PROVIDER_ERROR"),
        cause="The shadow copy provider refused or failed.",
        remedy="Read the System and Application logs for volsnap and the provider, and remove VSS providers of other "
        "backup products that are no longer in use.",
        retry=Retry.FIX_FIRST,
        example=Example("0x80042306", "The shadow copy provider had an error.", os="windows"),
    ),
    _entry(
        key="vss_provider_not_registered",
        codes=("0x80042304", "VSS_E_PROVIDER_NOT_REGISTERED"),
        cause="The shadow copy provider that was asked for is not registered, for example after a broken installation "
        "of the snapshot extension.",
        remedy="Repair the extension with snapshot_extension, so that its provider is registered anew.",
        retry=Retry.FIX_FIRST,
        example=Example("0x80042304", "The volume shadow copy provider is not registered in the system.", os="windows"),
    ),
    _entry(
        key="vss_writes_not_held",
        codes=("0x80042313", "VSS_E_FLUSH_WRITES_TIMEOUT", "0x80042314", "VSS_E_HOLD_WRITES_TIMEOUT"),
        words=r"0x8004231[34]|VSS_E_(FLUSH|HOLD)_WRITES_TIMEOUT|timed out while (holding|flushing)",
        words_suffice=True,
        cause="The volume was too busy to flush or to hold its writes in time.",
        remedy="Wait ten minutes and try again, at most three times. If it comes back, move the schedule to a quieter "
        "hour or give the disks more throughput.",
        retry=Retry.LATER,
        example=Example(
            "0x80042314",
            "The shadow copy provider timed out while holding writes to the volume being shadow copied.",
            os="windows",
        ),
    ),
    _entry(
        key="vss_busy",
        codes=("0x80042316", "VSS_E_SNAPSHOT_SET_IN_PROGRESS"),
        cause="Another program in the guest is making a shadow copy at this moment.",
        remedy="Wait until the other shadow copy is finished, and keep two backup products from running at one hour.",
        retry=Retry.LATER,
        example=Example("0x80042316", "Another shadow copy creation is already in progress.", os="windows"),
    ),
    _entry(
        key="vss_too_many_copies",
        codes=("0x80042317", "VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED"),
        cause="The volume has as many shadow copies as it may have.",
        remedy="Delete old shadow copies of the volume in the guest.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "0x80042317", "The specified volume has already reached its maximum number of shadow copies.", os="windows"
        ),
    ),
    _entry(
        key="vss_storage",
        codes=("0x8004231F", "VSS_E_INSUFFICIENT_STORAGE"),
        cause="There is too little space for the shadow copy's own data.",
        remedy="Free space on the volume, or enlarge its shadow copy storage with vssadmin resize shadowstorage.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "0x8004231F", "Insufficient storage available to create the shadow copy storage file.", os="windows"
        ),
    ),
    _entry(
        key="vss_volume_not_supported",
        codes=("0x8004230C", "0x8004230E", "VSS_E_VOLUME_NOT_SUPPORTED"),
        cause="A volume of the guest cannot be shadow copied, for example because it is not NTFS or ReFS.",
        remedy="Exclude the disk from the restore point, or format the volume with a file system that VSS supports.",
        retry=Retry.FIX_FIRST,
        example=Example("0x8004230C", "Shadow copying the specified volume is not supported.", os="windows"),
    ),
    _entry(
        key="vss_unexpected",
        codes=("0x80042302", "VSS_E_UNEXPECTED"),
        words=r"0x80042302|VSS_E_UNEXPECTED\b|shadow copy service component encountered an unexpected error",
        words_suffice=True,
        cause="VSS itself failed; right after a restart of its services this passes by itself.",
        remedy="Wait a minute and list the writers again. If it comes back, read the Application log (source VSS), and "
        "restart the VM in a maintenance window: EventSystem, which often is the cause, must not be restarted alone.",
        retry=Retry.LATER,
        example=Example(
            "0x80042302", "A Volume Shadow Copy Service component encountered an unexpected error.", os="windows"
        ),
    ),
    _entry(
        key="vss_bad_state",
        codes=("0x80042301", "VSS_E_BAD_STATE"),
        cause="VSS was asked for something that does not fit what it was doing, mostly a leftover of a broken backup.",
        remedy="Restart the service VSS, then the VM if it comes back.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "0x80042301", "A function call was made when the object was in an incorrect state.", os="windows"
        ),
    ),
)
