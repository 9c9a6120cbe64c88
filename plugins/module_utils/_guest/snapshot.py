# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that a Linux guest can tell about its snapshots, gathered into one answer. Nothing is changed."""

import configparser
import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .._finding import INFO, Finding, ranked, verdict
from .._hostile_json import BadJson
from .._printable import iso, printable
from . import agent as _guest_agent
from . import extension_codes as codes
from . import freezing as _freezing
from . import handler as _handler
from . import last_run as _last_run
from . import plugin_check as _plugin_check
from .backup_conf import parse_backup_conf
from .extension_log import LoggedRun, last_run, local_to_utc
from .extension_status import RunStatus, parse_status
from .files import FOUND, MISSING, REFUSED, FileText, read_head, read_tail
from .findings import finding
from .processes import Process, processes_of_root

# The end of the log is read in growing pieces until the beginning of the last run is found.
_LOG_PIECES = (1 << 18, 1 << 21, 1 << 23)
_LARGEST_CONF = 1 << 16


class Guest(NamedTuple):
    """The machine, as far as it has to be replaced in a test."""

    root: str
    uid: int
    now: float
    ask_version: Callable[[str], str]
    probe: Callable[[], Dict[str, str]]
    lint: Callable[[], List[Finding]] = list
    root_uid: int = 0

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def shown(self, path: Optional[str]) -> Optional[str]:
        """A path as the guest's administrator knows it."""
        if path is None or self.root == "/":
            return path
        return "/" + os.path.relpath(path, self.root)


def _agent(agent: _guest_agent.Agent, ports: Dict[str, str]) -> Dict[str, Any]:
    installed = agent.program is not None or agent.service is not None or agent.running
    return {
        "state": "running" if agent.running else ("stopped" if installed else "missing"),
        "service": agent.service,
        "version": agent.version,
        "installed_version": agent.installed_version,
        "last_seen": iso(agent.last_seen),
        "extensions_enabled": agent.extensions_enabled if installed else None,
        "policy": {
            "enabled": agent.policy.enabled,
            "file": agent.policy.file,
            "allows_extension": agent.policy.allows,
        },
        "wire_server": ports,
        "linux": {
            "pid": agent.pid,
            "program": agent.program,
            "lib_dir": agent.lib_dir,
            "log_dir": agent.log_dir,
            "masked": agent.masked,
        },
    }


def _agent_findings(guest: Guest, agent: _guest_agent.Agent, shown: Dict[str, Any]) -> List[Finding]:
    found = []
    service = agent.service or "walinuxagent"
    if shown["state"] == "missing":
        return [finding("agent.missing")]
    if agent.masked:
        found.append(finding("agent.masked", service=service))
    if not agent.running:
        found.append(finding("agent.stopped", service=service))
    elif agent.last_seen is not None and guest.now - agent.last_seen > agent.silent_after:
        minutes = int((guest.now - agent.last_seen) // 60)
        found.append(finding("agent.silent", shown["last_seen"], minutes=minutes, service=service))
    if not agent.extensions_enabled:
        found.append(finding("agent.extensions_disabled", service=service))
    if agent.policy.problem:
        found.append(finding("agent.policy_unreadable", agent.policy.problem, file=agent.policy.file))
    elif agent.policy.allows is False:
        found.append(finding("agent.policy_excludes_extension", file=agent.policy.file, extension=_handler.NAME))
    for port, answer in sorted(shown["wire_server"].items()):
        if answer not in ("open", "not_probed"):
            found.append(finding("agent.wire_server_closed", port=port, answer=answer))
    return found


class _Extension(NamedTuple):
    handler: Optional[_handler.HandlerVersion]
    shown: Dict[str, Any]
    sequences: Optional[_handler.Sequences]
    findings: List[Finding]


def _extension(guest: Guest, agent: _guest_agent.Agent, processes: List[Process]) -> _Extension:
    handlers = _handler.versions(guest.path(agent.lib_dir))
    handler = _handler.current(handlers)
    noted = _handler.report(handler) if handler else None
    sequences = _handler.sequences(handler) if handler else None
    daemon = _handler.daemon(processes)
    freezing = _freezing.look(processes, guest.path("/etc/azure"), guest.path("/proc"))
    shown: Dict[str, Any] = {
        "name": _handler.NAME,
        "installed": handler is not None,
        "version": handler.version if handler else None,
        "folder": guest.shown(handler.folder) if handler else None,
        "state": handler.state if handler else None,
        "status": noted.status if noted else None,
        "code": noted.code if noted else None,
        "message": noted.message if noted else None,
        "versions": [
            {"version": each.version, "folder": guest.shown(each.folder), "state": each.state} for each in handlers[:20]
        ],
        "running": daemon is not None,
        "linux": {
            "python": _handler.python_for_handler(guest.root),
            "wanted_sequence": sequences.wanted if sequences else None,
            "last_sequence": sequences.last if sequences else None,
            "reported_sequence": sequences.reported if sequences else None,
            "freezing": {
                "mounts": [printable(mount, 200) for mount in freezing.mounts[:100]],
                "pids": [program.pid for program in freezing.programs[:20]],
                "blocked_writers": freezing.writers[:20],
                "lock_file": freezing.lock.present,
                "lock_holder": freezing.lock.holder,
            },
        },
    }
    log = os.path.join(agent.log_dir, _handler.NAME, "extension.log")
    found = _freeze_findings(freezing, daemon)
    if handler is None:
        found.append(finding("extension.missing"))
        if agent.uninstalled is not None:
            found.append(finding("extension.removed", when=iso(agent.uninstalled)))
        return _Extension(None, shown, None, found)
    if handler.state != "Enabled":
        found.append(finding("extension.not_enabled", version=handler.version, state=handler.state, log=log))
    if noted is not None and noted.problem:
        found.append(finding("extension.unreadable", file="config/HandlerStatus", reason=noted.problem))
    elif noted is not None and noted.status not in (None, "Ready"):
        found.append(finding("extension.not_ready", noted.message, status=noted.status, code=noted.code, log=log))
    if shown["linux"]["python"] is None:
        found.append(finding("extension.no_python"))
    if sequences is not None and sequences.stray_status and daemon is None:
        found.append(finding("extension.status_not_written"))
    if sequences is not None and sequences.wanted is not None and daemon is None:
        newest = max((number for number in (sequences.last, sequences.reported) if number is not None), default=-1)
        if newest < sequences.wanted:
            last = "nothing" if newest < 0 else newest
            found.append(finding("extension.settings_not_taken_up", wanted=sequences.wanted, last=last))
    if os.path.lexists(guest.path("/etc/systemd/system/directsnapshot.service")):
        found.append(finding("extension.host_polling"))
    return _Extension(handler, shown, sequences, found)


def _freeze_findings(freezing: _freezing.Freezing, daemon: Optional[Process]) -> List[Finding]:
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


class _Log(NamedTuple):
    run: Optional[LoggedRun]
    path: Optional[str]
    file: FileText


def _read_log(guest: Guest, log_dir: str) -> _Log:
    folder, name = guest.path(log_dir), _handler.NAME + "/extension.log"
    run: Optional[LoggedRun] = None
    file = FileText(MISSING)
    for piece in _LOG_PIECES:
        file = read_tail(folder, name, piece)
        if file.state != FOUND:
            return _Log(None, None, file)
        run = last_run(file.data, local_to_utc)
        if file.whole or (run is not None and run.complete):
            break
    return _Log(run, os.path.join(log_dir, name), file._replace(data=b""))


def _last(guest: Guest, agent: _guest_agent.Agent, extension: _Extension, processes: List[Process]) -> Any:
    found: List[Finding] = []
    status: Optional[RunStatus] = None
    status_path: Optional[str] = None
    sequence = extension.sequences.reported if extension.sequences else None
    if extension.handler is not None and sequence is not None:
        path = "{0}/status/{1}.status".format(guest.shown(extension.handler.folder), sequence)
        file = _handler.status_file(extension.handler, sequence)
        try:
            if file.state != FOUND:
                raise BadJson(file.reason or "it has vanished")
            status = parse_status(file.data)
            status_path = path
        except BadJson as error:
            reason = "it is larger than 1 MiB" if file.state == FOUND and not file.whole else str(error)
            found.append(finding("run.status_unreadable", file=path, reason=reason))
    log = _read_log(guest, agent.log_dir)
    log_path = os.path.join(agent.log_dir, _handler.NAME, "extension.log")
    if log.file.state == REFUSED:
        found.append(finding("run.log_unreadable", file=log_path, reason=log.file.reason))
    elif log.file.state == FOUND and log.run is None and log.file.size > 0:
        found.append(finding("run.log_unreadable", file=log_path, reason="no run is found in it"))
    run, said = _last_run.describe(
        _last_run.Sources(sequence, status, status_path, log.run, log.path if log.run else None, processes, guest.now)
    )
    return run, found + said


def _workload(guest: Guest, found: List[Finding]) -> Dict[str, Any]:
    path = "/etc/azure/workload.conf"
    file = read_head(guest.path("/etc/azure"), "workload.conf", _LARGEST_CONF)
    if file.state == MISSING:
        return {"path": path, "present": False, "name": None}
    name: Optional[str] = None
    try:
        if file.state != FOUND:
            raise ValueError(file.reason)
        config = configparser.ConfigParser()
        config.read_string(file.data.decode("utf-8"))
        # Nothing else is read: credString holds a password.
        name = printable(config.get("workload", "workload_name", fallback=""), 40)
    except (ValueError, configparser.Error) as error:
        reason = str(error) if file.state != FOUND else type(error).__name__
        found.append(finding("configuration.unreadable", file=path, reason=reason))
    return {"path": path, "present": True, "name": name or None}


def _script(script: Optional[_plugin_check.Script]) -> Optional[Dict[str, Any]]:
    if script is None:
        return None
    return {
        "path": printable(script.path or ""),
        "exists": script.exists,
        "mode": script.mode,
        "owner": script.owner,
        # How many, not which: a careless author may have put a password there.
        "params": len(script.params) if script.params is not None else None,
    }


def _configuration(guest: Guest, extension: _Extension, found: List[Finding]) -> Dict[str, Any]:
    override = guest.path(_plugin_check.HOST_OVERRIDE)
    config = guest.path(_plugin_check.SHIPPED_CONFIG)
    plan = _plugin_check.check(extension.handler.folder if extension.handler else None, override, config)
    known = codes.describe(plan.code)
    linted = guest.lint()
    found.extend(linted)
    if plan.code != codes.APPLICATION and all(each.severity == INFO for each in linted):
        # Whatever the lint does not look at: the extension has the last word.
        found.append(finding("scripts.refused", code=plan.code, reason=plan.reason, remedy=known.remedy))
    if plan.code != codes.APPLICATION and plan.config_loaded and not plan.freeze and plan.snapshot_without_scripts():
        found.append(finding("scripts.snapshot_with_nothing"))
    file = read_head(guest.path("/etc/azure"), "vmbackup.conf", _LARGEST_CONF)
    if file.state == REFUSED:
        found.append(finding("configuration.unreadable", file="/etc/azure/vmbackup.conf", reason=file.reason))
    knobs = parse_backup_conf(file.data.decode("utf-8", "replace"))
    return {
        "linux": {
            "plugin": {
                "path": guest.shown(plan.config_path),
                "code": plan.code,
                "code_name": known.name,
                "reason": printable(plan.reason) or None,
                "scripts_run": plan.scripts_run(),
                "timeout": plan.timeout,
                "poll": plan.poll,
                "continue_on_failure": bool(plan.continue_on_failure),
                "freeze": plan.freeze,
                "pre": _script(plan.pre),
                "post": _script(plan.post),
            },
            "host": {
                "path": guest.shown(plan.host_path),
                "override": plan.host_override,
                "plugins": plan.plugins,
                "timeout": plan.host_timeout,
            },
            "workload": _workload(guest, found),
            "knobs": knobs.values,
        }
    }


def gather(guest: Guest) -> Dict[str, Any]:
    """The answer of the module, under its one key."""
    found: List[Finding] = []
    if guest.uid != 0:
        found.append(finding("guest.not_root"))
    processes = processes_of_root(guest.path("/proc"), guest.now, guest.root_uid)
    agent = _guest_agent.look(processes, _handler.NAME, guest.ask_version, guest.root)
    shown_agent = _agent(agent, guest.probe())
    found.extend(_agent_findings(guest, agent, shown_agent))
    extension = _extension(guest, agent, processes)
    found.extend(extension.findings)
    run, said = _last(guest, agent, extension, processes)
    found.extend(said)
    configuration = _configuration(guest, extension, found)
    return {
        "guest_snapshot": {
            "os": "linux",
            "verdict": verdict(found),
            "agent": shown_agent,
            "extension": extension.shown,
            "last_run": run,
            "configuration": configuration,
            "findings": [each.as_dict() for each in ranked(found)],
        }
    }
