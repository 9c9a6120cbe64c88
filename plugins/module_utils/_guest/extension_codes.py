# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the numbers mean that VMSnapshotLinux reports, as data.

The same numbers are used for ``status.code`` and for ``vmHealthStatusCode``. Source: ``ExtensionErrorCodeHelper.py``
and ``common.py`` in Azure/azure-linux-extensions, folder VMBackup/main.
"""

from typing import Dict, NamedTuple, Optional


class ExtensionCode(NamedTuple):
    code: int
    name: str
    health: Optional[str]  # green, yellow, red; None where the extension's own table lacks the code
    fixable: str  # by an operator in the guest: yes, no, maybe, wait
    meaning: str
    remedy: str


APPLICATION = 0
FILE_SYSTEM = 1
ERROR = 2
ALREADY_PROCESSED = 3
TRANSITIONING = 4
PRE_FAILED, POST_FAILED = 300, 301
PRE_NOT_FOUND, POST_NOT_FOUND = 302, 303
HOST_CONFIG_PARSING = 304
PLUGIN_CONFIG_PARSING = 305
PRE_PERMISSION, POST_PERMISSION = 306, 307
PRE_TIMEOUT, POST_TIMEOUT = 308, 309
HOST_PRE_TIMEOUT, HOST_POST_TIMEOUT = 310, 311
HOST_CONFIG_NOT_FOUND = 313
HOST_CONFIG_PERMISSION = 314
PLUGIN_CONFIG_NOT_FOUND = 316
PLUGIN_CONFIG_PERMISSION = 317

_REDEPLOY = "Deploy the scripts again with appconsistent.azure.snapshot_scripts."
_READ_LOG = "Read the extension's log around the end of the run."
_WORKLOAD = "Empty workload_name in /etc/azure/workload.conf, or put the database right."

# Codes for which the extension looks healthy although the scripts were not run: nothing but the log tells.
SILENT = (
    HOST_CONFIG_PARSING,
    PLUGIN_CONFIG_PARSING,
    HOST_CONFIG_NOT_FOUND,
    HOST_CONFIG_PERMISSION,
    PLUGIN_CONFIG_NOT_FOUND,
)

_TABLE = (
    ExtensionCode(0, "success_appconsistent", "green", "no", "Scripts and snapshot succeeded.", "Nothing to do."),
    ExtensionCode(
        1,
        "success",
        "green",
        "maybe",
        "The snapshot was taken, but it is not application-consistent.",
        "Look at the health code and at the pre and post results.",
    ),
    ExtensionCode(
        2,
        "error",
        "green",
        "maybe",
        "The run failed: an unexpected error, an inconsistent snapshot, or a crash in the script framework.",
        _READ_LOG + " A value of the wrong type in the script configuration is a frequent cause.",
    ),
    ExtensionCode(
        3,
        "SuccessAlreadyProcessedInput",
        "green",
        "no",
        "The same task was asked for twice; nothing was done.",
        "Nothing to do.",
    ),
    ExtensionCode(
        4,
        "ExtensionTempTerminalState",
        "green",
        "no",
        "The run has not ended.",
        "Wait. If no process of the extension is left, it crashed, was killed, or could not write its result.",
    ),
    ExtensionCode(
        11,
        "error_parameter",
        "yellow",
        "no",
        "The settings that Azure sent cannot be used.",
        "Ask for the point again.",
    ),
    ExtensionCode(
        12,
        "error_12",
        "green",
        "maybe",
        "A file or a program was not found during the run.",
        _READ_LOG + " It names the missing file.",
    ),
    ExtensionCode(13, "error_wrong_time", None, "maybe", "The clock is wrong.", "Put the clock right."),
    ExtensionCode(14, "error_same_taskid", None, "no", "The same task was asked for twice.", "Nothing to do."),
    ExtensionCode(
        15,
        "error_http_failure",
        "red",
        "yes",
        "A call to the storage or to the host failed.",
        "Check the network, and that no proxy is used for 168.63.129.16.",
    ),
    ExtensionCode(
        16,
        "FailedHandlerGuestAgentCertificateNotFound",
        "yellow",
        "yes",
        "The settings could not be decrypted: the agent's certificate is missing or openssl failed.",
        "Restart the guest agent; check OS.EnableFIPS, openssl and the certificates below /var/lib/waagent.",
    ),
    ExtensionCode(
        17,
        "FailedInvalidDataDiskLunList",
        "yellow",
        "no",
        "Disks are excluded in a way that this kind of VM does not allow.",
        "Change the list of excluded disks.",
    ),
    ExtensionCode(
        76,
        "FailedRetryableSnapshotFailedNoNetwork",
        "red",
        "yes",
        "No snapshot was taken: the host could not be reached or answered badly.",
        "As root, 168.63.129.16 port 80 must be reachable, with no proxy and no firewall in between; then ask again.",
    ),
    ExtensionCode(
        85,
        "FailedSnapshotLimitReached",
        "red",
        "yes",
        "A disk has too many snapshots.",
        "Delete old restore points; a VM may have 500.",
    ),
    ExtensionCode(
        121,
        "FailedRetryableFsFreezeFailed",
        "yellow",
        "yes",
        "A file system refused to be frozen, or another run held the freeze lock.",
        "Look for bind mounts, a file system that is frozen already, Site Recovery or another backup tool; "
        "leave a mount out with MountsToSkip in /etc/azure/vmbackup.conf.",
    ),
    ExtensionCode(
        122,
        "FailedRetryableFsFreezeTimeout",
        "yellow",
        "yes",
        "The file systems were not frozen within 66 seconds.",
        "Check at once that nothing is still frozen; then look for heavy load, stuck I/O, NFS, FUSE or autofs.",
    ),
    ExtensionCode(
        123,
        "FailedRetryableUnableToOpenMount",
        "yellow",
        "yes",
        "A mount point could not be opened.",
        "Unmount what is stale or shadowed, or leave it out with MountsToSkip in /etc/azure/vmbackup.conf.",
    ),
    ExtensionCode(
        124,
        "FailedSafeFreezeBinaryNotFound",
        "yellow",
        "yes",
        "The extension's freeze program is missing.",
        "Look for an antivirus that removed it; have the extension installed anew.",
    ),
    ExtensionCode(
        173,
        "FailedRetryableSnapshotRateExceeded",
        "green",
        "wait",
        "Azure throttled the snapshots.",
        "Leave more time between points; three per VM and hour are allowed.",
    ),
    ExtensionCode(
        300,
        "FailedPrepostPreScriptFailed",
        "yellow",
        "yes",
        "The pre script failed.",
        "Read the script's own log, then rehearse with appconsistent.azure.snapshot_rehearsal.",
    ),
    ExtensionCode(
        301,
        "FailedPrepostPostScriptFailed",
        "yellow",
        "yes",
        "The post script failed.",
        "Look at the application at once: it may still be held. Then read the script's own log.",
    ),
    ExtensionCode(302, "FailedPrepostPreScriptNotFound", "yellow", "yes", "The pre script does not exist.", _REDEPLOY),
    ExtensionCode(
        303, "FailedPrepostPostScriptNotFound", "yellow", "yes", "The post script does not exist.", _REDEPLOY
    ),
    ExtensionCode(
        304,
        "FailedPrepostPluginhostConfigParsing",
        "yellow",
        "yes",
        "The host file is broken, or a value in the script configuration has the wrong type.",
        _REDEPLOY,
    ),
    ExtensionCode(
        305,
        "FailedPrepostPluginConfigParsing",
        "yellow",
        "yes",
        "The script configuration is not valid JSON, begins with a byte order mark, or lacks a key.",
        _REDEPLOY,
    ),
    ExtensionCode(
        306,
        "FailedPrepostPreScriptPermissionError",
        "yellow",
        "yes",
        "The pre script may be touched by others than root, or root does not own it.",
        _REDEPLOY,
    ),
    ExtensionCode(
        307,
        "FailedPrepostPostScriptPermissionError",
        "yellow",
        "yes",
        "The post script may be touched by others than root, or root does not own it.",
        _REDEPLOY,
    ),
    ExtensionCode(
        308,
        "FailedPrepostPreScriptTimeout",
        "yellow",
        "yes",
        "The pre script was still running at its time limit. It was not ended.",
        "End it, look for a lock that it waits for, raise timeoutInSeconds, and have it write to a file only.",
    ),
    ExtensionCode(
        309,
        "FailedPrepostPostScriptTimeout",
        "yellow",
        "yes",
        "The post script was still running at its time limit. It was not ended.",
        "Look at the application at once: it may still be held. Then raise timeoutInSeconds.",
    ),
    ExtensionCode(
        310,
        "FailedPrepostPluginhostPreTimeout",
        "yellow",
        "yes",
        "The pre script's runner died, or the host file's time limit passed.",
        "Check the types of preScriptParams and preScriptNoOfRetries. " + _REDEPLOY,
    ),
    ExtensionCode(
        311,
        "FailedPrepostPluginhostPostTimeout",
        "yellow",
        "yes",
        "The post script's runner died, or the host file's time limit passed.",
        "Check the types of postScriptParams and postScriptNoOfRetries. " + _REDEPLOY,
    ),
    ExtensionCode(312, "FailedPrepostCheckSumMismatch", "yellow", "yes", "A checksum does not match.", _REDEPLOY),
    ExtensionCode(
        313,
        "FailedPrepostPluginhostConfigNotFound",
        "yellow",
        "yes",
        "The host file exists neither in /etc/azure nor in the extension's folder.",
        "Have the extension installed anew.",
    ),
    ExtensionCode(
        314,
        "FailedPrepostPluginhostConfigPermissionError",
        "yellow",
        "yes",
        "The host file's mode or owner is refused.",
        "Remove /etc/azure/VMSnapshotPluginHost.conf, or make it mode 0644 and owned by root.",
    ),
    ExtensionCode(
        315,
        "FailedPrepostPluginhostConfigOwnershipError",
        "yellow",
        "yes",
        "The host file's owner is refused.",
        "Remove /etc/azure/VMSnapshotPluginHost.conf, or make root its owner.",
    ),
    ExtensionCode(316, "FailedPrepostPluginConfigNotFound", "yellow", "yes", "No scripts are configured.", _REDEPLOY),
    ExtensionCode(
        317,
        "FailedPrepostPluginConfigPermissionError",
        "yellow",
        "yes",
        "The script configuration's mode or owner is refused.",
        "Make /etc/azure/VMSnapshotScriptPluginConfig.json mode 0600 and owned by root.",
    ),
    ExtensionCode(
        318,
        "FailedPrepostPluginConfigOwnershipError",
        "yellow",
        "yes",
        "The script configuration's owner is refused.",
        "Make root the owner of /etc/azure/VMSnapshotScriptPluginConfig.json.",
    ),
    ExtensionCode(
        402,
        "FailedGuestAgentInvokedCommandTooLate",
        "red",
        "yes",
        "The guest agent started the run more than 140 minutes after it was asked for.",
        "Check the guest agent and the clock; then ask again.",
    ),
    ExtensionCode(
        500, "FailedWorkloadPreError", "yellow", "yes", "The workload framework's pre step failed.", _WORKLOAD
    ),
    ExtensionCode(501, "FailedWorkloadConfParsingError", "yellow", "yes", "workload.conf is broken.", _WORKLOAD),
    ExtensionCode(502, "FailedWorkloadInvalidRole", "yellow", "yes", "workload.conf names an unknown role.", _WORKLOAD),
    ExtensionCode(
        503, "FailedWorkloadInvalidWorkloadName", "yellow", "yes", "workload.conf names an unknown workload.", _WORKLOAD
    ),
    ExtensionCode(
        504, "FailedWorkloadPostError", "yellow", "yes", "The workload framework's post step failed.", _WORKLOAD
    ),
    ExtensionCode(
        505, "FailedWorkloadAuthorizationMissing", "yellow", "yes", "workload.conf holds no login.", _WORKLOAD
    ),
    ExtensionCode(
        506,
        "FailedWorkloadConnectionError",
        "yellow",
        "yes",
        "The workload framework cannot reach the database.",
        _WORKLOAD,
    ),
    ExtensionCode(
        507,
        "FailedWorkloadIPCDirectoryMissing",
        "yellow",
        "yes",
        "workload.conf names an ipc_folder that does not exist.",
        _WORKLOAD,
    ),
    ExtensionCode(
        508,
        "FailedWorkloadDatabaseNotOpen",
        "yellow",
        "yes",
        "The database was not open, or its state changed during the run.",
        "Ask for the point again. " + _WORKLOAD,
    ),
    ExtensionCode(
        509,
        "FailedWorkloadQuiescingError",
        "yellow",
        "yes",
        "The workload framework could not quiesce the database.",
        "Look for long queries. " + _WORKLOAD,
    ),
    ExtensionCode(
        510,
        "FailedWorkloadQuiescingTimeout",
        "yellow",
        "yes",
        "The database was not held until the snapshot was taken.",
        "Raise timeout in workload.conf. " + _WORKLOAD,
    ),
    ExtensionCode(
        511,
        "FailedWorkloadDatabaseInNoArchiveLog",
        "yellow",
        "yes",
        "Oracle is not in ARCHIVELOG mode.",
        "Switch to ARCHIVELOG mode. " + _WORKLOAD,
    ),
    ExtensionCode(
        512,
        "FailedWorkloadLogModeChanged",
        "yellow",
        "yes",
        "Oracle's log mode changed during the run.",
        "Ask for the point again. " + _WORKLOAD,
    ),
    ExtensionCode(
        556,
        "FailedHostSnapshotRemoteServerError",
        None,
        "wait",
        "Azure's host service failed while it took the snapshot.",
        "Ask for the point again later.",
    ),
    ExtensionCode(
        761,
        "FailedRetryableSnapshotFailedRestrictedNetwork",
        "red",
        "maybe",
        "The snapshots of some disks failed.",
        "Check the network to 168.63.129.16 port 80; then ask again.",
    ),
)

CODES: Dict[int, ExtensionCode] = {entry.code: entry for entry in _TABLE}

# vmHealthState in N.status
HEALTH_STATES = {0: "green", 128: "yellow", 256: "red"}


def code_entry(code: int) -> ExtensionCode:
    """The entry for a code; an entry that says so for a code that nobody knows."""
    return CODES.get(code) or ExtensionCode(
        code, "unknown", None, "maybe", "The extension reported {0}, a code that is not known.".format(code), _READ_LOG
    )
