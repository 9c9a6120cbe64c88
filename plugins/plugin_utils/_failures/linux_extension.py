# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Linux snapshot extension's own codes.

Read in Azure/azure-linux-extensions, VMBackup/main (ExtensionErrorCodeHelper.py and where each code is set). In the
guest a code stands as a number in `N.status`; in a message it stands by name, as in "StatusCode.FailedPrepostPreScript
Failed". The codes 0 (application-consistent) and 3 (this request was processed already) are not failures.
"""

from __future__ import annotations

from .entry import Entry, Example, Retry, Seen


def _code(
    number: int,
    name: str,
    key: str,
    retry: Retry,
    cause: str,
    remedy: str,
    message: str = "",
    *,
    also: tuple[str, ...] = (),
    docs: str = "Troubleshoot restore point failures",
) -> Entry:
    return Entry(
        key=key,
        cause=cause,
        remedy=remedy,
        retry=retry,
        docs=docs,
        seen=(Seen.GUEST, Seen.EXTENSION),
        example=Example(str(number), message or f"Enable failed StatusCode.{name},", os="linux"),
        codes=(str(number), name, *also),
        os="linux",
    )


def _script(
    number: int,
    name: str,
    key: str,
    cause: str,
    remedy: str,
    message: str = "",
    *,
    also: tuple[str, ...] = (),
) -> Entry:
    docs = "Application-consistent backup of Azure Linux VMs"
    return _code(number, name, key, Retry.FIX_FIRST, cause, remedy, message, also=also, docs=docs)


_REDEPLOY = "Deploy the scripts anew with the role linux_scripts, which checks types, rights and owners."

LINUX: tuple[Entry, ...] = (
    # The run as a whole.
    _code(
        1,
        "success",
        "linux_not_application_consistent",
        Retry.FIX_FIRST,
        "The snapshot was taken, but it is file-system-consistent: no scripts are set up, or they were refused or "
        "failed.",
        "Look at the health code of the last run with guest_snapshot_info, which tells the three apart.",
        "Enable Succeeded",
    ),
    _code(
        2,
        "error",
        "linux_unexpected_error",
        Retry.FIX_FIRST,
        "The extension crashed, or the file systems were thawed before the snapshot was done.",
        "Read the traceback in extension.log; a text or null where VMSnapshotScriptPluginConfig.json needs true or "
        "false is a frequent cause.",
        "Enable failed with exception in safe freeze or snapshot",
    ),
    _code(
        4,
        "ExtensionTempTerminalState",
        "linux_unfinished",
        Retry.LATER,
        "The run is not finished; when no daemon runs any more, it was killed, hung in the freeze, or failed with one "
        "of the codes 173 and 556, whose final status is never written.",
        "Look for a process with handle.py -daemon; without one, read the end of extension.log. Thaw mounts that are "
        "still frozen with fsfreeze --unfreeze.",
        "Transitioning state in extension",
    ),
    _code(
        11,
        "error_parameter",
        "linux_settings_unusable",
        Retry.LATER,
        "The settings that Azure sent could not be used.",
        "Try again later; the settings come from Azure with each run.",
        "required field empty or not correct",
    ),
    _code(
        12,
        "error_12",
        "linux_file_missing",
        Retry.FIX_FIRST,
        "The extension did not find a file or a program that it needs.",
        "Read extension.log for the missing file, and install it.",
        "Enable failed, no such file or directory",
    ),
    _code(
        15,
        "error_http_failure",
        "linux_http_failure",
        Retry.LATER,
        "A call from the guest to the host or to Azure Storage failed.",
        "Check as root that the guest reaches 168.63.129.16 on port 80, with no proxy in between.",
    ),
    _code(
        16,
        "FailedHandlerGuestAgentCertificateNotFound",
        "linux_settings_encrypted",
        Retry.FIX_FIRST,
        "The extension could not decrypt its settings.",
        "Restart the agent, so that it fetches its certificates anew. If it comes back, check openssl, the option "
        "OS.EnableFIPS in /etc/waagent.conf and the certificates in /var/lib/waagent.",
        "unable to load certificate",
    ),
    _code(
        17,
        "FailedInvalidDataDiskLunList",
        "linux_lun_list",
        Retry.FIX_FIRST,
        "Disks are excluded on a VM with Ultra, Premium SSD v2, write-accelerated or confidential disks, and Azure "
        "sent no list of those that remain.",
        "Change which disks are excluded, so that at least one data disk remains or none is excluded.",
        "Invalid Input. IsAnyDiskExcluded is marked as true but input LUN list received from CRP is empty.",
    ),
    _code(
        402,
        "FailedGuestAgentInvokedCommandTooLate",
        "linux_started_too_late",
        Retry.LATER,
        "The agent started the snapshot more than 140 minutes after Azure had asked for it.",
        "Check that the agent runs and is not busy with another extension, and that the guest's clock is right.",
        "CRP timeout limit has reached, will not take snapshot.",
    ),
    # Snapshot.
    _code(
        76,
        "FailedRetryableSnapshotFailedNoNetwork",
        "linux_no_network",
        Retry.LATER,
        "No disk could be captured: the host did not answer the guest in time.",
        "Check as root that the guest reaches 168.63.129.16 on port 80, with no firewall or proxy in between.",
    ),
    _code(
        761,
        "FailedRetryableSnapshotFailedRestrictedNetwork",
        "linux_restricted_network",
        Retry.LATER,
        "Some disks could be captured and others not.",
        "Check as root that the guest reaches 168.63.129.16 on port 80, with no firewall or proxy in between.",
    ),
    _code(
        85,
        "FailedSnapshotLimitReached",
        "linux_snapshot_limit",
        Retry.FIX_FIRST,
        "A disk has as many snapshots as it may have.",
        "Delete restore points and snapshots that are no longer needed.",
    ),
    _code(
        173,
        "FailedRetryableSnapshotRateExceeded",
        "linux_snapshot_rate",
        Retry.LATER,
        "Snapshots of this VM were asked for too often.",
        "Wait, and plan at least three hours between two points of a VM.",
    ),
    _code(
        556,
        "FailedHostSnapshotRemoteServerError",
        "linux_host_error",
        Retry.LATER,
        "The snapshot service on the host had an error.",
        "Try again later; nothing in the guest is wrong.",
    ),
    # Freeze.
    _code(
        121,
        "FailedRetryableFsFreezeFailed",
        "linux_freeze_failed",
        Retry.FIX_FIRST,
        "A file system refused the freeze, or another run held the lock.",
        "Find the mount in extension.log (Failed to FIFREEZE): a duplicate, bind or already frozen mount, or another "
        "backup at the same time. Unmount it, or name it in MountsToSkip in /etc/azure/vmbackup.conf.",
    ),
    _code(
        122,
        "FailedRetryableFsFreezeTimeout",
        "linux_freeze_timeout",
        Retry.FIX_FIRST,
        "The file systems were not frozen within the time allowed, mostly because of heavy or stuck I/O.",
        "Look for mounts that are still frozen and thaw them with fsfreeze --unfreeze. Then take load off the disks, "
        "and look for dead NFS, FUSE or autofs mounts.",
    ),
    _code(
        123,
        "FailedRetryableUnableToOpenMount",
        "linux_mount_unreadable",
        Retry.FIX_FIRST,
        "A mount point could not be opened: it is stale or hidden by another mount.",
        "Unmount it, or name it in MountsToSkip in /etc/azure/vmbackup.conf.",
    ),
    _code(
        124,
        "FailedSafeFreezeBinaryNotFound",
        "linux_freeze_program_missing",
        Retry.FIX_FIRST,
        "The extension's own freeze program is missing: the installation is incomplete, or antivirus took it away.",
        "Exempt the extension's folder below /var/lib/waagent from antivirus, then repair the extension with "
        "snapshot_extension.",
        "safefreeze binary is missing in the following path",
    ),
    # Scripts.
    _script(
        300,
        "FailedPrepostPreScriptFailed",
        "pre_script_failed",
        "The pre-script ended with another status than 0.",
        "Read the script's own log for the hook that failed, and try it with snapshot_rehearsal.",
        "PreScript failed for the plugin ScriptRunner StatusCode.FailedPrepostPreScriptFailed,",
    ),
    _script(
        301,
        "FailedPrepostPostScriptFailed",
        "post_script_failed",
        "The post-script ended with another status than 0: the hold was broken before the end, or the release failed.",
        "Check at once that the application takes writes again, then read the script's own log.",
        "PostScript failed for the plugin ScriptRunner StatusCode.FailedPrepostPostScriptFailed,",
    ),
    _script(
        302,
        "FailedPrepostPreScriptNotFound",
        "pre_script_missing",
        "The pre-script is not where VMSnapshotScriptPluginConfig.json says.",
        _REDEPLOY,
    ),
    _script(
        303,
        "FailedPrepostPostScriptNotFound",
        "post_script_missing",
        "The post-script is not where VMSnapshotScriptPluginConfig.json says.",
        _REDEPLOY,
    ),
    _script(
        304,
        "FailedPrepostPluginhostConfigParsing",
        "script_host_config_broken",
        "VMSnapshotPluginHost.conf is broken, or a value in VMSnapshotScriptPluginConfig.json has the wrong type, such "
        "as a timeout in quotes.",
        _REDEPLOY,
    ),
    _script(
        305,
        "FailedPrepostPluginConfigParsing",
        "script_config_broken",
        "VMSnapshotScriptPluginConfig.json is not valid JSON, begins with a byte order mark, or lacks a key.",
        _REDEPLOY,
    ),
    _script(
        306,
        "FailedPrepostPreScriptPermissionError",
        "pre_script_refused",
        "The pre-script was refused: it does not belong to root, or group or others have rights on it.",
        "Set owner root and mode 0700; the role linux_scripts does it.",
    ),
    _script(
        307,
        "FailedPrepostPostScriptPermissionError",
        "post_script_refused",
        "The post-script was refused: it does not belong to root, or group or others have rights on it.",
        "Set owner root and mode 0700; the role linux_scripts does it.",
    ),
    _script(
        308,
        "FailedPrepostPreScriptTimeout",
        "pre_script_timeout",
        "The pre-script was not finished in time, and was not killed either.",
        "Check that it has ended and holds no lock. Then raise timeoutInSeconds or shorten what it waits for; more "
        "than 64 KiB of output blocks a script as well.",
    ),
    _script(
        309,
        "FailedPrepostPostScriptTimeout",
        "post_script_timeout",
        "The post-script was not finished in time, and was not killed either.",
        "Check at once that the application takes writes again. Then raise timeoutInSeconds, or find what it waits "
        "for.",
    ),
    _script(
        310,
        "FailedPrepostPluginhostPreTimeout",
        "pre_script_host_timeout",
        "The extension's script runner died or ran into its own limit of 30 minutes in the pre phase, mostly because "
        "of params or retries of a wrong type.",
        _REDEPLOY,
    ),
    _script(
        311,
        "FailedPrepostPluginhostPostTimeout",
        "post_script_host_timeout",
        "The extension's script runner died or ran into its own limit of 30 minutes in the post phase, mostly because "
        "of params or retries of a wrong type.",
        "Check at once that the application takes writes again. Then deploy the scripts anew with the role "
        "linux_scripts.",
    ),
    _script(
        313,
        "FailedPrepostPluginhostConfigNotFound",
        "script_host_config_missing",
        "VMSnapshotPluginHost.conf is missing, even the one that comes with the extension.",
        "Repair the extension with snapshot_extension.",
    ),
    _script(
        314,
        "FailedPrepostPluginhostConfigPermissionError",
        "script_host_config_refused",
        "/etc/azure/VMSnapshotPluginHost.conf was refused for its owner or mode, so no script was run.",
        "Remove the file, or set owner root and mode 0600 or 0644.",
        also=("315", "FailedPrepostPluginhostConfigOwnershipError"),
    ),
    _script(
        316,
        "FailedPrepostPluginConfigNotFound",
        "scripts_not_configured",
        "There is no /etc/azure/VMSnapshotScriptPluginConfig.json, so no scripts are run.",
        "Deploy the scripts with the role linux_scripts.",
    ),
    _script(
        317,
        "FailedPrepostPluginConfigPermissionError",
        "script_config_refused",
        "VMSnapshotScriptPluginConfig.json was refused for its owner or mode, so no script was run.",
        "Set owner root and mode 0600; the role linux_scripts does it.",
        also=("318", "FailedPrepostPluginConfigOwnershipError"),
    ),
    _script(
        312,
        "FailedPrepostCheckSumMismatch",
        "linux_reserved_code",
        "The extension names this code, but no version that was read ever sends it.",
        "Read extension.log for what happened, and report the code and the extension's version.",
        "Enable failed",
        also=("13", "error_wrong_time", "14", "error_same_taskid"),
    ),
)
