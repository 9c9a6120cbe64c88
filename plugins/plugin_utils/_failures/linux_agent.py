# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Linux agent's codes about any extension: HandlerStatus in the guest, "terminal error code" in Azure's message.

Read in Azure/WALinuxAgent, ExtensionErrorCodes. An extension's own exit statuses are smaller numbers.
"""

from __future__ import annotations

from .entry import Entry, Example, Retry, Seen


def _agent(number: int, key: str, retry: Retry, cause: str, remedy: str, *, also: tuple[str, ...] = ()) -> Entry:
    return Entry(
        key=key,
        cause=cause,
        remedy=remedy,
        retry=retry,
        docs="Azure Linux VM Agent overview",
        seen=(Seen.GUEST, Seen.EXTENSION),
        example=Example(
            "VMExtensionHandlerNonTransientError",
            "Handler 'Microsoft.Azure.RecoveryServices.VMSnapshotLinux' has reported failure for VM Extension "
            f"'VMSnapshotLinux' with terminal error code '{number}' and error message: '...'",
            os="linux",
        ),
        codes=(str(number), *also),
        os="linux",
    )


AGENT: tuple[Entry, ...] = (
    _agent(
        1000,
        "agent_general",
        Retry.FIX_FIRST,
        "The agent had an error with the extension that has no code of its own.",
        "Read /var/log/waagent.log for the extension.",
    ),
    _agent(
        1001,
        "agent_download",
        Retry.LATER,
        "The agent could not download the extension.",
        "Check that the guest reaches 168.63.129.16 on ports 80 and 32526, and Azure Storage if it has no host plugin.",
        also=("1002", "1003", "1004"),
    ),
    _agent(
        1005,
        "agent_unpack",
        Retry.FIX_FIRST,
        "The agent could not unpack the extension.",
        "Free space below /var/lib/waagent, and exempt it from antivirus and from a noexec mount.",
    ),
    _agent(
        1007,
        "agent_install",
        Retry.FIX_FIRST,
        "The extension could not be installed or updated.",
        "Read CommandExecution.log and shell.log of the extension below /var/log/azure.",
        also=("1008",),
    ),
    _agent(
        1009,
        "agent_enable",
        Retry.FIX_FIRST,
        "The extension could not be started, for example because it finds no Python.",
        "Read shell.log of the extension below /var/log/azure, and install a Python 3 if it found none.",
        also=("1010",),
    ),
    _agent(
        1011,
        "agent_command_timeout",
        Retry.LATER,
        "A command of the extension was not finished in time.",
        "Look for load and stuck I/O in the guest, then for the command in CommandExecution.log.",
    ),
    _agent(
        1012,
        "agent_status_unreadable",
        Retry.FIX_FIRST,
        "The agent could not read the extension's status file.",
        "Free space below /var/lib/waagent, and repair the extension with snapshot_extension if it comes back.",
    ),
)
