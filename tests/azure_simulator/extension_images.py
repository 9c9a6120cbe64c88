"""Which extensions a region offers, and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import ArmError
from .exchange import Call, Response, answer
from .records import SNAPSHOT_PUBLISHER

if TYPE_CHECKING:
    from .world import World


# What the simulated region offers: publisher and type in lower case, then the newest version.
CATALOGUE: Mapping[tuple[str, str], tuple[str, str, str]] = {
    (publisher.lower(), kind.lower()): (publisher, kind, version)
    for publisher, kind, version in (
        (SNAPSHOT_PUBLISHER, "VMSnapshot", "1.0.177.0"),
        (SNAPSHOT_PUBLISHER, "VMSnapshotLinux", "1.0.9236.0"),
        ("Microsoft.Azure.Extensions", "CustomScript", "2.1.13"),
        ("Microsoft.Compute", "CustomScriptExtension", "1.10.20"),
        ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent", "1.35.1"),
        ("Microsoft.Azure.Monitor", "AzureMonitorWindowsAgent", "1.35.0.0"),
        ("Microsoft.Azure.Security", "IaaSAntimalware", "1.7.0.2"),
        ("Microsoft.EnterpriseCloud.Monitoring", "OmsAgentForLinux", "1.19.0"),
        ("Microsoft.GuestConfiguration", "ConfigurationforLinux", "1.26.79"),
        ("Microsoft.GuestConfiguration", "ConfigurationforWindows", "1.29.95.0"),
        ("Microsoft.OSTCExtensions", "VMAccessForLinux", "1.5.20"),
        ("Microsoft.Azure.ActiveDirectory", "AADSSHLoginForLinux", "1.0.2893.1"),
        ("Microsoft.Azure.AzureDefender", "MDE.Linux", "1.0.6.10"),
        ("Microsoft.Azure.AzureDefender", "MDE.Windows", "1.0.13.14"),
    )
}


def _image(call: Call, publisher: str, kind: str, version: str | None) -> dict[str, Any]:
    location = call.target.names[0]
    path = (
        f"/Subscriptions/{call.target.subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/"
        f"{publisher}/ArtifactTypes/VMExtension/Types/{kind}"
    )
    if version is None:
        return {"location": location, "name": kind, "id": path}
    return {"location": location, "name": version, "id": f"{path}/Versions/{version}"}


def list_publishers(_: World, call: Call) -> Response:
    location = call.target.names[0]
    base = f"/Subscriptions/{call.target.subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers"
    names = dict.fromkeys(publisher for publisher, _, _ in CATALOGUE.values())
    return answer(200, [{"location": location, "name": name, "id": f"{base}/{name}"} for name in names])


def list_types(_: World, call: Call) -> Response:
    publisher = call.target.names[1].lower()
    found = [_image(call, name, kind, None) for name, kind, _ in CATALOGUE.values() if name.lower() == publisher]
    if not found:
        raise ArmError(404, "ArtifactNotFound", f"The publisher '{call.target.names[1]}' could not be found.")
    return answer(200, found)


def list_versions(_: World, call: Call) -> Response:
    publisher, kind = call.target.names[1].lower(), call.target.names[3].lower()
    found = CATALOGUE.get((publisher, kind))
    if found is None:
        raise ArmError(
            404, "ArtifactNotFound", f"The extension '{call.target.names[1]}.{call.target.names[3]}' was not found."
        )
    return answer(200, [_image(call, *found)])
