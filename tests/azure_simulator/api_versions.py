"""Which api-versions each type answers to. Clients in use ask for very different ones at the same time."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import ArmError
from .paths import Target


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESTORE_POINTS = _words(
    """
    2021-03-01 2021-04-01 2021-07-01 2021-11-01 2022-03-01 2022-08-01 2022-11-01 2023-03-01 2023-07-01
    2023-09-01 2024-03-01 2024-07-01 2024-11-01 2025-04-01 2025-11-01 2026-03-01 2026-04-01
    """
)
COMPUTE = RESTORE_POINTS | _words(
    """
    2015-06-15 2016-03-30 2016-04-30-preview 2017-03-30 2017-12-01 2018-04-01 2018-06-01 2018-10-01
    2019-03-01 2019-07-01 2019-12-01 2020-06-01 2020-12-01
    """
)
DISK_POINTS = _words(
    """
    2020-09-30 2020-12-01 2021-04-01 2021-08-01 2021-12-01 2022-03-02 2022-07-02 2023-01-02 2023-04-02
    2023-10-02 2024-03-02 2025-01-02 2026-03-02
    """
)
DISKS = DISK_POINTS | _words(
    """
    2016-04-30-preview 2017-03-30 2018-04-01 2018-06-01 2018-09-30 2019-03-01 2019-07-01 2019-11-01
    2020-05-01 2020-06-30
    """
)
RESOURCES = _words(
    """
    2015-11-01 2016-06-01 2016-09-01 2017-05-10 2018-02-01 2018-05-01 2018-06-01 2019-03-01 2019-05-01
    2019-05-10 2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-10-01 2019-11-01 2020-01-01 2020-05-01
    2020-06-01 2020-08-01 2020-10-01 2021-01-01 2021-04-01 2022-09-01 2022-12-01 2023-07-01 2024-03-01
    2024-07-01 2024-11-01 2025-03-01 2025-04-01
    """
)
NETWORK = _words(
    """
    2018-11-01 2019-11-01 2020-11-01 2021-05-01 2022-07-01 2023-04-01 2023-09-01 2023-11-01 2024-01-01 2024-05-01
    2024-07-01 2024-10-01 2025-01-01 2025-05-01
    """
)
LOCKS = frozenset(["2015-01-01", "2016-09-01", "2017-04-01", "2020-05-01"])
POLICIES = _words(
    """
    2018-05-01 2019-01-01 2019-06-01 2019-09-01 2020-03-01 2020-09-01 2021-06-01 2022-06-01 2023-04-01
    2024-04-01 2024-05-01 2025-01-01 2025-03-01 2025-11-01 2026-06-01
    """
)

POINTS = "microsoft.compute/restorepointcollections/restorepoints"

TYPES: Mapping[str, frozenset[str]] = {
    "tenants": RESOURCES,
    "subscriptions": RESOURCES,
    "subscriptions/locations": RESOURCES,
    "subscriptions/providers": RESOURCES,
    "subscriptions/resourcegroups": RESOURCES,
    "subscriptions/resourcegroups/resources": RESOURCES,
    "subscriptions/operationresults": RESOURCES,
    "subscriptions/resources": RESOURCES,
    "microsoft.resources/tags": RESOURCES,
    "microsoft.network/networkinterfaces": NETWORK,
    "microsoft.network/publicipaddresses": NETWORK,
    "microsoft.authorization/locks": LOCKS,
    "microsoft.authorization/policyassignments": POLICIES,
    "microsoft.authorization/policydefinitions": POLICIES,
    "microsoft.authorization/policysetdefinitions": POLICIES,
    "microsoft.authorization/policyexemptions": POLICIES
    | {"2020-07-01-preview", "2022-07-01-preview", "2026-01-01-preview"},
    "microsoft.compute/disks": DISKS,
    "microsoft.compute/locations/diskoperations": DISKS,
    "microsoft.compute/locations/operations": COMPUTE,
    "microsoft.compute/locations/publishers": COMPUTE,
    "microsoft.compute/locations/publishers/artifacttypes/types": COMPUTE,
    "microsoft.compute/locations/publishers/artifacttypes/types/versions": COMPUTE,
    "microsoft.compute/locations/virtualmachines": COMPUTE,
    "microsoft.compute/restorepointcollections": RESTORE_POINTS,
    POINTS: RESTORE_POINTS,
    f"{POINTS}/diskrestorepoints": DISK_POINTS,
    f"{POINTS}/diskrestorepoints/begingetaccess": DISK_POINTS,
    f"{POINTS}/diskrestorepoints/endgetaccess": DISK_POINTS,
    "microsoft.compute/virtualmachines": COMPUTE,
    "microsoft.compute/virtualmachines/extensions": COMPUTE,
    "microsoft.compute/virtualmachines/instanceview": COMPUTE,
    "microsoft.compute/virtualmachines/deallocate": COMPUTE,
    "microsoft.compute/virtualmachines/start": COMPUTE,
    "microsoft.insights/eventtypes/values": frozenset(["2014-04-01", "2015-04-01"]),
    "microsoft.resourcegraph/resources": frozenset(
        ["2019-04-01", "2021-03-01", "2021-06-01-preview", "2022-10-01", "2024-04-01"]
    ),
}
EVERY = frozenset().union(*TYPES.values())

_DISPLAY = {
    word.lower(): word
    for word in _words(
        """
    Microsoft.Authorization Microsoft.Compute Microsoft.Insights Microsoft.ResourceGraph Microsoft.Resources
    Microsoft.Network networkInterfaces publicIPAddresses
    resourceGroups restorePointCollections restorePoints diskRestorePoints virtualMachines instanceView
    beginGetAccess endGetAccess policyAssignments policyDefinitions policySetDefinitions policyExemptions
    eventTypes artifactTypes
    """
    )
}


def display_type(types: str) -> str:
    """A type in the case Azure writes it in."""
    return "/".join(_DISPLAY.get(word, word) for word in types.split("/"))


def check(target: Target, api_version: str, newest: str = "") -> None:
    """Refuses a missing, malformed or unsupported api-version, and a type that is not there.

    With `newest`, the cloud knows no later ones.
    """
    if not api_version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    versions = TYPES.get(target.types)
    if versions is None:
        namespace, _, rest = display_type(target.types).partition("/")
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{rest}' could not be found in the namespace '{namespace}' for api version "
            f"'{api_version}'.",
        )
    if newest:
        versions = frozenset(version for version in versions if version[: len(newest)] <= newest)
    if api_version in versions:
        return
    if api_version not in EVERY:
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{api_version}' is invalid. The supported versions are "
            f"'{','.join(sorted(EVERY, reverse=True))}'.",
        )
    raise ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location 'global' and API version '{api_version}' for type "
        f"'{display_type(target.types).partition('/')[2]}'. The supported api-versions are "
        f"'{', '.join(sorted(versions))}'.",
    )
