# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who signs in to Azure, and to which cloud.

Options and environment variables have the names that azure.azcollection and AWX's Azure credential use. An empty
string counts as not given: AWX sets every variable of its credential, filled or not.
"""

from __future__ import annotations

import shutil
import typing as t
from dataclasses import dataclass, replace

from .._errors import CredentialError, InvalidInput

if t.TYPE_CHECKING:
    from .libraries import AsyncHttpTransport, AsyncTokenCredential

AUTH_SOURCES = ("auto", "cli", "env", "msi")

# Option -> environment variables, first one wins. The second names are those of the Azure SDKs.
VARIABLES: dict[str, tuple[str, ...]] = {
    # AWX refuses to inject any variable whose name begins with ANSIBLE_.
    "auth_source": ("ANSIBLE_AZURE_AUTH_SOURCE", "APPCONSISTENT_AUTH_SOURCE"),
    "ca_file": ("APPCONSISTENT_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    "client_id": ("AZURE_CLIENT_ID",),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "user": ("AZURE_AD_USER",),
    "x509_certificate_path": ("AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
}


@dataclass(frozen=True)
class Settings:
    """What was said about signing in; every field may be empty."""

    auth_source: str = "auto"
    ca_file: str = ""
    client_id: str = ""
    cloud_environment: str = ""
    federated_token_file: str = ""
    secret: str = ""
    subscription_id: str = ""
    tenant: str = ""
    user: str = ""
    x509_certificate_path: str = ""

    def __repr__(self) -> str:
        return f"Settings(auth_source={self.auth_source!r}, client_id={self.client_id!r}, tenant={self.tenant!r})"


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


def collect(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> Settings:
    """Join options and environment; an option wins over the environment unless `auth_source` is env."""
    values: dict[str, str] = {}
    for field, variables in VARIABLES.items():
        candidates = [str(options.get(field) or ""), *(environment.get(variable, "") for variable in variables)]
        values[field] = next((candidate for candidate in candidates if candidate), "")
    settings = Settings(**{**values, "auth_source": values["auth_source"] or "auto"})
    if settings.auth_source not in AUTH_SOURCES:
        raise InvalidInput(
            f"The option auth_source is {settings.auth_source!r}", advice=f"Use one of {', '.join(AUTH_SOURCES)}."
        )
    if settings.auth_source == "env":
        own = {f: next((environment[v] for v in VARIABLES[f] if environment.get(v)), "") for f in _SIGN_IN}
        settings = replace(settings, **own)
    return settings


_SIGN_IN = ("client_id", "federated_token_file", "secret", "tenant", "x509_certificate_path")


def find_cloud(name: str) -> Cloud | None:
    """Return the cloud of that name, None when `name` is the address of one that has to be asked for the rest."""
    if name.lower().startswith("https://"):
        return None
    wanted = name or "AzureCloud"
    for known, cloud in CLOUDS.items():
        if known.lower() == wanted.lower():
            return cloud
    raise InvalidInput(
        f"The option cloud_environment is {name!r}, which is no cloud that is known here",
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


def how_to_sign_in(settings: Settings, *, cli_found: bool) -> str:
    """Return secret, certificate, federation, msi or cli; raise CredentialError when nothing fits."""
    if settings.auth_source in ("cli", "msi"):
        return settings.auth_source
    kinds = {
        "secret": settings.secret,
        "certificate": settings.x509_certificate_path,
        "federation": settings.federated_token_file,
    }
    given = next((kind for kind, value in kinds.items() if value), "")
    if given:
        missing = [name for name in ("client_id", "tenant") if not getattr(settings, name)]
        if missing:
            raise CredentialError(
                f"The credentials for Azure are incomplete: {' and '.join(missing)} not given",
                advice="Set " + " and ".join(f"the option {name} or {VARIABLES[name][0]}" for name in missing) + ".",
            )
        return given
    if settings.auth_source == "auto" and cli_found and not settings.client_id:
        return "cli"
    if settings.user:
        raise CredentialError(
            f"A user's name and password ({VARIABLES['user'][0]}) cannot be used to sign in to Azure unattended",
            advice="Use a service principal: AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT (in AWX's credential the "
            "fields Client ID, Client Secret and Tenant ID), or a managed identity.",
        )
    raise CredentialError(
        "No credentials for Azure were found",
        advice="Set AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT (or the options client_id, secret and tenant), "
        "set auth_source=msi on a machine with a managed identity, or run 'az login' first.",
    )


def open_credential(
    settings: Settings, cloud: Cloud, transport: AsyncHttpTransport[t.Any, t.Any]
) -> AsyncTokenCredential:
    """Return azure-identity's credential object for `settings`; nothing is sent yet."""
    from azure.identity import aio

    kind = how_to_sign_in(settings, cli_found=shutil.which("az") is not None)
    shared: dict[str, t.Any] = {"transport": transport, "retry_total": 3}
    entra = {**shared, "authority": cloud.authority, "disable_instance_discovery": not cloud.known}
    try:
        if kind == "secret":
            return aio.ClientSecretCredential(settings.tenant, settings.client_id, settings.secret, **entra)
        if kind == "certificate":
            return aio.CertificateCredential(
                settings.tenant, settings.client_id, settings.x509_certificate_path, **entra
            )
        if kind == "federation":
            return aio.WorkloadIdentityCredential(
                tenant_id=settings.tenant,
                client_id=settings.client_id,
                token_file_path=settings.federated_token_file,
                **entra,
            )
        if kind == "msi":
            return aio.ManagedIdentityCredential(client_id=settings.client_id or None, **shared)
        return aio.AzureCliCredential(tenant_id=settings.tenant)
    except (OSError, ValueError) as error:
        raise CredentialError(
            f"The credentials for Azure cannot be used: {error}",
            advice="Check the options tenant, client_id, x509_certificate_path and the federated token file.",
        ) from error
