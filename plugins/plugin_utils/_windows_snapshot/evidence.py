# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The answer to the `snapshot` command as one record: what the agent and the extension left behind on the guest."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime

from ...module_utils._hostile_json import BadJson, JsonValue, mapping, parse
from ...module_utils._printable import printable
from .._windows.answer import data as data_of
from .._windows.answer import fields, flag, items, moment, one_line, whole
from .._windows.services import ServiceList, read_services
from .._windows.settings import PLACES, RegistryPath, Values, question, read_values

EXTENSION: t.Final = "Microsoft.Azure.RecoveryServices.VMSnapshot"

_GUEST: t.Final = r"SOFTWARE\Microsoft\Virtual Machine\Guest"
AGENT_VERSION: t.Final = RegistryPath(_GUEST, "GuestAgentVersion")
AGENT_DOTNET: t.Final = RegistryPath(_GUEST, "RequiredDotNetVersionPresent")
AGENT_INSTALLER: t.Final = RegistryPath(_GUEST, "TransparentInstallerStatus")
DOTNET_RELEASE: t.Final = RegistryPath(r"SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full", "Release")
_PLACES: t.Final = (AGENT_VERSION, AGENT_DOTNET, AGENT_INSTALLER, DOTNET_RELEASE, *PLACES)

# Microsoft's own scripts read the key with the blank, its Azure Backup page names the one without.
_HANDLER_ROOTS: t.Final = (
    r"SOFTWARE\Microsoft\Windows Azure\HandlerState",
    r"SOFTWARE\Microsoft\WindowsAzure\HandlerState",
)

# What the extension cannot do without; virus scanners are known to have taken the first.
NEEDED_FILES: t.Final = (
    "HandlerManifest.json",
    "HandlerEnvironment.json",
    "IaaSBcdrExtension.exe",
    "iaasvmprovider.dll",
)
VC_INSTALLER: t.Final = "vcredist2013_x64.exe"

EVENT_SOURCES: t.Final = (
    ("Application", "VSS"),
    ("Application", "SQLWRITER"),
    ("Application", "SQLVDI"),
    ("Application", "Microsoft-Windows-CAPI2"),
    ("Application", "Application Error"),
    ("System", "volsnap"),
)
_LOG_LINES: t.Final = 40
_LOG_BYTES: t.Final = 32 * 1024
_JSON_BYTES: t.Final = 512 * 1024


def snapshot_question(wire_timeout: float) -> dict[str, t.Any]:
    """The arguments of the command."""
    return {
        "extension": EXTENSION,
        "places": question(_PLACES),
        "handler_roots": list(_HANDLER_ROOTS),
        "files": [*NEEDED_FILES, VC_INSTALLER],
        "status_bytes": 64 * 1024,
        "aggregate_bytes": _JSON_BYTES,
        "log_bytes": _LOG_BYTES,
        "events": [{"log": log, "provider": provider} for log, provider in EVENT_SOURCES],
        "event_hours": 24,
        "event_count": 20,
        "wire_timeout": wire_timeout,
    }


@dataclass(frozen=True)
class FileEnd:
    """The end of a file. `problem` says why nothing of it is known."""

    path: str
    length: int
    written: datetime | None
    data: bytes
    problem: str | None

    @property
    def whole(self) -> bool:
        return self.length <= len(self.data)

    def lines(self) -> list[str]:
        """The last lines, each made fit to be shown. The first one is left out where it may be half a line."""
        found = [line for line in self.data.replace(b"\x00", b"").splitlines() if line.strip()]
        if not self.whole:
            found = found[1:]
        return [printable(line[:2000].decode("utf-8", errors="replace"), 300) for line in found[-_LOG_LINES:]]

    def json(self) -> JsonValue:
        """Its content as JSON, or BadJson. The agent's files can hold NUL characters and begin with a mark."""
        if self.problem:
            raise BadJson(self.problem)
        if not self.whole:
            raise BadJson(f"it is larger than {len(self.data)} bytes")
        return parse(self.data.replace(b"\x00", b"").removeprefix(b"\xef\xbb\xbf"))

    def as_dict(self) -> dict[str, t.Any]:
        """For a result."""
        return {"path": self.path, "lines": self.lines(), "problem": self.problem}


@dataclass(frozen=True)
class Version:
    """One version's folder."""

    version: str
    files: frozenset[str]
    status: FileEnd | None
    heartbeat: FileEnd | None
    state: str | None

    @property
    def sequence(self) -> int | None:
        """The number of the newest status file."""
        name = self.status.path.rpartition("\\")[2].partition(".")[0] if self.status else ""
        return whole(name)


@dataclass(frozen=True)
class Event:
    """An entry of the event log, of level critical, error or warning."""

    source: str
    id: int | None
    when: datetime | None
    message: str


@dataclass(frozen=True)
class Evidence:
    """Everything that was collected."""

    elevated: bool | None
    time: datetime | None
    facts: dict[str, str | None]
    services: ServiceList
    values: Values
    folder: str | None
    versions: tuple[Version, ...]
    extension_log: FileEnd | None
    agent_log: FileEnd | None
    sql_writer_log: FileEnd | None
    aggregate: FileEnd | None
    machine_keys: str | None
    vc_runtime: str | None
    memory_free: int | None
    disk_free: int | None
    locked: tuple[str, ...]
    events: tuple[Event, ...]
    wire: dict[str, str]
    problems: dict[str, str]
    network_service: str

    def value(self, place: RegistryPath) -> str | None:
        """A registry value as text."""
        found = self.values.get(place)
        return found.data if found else None


def read_evidence(answer: t.Mapping[str, t.Any]) -> Evidence:
    """Return the record. Nothing in the answer can make this fail."""
    states = {name: state for _root, name, state in reversed(fields(answer.get("handlers"), 3))}
    memory = whole(mapping(answer.get("memory")).get("free"))
    return Evidence(
        elevated=flag(answer.get("elevated")),
        time=moment(answer.get("time")),
        facts={key: one_line(answer.get(key)) or None for key in ("os", "culture", "product", "powershell")},
        services=read_services(answer.get("services")),
        values=read_values(_PLACES, answer.get("registry")),
        folder=one_line(answer.get("folder")) or None,
        versions=_versions(answer.get("versions"), states),
        extension_log=_file(answer.get("extension_log")),
        agent_log=_file(answer.get("agent_log")),
        sql_writer_log=_file(answer.get("sql_writer_log")),
        aggregate=_file(answer.get("aggregate")),
        machine_keys=one_line(answer.get("machine_keys"), 500) or None,
        vc_runtime=one_line(answer.get("vc_runtime")) or None,
        memory_free=None if memory is None else memory * 1024,
        disk_free=whole(mapping(answer.get("disk")).get("free")),
        locked=tuple(one_line(drive, 40) for drive in items(answer.get("locked"), 50)),
        events=tuple(
            Event(one_line(source), whole(number), moment(when), one_line(message, 400))
            for source, number, _level, when, message in fields(answer.get("events"), 5)
        ),
        wire={port: _reach(state) for port, state in fields(answer.get("wire"), 2) if port in ("80", "32526")},
        network_service=one_line(answer.get("network_service")),
        problems={one_line(key, 60): one_line(value) for key, value in mapping(answer.get("problems")).items()},
    )


def _versions(value: object, states: t.Mapping[str, str]) -> tuple[Version, ...]:
    found = []
    for item in items(value, 50):
        told = mapping(item)
        version = one_line(told.get("version"), 60)
        if re.fullmatch(r"[0-9]+(\.[0-9]+){1,4}", version):
            found.append(
                Version(
                    version,
                    frozenset(one_line(name, 80) for name in items(told.get("files"), 20)),
                    _file(told.get("status")),
                    _file(told.get("heartbeat")),
                    one_line(states.get(f"{EXTENSION}_{version}"), 60) or None,
                )
            )
    return tuple(sorted(found, key=lambda version: _sortable(version.version), reverse=True))


def _sortable(version: str) -> tuple[int, ...]:
    return tuple(int(part[:9]) for part in version.split("."))


def older(version: str, least: str) -> bool:
    """Whether a version is below another. One that is not made of numbers is not."""
    return bool(re.fullmatch(r"[0-9]+(\.[0-9]+){1,4}", version)) and _sortable(version) < _sortable(least)


def _file(value: t.Any) -> FileEnd | None:
    told = mapping(value)
    if not told:
        return None
    problem = (
        "it is a link, which is not followed" if told.get("link") is True else one_line(told.get("problem")) or None
    )
    content = data_of(told.get("data"))
    return FileEnd(
        one_line(told.get("path")), whole(told.get("length")) or 0, moment(told.get("written")), content, problem
    )


def _reach(state: str) -> str:
    known = {"open": "open", "TimedOut": "timed_out", "ConnectionRefused": "refused"}
    return known.get(state.strip(), "unreachable")
