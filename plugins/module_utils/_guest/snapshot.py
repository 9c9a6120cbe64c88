# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that a Linux guest can tell about its snapshots, gathered into one answer. Nothing is changed."""

import configparser
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._finding import INFO, Finding, ranked, verdict
from .._hostile_json import BadJson
from .._printable import iso, printable
from . import extension_codes as codes
from . import handler, plugin_check
from .agent import Agent, see_agent
from .backup_conf import parse_backup_conf
from .extension_log import LoggedRun, last_run, local_to_utc
from .extension_status import RunStatus, parse_status
from .files import FOUND, MISSING, REFUSED, FileText, read_head, read_tail
from .findings import finding
from .guest import Guest
from .installed_extension import InstalledExtension, extension_findings, see_extension
from .last_run import LastRun, Sources, last_run_of
from .processes import Process, processes_of_root
from .run_findings import run_findings

# The end of the log is read in growing pieces until the beginning of the last run is found.
_LOG_PIECES = (1 << 18, 1 << 21, 1 << 23)
_LARGEST_CONF = 1 << 16


def _agent(agent: Agent, ports: Dict[str, str]) -> Dict[str, Any]:
    return {
        "state": agent.state,
        "service": agent.service,
        "version": agent.version,
        "installed_version": agent.installed_version,
        "last_seen": iso(agent.last_seen),
        "extensions_enabled": agent.extensions_enabled if agent.state != "missing" else None,
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


def _agent_findings(guest: Guest, agent: Agent, ports: Dict[str, str]) -> List[Finding]:
    found = []
    service = agent.service or "walinuxagent"
    if agent.state == "missing":
        return [finding("agent.missing")]
    if agent.masked:
        found.append(finding("agent.masked", service=service))
    if not agent.running:
        found.append(finding("agent.stopped", service=service))
    elif agent.last_seen is not None and guest.now - agent.last_seen > agent.silent_after:
        minutes = int((guest.now - agent.last_seen) // 60)
        found.append(finding("agent.silent", iso(agent.last_seen), minutes=minutes, service=service))
    if not agent.extensions_enabled:
        found.append(finding("agent.extensions_disabled", service=service))
    if agent.policy.problem:
        found.append(finding("agent.policy_unreadable", agent.policy.problem, file=agent.policy.file))
    elif agent.policy.allows is False:
        found.append(finding("agent.policy_excludes_extension", file=agent.policy.file, extension=handler.NAME))
    for port, answer in sorted(ports.items()):
        if answer not in ("open", "not_probed"):
            found.append(finding("agent.wire_server_closed", port=port, answer=answer))
    return found


class _Log(NamedTuple):
    run: Optional[LoggedRun]
    path: Optional[str]
    file: FileText


def _read_log(guest: Guest, log_dir: str) -> _Log:
    folder, name = guest.path(log_dir), handler.NAME + "/extension.log"
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


def _last(
    guest: Guest, agent: Agent, extension: InstalledExtension, processes: List[Process]
) -> Tuple[Optional[LastRun], List[Finding]]:
    found: List[Finding] = []
    status: Optional[RunStatus] = None
    status_path: Optional[str] = None
    sequence = extension.sequences.reported if extension.sequences else None
    if extension.current is not None and sequence is not None:
        path = "{0}/status/{1}.status".format(guest.shown(extension.current.folder), sequence)
        file = handler.status_file(extension.current, sequence)
        try:
            if file.state != FOUND:
                raise BadJson(file.reason or "it has vanished")
            status = parse_status(file.data)
            status_path = path
        except BadJson as error:
            reason = "it is larger than 1 MiB" if file.state == FOUND and not file.whole else str(error)
            found.append(finding("run.status_unreadable", file=path, reason=reason))
    log = _read_log(guest, agent.log_dir)
    log_path = os.path.join(agent.log_dir, handler.NAME, "extension.log")
    if log.file.state == REFUSED:
        found.append(finding("run.log_unreadable", file=log_path, reason=log.file.reason))
    elif log.file.state == FOUND and log.run is None and log.file.size > 0:
        found.append(finding("run.log_unreadable", file=log_path, reason="no run is found in it"))
    run = last_run_of(
        Sources(sequence, status, status_path, log.run, log.path if log.run else None, processes, guest.now)
    )
    return run, found + run_findings(run)


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


def _script(script: Optional[plugin_check.Script]) -> Optional[Dict[str, Any]]:
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


def _configuration(guest: Guest, extension: InstalledExtension, found: List[Finding]) -> Dict[str, Any]:
    override = guest.path(plugin_check.HOST_OVERRIDE)
    config = guest.path(plugin_check.SHIPPED_CONFIG)
    plan = plugin_check.check(extension.current.folder if extension.current else None, override, config)
    known = codes.code_entry(plan.code)
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
    hold, said = guest.hold()
    found.extend(said)
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
            "hold": hold,
        }
    }


def gather(guest: Guest) -> Dict[str, Any]:
    """The answer of the module, under its one key."""
    found: List[Finding] = []
    if guest.uid != 0:
        found.append(finding("guest.not_root"))
    processes = processes_of_root(guest.path("/proc"), guest.now, guest.root_uid)
    agent = see_agent(processes, handler.NAME, guest.ask_version, guest.root)
    ports = guest.probe()
    found.extend(_agent_findings(guest, agent, ports))
    extension = see_extension(guest, agent.lib_dir, processes)
    log = os.path.join(agent.log_dir, handler.NAME, "extension.log")
    found.extend(extension_findings(guest, extension, log, agent.uninstalled))
    run, said = _last(guest, agent, extension, processes)
    found.extend(said)
    configuration = _configuration(guest, extension, found)
    return {
        "guest_snapshot": {
            "os": "linux",
            "verdict": verdict(found),
            "agent": _agent(agent, ports),
            "extension": extension.as_dict(guest),
            "last_run": run.as_dict() if run else None,
            "configuration": configuration,
            "findings": [each.as_dict() for each in ranked(found)],
        }
    }
