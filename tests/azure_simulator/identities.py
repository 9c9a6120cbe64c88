"""Who may sign in and how: service principals with secrets, certificates or federated subjects; managed identities."""

from __future__ import annotations

from dataclasses import dataclass, field

from .exchange import Principal


@dataclass(frozen=True, slots=True)
class Federation:
    """Tokens of that issuer and subject, signed with that key, stand for the application."""

    issuer: str
    subject: str
    public_key_pem: str


@dataclass(frozen=True, slots=True)
class Application:
    client_id: str
    object_id: str
    name: str
    secrets: tuple[str, ...] = ()
    expired_secrets: tuple[str, ...] = ()
    certificates_pem: tuple[str, ...] = ()
    federations: tuple[Federation, ...] = ()
    # Actions (shell patterns) that its role lacks; all others are allowed.
    denied: tuple[str, ...] = ()

    @property
    def principal(self) -> Principal:
        return Principal(self.object_id, self.client_id, self.name)


@dataclass(frozen=True, slots=True)
class Directory:
    """One tenant."""

    tenant_id: str
    applications: dict[str, Application] = field(default_factory=dict)
    # The identity of the machine the simulator plays for IMDS and IDENTITY_ENDPOINT.
    managed_identity: Application | None = None
    identity_header: str = ""

    def application(self, client_id: str) -> Application | None:
        return self.applications.get(client_id.lower())
