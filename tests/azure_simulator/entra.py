"""Entra ID as far as clients of Resource Manager use it: discovery, and tokens for client credentials."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from .errors import ArmError
from .exchange import Incoming, Principal, Response, answer
from .identities import Application, Directory, Federation

if TYPE_CHECKING:
    from .world import World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
# Audiences that Resource Manager accepts beside the simulator's own URL.
PUBLIC_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
KEPT_TOKENS = 50_000


class Token(NamedTuple):
    principal: Principal
    denied: tuple[str, ...]
    expires: float
    audience: str


class EntraError(Exception):
    """A refusal in Entra's form."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.number, self.text = status, error, number, text


class Tokens:
    """The bearer tokens that were given out. They live across a reset, as a client's cache does."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._key = secrets.token_hex(32)
        self._given: dict[str, Token] = {}

    def issue(self, world: World, application: Application, audience: str, base_url: str) -> tuple[str, int]:
        """The token and the seconds it lives, in the client's own seconds."""
        life = int(world.settings.durations.token)
        now = int(world.clock.wall().timestamp())
        claims = {
            "aud": audience,
            "iss": f"{base_url}/{self.directory.tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + life,
            "appid": application.client_id,
            "oid": application.object_id,
            "tid": self.directory.tenant_id,
            "idtyp": "app",
            "ver": "1.0",
            "uti": secrets.token_urlsafe(12),
        }
        token = jwt.encode(claims, self._key, algorithm="HS256")
        self._given[token] = Token(application.principal, application.denied, now + life, audience)
        while len(self._given) > KEPT_TOKENS:
            del self._given[next(iter(self._given))]
        return token, life

    def who(self, world: World, incoming: Incoming) -> Token:
        """The caller; 401 with a challenge for a token that is absent, unknown, out of date or for somebody else."""
        challenge = f'Bearer authorization_uri="{incoming.base_url}/{self.directory.tenant_id}"'
        header = incoming.headers.get("Authorization", "")
        if not header:
            raise _unauthorized(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", challenge
            )
        kind, _, value = header.partition(" ")
        token = self._given.get(value.strip())
        if kind.lower() != "bearer" or token is None:
            raise _unauthorized("InvalidAuthenticationToken", "The access token is invalid.", challenge)
        if token.expires <= world.clock.wall().timestamp():
            raise _unauthorized(
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time.",
                challenge,
            )
        if token.audience.rstrip("/") not in (*PUBLIC_AUDIENCES, incoming.base_url):
            raise _unauthorized(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{token.audience}'. It should "
                f"exactly match with one of the allowed audiences '{incoming.base_url}/'.",
                challenge,
            )
        return token


def _unauthorized(code: str, message: str, challenge: str) -> ArmError:
    text = f'{challenge}, error="invalid_token", error_description="{message}"'
    return ArmError(401, code, message, headers=(("WWW-Authenticate", text),))


def claims_challenge(incoming: Incoming, tenant_id: str) -> ArmError:
    """Continuous access evaluation: the token is good but must be fetched anew with these claims."""
    claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()
    challenge = (
        f'Bearer authorization_uri="{incoming.base_url}/{tenant_id}", error="insufficient_claims", claims="{claims}"'
    )
    message = "Continuous access evaluation resulted in challenge."
    return ArmError(401, "TokenIssuedBeforeRevocationTimestamp", message, headers=(("WWW-Authenticate", challenge),))


def discovery(tokens: Tokens, incoming: Incoming, tenant: str) -> Response:
    """The OpenID configuration of a tenant, as far as MSAL reads it."""
    try:
        _check_tenant(tokens.directory, tenant)
    except EntraError as error:
        return refusal(error)
    base, tenant_id = incoming.base_url, tokens.directory.tenant_id
    return answer(
        200,
        {
            "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": f"{base}/{tenant}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/{tenant_id}/v2.0",
            "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/{tenant}/oauth2/v2.0/logout",
            "tenant_region_scope": "EU",
        },
    )


def token(world: World, tokens: Tokens, incoming: Incoming, tenant: str) -> Response:
    """The token endpoint: client credentials with a secret, a certificate's assertion, or a federated token."""
    form = dict(parse_qsl(incoming.body.decode("utf-8", "replace")))
    client_id = form.get("client_id", "")
    down = world.faults.take(frozenset({"token_down"}), client_id=client_id) if world.faults else None
    if down is not None:
        return Response(503, b"The service is unavailable.", content_type="text/plain")
    try:
        _check_tenant(tokens.directory, tenant)
        if form.get("grant_type") != "client_credentials":
            raise EntraError(
                400,
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
            )
        application = tokens.directory.application(client_id)
        if application is None:
            raise EntraError(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen "
                "if the application has not been installed by the administrator of the tenant.",
            )
        audience = _audience(form.get("scope", ""), incoming.base_url)
        if "client_assertion" in form:
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise EntraError(400, "invalid_request", 900144, "The parameter 'client_assertion_type' is wrong.")
            _check_assertion(world, application, form["client_assertion"], incoming.base_url)
        else:
            _check_secret(world, application, form.get("client_secret", ""))
    except EntraError as error:
        return refusal(error)
    value, life = tokens.issue(world, application, audience, incoming.base_url)
    body = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": value}
    return answer(200, body, ("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache"))


def refusal(error: EntraError) -> Response:
    return answer(
        error.status,
        {
            "error": error.error,
            "error_description": f"AADSTS{error.number}: {error.text}",
            "error_codes": [error.number],
            "error_uri": f"https://login.microsoftonline.com/error?code={error.number}",
        },
    )


def _check_tenant(directory: Directory, tenant: str) -> None:
    if unquote(tenant).lower() != directory.tenant_id.lower():
        raise EntraError(
            400,
            "invalid_tenant",
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud.",
        )


def _audience(scope: str, base_url: str) -> str:
    audience = scope.split(" ")[0].removesuffix("/.default")
    if audience.rstrip("/") not in (*PUBLIC_AUDIENCES, base_url):
        raise EntraError(
            400, "invalid_resource", 500011, f"The resource principal named {audience} was not found in the tenant."
        )
    return audience


def _check_secret(world: World, application: Application, secret: str) -> None:
    if not secret:
        raise EntraError(
            401,
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    expired = any(hmac.compare_digest(secret.encode(), held.encode()) for held in application.expired_secrets)
    if not expired and world.faults:
        fault = world.faults.take(frozenset({"secret_expired"}), client_id=application.client_id)
        expired = fault is not None
    if expired:
        raise EntraError(
            401,
            "invalid_client",
            7000222,
            f"The provided client secret keys for app '{application.client_id}' are expired. Visit the Azure portal to "
            "create new keys for your app.",
        )
    if not any(hmac.compare_digest(secret.encode(), held.encode()) for held in application.secrets):
        raise EntraError(
            401,
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{application.client_id}'.",
        )


def _check_assertion(world: World, application: Application, assertion: str, base_url: str) -> None:
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise EntraError(401, "invalid_client", 50027, f"JWT token is invalid or malformed: {error}") from None
    if claims.get("iss") == application.client_id:
        _check_certificate(world, application, assertion, header, base_url)
    else:
        _check_federation(world, application, assertion, claims)


def _check_certificate(
    world: World, application: Application, assertion: str, header: Mapping[str, Any], base_url: str
) -> None:
    for pem in application.certificates_pem:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        thumbprints = {
            "x5t": _thumbprint(certificate, hashes.SHA1()),
            "x5t#S256": _thumbprint(certificate, hashes.SHA256()),
        }
        if any(str(header.get(name)).rstrip("=") == value for name, value in thumbprints.items()):
            key = certificate.public_key()
            audience = [f"{base_url}/{world.tenant_id}/oauth2/v2.0/token", f"{base_url}/{world.tenant_id}/v2.0"]
            return _verify(world, assertion, key, audience, application.client_id)
    raise EntraError(
        401,
        "invalid_client",
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        f"[Reason - The key was not found., Please visit the Azure Portal, app '{application.client_id}'].",
    )


def _thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).decode().rstrip("=")


def _check_federation(world: World, application: Application, assertion: str, claims: Mapping[str, Any]) -> None:
    for federation in application.federations:
        if (claims.get("iss"), claims.get("sub")) == (federation.issuer, federation.subject):
            return _verify(world, assertion, federation.public_key_pem, [EXCHANGE_AUDIENCE], federation.subject)
    raise EntraError(
        401,
        "invalid_client",
        700213,
        "No matching federated identity record found for presented assertion subject "
        f"'{claims.get('sub')}'. Please check your federated identity credential Subject, Audience and Issuer against "
        "the presented assertion.",
    )


def _verify(world: World, assertion: str, key: Any, audience: list[str], subject: str) -> None:
    """Signature, audience, subject and times. The clock is the simulator's, so the times are compared here."""
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["RS256", "PS256"],
            audience=audience,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "aud", "sub"]},
        )
    except jwt.InvalidSignatureError:
        raise EntraError(401, "invalid_client", 700027, "Client assertion failed signature validation.") from None
    except jwt.InvalidTokenError as error:
        raise EntraError(401, "invalid_client", 700021, f"Client assertion is not as it should be: {error}.") from None
    now = world.clock.wall().timestamp()
    if claims["sub"] != subject or claims["exp"] <= now or claims.get("nbf", now) > now + 300:
        raise EntraError(
            401, "invalid_client", 700024, "Client assertion is not within its valid time range, or of that subject."
        )


def managed_identity(world: World, tokens: Tokens, incoming: Incoming, query: Mapping[str, str]) -> Response:
    """IMDS (`Metadata: true`) and the App Service form (`X-IDENTITY-HEADER`), told apart by their header."""
    identity = tokens.directory.managed_identity
    header = incoming.headers.get("X-IDENTITY-HEADER")
    if header is not None:
        if not hmac.compare_digest(header, tokens.directory.identity_header):
            return answer(401, {"statusCode": 401, "message": "Invalid X-IDENTITY-HEADER."})
    elif incoming.headers.get("Metadata", "").lower() != "true":
        return answer(400, {"error": "invalid_request", "error_description": "Required metadata header not specified"})
    if world.faults and world.faults.take(
        frozenset({"token_down"}), client_id=identity.client_id if identity is not None else None
    ):
        return Response(503, b"The service is unavailable.", content_type="text/plain")
    resource = query.get("resource", "")
    wanted = query.get("client_id") or query.get("clientid")
    if not query.get("api-version") or not resource:
        return answer(
            400,
            {"error": "invalid_request", "error_description": "Required query variable 'resource' is missing"},
        )
    if identity is None or (wanted is not None and wanted.lower() != identity.client_id.lower()):
        return answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
    try:
        audience = _audience(resource, incoming.base_url)
    except EntraError as error:
        return refusal(error)
    value, life = tokens.issue(world, identity, audience, incoming.base_url)
    expires = int(world.clock.wall().timestamp()) + life
    return answer(
        200,
        {
            "access_token": value,
            "client_id": identity.client_id,
            "expires_in": str(life),
            "expires_on": str(expires),
            "ext_expires_in": str(life),
            "not_before": str(expires - life),
            "resource": resource,
            "token_type": "Bearer",
        },
    )


def federated_token(private_key_pem: bytes, federation: Federation, expires: float) -> str:
    """The token a cluster would put into the pod's file."""
    claims = {
        "iss": federation.issuer,
        "sub": federation.subject,
        "aud": [EXCHANGE_AUDIENCE],
        "exp": int(expires),
        "iat": int(expires) - 3600,
    }
    return jwt.encode(claims, private_key_pem.decode(), algorithm="RS256")


def keys(_: Incoming) -> Response:
    """Nobody has been seen asking for these; an empty set says so."""
    return Response(200, json.dumps({"keys": []}).encode())
