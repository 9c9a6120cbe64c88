# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the settings of the scripts and of the hooks name: accounts, clients, the log. Whether it is there and safe."""

import shlex
from typing import Dict, Iterator, List, Sequence

from .._finding import ERROR, WARNING, Finding
from .._profiles.table import clients_of
from . import layout as scripts
from .files import FILE, FOLDER, MISSING, OTHER, FoundFile, parents

_DEFAULT_LOG = "/var/log/azure/appconsistent.log"


def _read(text: str) -> Dict[str, str]:
    """The assignments of a settings file. A line that is none is left out, as sh would fail over it anyway."""
    found = {}
    for line in text.split("\n"):
        name, sign, value = line.partition("=")
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        if sign and len(words) == 1:
            found[name] = words[0]
    return found


def _settings(files: Dict[str, FoundFile]) -> Iterator[Dict[str, str]]:
    for path, file in sorted(files.items()):
        if path.startswith(scripts.HOOKS + "/") and path.endswith(".conf") and file.data is not None:
            yield _read(file.data.decode("utf-8", "replace"))


def named_paths(files: Dict[str, FoundFile]) -> List[str]:
    """The files that the settings name, so that they can be looked at."""
    named = [found[name] for found in _settings(files) for name in ("option_file", "client") if found.get(name)]
    return [path for path in [*named, _log(files)] if path.startswith("/") and "\0" not in path]


def clients(files: Dict[str, FoundFile]) -> List[List[str]]:
    """For each hook that finds its client by itself, the names of which one has to be there."""
    found = []
    for settings in _settings(files):
        names = clients_of(settings.get("profile", ""))
        if names and not settings.get("client"):
            found.append(list(names))
    return found


def _log(files: Dict[str, FoundFile]) -> str:
    text = files.get(scripts.SETTINGS, FoundFile(MISSING)).data or b""
    return _read(text.decode("utf-8", "replace")).get("AC_LOG", _DEFAULT_LOG)


def lint_settings(files: Dict[str, FoundFile], missing: Sequence[str], uid: int) -> List[Finding]:
    found = []
    for one in _settings(files):
        account = one.get("option_file", "")
        if account in files:
            found += _lint_account(account, files[account], uid)
        client = one.get("client", "")
        if client in files and files[client].kind == MISSING:
            found.append(_no_client(client))
    for names in clients(files):
        if all(name in missing for name in names):
            found.append(_no_client(" or ".join(names)))
    return found + _lint_log(_log(files), files)


def _no_client(name: str) -> Finding:
    return Finding(
        "hook.client_missing",
        WARNING,
        "The client {0}, which a hook needs, is not on this machine.".format(name),
        "Install it, or set the option client of the profile.",
    )


def _lint_account(path: str, file: FoundFile, uid: int) -> List[Finding]:
    # A large or unreadable file has its mode all the same.
    if file.kind in (MISSING, FOLDER, OTHER):
        message, remedy = "is not a regular file", "Name the option file itself."
        if file.kind == MISSING:
            message = "does not exist, so the server will refuse the hook"
            remedy = "Write it with user and password, 0600."
        return [Finding("hook.option_file_missing", WARNING, "The option_file {0} {1}.".format(path, message), remedy)]
    if file.mode & 0o077 or file.uid != uid:
        return [
            Finding(
                "hook.option_file_mode",
                WARNING,
                "The option_file {0} holds a password and can be read by others than root.".format(path),
                "chown root {0}; chmod 0600 {0}".format(path),
                "mode {0:04o}, uid {1}".format(file.mode, file.uid),
            )
        ]
    return []


def _lint_log(path: str, files: Dict[str, FoundFile]) -> List[Finding]:
    """Root appends to the log: who may plant a link in its folder chooses to which file."""
    if path in files and files[path].kind not in (FILE, MISSING):
        message = "The log_file {0} is not a regular file.".format(path)
        return [Finding("log.not_a_file", ERROR, message, "Choose another log_file.")]
    for folder in parents(path)[1:]:
        about = files.get(folder, FoundFile(MISSING))
        if about.kind == FOLDER and (about.mode & 0o002 or (about.mode & 0o020 and about.gid != 0)):
            message = "{0} can be written by others, who could plant a link where root writes the log.".format(folder)
            remedy = "Choose a log_file in a folder of root's own, such as /var/log/azure."
            return [Finding("log.folder_writable", ERROR, message, remedy, "mode {0:04o}".format(about.mode))]
    return []
