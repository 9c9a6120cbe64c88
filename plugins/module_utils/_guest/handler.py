# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The extension's folders below ``/var/lib/waagent``: which versions are there, and which one counts."""

import os
import re
from typing import List, NamedTuple, Optional, Tuple

from .._hostile_json import BadJson, first_mapping, int_of, parse, text_of
from .._printable import decoded, printable
from .files import FOUND, MISSING, FileText, list_names, read_head
from .processes import Process

NAME = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
STATES = ("NotInstalled", "Installed", "Enabled", "FailedUpgrade")
_FOLDER = re.compile(re.escape(NAME) + r"-(\d{1,9}(?:\.\d{1,9}){1,4})$")
_SETTINGS = re.compile(r"(\d{1,9})\.settings$")
_STATUS = re.compile(r"(\d{1,9})\.status$")
_SEQUENCE = re.compile(r"-seqNo:(\d{1,9})$")
_LARGEST_STATE = 64
_LARGEST_JSON = 1 << 20
# A status that could not be renamed into place. Source: HandlerUtil.write_to_status_file
_STRAY_STATUS = "tempStatusFile.status"

# What handle.sh looks for, in its order. Source: VMBackup/main/handle.sh
_PYTHONS = (
    "python3.8", "python3.7", "python3.6", "python3.5", "python3.4", "python3.3", "python3",
    "python2.7", "python2.6", "python2", "python",
)  # fmt: skip


class HandlerVersion(NamedTuple):
    version: str
    folder: str
    state: Optional[str]


class HandlerReport(NamedTuple):
    """``config/HandlerStatus``"""

    status: Optional[str]
    code: Optional[int]
    message: Optional[str]
    problem: Optional[str]


class Sequences(NamedTuple):
    wanted: Optional[int]  # the newest settings that Azure sent
    last: Optional[int]  # the last ones that the extension worked on
    reported: Optional[int]  # the newest status file
    stray_status: bool


def _key(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def versions(lib_dir: str) -> List[HandlerVersion]:
    """Every version on disk, newest first."""
    found = []
    for name in list_names(lib_dir).names:
        match = _FOLDER.match(name)
        if match and not list_names(lib_dir, name, limit=1).reason:
            state = read_head(lib_dir, name + "/config/HandlerState", _LARGEST_STATE)
            word = decoded(state.data, 40) if state.state == FOUND else None
            found.append(HandlerVersion(match.group(1), os.path.join(lib_dir, name), word))
    return sorted(found, key=lambda handler: _key(handler.version), reverse=True)


def current(handlers: List[HandlerVersion]) -> Optional[HandlerVersion]:
    """The version that runs: the highest whose state is not NotInstalled. Without a state it is not installed."""
    return next((handler for handler in handlers if handler.state not in (None, "", "NotInstalled")), None)


def agent_note(handler: HandlerVersion) -> HandlerReport:
    """What the agent last noted about the extension."""
    file = read_head(handler.folder, "config/HandlerStatus", _LARGEST_JSON)
    if file.state == MISSING:
        return HandlerReport(None, None, None, None)
    if file.state != FOUND:
        return HandlerReport(None, None, None, file.reason)
    try:
        noted = first_mapping(parse(file.data))
    except BadJson as error:
        return HandlerReport(None, None, None, str(error))
    status, message = text_of(noted.get("status")), text_of(noted.get("message"))
    return HandlerReport(
        printable(status, 40) if status is not None else None,
        int_of(noted.get("code")),
        printable(message) if message is not None else None,
        None,
    )


def _highest(names: List[str], pattern: "re.Pattern[str]") -> Optional[int]:
    found = [int(match.group(1)) for match in map(pattern.match, names) if match]
    return max(found) if found else None


def sequences(handler: HandlerVersion) -> Sequences:
    """How far the extension has come. The settings themselves are never opened: they hold secrets."""
    mrseq = decoded(read_head(handler.folder, "mrseq", 64).data, 20)
    status_names = list_names(handler.folder, "status").names
    return Sequences(
        _highest(list_names(handler.folder, "config").names, _SETTINGS),
        int(mrseq) if mrseq.isdigit() else None,
        _highest(status_names, _STATUS),
        _STRAY_STATUS in status_names,
    )


def status_file(handler: HandlerVersion, sequence: int) -> FileText:
    return read_head(handler.folder, "status/{0}.status".format(sequence), _LARGEST_JSON)


def daemon(processes: List[Process], sequence: Optional[int] = None) -> Optional[Process]:
    """The process that takes a snapshot right now; for one sequence number if that is asked."""
    for process in processes:
        if process.has("handle.py", "-daemon"):
            numbers = [match.group(1) for match in map(_SEQUENCE.match, process.command) if match]
            if sequence is None or not numbers or str(sequence) in numbers:
                return process
    return None


def python_for_handler(root: str = "/") -> Optional[str]:
    """The Python that ``handle.sh`` will take, or None: then it ends with status 3 and nothing else happens."""
    for folder in ("usr/bin", "usr/local/bin"):
        for name in _PYTHONS:
            if os.path.isfile(os.path.join(root, folder, name)):
                return "/{0}/{1}".format(folder, name)
    return None
