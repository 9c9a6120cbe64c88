# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What each of our commands, and a few plain ones, gives back on a machine. Line by line as its text says."""

from __future__ import annotations

import base64
import typing as t
from datetime import datetime, timezone

from . import listings
from .machine import Machine, Service

Answer = dict[str, t.Any]


def _survey(machine: Machine, arguments: Answer) -> Answer:
    return {
        **_identity(machine),
        "services": _services(machine),
        "oem_code_page": listings.language(machine.language)["code_page"],
        **({} if machine.listing == "cannot_start" else {"listing": _listing(machine, arguments["list_timeout"])}),
        **{
            key: machine.facts[key] for key in ("providers", "storage", "volumes") if machine.facts.get(key) is not None
        },
        "problems": machine.facts.get("problems", {}),
    }


def _identity(machine: Machine) -> Answer:
    return {
        "elevated": machine.elevated,
        "time": machine.facts["time"] or datetime.now(timezone.utc).isoformat().replace("+00:00", "0Z"),
        "powershell": "5.1.20348.2849",
        "os": machine.facts["os"],
        "culture": listings.language(machine.language)["culture"],
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


def _read_values(machine: Machine, arguments: Answer) -> Answer:
    return {"registry": [_value(machine, place) for place in arguments["places"]], "problems": {}}


def _write_values(machine: Machine, arguments: Answer) -> Answer:
    machine.changes += 1
    problems = {}
    for place in arguments["places"]:
        path, name, data = place["path"], place["name"], place["data"]
        if any(path.casefold().startswith(guarded.casefold()) for guarded in machine.guarded_keys):
            problems[f"{path}\\{name}"] = "UnauthorizedAccessException: Zugriff verweigert"
        elif data is None:
            machine.registry.get(path, {}).pop(name, None)
        else:
            machine.registry.setdefault(path, {})[name] = (place["kind"], data)
    return {**_read_values(machine, arguments), "problems": problems}


def _value(machine: Machine, place: Answer) -> str:
    found = machine.registry.get(place["path"], {}).get(place["name"])
    return f"{found[0]}\t{found[1]}" if found else ""


def _snapshot(machine: Machine, arguments: Answer) -> Answer:
    extension = arguments["extension"]
    plugins = f"C:\\Packages\\Plugins\\{extension}"
    logs = "C:\\WindowsAzure\\Logs"
    facts = machine.facts
    answer: Answer = {
        **_identity(machine),
        "services": _services(machine),
        **_read_values(machine, arguments),
        "handlers": [
            f"{root}\t{name}\t{values.get('InstallState', ('', ''))[1]}"
            for root in arguments["handler_roots"]
            for path, values in machine.registry.items()
            if path.startswith(f"{root}\\{extension}_") and (name := path.rpartition("\\")[2])
        ],
        "folder": plugins,
        "versions": [
            _version(machine, plugins, name, arguments)
            for name in machine.folders(plugins)
            if not machine.is_link(plugins)
        ],
        "agent_log": _tail(machine, f"{logs}\\WaAppAgent.log", arguments["log_bytes"]),
        "aggregate": _tail(machine, f"{logs}\\AggregateStatus\\aggregatestatus.json", arguments["aggregate_bytes"]),
        "sql_writer_log": _tail(
            machine, r"C:\Program Files\Microsoft SQL Server\90\Shared\SqlWriterLogger.txt", arguments["log_bytes"]
        ),
        **{
            key: facts[key]
            for key in ("memory", "disk", "booted", "locked", "machine_keys", "network_service", "vc_runtime")
            if key in facts
        },
        "events": [
            line
            for query in arguments["events"]
            for line in facts.get("events", [])
            if line.partition("\t")[0] == query["provider"]
        ][: arguments["event_count"]],
        "wire": [f"{port}\t{state}" for port, state in facts["wire"].items() if arguments["wire_timeout"] > 0],
        "problems": facts.get("problems", {}),
    }
    plugin_logs = f"{logs}\\Plugins\\{extension}"
    newest = max(
        (
            path
            for version in machine.folders(plugin_logs)
            for path in machine.files
            if path.startswith(f"{plugin_logs}\\{version}\\IaaSBcdrExtension") and path.endswith(".log")
        ),
        key=lambda path: machine.files[path].written,
        default=None,
    )
    if newest:
        answer["extension_log"] = _tail(machine, newest, arguments["log_bytes"])
    return answer


def _version(machine: Machine, plugins: str, name: str, arguments: Answer) -> Answer:
    folder = f"{plugins}\\{name}"
    answer: Answer = {"version": name, "files": [n for n in arguments["files"] if f"{folder}\\{n}" in machine.files]}
    if machine.is_link(f"{folder}\\Status") or f"{folder}\\Status" not in machine.all_folders():
        return answer
    found = [path for path in machine.files if path.startswith(f"{folder}\\Status\\") and path.endswith(".status")]
    if found:
        newest = max(found, key=lambda path: machine.files[path].written)
        answer["status"] = _tail(machine, newest, arguments["status_bytes"])
    answer["heartbeat"] = _tail(machine, f"{folder}\\Status\\HeartBeat.Json", arguments["status_bytes"])
    return answer


def _tail(machine: Machine, path: str, most: int) -> Answer | None:
    machine.opened.append(path)
    file = machine.files.get(path)
    if file is None:
        return None
    if file.reparse:
        return {"path": path, "link": True}
    if file.locked:
        return {"path": path, "problem": "IOException: The process cannot access the file."}
    return {
        "path": path,
        "length": str(len(file.data)),
        "written": file.written,
        "data": base64.b64encode(file.data[-most:]).decode("ascii"),
    }


def _parse(machine: Machine, arguments: Answer) -> Answer:
    texts = []
    for item in arguments["texts"]:
        text = base64.b64decode(item["text"]).decode("utf-8")
        unknown = [name for name in machine.missing_cmdlets if name in text]
        texts.append({"name": item["name"], "errors": machine.parse_errors.get(item["name"], []), "unknown": unknown})
    return {"texts": texts, "problems": {}}


COMMANDS: dict[str, t.Callable[[Machine, Answer], Answer]] = {
    "parse": _parse,
    "snapshot": _snapshot,
    "survey": _survey,
    "restart_service": _restart_service,
    "read_values": _read_values,
    "write_values": _write_values,
}

# What a playbook of plain `raw` tasks sends; the benchmark compares with it.
PLAIN: dict[str, t.Callable[[Machine], bytes]] = {
    "vssadmin list writers": _raw_writers,
    "vssadmin list providers": _raw_providers,
    "vssadmin list shadowstorage": _raw_storage,
    "sc.exe query": _raw_services,
}
