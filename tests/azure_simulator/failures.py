"""Why a create fails, in the codes and words of Microsoft's page "Troubleshoot restore point failures"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Failure: TypeAlias = "Mapping[str, str]"


def _client(message: str) -> Failure:
    return {"code": "VMRestorePointClientError", "message": message}


AGENT_SILENT: Failure = {
    "code": "VMAgentStatusCommunicationError",
    "message": "VM has not reported status for VM agent or extensions.",
}
INTERNAL: Failure = {
    "code": "VMRestorePointInternalError",
    "message": "Restore Point creation failed due to an internal execution error while creating VM snapshot. Please "
    "retry the operation after some time.",
}
MODEL_CHANGED: Failure = {
    "code": "OperationNotAllowed",
    "message": "Changes were made to the Virtual Machine while the operation 'Create Restore Point' was in progress. "
    "Operation Create Restore Point cannot be completed at this time. Please try again later.",
}
VSS_WRITERS = _client(
    "Restore Point creation failed due to VSS Writers in bad state. Restart VSS Writer services and reboot VM."
)
NO_NETWORK = _client(
    "Restore Point creation failed due to no network connectivity on the virtual machine. Ensure that VM has network "
    "access. Either allowlist the Azure datacenter IP ranges or set up a proxy server for network access. For more "
    "information, see https://go.microsoft.com/fwlink/?LinkId=800034. If you are already using proxy server, make sure "
    "that proxy server settings are configured correctly."
)
SNAPSHOT_LIMIT = _client(
    "Restore Point creation failed as the maximum allowed snapshot limit of one or more disk blobs has been reached. "
    "Please delete some existing restore points of this VM and then retry."
)
VAULT_MISSING: Failure = {
    "code": "DiskRestorePointClientError",
    "message": "Keyvault associated with DiskEncryptionSet not found. The resource may have been deleted due to which "
    "Restore Point creation failed. Please retry the operation after re-creating the missing resource with the same "
    "name.",
}

# The Linux extension's own codes that have an error of their own; every other one is an internal error to Compute.
BY_EXTENSION_CODE: Mapping[str, Failure] = {
    "15": NO_NETWORK,
    "76": NO_NETWORK,
    "761": NO_NETWORK,
    "85": SNAPSHOT_LIMIT,
}
