"""The codes a run can end with, by the names that the log uses."""

from __future__ import annotations

SUCCESS_APPLICATION_CONSISTENT = 0
SUCCESS = 1
ERROR = 2
ALREADY_PROCESSED = 3
RUNNING = 4
NO_NETWORK = 76
FREEZE_FAILED = 121
FREEZE_TIMEOUT = 122
RATE_EXCEEDED = 173
PRE_FAILED = 300
POST_FAILED = 301
PRE_NOT_FOUND = 302
POST_NOT_FOUND = 303
HOST_CONFIG_PARSING = 304
PLUGIN_CONFIG_PARSING = 305
PRE_PERMISSION = 306
POST_PERMISSION = 307
PRE_TIMEOUT = 308
POST_TIMEOUT = 309
HOST_PRE_TIMEOUT = 310
HOST_POST_TIMEOUT = 311
HOST_CONFIG_NOT_FOUND = 313
HOST_CONFIG_PERMISSION = 314
PLUGIN_CONFIG_NOT_FOUND = 316
PLUGIN_CONFIG_PERMISSION = 317
TOO_LATE = 402
WORKLOAD_NO_CREDENTIALS = 505
WORKLOAD_QUIESCE_FAILED = 509
HOST_SERVER_ERROR = 556

NAMES = {
    SUCCESS_APPLICATION_CONSISTENT: "success_appconsistent",
    SUCCESS: "success",
    ERROR: "error",
    ALREADY_PROCESSED: "SuccessAlreadyProcessedInput",
    RUNNING: "ExtensionTempTerminalState",
    NO_NETWORK: "FailedRetryableSnapshotFailedNoNetwork",
    FREEZE_FAILED: "FailedRetryableFsFreezeFailed",
    FREEZE_TIMEOUT: "FailedRetryableFsFreezeTimeout",
    RATE_EXCEEDED: "FailedRetryableSnapshotRateExceeded",
    PRE_FAILED: "FailedPrepostPreScriptFailed",
    POST_FAILED: "FailedPrepostPostScriptFailed",
    PRE_NOT_FOUND: "FailedPrepostPreScriptNotFound",
    POST_NOT_FOUND: "FailedPrepostPostScriptNotFound",
    HOST_CONFIG_PARSING: "FailedPrepostPluginhostConfigParsing",
    PLUGIN_CONFIG_PARSING: "FailedPrepostPluginConfigParsing",
    PRE_PERMISSION: "FailedPrepostPreScriptPermissionError",
    POST_PERMISSION: "FailedPrepostPostScriptPermissionError",
    PRE_TIMEOUT: "FailedPrepostPreScriptTimeout",
    POST_TIMEOUT: "FailedPrepostPostScriptTimeout",
    HOST_PRE_TIMEOUT: "FailedPrepostPluginhostPreTimeout",
    HOST_POST_TIMEOUT: "FailedPrepostPluginhostPostTimeout",
    HOST_CONFIG_NOT_FOUND: "FailedPrepostPluginhostConfigNotFound",
    HOST_CONFIG_PERMISSION: "FailedPrepostPluginhostConfigPermissionError",
    PLUGIN_CONFIG_NOT_FOUND: "FailedPrepostPluginConfigNotFound",
    PLUGIN_CONFIG_PERMISSION: "FailedPrepostPluginConfigPermissionError",
    TOO_LATE: "FailedGuestAgentInvokedCommandTooLate",
    WORKLOAD_NO_CREDENTIALS: "FailedWorkloadAuthorizationMissing",
    WORKLOAD_QUIESCE_FAILED: "FailedWorkloadQuiescingError",
    HOST_SERVER_ERROR: "FailedHostSnapshotRemoteServerError",
}

# Checks that end with one of these leave no trace in the health code: the machine "looks healthy".
SILENT = frozenset(
    {
        HOST_CONFIG_PARSING,
        PLUGIN_CONFIG_PARSING,
        HOST_CONFIG_NOT_FOUND,
        HOST_CONFIG_PERMISSION,
        PLUGIN_CONFIG_NOT_FOUND,
    }
)
# Missing from the extension's own tables: it dies while it reports them, and the status file stays at "running".
NEVER_REPORTED = frozenset({RATE_EXCEEDED, HOST_SERVER_ERROR})

_GREEN = frozenset({SUCCESS_APPLICATION_CONSISTENT, SUCCESS, ERROR, ALREADY_PROCESSED, RUNNING, RATE_EXCEEDED})
_RED = frozenset({NO_NETWORK, TOO_LATE})


def health_state(code: int) -> int:
    """0 green, 128 yellow, 256 red."""
    if code in _GREEN:
        return 0
    return 256 if code in _RED else 128
