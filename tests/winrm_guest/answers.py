# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What each of our commands, and a few plain ones, gives back on a machine. Line by line as its text says."""

from __future__ import annotations

import base64
import typing as t

from . import listings
from .machine import Machine, Service

Answer = dict[str, t.Any]


def _survey(machine: Machine, arguments: Answer) -> Answer:
    return {
        **_identity(machine),
        "services": _services(machine),
        "oem_code_page": listings.language(machine.language)["code_page"],
        "listing": _listing(machine, arguments["list_timeout"]),
        **{
            key: machine.facts[key] for key in ("providers", "storage", "volumes") if machine.facts.get(key) is not None
        },
        "problems": machine.facts.get("problems", {}),
    }


def _identity(machine: Machine) -> Answer:
    return {
        "elevated": machine.elevated,
        "time": machine.facts["time"],
        "powershell": "5.1.20348.2849",
        "os": machine.facts["os"],
        "culture": listings.language(machine.language)["culture"],
        "product": machine.facts["product"],
    }


def _services(machine: Machine) -> list[str]:
    return [
        "\t".join(
            [
                service.name,
                service.status,
                str(service.start),
                service.account,
                "\n".join(dependent.name for dependent in machine.dependents(service.name)),
            ]
        )
        for service in machine.services.values()
    ]


def _listing(machine: Machine, seconds: int) -> Answer:
    vss = machine.service("VSS")
    if vss and vss.start != 4:
        # Asking starts it, which is not a restart and heals nothing.
        vss.status = "Running"
    hangs = machine.listing == "hangs"
    data, code = (b"", None) if hangs else listings.output(machine)
    return {
        "exit": code,
        "timed_out": hangs,
        "seconds": float(seconds) if hangs else 1.25,
        "bytes": str(len(data)),
        "out": base64.b64encode(data[: 1024 * 1024]).decode("ascii"),
        "err": "",
    }


def _raw_writers(machine: Machine) -> bytes:
    return listings.output(machine)[0]


def _raw_services(machine: Machine) -> bytes:
    def block(service: Service) -> str:
        return f"SERVICE_NAME: {service.name}\r\n        STATE              : 4  RUNNING\r\n"

    return "\r\n".join(block(service) for service in machine.services.values()).encode()


def _raw_providers(machine: Machine) -> bytes:
    return "\r\n\r\n".join(
        f"Provider name: '{item['name']}'\r\n   Provider type: System\r\n   Provider Id: {item['id']}"
        for item in machine.facts["providers"]
    ).encode()


def _raw_storage(machine: Machine) -> bytes:
    return "\r\n".join(
        f"Shadow Copy Storage association\r\n   For volume: (C:){item['volume']}\r\n"
        for item in machine.facts["storage"]
    ).encode()


def _restart_service(machine: Machine, arguments: Answer) -> Answer:
    machine.changes += 1
    service = machine.service(arguments["service"])
    if service is None:
        raise Failed("Microsoft.PowerShell.Commands.ServiceCommandException", "Cannot find any service with that name.")
    problems: dict[str, str] = {}
    before = service.status
    running = [dependent.name for dependent in machine.dependents(service.name) if dependent.status == "Running"]
    back = list(dict.fromkeys([*arguments["dependents"], *running]))
    if arguments["stop"] and service.status != "Stopped":
        # ServiceController.Stop() stops the dependents first, and gives up at the first that will not.
        for wanted in [*machine.dependents(service.name), service]:
            if wanted.status == "Running" and (problem := machine.stop(wanted)):
                problems["stop"] = problem
                break
    if service.status != "Running" and (problem := machine.start(service)):
        problems["start"] = problem
    lines = []
    for name in reversed(back):
        dependent = machine.service(name)
        problem = ""
        if dependent and dependent.status != "Running":
            problem = machine.start(dependent) or ""
        lines.append(f"{name}\t{dependent.status if dependent else 'Missing'}\t{problem}")
    return {"before": before, "after": service.status, "dependents": lines, "problems": problems}


class Failed(Exception):
    """The script ended in an exception of PowerShell."""


COMMANDS: dict[str, t.Callable[[Machine, Answer], Answer]] = {"survey": _survey, "restart_service": _restart_service}

# What a playbook of plain `raw` tasks sends; the benchmark compares with it.
PLAIN: dict[str, t.Callable[[Machine], bytes]] = {
    "vssadmin list writers": _raw_writers,
    "vssadmin list providers": _raw_providers,
    "vssadmin list shadowstorage": _raw_storage,
    "sc.exe query": _raw_services,
}
