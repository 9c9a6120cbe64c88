# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A Windows machine as far as VSS and the Azure extension are concerned: state, and what is wrong with it."""

from __future__ import annotations

import copy
import functools
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

DATA = Path(__file__).parent.parent / "data" / "vss"

STABLE = 1


@dataclass
class Service:
    """`stop` and `start` say how it takes a request: ok, hangs, refuses (stop) or fails (start)."""

    name: str
    status: str = "Running"
    start: int = 3
    account: str = "LocalSystem"
    needs: list[str] = field(default_factory=list)
    on_stop: str = "ok"
    on_start: str = "ok"


@dataclass
class Writer:
    """`recovers`: restart, never, or after how many further listings; `absent` for how many listings it is away."""

    name: str
    id: str
    instance: str
    service: str | None = None
    state: int = STABLE
    error: str = "no_error"
    recovers: str | int = "restart"
    absent: int = 0
    absent_after_restart: int = 0
    at_work: int | None = None


@dataclass
class File:
    """Content as text or bytes; `written` as ISO 8601; a reparse point leads elsewhere."""

    data: bytes
    written: str = "2026-03-14T02:00:41.0000000Z"
    reparse: bool = False
    locked: bool = False


@dataclass
class Machine:
    """One guest. Everything that a test may want to look at is a plain attribute."""

    name: str = "win1"
    language: str = "en"
    services: dict[str, Service] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)
    registry: dict[str, dict[str, tuple[str, str | int]]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    facts: dict[str, t.Any] = field(default_factory=dict)
    elevated: bool = True
    console: str = "utf-8"
    listing: str = "whole"
    guarded_keys: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    missing_cmdlets: list[str] = field(default_factory=list)
    parse_errors: dict[str, list[str]] = field(default_factory=dict)
    language_mode: str = "FullLanguage"
    faults: list[list[str]] = field(default_factory=list)
    away: int = 0
    silent_receives: int = 0

    # What arrived, by command and arguments; what was not recognised; what went wrong in the test's own code.
    received: list[tuple[str, dict[str, t.Any]]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    changes: int = 0

    def service(self, name: str) -> Service | None:
        """By name, whatever the case."""
        return next((service for key, service in self.services.items() if key.casefold() == name.casefold()), None)

    def dependents(self, name: str) -> list[Service]:
        """All that need it, directly or not; the last to start first, as EnumDependentServices has it."""
        found: list[Service] = []
        for service in self.services.values():
            if name.casefold() in (need.casefold() for need in service.needs):
                for further in [*self.dependents(service.name), service]:
                    if further not in found:
                        found.append(further)
        return found

    def listed(self) -> list[Writer]:
        """The writers that answer a listing now; asking takes time forward."""
        shown = []
        for writer in self.writers:
            owner = self.service(writer.service) if writer.service else None
            if owner and owner.status != "Running" and owner.name != "VSS":
                continue
            if writer.absent > 0:
                writer.absent -= 1
                continue
            shown.append(copy.copy(writer))
            if writer.at_work is not None:
                writer.at_work -= 1
                if writer.at_work <= 0:
                    writer.at_work, writer.state = None, STABLE
            if isinstance(writer.recovers, int) and writer.state != STABLE:
                writer.recovers -= 1
                if writer.recovers <= 0:
                    writer.state, writer.error = STABLE, "no_error"
        return shown

    def stop(self, service: Service) -> str | None:
        """Stop a service that has no running dependents; returns why it could not."""
        if service.on_stop == "refuses":
            return "System.InvalidOperationException: Cannot stop the service."
        if service.on_stop == "hangs":
            service.status = "StopPending"
            return (
                "System.ServiceProcess.TimeoutException: Time out has expired and the operation has not been completed."
            )
        service.status = "Stopped"
        return None

    def start(self, service: Service) -> str | None:
        """Start a service and what it needs; returns why it could not."""
        if service.start == 4:
            return "System.InvalidOperationException: Cannot start the service, it is disabled."
        for need in service.needs:
            needed = self.service(need)
            if needed and needed.status != "Running" and (problem := self.start(needed)):
                return problem
        if service.on_start == "fails" or service.status == "StopPending":
            return "System.InvalidOperationException: Cannot start the service."
        service.status = "Running"
        self._revive(service)
        return None

    def all_folders(self) -> set[str]:
        """Every folder that holds something."""
        found = set()
        for path in self.files:
            while "\\" in path:
                path = path.rpartition("\\")[0]
                found.add(path)
        return found

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder; links are not among them."""
        inside = (folder for folder in self.all_folders() if folder.rpartition("\\")[0] == path)
        return sorted(folder.rpartition("\\")[2] for folder in inside if not self.is_link(folder))

    def is_link(self, path: str) -> bool:
        """Whether a folder leads elsewhere."""
        return path in self.links

    def take_fault(self, command: str) -> str | None:
        """The next fault that is meant for this command; each happens once."""
        for fault in self.faults:
            if fault[0] in (command, "*"):
                self.faults.remove(fault)
                return fault[1]
        return None

    def _revive(self, service: Service) -> None:
        self.restarted.append(service.name)
        for writer in self.writers:
            if writer.service and writer.service.casefold() == service.name.casefold():
                if writer.recovers == "restart":
                    writer.state, writer.error, writer.at_work = STABLE, "no_error", None
                writer.absent = writer.absent or writer.absent_after_restart


def machine(name: str = "win1", base: str = "server_2022", **changes: t.Any) -> Machine:
    """A machine from tests/data/vss/machines, with the changes of a story laid over it."""
    return _machine(name, {**copy.deepcopy(_base(base)), "base": base}, changes)


def from_story(story: t.Mapping[str, t.Any], name: str = "win1") -> Machine:
    """The machine of a story."""
    told = copy.deepcopy(dict(story.get("machine", {})))
    return machine(name, told.pop("base", "server_2022"), **told)


@functools.cache
def _base(base: str) -> dict[str, t.Any]:
    loaded: dict[str, t.Any] = yaml.safe_load((DATA / "machines" / f"{base}.yml").read_text(encoding="utf-8"))
    return loaded


def _machine(name: str, base: dict[str, t.Any], changes: dict[str, t.Any]) -> Machine:
    services = {key: Service(key, **value) for key, value in base["services"].items()}
    for key, value in changes.pop("services", {}).items():
        if value is None:
            del services[key]
        elif key in services:
            for attribute, wanted in value.items():
                setattr(services[key], attribute, wanted)
        else:
            services[key] = Service(key, **value)
    writers = {row["name"]: Writer(**row) for row in base["writers"]}
    for key, value in changes.pop("writers", {}).items():
        if value is None:
            del writers[key]
        elif key in writers:
            for attribute, wanted in value.items():
                setattr(writers[key], attribute, wanted)
        else:
            writers[key] = Writer(name=key, **value)
    registry = {key: _values(value) for key, value in base["registry"].items()}
    for key, value in changes.pop("registry", {}).items():
        if value is None:
            registry.pop(key, None)
        else:
            registry.setdefault(key, {}).update(_values(value))
    files = {key: _file(value) for key, value in base["files"].items()}
    for key, value in changes.pop("files", {}).items():
        if value is None:
            files = {path: file for path, file in files.items() if not path.startswith(key)}
        else:
            files[key] = _file(value)
    facts = {**base["facts"], **changes.pop("facts", {})}
    if any(writer.at_work is not None for writer in writers.values()):
        # The program that makes a backup keeps it running.
        services["VSS"].status = "Running"
    return Machine(
        name, services=services, writers=list(writers.values()), registry=registry, files=files, facts=facts, **changes
    )


def _values(values: t.Mapping[str, t.Any]) -> dict[str, tuple[str, str | int]]:
    return {name: ("DWord" if isinstance(value, int) else "String", value) for name, value in values.items()}


def _file(value: t.Any) -> File:
    if isinstance(value, str):
        return File(value.encode("utf-8"))
    data = (
        bytes.fromhex(value["hex"].replace(" ", "")) if "hex" in value else str(value.get("text", "")).encode("utf-8")
    )
    data *= int(value.get("times", 1))
    extra = {key: value[key] for key in ("written", "reparse", "locked") if key in value}
    return File(data, **extra)
