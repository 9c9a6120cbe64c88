# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a Windows guest knows about its snapshots, in the shape that `guest_snapshot_info` has on Linux, too."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ...module_utils._finding import Finding, ranked, verdict
from ...module_utils._hostile_json import BadJson, first_mapping, int_of, mapping, text_of
from ...module_utils._printable import printable
from .._windows.answer import moment, utc_text
from .._windows.settings import PLACES, shown, states
from .evidence import AGENT_INSTALLER, AGENT_VERSION, EXTENSION, Evidence, FileEnd, Version

AGENT_SERVICES: t.Final = ("WindowsAzureGuestAgent", "RdAgent")
# What the extension and VSS need, besides the agent.
_NEEDED_SERVICES: t.Final = (
    "VSS",
    "swprv",
    "IaaSVmProvider",
    "COMSysApp",
    "EventSystem",
    "MSDTC",
    "Winmgmt",
    "CryptSvc",
    "KeyIso",
    "msiserver",
    "SQLWriter",
)
# The extension works for some minutes at most; one that is "transitioning" for longer has stopped working.
STUCK_AFTER_SECONDS: t.Final = 2 * 3600


@dataclass(frozen=True)
class AgentReport:
    """What the agent says of the extension in its aggregate status."""

    agent_status: str | None = None
    agent_version: str | None = None
    agent_seen: datetime | None = None
    handler_status: str | None = None
    handler_code: int | None = None
    handler_message: str | None = None
    sequence: int | None = None
    run_status: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class StatusRun:
    """What a status file says of a run."""

    sequence: int | None
    status: str | None
    code: int | None
    message: str | None
    operation: str | None
    task: str | None
    started: datetime | None
    reported: datetime | None
    path: str
    problem: str | None

    @property
    def running(self) -> bool:
        return self.status == "transitioning"


@dataclass(frozen=True)
class Snapshot:
    """The evidence with the two files in it read."""

    evidence: Evidence
    report: AgentReport
    run: StatusRun | None

    @property
    def current(self) -> Version | None:
        """The version that works: the newest one that is enabled, else the newest."""
        versions = self.evidence.versions
        enabled = (version for version in versions if version.state == "Enabled")
        return next(enabled, versions[0] if versions else None)

    @property
    def run_state(self) -> t.Literal["finished", "running", "stuck", "unknown"]:
        """How the last run stands."""
        if self.run is None or self.run.status is None:
            return "unknown"
        if not self.run.running:
            return "finished"
        now, then = self.evidence.time, self.run.reported
        return "stuck" if now and then and (now - then).total_seconds() > STUCK_AFTER_SECONDS else "running"


def read_snapshot(evidence: Evidence) -> Snapshot:
    """Read the files. What cannot be read is a problem in the record."""
    report = _report(evidence.aggregate)
    enabled = [version for version in evidence.versions if version.state == "Enabled"]
    with_status = [version for version in (*enabled, *evidence.versions) if version.status]
    return Snapshot(evidence, report, _run(with_status[0]) if with_status else None)


def guest_snapshot(snapshot: Snapshot, findings: t.Iterable[Finding]) -> dict[str, t.Any]:
    """Return the result."""
    found = ranked(findings)
    return {
        "os": "windows",
        "verdict": verdict(found),
        "agent": _agent(snapshot),
        "extension": _extension(snapshot),
        "last_run": _last_run(snapshot),
        "configuration": _configuration(snapshot),
        "findings": [finding.as_dict() for finding in found],
    }


def agent_state(evidence: Evidence) -> t.Literal["running", "stopped", "missing", "unknown"]:
    """The agent runs when both its services do."""
    services = [evidence.services.get(name) for name in AGENT_SERVICES]
    if not len(evidence.services):
        return "unknown"
    if not any(services):
        return "missing"
    return "running" if all(service and service.running for service in services) else "stopped"


def _agent(snapshot: Snapshot) -> dict[str, t.Any]:
    evidence, report = snapshot.evidence, snapshot.report
    services = [service for name in AGENT_SERVICES if (service := evidence.services.get(name))]
    installed = evidence.value(AGENT_VERSION)
    return {
        "state": agent_state(evidence),
        "service": AGENT_SERVICES[0] if services else None,
        "version": report.agent_version or installed,
        "installed_version": installed,
        "last_seen": utc_text(report.agent_seen),
        # The Linux agent's switches for extensions have no counterpart here.
        "extensions_enabled": None,
        "policy": {"enabled": None, "file": None, "allows_extension": None},
        "wire_server": {port: evidence.wire.get(port, "not_probed") for port in ("80", "32526")},
        "windows": {
            "status": report.agent_status,
            "services": [service.as_dict() for service in services],
            "transparent_installer": evidence.value(AGENT_INSTALLER),
            "log": evidence.agent_log.as_dict() if evidence.agent_log else None,
        },
    }


def _extension(snapshot: Snapshot) -> dict[str, t.Any]:
    evidence, report, current = snapshot.evidence, snapshot.report, snapshot.current
    return {
        "name": EXTENSION,
        "installed": current is not None,
        "version": current.version if current else None,
        "folder": _folder(evidence, current),
        "state": current.state if current else None,
        "status": report.handler_status,
        "code": report.handler_code,
        "message": report.handler_message,
        "versions": [
            {"version": each.version, "folder": _folder(evidence, each), "state": each.state}
            for each in evidence.versions[:20]
        ],
        "running": snapshot.run_state == "running" if snapshot.run else None,
        "windows": {
            "files": sorted(current.files) if current else [],
            "vc_runtime": evidence.vc_runtime,
            "heartbeat": utc_text(current.heartbeat.written) if current and current.heartbeat else None,
            "log": evidence.extension_log.as_dict() if evidence.extension_log else None,
        },
    }


def _last_run(snapshot: Snapshot) -> dict[str, t.Any] | None:
    run = snapshot.run
    if run is None:
        return None
    seconds = None
    if run.started and run.reported and not run.running and run.reported >= run.started:
        seconds = round((run.reported - run.started).total_seconds(), 3)
    agree = None
    if run.status and snapshot.report.run_status and run.sequence == snapshot.report.sequence:
        agree = run.status == snapshot.report.run_status
    return {
        "sequence": run.sequence,
        "task": run.task,
        "started": utc_text(run.started),
        "ended": None if run.running else utc_text(run.reported),
        "seconds": seconds,
        "state": snapshot.run_state,
        "code": run.code,
        "code_name": None,
        "meaning": run.message,
        "health": None,
        "health_name": None,
        "health_state": None,
        # The extension's own words for it are published nowhere: only the restore point itself says what was reached.
        "consistency_reached": None,
        "hold_seconds": None,
        "freeze_seconds": None,
        "pre": None,
        "post": None,
        "freeze": {"state": "unknown", "mounts": [], "error": None},
        "snapshot": {"by": None, "state": "unknown", "disks": None, "failed_disks": None},
        "sources": {
            "status": run.path,
            "log": snapshot.evidence.extension_log.path if snapshot.evidence.extension_log else None,
            "log_complete": None,
            "agree": agree,
        },
        "windows": {"status": run.status, "operation": run.operation},
    }


def _configuration(snapshot: Snapshot) -> dict[str, t.Any]:
    evidence = snapshot.evidence
    settings = {place: evidence.values[place] for place in PLACES}
    return {
        "windows": {
            "settings": states(settings),
            "registry": shown(settings),
            "services": [service.as_dict() for name in _NEEDED_SERVICES if (service := evidence.services.get(name))],
            "machine_keys": evidence.machine_keys,
            "sql_writer_log": evidence.sql_writer_log.as_dict() if evidence.sql_writer_log else None,
            "events": [
                {"source": event.source, "id": event.id, "when": utc_text(event.when), "message": event.message}
                for event in evidence.events
            ],
            **evidence.facts,
        }
    }


def _folder(evidence: Evidence, version: Version | None) -> str | None:
    return f"{evidence.folder}\\{version.version}" if version and evidence.folder else None


def _report(file: FileEnd | None) -> AgentReport:
    if file is None:
        return AgentReport()
    try:
        told = mapping(mapping(file.json()).get("aggregateStatus"))
    except BadJson as error:
        return AgentReport(problem=str(error))
    agent = mapping(told.get("guestAgentStatus"))
    handlers = told.get("handlerAggregateStatus")
    ours = [
        handler
        for each in (handlers if isinstance(handlers, list) else [])[:200]
        if (handler := mapping(each)).get("handlerName") == EXTENSION
    ]
    handler = ours[0] if ours else {}
    settings = mapping(handler.get("runtimeSettingsStatus"))
    run = mapping(mapping(settings.get("settingsStatus")).get("status"))
    return AgentReport(
        agent_status=_short(agent.get("status")),
        agent_version=_short(agent.get("version")),
        # The file is written anew all the time, whether or not the agent's upload gets through.
        agent_seen=moment(agent.get("lastStatusUploadTime")) or file.written,
        handler_status=_short(handler.get("status")),
        handler_code=int_of(handler.get("code")),
        handler_message=_short(mapping(handler.get("formattedMessage")).get("message"), 500),
        sequence=int_of(settings.get("sequenceNumber")),
        run_status=_lower(run.get("status")),
    )


def _run(version: Version) -> StatusRun:
    file = version.status
    if file is None:
        raise ValueError("a version without a status file")
    try:
        outer = first_mapping(file.json())
        status = mapping(outer.get("status"))
        problem = None if status else "it holds no status"
    except BadJson as error:
        outer, status, problem = {}, {}, str(error)
    return StatusRun(
        sequence=version.sequence,
        status=_lower(status.get("status")),
        code=int_of(status.get("code")),
        message=_short(mapping(status.get("formattedMessage")).get("message"), 500),
        operation=_short(status.get("operation")),
        task=_short(status.get("taskId"), 100),
        started=moment(status.get("configurationAppliedTime")),
        reported=moment(outer.get("timestampUTC")),
        path=file.path,
        problem=problem,
    )


def _short(value: t.Any, longest: int = 100) -> str | None:
    told = text_of(value)
    return (printable(told, longest) or None) if told is not None else None


def _lower(value: t.Any) -> str | None:
    told = _short(value, 40)
    return told.lower() if told else None
