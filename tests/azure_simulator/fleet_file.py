"""The fleet file: YAML in, checked strictly, turned into plain records. Every error names its place."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from .extension_images import CATALOGUE
from .settings import CREATE_WINDOWS, POLICIES, Bucket, Durations, Rules, Settings, Window
from .strict_reader import NAME, FleetError, Reader

T = TypeVar("T")

TENANT = "72f988bf-0000-4000-a000-0000000000aa"
SUBSCRIPTION = "5d1f0a52-0000-4000-a000-000000000001"
AGE = re.compile(r"^(\d+(?:\.\d+)?)\s*([smhd]?)$")
AGE_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
SKUS = (
    "Standard_LRS",
    "StandardSSD_LRS",
    "StandardSSD_ZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "PremiumV2_LRS",
    "UltraSSD_LRS",
)
DEFAULT_FILE = Path(__file__).with_name("default_fleet.yml")
MOST_VMS = 100_000


@dataclass(frozen=True, slots=True)
class DiskSpec:
    name: str | None
    sku: str
    size_gb: int
    caching: str
    shared: bool
    ephemeral: bool
    write_accelerator: bool
    allocated: bool
    vault_missing: bool


@dataclass(frozen=True, slots=True)
class ExtensionSpec:
    name: str
    publisher: str
    type: str
    version: str
    state: str
    message: str
    settings: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PointSpec:
    collection: str
    resource_group: str | None
    name: str
    age: float
    consistency: str
    state: str
    # Names of disks that were left out.
    excluded: tuple[str, ...]
    # Taken of a machine of that name that has been deleted since.
    earlier_machine: bool


@dataclass(frozen=True, slots=True)
class VmSpec:
    name: str
    resource_group: str
    subscription: str
    location: str
    os: str
    power: str
    agent: str
    agent_version: str
    size: str
    tags: Mapping[str, str]
    zones: tuple[str, ...]
    security_type: str | None
    basic_protection: bool
    scale_set: str | None
    license_type: str | None
    user_data: str | None
    os_name: str
    os_version: str
    reboot_pending: bool
    provisioning_state: str
    extensions: tuple[ExtensionSpec, ...]
    snapshot_extension: str
    linux_scripts: str
    vss: str
    vss_recovers_after: int | None
    os_disk: DiskSpec
    data_disks: tuple[DiskSpec, ...]
    points: tuple[PointSpec, ...]
    guest_socket: str | None
    create_seconds: float | None
    private_ip: str | None
    public_ip: str | None


@dataclass(frozen=True, slots=True)
class IdentitySpec:
    name: str
    client_id: str
    secrets: tuple[str, ...]
    expired_secrets: tuple[str, ...]
    denied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    tenant_id: str = TENANT
    subscriptions: tuple[tuple[str, str], ...] = ((SUBSCRIPTION, "Simulated"),)
    groups: tuple[tuple[str, str], ...] = ()
    identities: tuple[IdentitySpec, ...] = ()
    settings: Settings = field(default_factory=Settings)
    faults: tuple[Mapping[str, Any], ...] = ()
    vms: tuple[VmSpec, ...] = ()


def load(source: str | Path | Mapping[str, Any] | None) -> Fleet:
    """A fleet from a file, from plain values, or the default one."""
    if isinstance(source, Mapping):
        return parse(source, "fleet")
    path = DEFAULT_FILE if source is None else Path(source)
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise FleetError(f"The fleet file {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FleetError(f"The fleet file {path} is no valid YAML: {error}.") from None
    return parse(document, path.name)


def parse(document: Any, place: str) -> Fleet:
    reader = Reader(document, place)
    subscriptions = tuple(
        (entry.guid("id"), entry.take("name", str, "Simulated")) for entry in _ended(reader.many("subscriptions"))
    ) or ((SUBSCRIPTION, "Simulated"),)
    tenant = reader.guid("tenant_id", TENANT)
    groups = tuple(
        (entry.name("name"), entry.take("location", str, "westeurope"))
        for entry in _ended(reader.many("resource_groups"))
    )
    identities = tuple(_identity(entry) for entry in reader.many("identities"))
    settings = _settings(reader)
    faults = tuple(dict(entry.left) for entry in reader.many("faults"))
    vms: list[VmSpec] = []
    for entry in reader.many("vms"):
        vms += _vms(entry, subscriptions)
        if len(vms) > MOST_VMS:
            raise FleetError(f"{place}.vms holds more than {MOST_VMS} VMs.")
    reader.end()
    seen: set[str] = set()
    for vm in vms:
        key = f"{vm.subscription}/{vm.resource_group}/{vm.name}".lower()
        if key in seen:
            raise FleetError(f"{place}.vms holds '{vm.name}' twice in resource group '{vm.resource_group}'.")
        seen.add(key)
    return Fleet(tenant, subscriptions, groups, identities, settings, faults, tuple(vms))


def _ended(readers: list[Reader]) -> list[Reader]:
    """Readers of entries with few keys; the unknown ones are refused at once."""
    for reader in readers:
        unknown = set(reader.left) - {"id", "name", "location"}
        if unknown:
            raise FleetError(f"{reader.place} has unknown keys: {', '.join(sorted(unknown))}.")
    return readers


def _identity(reader: Reader) -> IdentitySpec:
    name = reader.take("name", str)
    spec = IdentitySpec(
        name=name,
        client_id=reader.guid("client_id", str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.identity"))),
        secrets=reader.texts("secrets"),
        expired_secrets=reader.texts("expired_secrets"),
        denied=reader.texts("denied"),
    )
    reader.end()
    return spec


def _settings(reader: Reader) -> Settings:
    durations = _record(reader, "durations", Durations())
    rules = _record(reader, "rules", Rules())
    if rules.vss_failure not in ("fails", "degrades"):
        raise FleetError(f"{reader.place}.rules.vss_failure must be one of fails, degrades.")
    if rules.stopped_vm not in ("fails", "crash_consistent"):
        raise FleetError(f"{reader.place}.rules.stopped_vm must be one of fails, crash_consistent.")
    settings = Settings(durations=durations, rules=rules, seed=reader.take("seed", int, 1))
    limits = reader.left.pop("limits", None)
    if limits is None:
        return settings
    if limits in (False, "off"):
        return replace(settings, limits_enabled=False)
    chosen = Reader(limits, f"{reader.place}.limits")
    policies, windows = dict(POLICIES), dict(CREATE_WINDOWS)
    for name in list(chosen.left):
        entry = Reader(chosen.left.pop(name), f"{chosen.place}.{name}")
        if name in policies:
            old = policies[name]
            policies[name] = Bucket(
                entry.take("size", float, old.size), entry.take("per_minute", float, old.per_minute)
            )
            if policies[name].size < 1 or policies[name].per_minute <= 0:
                raise FleetError(f"{entry.place}: size must be at least 1 and per_minute above 0.")
        elif name in windows:
            was = windows[name]
            windows[name] = Window(entry.take("limit", int, was.limit), entry.take("seconds", float, was.seconds))
        else:
            known = ", ".join([*policies, *windows])
            raise FleetError(f"{chosen.place} does not know the policy '{name}'; it knows {known}.")
        entry.end()
    return replace(settings, policies=policies, windows=windows)


def _record(reader: Reader, name: str, default: T) -> T:
    """A dataclass of plain values whose fields are the keys."""
    entry = Reader(reader.take(name, dict, {}), f"{reader.place}.{name}")
    changes: dict[str, Any] = {}
    for item in fields(default):  # type: ignore[arg-type]
        current = getattr(default, item.name)
        kind: Any = float if current is None else type(current)
        value = entry.maybe(item.name, float if kind is int and isinstance(current, float) else kind)
        if value is not None:
            if isinstance(value, (int, float)) and value < 0:
                raise FleetError(f"{entry.place}.{item.name} must not be negative.")
            changes[item.name] = value
    entry.end()
    return replace(default, **changes)  # type: ignore[type-var]


def _vms(reader: Reader, subscriptions: tuple[tuple[str, str], ...]) -> list[VmSpec]:
    """One VM, or with `count` as many, `{n}` in the name standing for the number."""
    count = reader.maybe("count", int)
    pattern = reader.take("name", str)
    spec = _vm(reader, pattern.replace("{n}", "0") if count is not None else pattern, subscriptions)
    if count is None:
        return [spec]
    if "{n}" not in pattern or not 1 <= count <= MOST_VMS:
        raise FleetError(f"{reader.place} with 'count' needs {{n}} in its name, and a count of 1 to {MOST_VMS}.")
    width = len(str(count))
    return [replace(spec, name=pattern.replace("{n}", f"{n:0{width}d}")) for n in range(1, count + 1)]


def _vm(reader: Reader, name: str, subscriptions: tuple[tuple[str, str], ...]) -> VmSpec:
    if not NAME.match(name):
        raise FleetError(f"{reader.place}.name is no valid VM name: {name!r}.")
    os = reader.take("os", str, "linux", ("linux", "windows"))
    subscription = reader.guid("subscription", subscriptions[0][0])
    if subscription not in {known for known, _ in subscriptions}:
        raise FleetError(f"{reader.place}.subscription {subscription} is not among the fleet's subscriptions.")
    disks = Reader(reader.take("disks", dict, {}), f"{reader.place}.disks")
    os_disk = disk(Reader(disks.take("os", dict, {}), f"{disks.place}.os"), "ReadWrite")
    data_disks = tuple(disk(entry) for entry in disks.many("data"))
    disks.end()
    agent = reader.left.pop("agent", "ready")
    agent_reader = Reader({"state": agent} if isinstance(agent, str) else agent, f"{reader.place}.agent")
    vss = reader.left.pop("vss", "ok")
    vss_reader = Reader(vss, f"{reader.place}.vss") if isinstance(vss, Mapping) else None
    recovers_after = vss_reader.take("recovers_after", int) if vss_reader is not None else None
    if vss_reader is not None:
        vss_reader.end()
    elif vss not in ("ok", "bad"):
        raise FleetError(f"{reader.place}.vss must be ok, bad or {{recovers_after: n}}, not {vss!r}.")
    guest = reader.maybe("guest", dict)
    guest_reader = Reader(guest, f"{reader.place}.guest") if guest is not None else None
    guest_socket = guest_reader.take("socket", str) if guest_reader is not None else None
    if guest_reader is not None:
        guest_reader.end()
        if os != "linux":
            raise FleetError(f"{reader.place}.guest: only a Linux VM can be backed by a real guest.")
    spec = VmSpec(
        name=name,
        resource_group=reader.name("resource_group", "rg-fleet"),
        subscription=subscription,
        location=reader.take("location", str, "westeurope"),
        os=os,
        power=reader.take("power", str, "running", ("running", "stopped", "deallocated")),
        agent=agent_reader.take("state", str, "ready", ("ready", "not_ready")),
        agent_version=agent_reader.take("version", str, "2.15.0.1" if os == "linux" else "2.7.41491.1172"),
        size=reader.take("size", str, "Standard_D4s_v5"),
        tags=_tags(reader),
        zones=reader.texts("zones"),
        security_type=reader.maybe("security_type", str, ("Standard", "TrustedLaunch", "ConfidentialVM")),
        basic_protection=reader.take("basic_protection", bool, False),
        scale_set=reader.maybe("scale_set", str),
        license_type=reader.maybe("license_type", str),
        user_data=reader.maybe("user_data", str),
        os_name=reader.take("os_name", str, "ubuntu" if os == "linux" else "Windows Server 2022 Datacenter"),
        os_version=reader.take("os_version", str, "22.04" if os == "linux" else "10.0.20348.2700"),
        reboot_pending=reader.take("reboot_pending", bool, False),
        provisioning_state=reader.take(
            "provisioning_state", str, "Succeeded", ("Succeeded", "Failed", "Updating", "Creating")
        ),
        extensions=tuple(_extension(entry) for entry in reader.many("extensions")),
        snapshot_extension=reader.take(
            "snapshot_extension", str, "absent", ("present", "absent", "failed", "updating")
        ),
        linux_scripts=reader.take("linux_scripts", str, "missing", ("ok", "missing", "refused")),
        vss="ok" if recovers_after is not None else vss,
        vss_recovers_after=recovers_after,
        os_disk=os_disk,
        data_disks=data_disks,
        points=tuple(_point(entry) for entry in reader.many("points")),
        guest_socket=guest_socket,
        create_seconds=reader.maybe("create_seconds", float),
        private_ip=_address(reader, "private_ip"),
        public_ip=_address(reader, "public_ip"),
    )
    agent_reader.end()
    reader.end()
    return spec


def _address(reader: Reader, key: str) -> str | None:
    value = reader.maybe(key, str)
    try:
        return None if value is None else str(ipaddress.ip_address(value))
    except ValueError:
        raise FleetError(f"{reader.place}.{key} is no IP address: {value!r}.") from None


def _tags(reader: Reader) -> dict[str, str]:
    tags = reader.take("tags", dict, {})
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise FleetError(f"{reader.place}.tags must hold texts; {name!r}: {value!r} is none.")
    return tags


def disk(reader: Reader, caching: str = "ReadOnly") -> DiskSpec:
    spec = DiskSpec(
        name=reader.maybe("name", str),
        sku=reader.take("sku", str, "Premium_LRS", SKUS),
        size_gb=reader.take("size_gb", int, 64),
        caching=reader.take("caching", str, caching, ("None", "ReadOnly", "ReadWrite")),
        shared=reader.take("shared", bool, False),
        ephemeral=reader.take("ephemeral", bool, False),
        write_accelerator=reader.take("write_accelerator", bool, False),
        allocated=reader.take("allocated", bool, True),
        vault_missing=reader.take("vault_missing", bool, False),
    )
    reader.end()
    return spec


def _extension(reader: Reader) -> ExtensionSpec:
    publisher, kind = reader.take("publisher", str), reader.take("type", str)
    known = CATALOGUE.get((publisher.lower(), kind.lower()))
    spec = ExtensionSpec(
        name=reader.name("name", kind.replace(".", "")),
        publisher=publisher,
        type=kind,
        version=reader.take("version", str, known[2] if known else "1.0.0.0"),
        state=reader.take(
            "state", str, "Succeeded", ("Succeeded", "Failed", "Creating", "Updating", "Deleting", "Transitioning")
        ),
        message=reader.take("message", str, ""),
        settings=reader.maybe("settings", dict),
    )
    reader.end()
    return spec


def _point(reader: Reader) -> PointSpec:
    age = reader.left.pop("age", 0)
    found = AGE.match(str(age).strip())
    if found is None or isinstance(age, bool):
        raise FleetError(f"{reader.place}.age must be seconds or a number with s, m, h or d, not {age!r}.")
    spec = PointSpec(
        collection=reader.name("collection"),
        resource_group=reader.maybe("resource_group", str),
        name=reader.name("name"),
        age=float(found[1]) * AGE_UNITS[found[2]],
        consistency=reader.take(
            "consistency",
            str,
            "ApplicationConsistent",
            ("ApplicationConsistent", "FileSystemConsistent", "CrashConsistent"),
        ),
        state=reader.take("state", str, "Succeeded", ("Succeeded", "Failed")),
        excluded=reader.texts("excluded"),
        earlier_machine=reader.take("earlier_machine", bool, False),
    )
    reader.end()
    return spec
