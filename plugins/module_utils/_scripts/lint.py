# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong, or will go wrong, with the files that Azure's extension reads in a Linux guest.

``lint`` is a pure function over what was found; ``examine`` looks at a guest and lints it. The extension checks little
and fails in silence: the snapshot is taken, the machine looks healthy, and no script has run. Numbers in brackets are
the extension's own codes.
"""

import json
import re
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .._finding import ERROR, WARNING, Finding, ranked
from .._guest.backup_conf import PATH as BACKUP_CONF
from .._guest.backup_conf import parse_backup_conf
from .._printable import printable
from .._profiles.table import needs_freeze
from . import layout as scripts
from .config_lint import lint_config
from .files import FILE, FOLDER, MISSING, OTHER, FoundFile, Wanted, names_in, parents, survey
from .host_lint import HOST_CONF, WORKLOAD_CONF, lint_host_conf, lint_workload_conf
from .settings_lint import clients, lint_settings, named_paths
from .text_lint import is_sh, lint_text

# What is read besides the scripts themselves.
INPUTS = (scripts.CONFIG, HOST_CONF, WORKLOAD_CONF, BACKUP_CONF)

# (argv, standard input) -> (exit status, what was said)
Command = Callable[[List[str], str], Tuple[int, str]]

# What our scripts call, from util-linux, coreutils and the like. A hook says itself when its client is missing.
_PROGRAMS = (
    "base64",
    "cut",
    "date",
    "flock",
    "head",
    "ls",
    "mkfifo",
    "mktemp",
    "runuser",
    "setsid",
    "sleep",
    "sync",
    "tail",
    "timeout",
    "tr",
    "wc",
)
_MISSING = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" + (
    'for name in "$@"; do command -v "$name" >/dev/null || echo "$name"; done\n'
)

_HOOK_NAME = re.compile(r"[0-9][0-9]-[A-Za-z0-9_-]*\Z")
_REDEPLOY = "Deploy the scripts again with appconsistent.azure.snapshot_scripts."


def _locations(config: Any) -> List[str]:
    """The scripts that the configuration names, pre first, as far as they can be looked at."""
    if not isinstance(config, dict):
        return []
    found = [config.get("preScriptLocation"), config.get("postScriptLocation")]
    return [path for path in found if isinstance(path, str) and path.startswith("/") and "\0" not in path]


def _config_of(files: Dict[str, FoundFile]) -> Any:
    try:
        return json.loads((files[scripts.CONFIG].data or b"").decode("utf-8"))
    except (KeyError, ValueError, RecursionError):
        return None


def _in_hook_folder(files: Dict[str, FoundFile]) -> List[str]:
    prefix = scripts.HOOKS + "/"
    return sorted(path for path, file in files.items() if path.startswith(prefix) and file.kind != MISSING)


def script_paths(files: Dict[str, FoundFile]) -> List[str]:
    """Everything that sh is going to read, as far as it is there."""
    by_sh = set(_locations(_config_of(files))) | set(scripts.SHIPPED)
    for path in _in_hook_folder(files):
        data = files[path].data
        if data is not None and (path.endswith(".conf") or is_sh(data)):
            by_sh.add(path)
    return sorted(path for path in by_sh if path in files and files[path].data is not None)


def overlaid(now: Dict[str, FoundFile], wanted: List[Wanted], gone: List[str], uid: int) -> Dict[str, FoundFile]:
    """The files as they will be."""
    then = dict(now)
    for path in gone:
        then[path] = FoundFile(MISSING)
    for path in (scripts.SCRIPTS, scripts.HOOKS):
        link = path in now and now[path].link
        then[path] = FoundFile(FOLDER, 0o700, uid, link=link)
    for file in wanted:
        then[file.path] = FoundFile(FILE, file.mode, uid, 0, file.text.encode("utf-8"))
    return then


def _lint_folders(files: Dict[str, FoundFile], uid: int) -> List[Finding]:
    """Whoever may write above the scripts is root, in effect. The extension checks no folder at all."""
    used = {scripts.AZURE, scripts.SCRIPTS, scripts.HOOKS}
    for path in (scripts.CONFIG, *_locations(_config_of(files))):
        used.update(parents(path))
    found = []
    for path in sorted(used):
        folder = files.get(path)
        if folder is None or folder.kind == MISSING:
            continue
        if folder.kind != FOLDER:
            found.append(
                Finding("folder.none", ERROR, "{0} is not a folder.".format(path), "Move it away and deploy again.")
            )
            continue
        if folder.link and path in (scripts.SCRIPTS, scripts.HOOKS):
            found.append(
                Finding(
                    "folder.link",
                    ERROR,
                    "{0} is a link, and what it leads to would be given to root.".format(path),
                    "Remove the link and deploy again.",
                )
            )
        if folder.uid != uid:
            found.append(
                Finding(
                    "folder.owner",
                    ERROR,
                    "{0} is not owned by root, so somebody else can exchange what root runs there.".format(path),
                    "chown root:root {0}".format(path),
                    "uid {0}".format(folder.uid),
                )
            )
        others = folder.mode & 0o002 or (folder.mode & 0o020 and folder.gid != 0)
        # In a sticky folder nobody replaces a file of root; below /etc/azure a new file is enough to do harm.
        if others and not (folder.mode & 0o1000 and not path.startswith(scripts.AZURE)):
            found.append(
                Finding(
                    "folder.writable",
                    ERROR,
                    "{0} can be written by others than root, who could let root run anything.".format(path),
                    "chmod go-w {0}".format(path),
                    "mode {0:04o}".format(folder.mode),
                )
            )
    return found


def _lint_script_file(path: str, file: FoundFile, code: str, uid: int, health: str) -> List[Finding]:
    if file.kind == MISSING:
        return [Finding(code + ".missing", ERROR, "{0} does not exist{1}.".format(path, health), _REDEPLOY)]
    if file.data is None:
        reason = file.reason or ("it is not a regular file" if file.kind in (OTHER, FOLDER) else "unknown")
        return [Finding(code + ".unreadable", ERROR, "{0} cannot be read: {1}.".format(path, reason), _REDEPLOY)]
    found = []
    if file.mode & 0o077:
        found.append(
            Finding(
                code + ".mode",
                ERROR,
                "{0} has mode {1:04o}; group and others must have no rights{2}.".format(path, file.mode, health),
                "chmod 0700 {0}".format(path),
            )
        )
    if file.uid != uid:
        found.append(
            Finding(
                code + ".owner",
                ERROR,
                "{0} is not owned by root{1}.".format(path, health),
                "chown root {0}".format(path),
            )
        )
    return found


def _lint_pair(files: Dict[str, FoundFile], config: Dict[str, Any], uid: int) -> List[Finding]:
    found = []
    for path in _locations(config):
        file = files.get(path, FoundFile(MISSING))
        found += _lint_script_file(path, file, "script", uid, ", so no scripts are run (302 to 307)")
        if file.data is not None:
            found += lint_text(path, file.data, started_by_sh=True)
    return found


def _lint_ours(files: Dict[str, FoundFile], config: Dict[str, Any], uid: int) -> List[Finding]:
    """Our own files, once the configuration leads to them."""
    if config.get("preScriptLocation") != scripts.PRE_PATH:
        return []
    found = []
    for path, text in scripts.SHIPPED.items():
        file = files.get(path, FoundFile(MISSING))
        if path not in (scripts.PRE_PATH, scripts.POST_PATH):
            found += _lint_script_file(path, file, "script", uid, "")
        if file.data is not None and file.data != text.encode("utf-8"):
            found.append(
                Finding("script.changed", WARNING, "{0} is not what this version deploys.".format(path), _REDEPLOY)
            )
    hooks = [path for path in _in_hook_folder(files) if _HOOK_NAME.match(path.rsplit("/", 1)[1])]
    if not hooks:
        found.append(
            Finding(
                "hook.none",
                ERROR,
                "{0} holds no hook, so pre.sh fails: no application would be held.".format(scripts.HOOKS),
                "Name at least one profile, or put a hook there.",
            )
        )
    for path in _in_hook_folder(files):
        name = path.rsplit("/", 1)[1]
        file = files[path]
        if path not in hooks:
            if not name.endswith(".conf"):
                found.append(
                    Finding(
                        "hook.name",
                        WARNING,
                        "{0} is not run: a hook is named by two digits, a dash, and letters, digits, - or _.".format(
                            printable(path, 200)
                        ),
                        "Rename it, or move it elsewhere.",
                    )
                )
            continue
        found += _lint_script_file(path, file, "hook", uid, "")
        if file.data is None:
            continue
        if not file.mode & 0o100:
            found.append(
                Finding("hook.mode", ERROR, "{0} is not executable.".format(path), "chmod 0700 {0}".format(path))
            )
        found += lint_text(path, file.data, started_by_sh=False)
        settings = files.get(path + ".conf", FoundFile(MISSING)).data
        if config.get("fsFreezeEnabled") is False and scripts.MARK in file.data[:400]:
            found += needs_freeze(path, (settings or b"").decode("utf-8", "replace"))
    return found


def lint(
    files: Dict[str, FoundFile], syntax: Dict[str, str], uid: int = 0, missing: Sequence[str] = ()
) -> List[Finding]:
    """``files``: what is at each path and at the folders above. ``syntax``: what ``sh -n`` said of a script.

    ``missing``: programs that our scripts need and that the guest does not have.
    """
    nothing = FoundFile(MISSING)
    found, config = lint_config(scripts.CONFIG, files.get(scripts.CONFIG, nothing), uid)
    timeout = config.get("timeoutInSeconds")
    seconds = float(timeout) if isinstance(timeout, (int, float)) else None
    found += lint_host_conf(files.get(HOST_CONF, nothing), scripts.CONFIG, seconds, uid)
    found += lint_workload_conf(files.get(WORKLOAD_CONF, nothing))
    backup_conf = files.get(BACKUP_CONF, nothing).data
    if backup_conf is not None:
        found += parse_backup_conf(backup_conf.decode("utf-8", "replace")).findings
    found += _lint_folders(files, uid)
    found += _lint_pair(files, config, uid)
    found += _lint_ours(files, config, uid)
    if config.get("preScriptLocation") == scripts.PRE_PATH:
        found += lint_settings(files, missing, uid)
    missing = [name for name in missing if name in _PROGRAMS]
    if missing and config.get("preScriptLocation") == scripts.PRE_PATH:
        found.append(
            Finding(
                "program.missing",
                ERROR,
                "The scripts need programs that this machine does not have: {0}.".format(", ".join(missing)),
                "Install util-linux and coreutils.",
            )
        )
    for path in sorted(syntax):
        if syntax[path]:
            found.append(
                Finding(
                    "script.syntax",
                    ERROR,
                    "This machine's sh cannot read {0}.".format(path),
                    "Correct it; test with: sh -n {0}".format(path),
                    printable(syntax[path], 200),
                )
            )
    return ranked(found)


def gather_files(run_command: Command, root: str = "") -> Tuple[Dict[str, FoundFile], Dict[str, str]]:
    """What ``lint`` needs to know of a guest."""
    hooks = [scripts.HOOKS + "/" + name for name in names_in(root + scripts.HOOKS)]
    files = survey([*INPUTS, *scripts.SHIPPED, *hooks], root)
    files.update(survey(_locations(_config_of(files)), root))
    files.update(survey(named_paths(files), root))
    return files, check_syntax(files, run_command)


def check_syntax(files: Dict[str, FoundFile], run_command: Command) -> Dict[str, str]:
    """What the guest's own sh says of each script that it is going to read."""
    said = {}
    for path in script_paths(files):
        status, output = run_command(["sh", "-n"], (files[path].data or b"").decode("utf-8", "replace"))
        said[path] = (output.strip()[:300] or "exit status {0}".format(status)) if status else ""
    return said


def missing_programs(run_command: Command, files: Dict[str, FoundFile]) -> List[str]:
    """What our scripts and the hooks call and will not find."""
    wanted = [*_PROGRAMS, *(name for names in clients(files) for name in names)]
    _status, output = run_command(["sh", "-c", _MISSING, "sh", *wanted], "")
    return [name for name in output.split() if name in wanted]


def examine(run_command: Command, root: str = "", uid: int = 0) -> List[Finding]:
    """Look at a guest as it is, and lint it."""
    files, syntax = gather_files(run_command, root)
    return lint(files, syntax, uid, missing_programs(run_command, files))
