# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be wrong with the agent, the extension and its last run on a Linux guest, and what to do about it."""

from typing import Dict, Optional, Tuple

from .._finding import ERROR, INFO, WARNING, Finding, filled

_REINSTALL = (
    "Ask for an application-consistent restore point: Azure installs the extension with it; "
    "appconsistent.azure.snapshot_extension does that for you."
)
_STILL_HELD = (
    "Check that the application takes writes. If not, run the post script by hand as root: sh PATH, as "
    "configuration.linux.plugin.post shows it."
)

# code -> (severity, message, remedy)
CATALOGUE: Dict[str, Tuple[str, str, str]] = {
    "guest.not_root": (
        ERROR,
        "The module does not run as root, so most of what it looks for cannot be read.",
        "Run the task with become: true.",
    ),
    "agent.missing": (
        ERROR,
        "The Azure Linux agent is not installed.",
        "Install the package walinuxagent (Debian, Ubuntu) or WALinuxAgent, and start its service.",
    ),
    "agent.stopped": (
        ERROR,
        "The Azure Linux agent does not run.",
        "Start the service {service} and read /var/log/waagent.log.",
    ),
    "agent.masked": (ERROR, "The service {service} is masked, so it cannot start.", "systemctl unmask {service}"),
    "agent.silent": (
        WARNING,
        "The Azure Linux agent runs, but left no sign of life for {minutes} minutes.",
        "Read the end of /var/log/waagent.log; restart the service {service} if it hangs.",
    ),
    "agent.extensions_disabled": (
        ERROR,
        "Extensions.Enabled=n in /etc/waagent.conf: the agent runs no extension.",
        "Set it to y and restart the service {service}.",
    ),
    "agent.policy_excludes_extension": (
        ERROR,
        "The agent's allow list {file} leaves the snapshot extension out, so it is neither run nor updated.",
        "Add {extension} to extensionPolicies.extensions.",
    ),
    "agent.policy_unreadable": (
        ERROR,
        "The agent's allow list {file} is broken, and a broken one blocks every extension.",
        "Put it right, or set Debug.EnableExtensionPolicy=n in /etc/waagent.conf.",
    ),
    "agent.wire_server_closed": (
        ERROR,
        "Azure's host service 168.63.129.16 cannot be reached by root on port {port} ({answer}).",
        "Open outgoing TCP 80 and 32526 to 168.63.129.16 in firewalls and routes, and use no proxy for it.",
    ),
    "extension.missing": (ERROR, "The snapshot extension is not installed.", _REINSTALL),
    "extension.removed": (
        WARNING,
        "Azure had the snapshot extension removed at {when}.",
        "Find out who deleted it; appconsistent.azure.snapshot_extension_guard prevents that. " + _REINSTALL,
    ),
    "extension.not_enabled": (
        ERROR,
        "The snapshot extension {version} is in the state {state}.",
        "Read {log}; delete the extension through Azure and have it installed anew if it stays so.",
    ),
    "extension.not_ready": (
        ERROR,
        "The agent reports the snapshot extension as {status} with code {code}.",
        "Read /var/log/waagent.log and {log}.",
    ),
    "extension.unreadable": (
        WARNING,
        "{file} cannot be read: {reason}.",
        "Look at the file as root; nothing was followed.",
    ),
    "extension.no_python": (
        ERROR,
        "The extension's start script finds no Python, so nothing runs at all.",
        "Install Python 3 as /usr/bin/python3.",
    ),
    "extension.status_not_written": (
        WARNING,
        "The extension could not put its last status file into place.",
        "Check for a full disk below /var/lib/waagent.",
    ),
    "extension.settings_not_taken_up": (
        WARNING,
        "Azure asked for run {wanted}, but the extension worked on nothing newer than {last}.",
        "Read /var/log/waagent.log: the agent could not start the extension.",
    ),
    "extension.host_polling": (
        WARNING,
        "directsnapshot.service is there: the host takes snapshots by itself, frozen but without any script.",
        "Do not take points for application-consistent that were made that way; ask Microsoft's support.",
    ),
    "freeze.in_progress": (
        INFO,
        "File systems are frozen by the extension right now.",
        "Wait; this should not last longer than a minute.",
    ),
    "freeze.left_behind": (
        ERROR,
        "The extension's freeze program still runs although no snapshot does: file systems may be frozen.",
        "Thaw the mount points named in the evidence with fsfreeze --unfreeze, then end the program.",
    ),
    "freeze.blocked_writers": (
        WARNING,
        "Processes sleep in a way that writers to a frozen file system do.",
        "If no snapshot runs, find the frozen mount point and thaw it with fsfreeze --unfreeze.",
    ),
    "freeze.locked_by_other": (
        WARNING,
        "Process {pid} holds the extension's freeze lock although no snapshot runs.",
        "Look at that process; while it holds the lock, every freeze fails with code 121.",
    ),
    "run.none": (INFO, "The extension left no trace of any run.", "Nothing to do, if no restore point was taken yet."),
    "run.running": (INFO, "A snapshot is being taken right now.", "Ask again when it has ended."),
    "run.stuck": (
        ERROR,
        "The last run began at {started} and its process {pid} is still there.",
        "Read {log}. If file systems are frozen, thaw them first; then end the process and restart the agent.",
    ),
    "run.lost": (
        ERROR,
        "The last run never ended: its process is gone and left no result.",
        "It crashed, was killed, or the machine went down. " + _STILL_HELD,
    ),
    "run.failed": (ERROR, "The last run failed with code {code}: {meaning}", "{remedy}"),
    "run.not_application_consistent": (
        WARNING,
        "The last run reached {reached} consistency only: {meaning}",
        "{remedy}",
    ),
    "run.scripts_never_ran": (
        ERROR,
        "The extension reported application consistency for a run in which no script ran.",
        "Remove /etc/azure/VMSnapshotPluginHost.conf, or give it numberOfPlugins = 1.",
    ),
    "run.workload_framework": (
        WARNING,
        "The run used the extension's own framework for {workload}, not the scripts; it reports success unproved.",
        "Empty workload_name in /etc/azure/workload.conf.",
    ),
    "run.freeze_hung": (
        ERROR,
        "In the last run the freeze began and nothing came after it: file systems may still be frozen.",
        "Check each mount point with a write; thaw with fsfreeze --unfreeze; look for hanging NFS, FUSE or autofs.",
    ),
    "run.post_never_ran": (
        ERROR,
        "The pre script of the last run was started and the post script was not.",
        _STILL_HELD,
    ),
    "run.hold_was_long": (
        WARNING,
        "The application was held for up to {seconds} seconds.",
        "See which phase took the time; 8 to 15 seconds are usual.",
    ),
    "run.sources_disagree": (
        WARNING,
        "The status file says {status}, the log says {log}.",
        "Trust neither: take a new restore point and look again.",
    ),
    "run.status_unreadable": (
        WARNING,
        "{file} cannot be used: {reason}.",
        "What the log says is shown; look at the file as root.",
    ),
    "run.log_unreadable": (
        WARNING,
        "{file} cannot be used: {reason}.",
        "What the status file says is shown; look at the log as root.",
    ),
    "run.log_cut": (
        INFO,
        "The beginning of the last run was not found in {file}.",
        "Times and script results may be missing; see whether something rotates or truncates that file.",
    ),
    "scripts.refused": (WARNING, "The extension would not run the scripts (code {code}): {reason}.", "{remedy}"),
    "scripts.snapshot_with_nothing": (
        WARNING,
        "Freezing is off and the scripts would be refused: a snapshot would be taken with neither.",
        "Set fsFreezeEnabled to true, and put the scripts right.",
    ),
    "configuration.unreadable": (WARNING, "{file} cannot be used: {reason}.", "Look at the file as root."),
}


def finding(which: str, evidence: Optional[str] = None, **words: object) -> Finding:
    """A finding of this catalogue, with the words filled in."""
    return filled(CATALOGUE, which, evidence, words)
