# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""All virtual machines that match a filter, from a few queries for thousands of them, as inventory hosts."""

from __future__ import annotations

import asyncio
import hashlib
import typing as t
from collections import Counter
from dataclasses import dataclass

from .._azure.arm import Arm
from .._azure.machine import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES
from .._azure.optional import read_or_note
from .._json import Json, child, children, text
from .._restore_points.points import list_collections
from .resource_graph import literal, rows

PATIENCE = 120.0
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Filter:
    """Which machines are wanted; an empty field leaves none out. A tag without a value only has to be there."""

    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


def machines_query(wanted: Filter) -> str:
    """Return the query for the machines. Ordered, so that pages neither overlap nor leave one out."""
    lines = ["resources", "| where type =~ 'microsoft.compute/virtualmachines'"]
    for column, values, option in (
        ("resourceGroup", wanted.resource_groups, "resource_groups"),
        ("location", wanted.locations, "locations"),
    ):
        if values:
            lines.append(f"| where {column} in~ ({', '.join(literal(value, option) for value in values)})")
    for name, value in wanted.tags:
        tag = f"tostring(tags[{literal(name, 'tags')}])"
        lines.append(f"| where {tag} =~ {literal(value, 'tags')}" if value else f"| where isnotempty({tag})")
    lines.append(
        "| project id, name, location, resourceGroup, subscriptionId, tags, zones,"
        " os = tostring(properties.storageProfile.osDisk.osType),"
        " size = tostring(properties.hardwareProfile.vmSize),"
        " computerName = tostring(properties.osProfile.computerName),"
        " power = tostring(properties.extended.instanceView.powerState.code)"
    )
    lines.append("| order by id asc")
    return "\n".join(lines)


def extensions_query() -> str:
    """Return the query for the snapshot extensions. Joined here: a join there may not be paged by id."""
    types = ", ".join(literal(kind, "type") for kind in SNAPSHOT_TYPES.values())
    return "\n".join(
        (
            "resources",
            "| where type =~ 'microsoft.compute/virtualmachines/extensions'",
            f"| where tostring(properties.publisher) =~ {literal(SNAPSHOT_PUBLISHER, 'publisher')}",
            f"| where tostring(properties.type) in~ ({types})",
            "| project id, name, extensionType = tostring(properties.type),"
            " state = tostring(properties.provisioningState),"
            " version = tostring(properties.typeHandlerVersion)",
            "| order by id asc",
        )
    )


def interfaces_query() -> str:
    """Return the query for the network interfaces that are in machines."""
    return "\n".join(
        (
            "resources",
            "| where type =~ 'microsoft.network/networkinterfaces'",
            "| where isnotempty(tostring(properties.virtualMachine.id))",
            "| project id, machine = tostring(properties.virtualMachine.id), primary = tobool(properties.primary),"
            " configurations = properties.ipConfigurations",
            "| order by id asc",
        )
    )


def public_addresses_query() -> str:
    """Return the query for the public IP addresses that are in use and known: a stopped machine may have lost its."""
    return "\n".join(
        (
            "resources",
            "| where type =~ 'microsoft.network/publicipaddresses'",
            "| where isnotempty(tostring(properties.ipConfiguration.id))",
            "| where isnotempty(tostring(properties.ipAddress))",
            "| project id, address = tostring(properties.ipAddress)",
            "| order by id asc",
        )
    )


@dataclass(frozen=True)
class MachineList:
    """The variables of each machine, in the order of their ids, and what else was wanted and could not be read."""

    machines: list[Json]
    unread: list[str]


async def list_machines(
    arm: Arm, wanted: Filter, *, with_protection: bool, with_addresses: bool, patience: float = PATIENCE
) -> MachineList:
    """List the machines; raise an AppConsistentError only where they themselves cannot be read.

    `patience` is in seconds, for all that is only good to know of them.
    """
    unread: list[str] = []
    scope = {"subscriptions": wanted.subscriptions, "management_groups": wanted.management_groups}
    # One after the other: each answer says how much of the quota is left for the next query.
    machines = await rows(arm, machines_query(wanted), doing="list the virtual machines", **scope)
    arm = arm.until(arm.clock.monotonic() + patience)

    async def optional(query: str, doing: str) -> list[Json] | None:
        return await read_or_note(unread, rows(arm, query, doing=doing, **scope))

    extensions = await optional(extensions_query(), "list the snapshot extensions")
    of_machine = {text(row, "id").lower().partition("/extensions/")[0]: row for row in extensions or ()}
    unknown: Json = {"state": UNKNOWN}
    found = [
        _variables(row, unknown if extensions is None else of_machine.get(text(row, "id").lower()))
        for row in machines
        if text(row, "id")
    ]
    if with_addresses:
        interfaces = await optional(interfaces_query(), "list the network interfaces") or []
        publics = (
            await optional(public_addresses_query(), "list the public IP addresses")
            if any(_public_id(configuration) for row in interfaces for configuration in _configurations(row))
            else []
        )
        known = addresses(interfaces, {text(row, "id").lower(): text(row, "address") for row in publics or ()})
        for machine in found:
            machine |= known.get(machine["azure_vm_id"].lower(), addresses_of([]))
    if with_protection:
        subscriptions = sorted({machine["azure_subscription_id"] for machine in found})
        read = await asyncio.gather(*(read_or_note(unread, _sources(arm, name)) for name in subscriptions))
        sources = dict(zip(subscriptions, read, strict=True))
        for machine in found:
            # Where the list was not read, no group says anything of it.
            if (protected := sources[machine["azure_subscription_id"]]) is not None:
                machine["azure_restore_point_collection"] = machine["azure_vm_id"].lower() in protected
    return MachineList(found, unread)


async def _sources(arm: Arm, subscription: str) -> set[str]:
    """Return the ids (in lower case) of what the subscription's restore point collections are of."""
    doing = f"list the restore point collections of the subscription {subscription}"
    collections = await list_collections(arm, subscription, doing)
    return {text(child(child(item, "properties"), "source"), "id").lower() for item in collections}


def addresses(interfaces: t.Sequence[Json], publics: t.Mapping[str, str]) -> dict[str, Json]:
    """Return the variables of each machine (by its id in lower case); `publics` has addresses by the resource's id.

    The primary address of the primary interface comes first. An interface or a configuration that is the only one may
    say nothing of being primary.
    """
    found: dict[str, list[tuple[bool, bool, str, str]]] = {}
    for row in interfaces:
        for configuration in _configurations(row):
            found.setdefault(text(row, "machine").lower(), []).append(
                (
                    row.get("primary") is not True,
                    configuration.get("primary") is not True,
                    text(configuration, "privateIPAddress"),
                    publics.get(_public_id(configuration), ""),
                )
            )
    # Sorted by what is primary only: otherwise Azure's order stays, which is that of the configurations.
    return {
        machine: addresses_of([pair[2:] for pair in sorted(pairs, key=lambda pair: pair[:2])])
        for machine, pairs in found.items()
    }


def addresses_of(pairs: t.Sequence[tuple[str, str]]) -> Json:
    """Return the variables for pairs of a private and a public address, the primary pair first."""
    return {
        "azure_private_ip": pairs[0][0] if pairs else "",
        "azure_private_ips": [private for private, _public in pairs if private],
        # A machine has few, and it does not matter much which of its configurations one belongs to.
        "azure_public_ip": next((public for _private, public in pairs if public), ""),
        "azure_public_ips": [public for _private, public in pairs if public],
    }


def _configurations(interface: Json) -> list[Json]:
    return [child(configuration, "properties") for configuration in children(interface, "configurations")]


def _public_id(configuration: Json) -> str:
    return text(child(configuration, "publicIPAddress"), "id").lower()


def _variables(row: Json, extension: Json | None) -> Json:
    tags, zones = row.get("tags"), row.get("zones")
    return {
        "azure_vm_id": text(row, "id"),
        "azure_vm_name": text(row, "name"),
        "azure_computer_name": text(row, "computerName"),
        "azure_subscription_id": text(row, "subscriptionId").lower(),
        "azure_resource_group": text(row, "resourceGroup"),
        "azure_location": text(row, "location"),
        "azure_os": text(row, "os").lower(),
        "azure_power": text(row, "power").rpartition("/")[2].lower(),
        "azure_size": text(row, "size"),
        "azure_tags": tags if isinstance(tags, dict) else {},
        "azure_zones": zones if isinstance(zones, list) else [],
        "azure_snapshot_extension": {
            "name": text(extension or {}, "name"),
            "type": text(extension or {}, "extensionType"),
            "version": text(extension or {}, "version"),
            "state": extension_state(extension),
        },
    }


def extension_state(extension: Json | None) -> str:
    """Return missing, healthy, failed, updating, or unknown where it could not be read."""
    if extension is None:
        return "missing"
    known = {"succeeded": "healthy", "failed": "failed", "canceled": "failed", UNKNOWN: UNKNOWN}
    return known.get(text(extension, "state").lower(), "updating")


def groups(machine: Json) -> list[str]:
    """Return the groups that a machine belongs to."""
    found = [f"snapshot_extension_{machine['azure_snapshot_extension']['state']}"]
    if machine["azure_os"]:
        found.append(machine["azure_os"])
    if machine["azure_power"]:
        found.append(f"power_{machine['azure_power']}")
    if "azure_restore_point_collection" in machine:
        found.append("protected" if machine["azure_restore_point_collection"] else "unprotected")
    return found


def names(machines: t.Sequence[Json], *, always_unique: bool) -> list[str]:
    """Return a name for each machine: its own, with a hash of its id where others are called the same."""
    times = Counter(machine["azure_vm_name"].lower() for machine in machines)
    return [
        f"{machine['azure_vm_name']}_{_digest(machine['azure_vm_id'])}"
        if always_unique or times[machine["azure_vm_name"].lower()] > 1
        else str(machine["azure_vm_name"])
        for machine in machines
    ]


def _digest(vm_id: str) -> str:
    return hashlib.sha256(vm_id.lower().encode()).hexdigest()[:8]
