"""Tokens: every way in that the collection offers, and each refusal in Entra's own words."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.azure_simulator import Simulator
from tests.azure_simulator.tls import make_client_certificate
from tests.unit.azure_simulator.raw_client import RawClient

Make = Callable[[], TokenCredential]


@pytest.fixture
def scope(simulator: Simulator) -> str:
    return f"{simulator.arm_url}/.default"


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch


def _accepted(raw: RawClient, token: str) -> bool:
    answer = raw.exchange("GET", "/subscriptions?api-version=2022-12-01", Authorization=f"Bearer {token}")
    return answer.status == 200


def test_a_certificate_signs_in_with_and_without_its_chain(simulator: Simulator, raw: RawClient, scope: str) -> None:
    for chain in (False, True):
        with CertificateCredential(
            simulator.tenant_id,
            simulator.client_id,
            simulator.certificate_file,
            send_certificate_chain=chain,
            authority=simulator.authority_url,
            disable_instance_discovery=True,
            connection_verify=simulator.ca_file,
        ) as credential:
            assert _accepted(raw, credential.get_token(scope).token)


def test_a_certificate_that_is_not_registered_is_refused(simulator: Simulator, scope: str, tmp_path: Path) -> None:
    make_client_certificate(tmp_path / "other.pem", "stranger")
    with (
        CertificateCredential(
            simulator.tenant_id,
            simulator.client_id,
            str(tmp_path / "other.pem"),
            authority=simulator.authority_url,
            disable_instance_discovery=True,
            connection_verify=simulator.ca_file,
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(scope)


def test_a_forged_signature_under_a_registered_thumbprint_is_refused(
    simulator: Simulator, raw: RawClient, tmp_path: Path
) -> None:
    """The thumbprint is public: only the key behind it counts."""
    registered = x509.load_pem_x509_certificate(Path(simulator.certificate_file).read_bytes().split(b"KEY-----\n")[-1])
    thumbprint = base64.urlsafe_b64encode(registered.fingerprint(hashes.SHA256())).decode().rstrip("=")
    make_client_certificate(tmp_path / "other.pem", "stranger")
    now = simulator.clock.wall().timestamp()
    claims = {
        "iss": simulator.client_id,
        "sub": simulator.client_id,
        "aud": f"{simulator.authority_url}/{simulator.tenant_id}/oauth2/v2.0/token",
        "exp": now + 600,
    }
    other_key = (tmp_path / "other.pem").read_text()
    forged = jwt.encode(claims, other_key, algorithm="RS256", headers={"x5t#S256": thumbprint})
    answer = _with_assertion(raw, forged)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def _with_assertion(raw: RawClient, assertion: str) -> dict[str, object]:
    answer = raw.sign_in(
        client_assertion=assertion,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )
    assert answer.status == 401
    found: dict[str, object] = answer.json
    return found


def test_a_workload_identity_signs_in_with_its_projected_token(
    simulator: Simulator, raw: RawClient, scope: str
) -> None:
    with WorkloadIdentityCredential(
        tenant_id=simulator.tenant_id,
        client_id=simulator.client_id,
        token_file_path=simulator.federated_token_file,
        authority=simulator.authority_url,
        disable_instance_discovery=True,
        connection_verify=simulator.ca_file,
    ) as credential:
        assert _accepted(raw, credential.get_token(scope).token)


def test_a_federated_token_of_another_subject_is_refused(simulator: Simulator, raw: RawClient) -> None:
    held = Path(simulator.federated_token_file).read_text()
    claims = jwt.decode(held, options={"verify_signature": False}) | {"sub": "system:serviceaccount:other:pod"}
    assert _with_assertion(raw, jwt.encode(claims, "x" * 32, algorithm="HS256"))["error_codes"] == [700213]


def test_a_federated_token_that_the_issuer_did_not_sign_is_refused(
    simulator: Simulator, raw: RawClient, tmp_path: Path
) -> None:
    make_client_certificate(tmp_path / "other.pem", "stranger")
    claims = jwt.decode(Path(simulator.federated_token_file).read_text(), options={"verify_signature": False})
    forged = jwt.encode(claims, (tmp_path / "other.pem").read_text(), algorithm="RS256")
    assert _with_assertion(raw, forged)["error_codes"] == [700027]


def test_a_client_assertion_has_its_time(simulator: Simulator, raw: RawClient) -> None:
    key = Path(simulator.certificate_file).read_text()
    held = x509.load_pem_x509_certificate(key[key.index("-----BEGIN CERTIFICATE") :].encode())
    thumbprint = base64.urlsafe_b64encode(held.fingerprint(hashes.SHA256())).decode().rstrip("=")
    now = simulator.clock.wall().timestamp()
    claims = {
        "iss": simulator.client_id,
        "sub": simulator.client_id,
        "aud": f"{simulator.authority_url}/{simulator.tenant_id}/oauth2/v2.0/token",
    }
    for times in ({"exp": now - 1}, {"exp": now + 900, "nbf": now + 600}):
        assertion = jwt.encode({**claims, **times}, key, algorithm="RS256", headers={"x5t#S256": thumbprint})
        assert _with_assertion(raw, assertion)["error_codes"] == [700024]


def test_a_managed_identity_signs_in_through_imds(
    simulator: Simulator, raw: RawClient, scope: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulator.arm_url)
    clean_environment.setenv("REQUESTS_CA_BUNDLE", simulator.ca_file)
    with ManagedIdentityCredential() as credential:
        assert _accepted(raw, credential.get_token(scope).token)


def test_a_managed_identity_signs_in_through_the_identity_endpoint(
    simulator: Simulator, raw: RawClient, scope: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("IDENTITY_ENDPOINT", f"{simulator.arm_url}/msi/token")
    clean_environment.setenv("IDENTITY_HEADER", simulator.identity_header)
    clean_environment.setenv("REQUESTS_CA_BUNDLE", simulator.ca_file)
    with ManagedIdentityCredential() as credential:
        assert _accepted(raw, credential.get_token(scope).token)


def test_the_default_credential_reads_the_environment(
    simulator: Simulator, raw: RawClient, scope: str, clean_environment: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AZURE_AUTHORITY_HOST": simulator.authority_url,
        "AZURE_TENANT_ID": simulator.tenant_id,
        "AZURE_CLIENT_ID": simulator.client_id,
        "AZURE_CLIENT_SECRET": simulator.client_secret,
        "REQUESTS_CA_BUNDLE": simulator.ca_file,
    }.items():
        clean_environment.setenv(name, value)
    with DefaultAzureCredential(disable_instance_discovery=True) as credential:
        assert _accepted(raw, credential.get_token(scope).token)


def test_imds_wants_its_header(raw: RawClient) -> None:
    path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/"
    assert raw.exchange("GET", path).status == 400
    assert raw.exchange("GET", path, Metadata="true").status == 200


def test_the_identity_endpoint_wants_its_secret_header(raw: RawClient) -> None:
    path = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"
    assert raw.exchange("GET", path, X_IDENTITY_HEADER="guessed").status == 401


def test_a_wrong_secret_is_named_as_such(simulator: Simulator, scope: str, raw: RawClient) -> None:
    answer = raw.sign_in(secret="wrong")
    assert answer.status == 401
    assert answer.json["error"] == "invalid_client"
    assert answer.json["error_codes"] == [7000215]
    assert answer.json["error_description"].startswith("AADSTS7000215: ")
    with (
        ClientSecretCredential(
            simulator.tenant_id,
            simulator.client_id,
            "wrong",
            authority=simulator.authority_url,
            disable_instance_discovery=True,
            connection_verify=simulator.ca_file,
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(scope)


def test_an_expired_secret_is_told_from_a_wrong_one(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("secret_expired")
    answer = raw.sign_in()
    assert (answer.status, answer.json["error_codes"]) == (401, [7000222])
    simulator.clear_faults()
    assert raw.sign_in().status == 200


def test_an_unknown_application_and_an_unknown_tenant_are_told_apart(raw: RawClient) -> None:
    assert raw.sign_in(client_id="11111111-1111-1111-1111-111111111111").json["error_codes"] == [700016]
    other = "99999999-9999-9999-9999-999999999999"
    discovery = raw.exchange("GET", f"/{other}/v2.0/.well-known/openid-configuration")
    assert (discovery.status, discovery.json["error_codes"]) == (400, [90002])
    assert raw.exchange("POST", f"/{other}/oauth2/v2.0/token", b"grant_type=client_credentials").status == 400


def test_a_token_for_another_service_is_refused(raw: RawClient) -> None:
    assert raw.sign_in(scope="https://vault.azure.net/.default").json["error_codes"] == [500011]


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "AuthenticationFailed"), ({"Authorization": "Bearer made-up"}, "InvalidAuthenticationToken")],
)
def test_no_token_and_a_made_up_one_get_a_challenge(raw: RawClient, headers: dict[str, str], code: str) -> None:
    answer = raw.exchange("GET", "/subscriptions?api-version=2022-12-01", None, **headers)
    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_an_expired_token_gets_a_challenge_and_a_new_one_works(simulator: Simulator, raw: RawClient) -> None:
    assert raw.send("GET", "/subscriptions", version="2022-12-01").status == 200
    simulator.advance(timedelta(hours=2).total_seconds())
    answer = raw.send("GET", "/subscriptions", version="2022-12-01")
    assert (answer.status, answer.code) == (401, "ExpiredAuthenticationToken")
    assert "invalid_token" in answer.headers["WWW-Authenticate"]
    raw.token = ""
    assert raw.send("GET", "/subscriptions", version="2022-12-01").status == 200


def test_the_token_endpoint_can_be_down(simulator: Simulator, raw: RawClient) -> None:
    simulator.add_fault("token_down", times=1)
    assert raw.sign_in().status == 503
    assert raw.sign_in().status == 200


def test_a_token_holds_what_clients_read_out_of_it(simulator: Simulator, raw: RawClient) -> None:
    body = raw.sign_in().json["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert (claims["tid"], claims["appid"]) == (simulator.tenant_id, simulator.client_id)
    assert claims["aud"] == simulator.arm_url
