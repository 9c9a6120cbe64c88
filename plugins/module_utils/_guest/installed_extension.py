# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The extension as it lies on a Linux guest: its versions, what the agent notes of it, what runs and what is frozen."""

import os
from typing import Any, Dict, List, NamedTuple, Optional

from .._finding import Finding
from .._printable import iso, printable
from . import handler
from .findings import finding
from .freezing import Freezing, see_freezing
from .guest import Guest
from .processes import Process


class InstalledExtension(NamedTuple):
    versions: List[handler.HandlerVersion]
    current: Optional[handler.HandlerVersion]
    note: Optional[handler.HandlerReport]
    sequences: Optional[handler.Sequences]
    daemon: Optional[Process]
    freezing: Freezing
    python: Optional[str]

    def as_dict(self, guest: Guest) -> Dict[str, Any]:
        current, note, sequences = self.current, self.note, self.sequences
        return {
            "name": handler.NAME,
            "installed": current is not None,
            "version": current.version if current else None,
            "folder": guest.shown(current.folder) if current else None,
            "state": current.state if current else None,
            "status": note.status if note else None,
            "code": note.code if note else None,
            "message": note.message if note else None,
            "versions": [
                {"version": each.version, "folder": guest.shown(each.folder), "state": each.state}
                for each in self.versions[:20]
            ],
            "running": self.daemon is not None,
            "linux": {
                "python": self.python,
                "wanted_sequence": sequences.wanted if sequences else None,
                "last_sequence": sequences.last if sequences else None,
                "reported_sequence": sequences.reported if sequences else None,
                "freezing": _shown_freezing(self.freezing),
            },
        }


def _shown_freezing(freezing: Freezing) -> Dict[str, Any]:
    return {
        "mounts": [printable(mount, 200) for mount in freezing.mounts[:100]],
        "pids": [program.pid for program in freezing.programs[:20]],
        "blocked_writers": freezing.writers[:20],
        "lock_file": freezing.lock.present,
        "lock_holder": freezing.lock.holder,
    }


def see_extension(guest: Guest, lib_dir: str, processes: List[Process]) -> InstalledExtension:
    """Look at the agent's folder of the guest and at what runs."""
    versions = handler.versions(guest.path(lib_dir))
    current = handler.current(versions)
    return InstalledExtension(
        versions,
        current,
        handler.agent_note(current) if current else None,
        handler.sequences(current) if current else None,
        handler.daemon(processes),
        see_freezing(processes, guest.path("/etc/azure"), guest.path("/proc")),
        handler.python_for_handler(guest.root),
    )


def extension_findings(
    guest: Guest, extension: InstalledExtension, log: str, uninstalled: Optional[float]
) -> List[Finding]:
    """What an operator should know of it; `log` is where its own log is, `uninstalled` when Azure had it removed."""
    found = _freeze_findings(extension.freezing, extension.daemon)
    current, note = extension.current, extension.note
    if current is None:
        found.append(finding("extension.missing"))
        if uninstalled is not None:
            found.append(finding("extension.removed", when=iso(uninstalled)))
        return found
    if current.state != "Enabled":
        found.append(finding("extension.not_enabled", version=current.version, state=current.state, log=log))
    if note is not None and note.problem:
        found.append(finding("extension.unreadable", file="config/HandlerStatus", reason=note.problem))
    elif note is not None and note.status not in (None, "Ready"):
        found.append(finding("extension.not_ready", note.message, status=note.status, code=note.code, log=log))
    if extension.python is None:
        found.append(finding("extension.no_python"))
    if extension.sequences is not None and extension.daemon is None:
        found.extend(_idle_findings(extension.sequences))
    if os.path.lexists(guest.path("/etc/systemd/system/directsnapshot.service")):
        found.append(finding("extension.host_polling"))
    return found


def _idle_findings(sequences: handler.Sequences) -> List[Finding]:
    """What has not come to an end although nothing runs."""
    found = []
    if sequences.stray_status:
        found.append(finding("extension.status_not_written"))
    if sequences.wanted is not None:
        newest = max((number for number in (sequences.last, sequences.reported) if number is not None), default=-1)
        if newest < sequences.wanted:
            last = "nothing" if newest < 0 else newest
            found.append(finding("extension.settings_not_taken_up", wanted=sequences.wanted, last=last))
    return found


def _freeze_findings(freezing: Freezing, daemon: Optional[Process]) -> List[Finding]:
    found = []
    mounts = ", ".join(freezing.mounts[:20])
    programs = [program.pid for program in freezing.programs]
    if freezing.programs and daemon is not None:
        found.append(finding("freeze.in_progress", mounts))
    elif freezing.programs:
        found.append(finding("freeze.left_behind", "{0} (process {1})".format(mounts, programs[0])))
    if freezing.writers:
        found.append(finding("freeze.blocked_writers", "processes {0}".format(freezing.writers[:10])))
    holder = freezing.lock.holder
    if holder is not None and daemon is None and holder not in programs:
        found.append(finding("freeze.locked_by_other", pid=holder))
    return found
