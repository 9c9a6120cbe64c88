# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rehearsal can bring to light."""

from typing import Dict, Optional, Tuple

from .._finding import ERROR, INFO, WARNING, Finding, filled
from .._guest.extension_codes import ExtensionCode

CATALOGUE: Dict[str, Tuple[str, str, str]] = {
    "rehearsal.not_root": (
        ERROR,
        "The module does not run as root, and the extension does.",
        "Run the task with become: true.",
    ),
    "rehearsal.workload_active": (
        ERROR,
        "workload_name in /etc/azure/workload.conf is {workload}, so the extension would ignore the scripts.",
        "Empty workload_name, then rehearse again.",
    ),
    "rehearsal.refused": (
        ERROR,
        "The extension would not run the scripts (code {code}): {meaning}",
        "{remedy}",
    ),
    "rehearsal.no_plugin": (
        ERROR,
        "{path} sets no plugin: the extension would run no script and report application consistency all the same.",
        "Remove the file, or give it numberOfPlugins = 1.",
    ),
    "rehearsal.other_plugins": (
        ERROR,
        "{path} names other plugins than the one that the extension ships, and those cannot be rehearsed.",
        "Remove the file, or let it name ScriptRunner alone.",
    ),
    "rehearsal.snapshot_runs": (
        ERROR,
        "A snapshot is being taken right now (process {pid}), so nothing was rehearsed.",
        "Rehearse when it has ended.",
    ),
    "rehearsal.no_lock": (
        ERROR,
        "The lock {path} was not given, so nothing was rehearsed: {reason}.",
        "Wait until the other rehearsal has ended, or see what is in the way there.",
    ),
    "rehearsal.no_extension": (
        INFO,
        "The snapshot extension is not installed yet; its host file was taken to be as it is shipped.",
        "Nothing to do: Azure installs it with the first application-consistent restore point.",
    ),
    "rehearsal.no_agent": (
        INFO,
        "The Azure Linux agent does not run; the environment is the one that its service usually has.",
        "Start the agent and rehearse again for the real environment.",
    ),
    "rehearsal.not_writable_before": (
        ERROR,
        "The probe {name} could not write even before the scripts were run, so nothing was rehearsed.",
        "See whether the application runs, whether something else holds it, and whether the probe works by hand.",
    ),
    "rehearsal.not_released": (
        ERROR,
        "After the post script the probe {name} could still not write: the application may be held.",
        "Look at the application now. The post script has been run twice.",
    ),
    "rehearsal.probe_cannot_tell": (
        WARNING,
        "The probe {name} could not tell whether the application takes writes.",
        "Give it the right that it asks for, or name a command of your own with the option probe.",
    ),
    "rehearsal.no_probe": (
        WARNING,
        "There is no probe, so nobody wrote to the application to prove that it is free again.",
        "Deploy a profile that has one, or name a command that makes a real write with the option probe.",
    ),
    "rehearsal.script_failed": (
        ERROR,
        "The {name} script would be reported with code {code}: {meaning}",
        "{remedy}",
    ),
    "rehearsal.script_writes": (
        WARNING,
        "The {name} script wrote {bytes} bytes into a pipe that Azure's extension never reads.",
        "Send its output to a file: after 64 KiB a script blocks, and what it left running is ended by its next write.",
    ),
    "rehearsal.pre_outlived_post": (
        ERROR,
        "The pre script (process {pid}) still ran when post had ended; in a real run nobody would have ended it.",
        "Have it give up well before timeoutInSeconds. It was ended here, and post was run once more.",
    ),
    "rehearsal.post_hangs": (
        ERROR,
        "The post script (process {pid}) is still running; it was not ended, because it may be releasing something.",
        "Look at that process and at the application.",
    ),
    "rehearsal.framework_would_crash": (
        ERROR,
        "continueBackupOnFailure is not a boolean: a pre script that fails crashes the extension, and post never runs.",
        "Make it true or false, without quotes.",
    ),
    "rehearsal.cancelled": (
        WARNING,
        "The rehearsal was ended before its time; post was run at once.",
        "Rehearse again for a full result.",
    ),
    "rehearsal.runner_killed": (
        ERROR,
        "The process that rehearsed was killed; its guardian ran the post script, which ended with status {status}.",
        "See who ends processes on this machine, then rehearse again.",
    ),
    "rehearsal.runner_vanished": (
        ERROR,
        "The process that rehearsed and its guardian are gone without a word: the application may still be held.",
        "Run the post script by hand: sh {path}",
    ),
}


def finding(
    which: str, evidence: Optional[str] = None, known: Optional[ExtensionCode] = None, **words: object
) -> Finding:
    """A finding of this catalogue, with the words filled in, those of a code of the extension among them."""
    if known is not None:
        words = dict(words, code=known.code, meaning=known.meaning, remedy=known.remedy)
    return filled(CATALOGUE, which, evidence, words)
