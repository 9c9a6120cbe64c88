# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who signs in, and where."""

from __future__ import annotations

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import clouds
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure import credentials as c
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import CredentialError, InvalidInput

AWX = {
    "AZURE_CLIENT_ID": "app",
    "AZURE_SECRET": "from-awx",
    "AZURE_TENANT": "tenant",
    "AZURE_SUBSCRIPTION_ID": "sub",
}


def test_the_variables_that_awx_sets_are_enough() -> None:
    settings = c.collect({}, AWX)
    assert c.how_to_sign_in(settings, cli_found=False) == "secret"
    assert (settings.tenant, settings.secret) == ("tenant", "from-awx")


def test_the_sdks_own_variable_names_are_understood_too() -> None:
    settings = c.collect({}, {"AZURE_CLIENT_ID": "a", "AZURE_CLIENT_SECRET": "s3cret", "AZURE_TENANT_ID": "t"})
    assert (settings.secret, settings.tenant) == ("s3cret", "t")


def test_an_option_wins_over_the_environment() -> None:
    assert c.collect({"secret": "option"}, AWX).secret == "option"


def test_with_auth_source_env_options_are_left_alone() -> None:
    assert c.collect({"secret": "option", "auth_source": "env"}, AWX).secret == "from-awx"


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = c.collect({}, {"AZURE_CLIENT_ID": "", "AZURE_SECRET": "", "AZURE_TENANT": ""})
    with pytest.raises(CredentialError, match="No credentials for Azure were found"):
        c.how_to_sign_in(settings, cli_found=False)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"AZURE_X509_CERTIFICATE_PATH": "/c.pem", "AZURE_CLIENT_ID": "a", "AZURE_TENANT": "t"}, "certificate"),
        ({"AZURE_FEDERATED_TOKEN_FILE": "/t", "AZURE_CLIENT_ID": "a", "AZURE_TENANT_ID": "t"}, "federation"),
        ({"ANSIBLE_AZURE_AUTH_SOURCE": "msi"}, "msi"),
        ({"ANSIBLE_AZURE_AUTH_SOURCE": "cli"}, "cli"),
        # What AWX's own type injects for a credential with nothing but a subscription, and a custom type beside it.
        ({"AZURE_SUBSCRIPTION_ID": "s", "AZURE_AD_USER": "", "APPCONSISTENT_AUTH_SOURCE": "msi"}, "msi"),
    ],
)
def test_every_way_to_sign_in_is_found_from_the_environment(environment: dict[str, str], kind: str) -> None:
    assert c.how_to_sign_in(c.collect({}, environment), cli_found=False) == kind


def test_a_users_password_is_refused_by_name() -> None:
    settings = c.collect({}, {"AZURE_AD_USER": "somebody@example.org", "AZURE_PASSWORD": "pw"})
    said = r"\(AZURE_AD_USER\) cannot be used to sign in .* Use a service principal"
    with pytest.raises(CredentialError, match=said):
        c.how_to_sign_in(settings, cli_found=False)


def test_the_azure_cli_is_used_only_when_it_is_there() -> None:
    assert c.how_to_sign_in(c.collect({}, {}), cli_found=True) == "cli"


def test_a_secret_without_its_tenant_is_called_incomplete() -> None:
    settings = c.collect({"client_id": "a", "secret": "s"}, {})
    with pytest.raises(CredentialError, match=r"incomplete: tenant not given\. Set the option tenant or AZURE_TENANT"):
        c.how_to_sign_in(settings, cli_found=True)


def test_the_ca_file_falls_back_to_what_either_transport_reads() -> None:
    assert c.collect({}, {"REQUESTS_CA_BUNDLE": "/r"}).ca_file == "/r"
    assert c.collect({}, {"REQUESTS_CA_BUNDLE": "/r", "SSL_CERT_FILE": "/s"}).ca_file == "/s"


def test_a_secret_is_not_in_the_repr() -> None:
    assert "from-awx" not in repr(c.collect({}, AWX))


@pytest.mark.parametrize("name", ["", "AzureCloud", "azurecloud"])
def test_the_public_cloud_is_the_default_and_case_does_not_matter(name: str) -> None:
    cloud = clouds.find_cloud(name)
    assert cloud is not None
    assert cloud.resource_manager == "https://management.azure.com"


def test_the_sovereign_clouds_have_their_own_audience() -> None:
    cloud = clouds.find_cloud("AzureUSGovernment")
    assert cloud is not None
    assert cloud.scope == "https://management.core.usgovcloudapi.net/.default"


def test_an_unknown_cloud_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="cloud_environment is 'AzureMars'"):
        clouds.find_cloud("AzureMars")


def test_a_cloud_of_its_own_describes_itself_and_is_not_looked_up_in_public() -> None:
    cloud = clouds.cloud_from_metadata(
        "https://arm.local",
        {
            "name": "Local",
            "resourceManager": "https://arm.local/",
            "authentication": {"loginEndpoint": "https://login.local/", "audiences": ["https://aud.local/"]},
        },
    )
    assert cloud == clouds.Cloud("Local", "https://arm.local", "https://login.local", "https://aud.local", known=False)


def test_metadata_without_a_place_to_sign_in_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not say where to sign in"):
        clouds.cloud_from_metadata("https://arm.local", {"authentication": "?"})
