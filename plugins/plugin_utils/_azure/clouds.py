# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which Azure clouds there are, and what one that is not known here says of itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import InvalidInput, shown


@dataclass(frozen=True)
class Cloud:
    """Where Azure is: addresses of the Resource Manager and of the sign-in service, and whom a token is for."""

    name: str
    resource_manager: str
    authority: str
    audience: str
    # A cloud that Microsoft's public discovery service does not know must not be looked up there.
    known: bool = True

    @property
    def scope(self) -> str:
        return f"{self.audience}/.default"


# Addresses: azure-identity's KnownAuthorities (1.27.0) and azure-mgmt-core's get_arm_endpoints (1.6.0).
CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            "AzureCloud",
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "https://management.azure.com",
        ),
        Cloud(
            "AzureChinaCloud",
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn",
        ),
        Cloud(
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "https://management.core.usgovcloudapi.net",
        ),
    )
}


def find_cloud(name: str) -> Cloud | None:
    """Return the cloud of that name, None when `name` is the address of one that has to be asked for the rest."""
    if name.lower().startswith("https://"):
        return None
    wanted = name or "AzureCloud"
    for known, cloud in CLOUDS.items():
        if known.lower() == wanted.lower():
            return cloud
    raise InvalidInput(
        f"The option cloud_environment is {shown(name)}, which is not a known cloud",
        advice=f"Use {', '.join(CLOUDS)} or the https:// address of a Resource Manager.",
    )


def cloud_from_metadata(address: str, metadata: t.Mapping[str, t.Any]) -> Cloud:
    """Return the cloud that a Resource Manager describes at /metadata/endpoints (api-version 2022-09-01)."""
    authentication = metadata.get("authentication")
    authentication = authentication if isinstance(authentication, dict) else {}
    authority = authentication.get("loginEndpoint")
    if not isinstance(authority, str) or not authority.startswith("https://"):
        raise InvalidInput(
            f"{address} does not say where to sign in (no authentication.loginEndpoint in its metadata)",
            advice="Check the option cloud_environment.",
        )
    manager = str(metadata.get("resourceManager") or address).rstrip("/")
    audiences = [str(audience).rstrip("/") for audience in authentication.get("audiences") or ()]
    audience = manager if manager in audiences or not audiences else audiences[0]
    return Cloud(str(metadata.get("name") or address), manager, authority.rstrip("/"), audience, known=False)
