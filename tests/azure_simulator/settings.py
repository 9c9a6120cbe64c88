"""How long things take and which limits hold. All figures can be set in the fleet file.

The bucket sizes are the documented ones, or those seen in recorded traffic (remaining + 1 at first use). The recorded
restore-point policies show no window; `GetOperation*` shows both numbers (45 recorded, "15/45 per minute" documented),
so the others are given the same proportion: a third of the size refills each minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple


class Bucket(NamedTuple):
    """A token bucket: its size, and the tokens that come back in a minute."""

    size: float
    per_minute: float


class Window(NamedTuple):
    """At most `limit` in any `seconds`."""

    limit: int
    seconds: float


ARM_READS = Bucket(250, 25 * 60)
ARM_WRITES = Bucket(200, 10 * 60)
ARM_DELETES = Bucket(200, 10 * 60)
# Over all principals of a subscription.
ARM_GLOBAL_FACTOR = 15
# Resource Graph has a quota of its own per principal.
GRAPH_QUERIES = Window(15, 5)

POLICIES: Mapping[str, Bucket] = MappingProxyType(
    {
        "LowCostGetResource": Bucket(36, 12),
        "LowCostGetSubscriptionMaximum": Bucket(24000, 8000),
        "HighCostGetSubscriptionMaximum": Bucket(900, 300),
        "UpdateVMResource": Bucket(12, 4),
        "UpdateVMSubscriptionMaximum": Bucket(1500, 500),
        "DeleteVMResource": Bucket(12, 4),
        "DeleteVMSubscriptionMaximum": Bucket(1500, 500),
        "GetOperationResource": Bucket(45, 15),
        "GetOperationSubscriptionMaximum": Bucket(15000, 5000),
        "PutRestorePointCollectionResource": Bucket(15, 5),
        "PutRestorePointCollectionSubscriptionMaximum": Bucket(150, 50),
        "PutRestorePointResource": Bucket(6, 2),
        "PutRestorePointSubscriptionMaximum": Bucket(150, 50),
        "DeleteRestorePointSubscriptionMaximum": Bucket(360, 120),
        "LowCostGetRestorePointSubscriptionMaximum": Bucket(600, 200),
    }
)

# Documented: three creates of each mode per VM and hour. Only the crash-consistent name has been seen in traffic.
CREATE_WINDOWS: Mapping[str, Window] = MappingProxyType(
    {
        "CreateCrashConsistentRestorePoint": Window(3, 3600),
        "CreateApplicationConsistentRestorePoint": Window(3, 3600),
        "CopyRestorePoint": Window(3, 3600),
    }
)


@dataclass(frozen=True, slots=True)
class Durations:
    """Simulated seconds."""

    create: float = 20
    install: float = 15
    extension: float = 10
    delete: float = 5
    access: float = 2
    disk: float = 5
    # A VM is deallocated or started, or its disks are exchanged; about a minute in Azure.
    power: float = 30
    update: float = 10
    replicate: float = 120
    extension_wait: float = 60
    token: float = 3600
    activity: float = 0
    # How long an assignment needs to take effect; minutes in Azure.
    policy: float = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """Choices where the documentation leaves room."""

    # The error list says a create with bad VSS writers fails; the extension's page says it falls back.
    vss_failure: str = "fails"
    # The troubleshooting page wants a running VM; a template's readme says a stopped one gets a crash-consistent point.
    stopped_vm: str = "fails"
    points_per_vm: int = 500
    page_size: int = 500
    # None: no Retry-After on accepted operations, as in the recorded traffic.
    retry_after: float | None = None
    guest_seconds: float = 1800
    # A sovereign cloud is behind: no api-version newer than this is known there. Empty: all are.
    newest_api: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    durations: Durations = Durations()
    rules: Rules = Rules()
    limits_enabled: bool = True
    policies: Mapping[str, Bucket] = field(default_factory=lambda: POLICIES)
    windows: Mapping[str, Window] = field(default_factory=lambda: CREATE_WINDOWS)
    seed: int = 1
