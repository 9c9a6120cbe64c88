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
from pathlib import Path

from .._errors import CredentialError, InvalidInput, shown
from .clouds import Cloud

if t.TYPE_CHECKING:
    from .libraries import AccessToken, AsyncHttpTransport, AsyncTokenCredential

# Seconds for the Azure CLI, which takes some to begin and on a busy machine more than azure-identity's 10.
_CLI_TIMEOUT = 60
# Those that no task or inventory has as an option of that name.
NO_OPTIONS = ("no_proxy", "proxy", "subscription_id", "user")
# What an entry of the option credentials shares with the task: the network is that of the controller.
OF_THE_NETWORK = ("ca_file", "no_proxy", "proxy")
AUTH_SOURCES = ("auto", "cli", "env", "msi")

# Option -> environment variables, first one wins. The second names are those of the Azure SDKs.
VARIABLES: dict[str, tuple[str, ...]] = {
    # AWX refuses to inject any variable whose name begins with ANSIBLE_.
    "auth_source": ("ANSIBLE_AZURE_AUTH_SOURCE", "APPCONSISTENT_AUTH_SOURCE"),
    "ca_file": ("APPCONSISTENT_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    "client_id": ("AZURE_CLIENT_ID",),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    # As libcurl and most programs read them, for https.
    "no_proxy": ("no_proxy", "NO_PROXY"),
    "proxy": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
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
    # The proxy's address can hold a password.
    no_proxy: str = ""
    proxy: str = ""
    secret: str = ""
    subscription_id: str = ""
    tenant: str = ""
    user: str = ""
    x509_certificate_path: str = ""

    def __repr__(self) -> str:
        return f"Settings(auth_source={self.auth_source!r}, client_id={self.client_id!r}, tenant={self.tenant!r})"


def collect(options: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> Settings:
    """Join options and environment; an option wins over the environment unless `auth_source` is env."""
    values: dict[str, str] = {}
    for field, variables in VARIABLES.items():
        candidates = [str(options.get(field) or ""), *(environment.get(variable, "") for variable in variables)]
        values[field] = next((candidate for candidate in candidates if candidate), "")
    settings = Settings(**{**values, "auth_source": values["auth_source"] or "auto"})
    if settings.auth_source not in AUTH_SOURCES:
        raise InvalidInput(
            f"The option auth_source is {shown(settings.auth_source)}", advice=f"Use one of {', '.join(AUTH_SOURCES)}."
        )
    if settings.auth_source == "env":
        own = {f: next((environment[v] for v in VARIABLES[f] if environment.get(v)), "") for f in _SIGN_IN}
        settings = replace(settings, **own)
    return settings


_SIGN_IN = ("client_id", "federated_token_file", "secret", "tenant", "x509_certificate_path")


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
    kind = how_to_sign_in(settings, cli_found=shutil.which("az") is not None)
    try:
        return _Told(_credential(kind, settings, cloud, transport))
    except Exception as error:  # what a bad certificate or key raises is its library's own
        raise CredentialError(
            f"The credentials for Azure cannot be used: {error}",
            advice="Check the options tenant, client_id, x509_certificate_path and the federated token file. A "
            "certificate with a passphrase cannot be used: it has nowhere to come from.",
        ) from error


class _Told:
    """A credential that says of whatever keeps it from a token that it cannot sign in.

    azure-identity lets the errors of a file or a program through as they are.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: t.Any) -> AccessToken:
        try:
            return await self._credential.get_token(*scopes, **options)
        except (OSError, ValueError, TypeError) as error:
            from .libraries import ClientAuthenticationError

            raise ClientAuthenticationError(f"{error}") from error

    async def close(self) -> None:
        await self._credential.close()

    async def __aenter__(self) -> _Told:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()


def _token_of(path: str) -> str:
    """Return the federated token in a file; the line end that an editor or echo adds is not part of it."""
    return Path(path).read_text(encoding="utf-8").strip()


def _credential(
    kind: str, settings: Settings, cloud: Cloud, transport: AsyncHttpTransport[t.Any, t.Any]
) -> AsyncTokenCredential:
    from azure.identity import aio

    shared: dict[str, t.Any] = {"transport": transport, "retry_total": 3}
    entra = {**shared, "authority": cloud.authority, "disable_instance_discovery": not cloud.known}
    if kind == "secret":
        return aio.ClientSecretCredential(settings.tenant, settings.client_id, settings.secret, **entra)
    if kind == "certificate":
        return aio.CertificateCredential(settings.tenant, settings.client_id, settings.x509_certificate_path, **entra)
    if kind == "federation":
        path = settings.federated_token_file
        # Read anew for each sign-in: whoever writes the file replaces the token in it.
        return aio.ClientAssertionCredential(settings.tenant, settings.client_id, lambda: _token_of(path), **entra)
    if kind == "msi":
        return aio.ManagedIdentityCredential(client_id=settings.client_id or None, **shared)
    return aio.AzureCliCredential(tenant_id=settings.tenant, process_timeout=_CLI_TIMEOUT)
