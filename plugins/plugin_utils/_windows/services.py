# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The services of a Windows guest, as the service control manager and the registry tell of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .answer import fields

# The registry's Start value of a service.
_START: t.Final = {"0": "boot", "1": "system", "2": "automatic", "3": "manual", "4": "disabled"}


@dataclass(frozen=True)
class Service:
    """`status` is one of Running, Stopped, StartPending, ..., which Windows does not translate."""

    name: str
    status: str
    start: str | None
    account: str | None
    dependents: tuple[str, ...]

    @property
    def running(self) -> bool:
        return self.status == "Running"

    @property
    def disabled(self) -> bool:
        return self.start == "disabled"

    def as_dict(self) -> dict[str, t.Any]:
        """For a result."""
        return {"name": self.name, "status": self.status, "start": self.start, "account": self.account}


class ServiceList:
    """All services by name, whatever the case."""

    def __init__(self, services: t.Iterable[Service]) -> None:
        self._by_name = {service.name.casefold(): service for service in services}

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str | None) -> Service | None:
        """The service of that name, None where there is none."""
        return self._by_name.get(name.casefold()) if name else None

    def all_running(self) -> tuple[str, ...]:
        """The names of those that run."""
        return tuple(service.name for service in self._by_name.values() if service.running)

    def running(self, name: str) -> bool:
        """Whether it is there and runs."""
        service = self.get(name)
        return service is not None and service.running

    def running_dependents(self, name: str) -> tuple[str, ...]:
        """Those that would stop with it and run now, nearest last, as the control manager lists them."""
        found: dict[str, str] = {}
        waiting = [name]
        while waiting:
            service = self.get(waiting.pop(0))
            for dependent in service.dependents if service else ():
                if dependent.casefold() not in found:
                    found[dependent.casefold()] = dependent
                    waiting.append(dependent)
        return tuple(dependent for dependent in found.values() if self.running(dependent))


def read_services(lines: object) -> ServiceList:
    """Return the services from the lines of a command's answer; a line that does not fit is left out."""
    return ServiceList(
        Service(name, status, _START.get(start), account or None, tuple(filter(None, dependents.split("\n"))))
        for name, status, start, account, dependents in fields(lines, 5)
        if name and (name + status + account + dependents).replace("\n", "").isprintable()
    )
