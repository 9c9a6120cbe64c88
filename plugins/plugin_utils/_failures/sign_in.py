# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures to sign in: Microsoft Entra's AADSTS codes and what the credential classes say themselves."""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

_entry = partial(
    Entry,
    seen=(Seen.SIGN_IN,),
    retry=Retry.FIX_FIRST,
    docs="Microsoft Entra authentication and authorization error codes",
)
_identity = partial(
    Entry, seen=(Seen.SIGN_IN,), retry=Retry.FIX_FIRST, docs="Troubleshoot Azure Identity authentication issues"
)

SIGN_IN: tuple[Entry, ...] = (
    _entry(
        key="secret_wrong",
        codes=("AADSTS7000215",),
        cause="The secret of the application is wrong.",
        remedy="Set the secret's value, not its id. If the value is lost, make a new secret.",
        example=Example(
            "AADSTS7000215",
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client "
            "secret value, not the client secret ID, for a secret added to app.",
            401,
        ),
    ),
    _entry(
        key="secret_expired",
        codes=("AADSTS7000222",),
        cause="The secret of the application has expired.",
        remedy="Make a new secret for the application and put it where this run takes it from.",
        example=Example(
            "AADSTS7000222",
            "AADSTS7000222: The provided client secret keys for app are expired. Visit the Azure portal to create new "
            "keys for your app.",
            401,
        ),
    ),
    _entry(
        key="secret_missing",
        codes=("AADSTS7000218", "AADSTS7000216"),
        cause="The sign-in held neither a secret nor a signed assertion.",
        remedy="Set a secret, a certificate or a federated token for the application.",
        example=Example(
            "AADSTS7000218",
            "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or "
            "'client_secret'.",
            401,
        ),
    ),
    _entry(
        key="tenant_unknown",
        codes=("AADSTS90002", "AADSTS900023"),
        cause="The tenant does not exist in this cloud.",
        remedy="Check the tenant's id and the cloud environment.",
        example=Example(
            "AADSTS90002",
            "AADSTS90002: Tenant '00000000-0000-0000-0000-00000000000a' not found. Check to make sure you have the "
            "correct tenant ID and are signing into the correct cloud.",
            400,
        ),
    ),
    _entry(
        key="application_unknown",
        codes=("AADSTS700016",),
        cause="The application does not exist in this tenant.",
        remedy="Check the client id and that it belongs to this tenant; an application of another tenant has to be "
        "consented to first.",
        example=Example(
            "AADSTS700016",
            "AADSTS700016: Application with identifier '00000000-0000-0000-0000-00000000000b' was not found in the "
            "directory 'Contoso'.",
            400,
        ),
    ),
    _entry(
        key="application_disabled",
        codes=("AADSTS7000112",),
        cause="The application is disabled in this tenant.",
        remedy="Enable the enterprise application in Microsoft Entra ID.",
        example=Example("AADSTS7000112", "AADSTS7000112: Application 'backup'(backup) is disabled.", 401),
    ),
    _entry(
        key="certificate_refused",
        codes=("AADSTS700027",),
        cause="The certificate does not fit the application: it is not registered there, or it has expired.",
        remedy="Upload the certificate's public part to the application, and check its dates and that key and "
        "certificate belong together.",
        example=Example(
            "AADSTS700027",
            "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on "
            "application. [Reason - The key was not found.]",
            401,
        ),
    ),
    _entry(
        key="assertion_time",
        codes=("AADSTS700024",),
        cause="The signed assertion is outside its time: the clock of this machine is wrong, or a federated token is "
        "old.",
        remedy="Set the clock of this machine, and see that the federated token file is renewed.",
        example=Example(
            "AADSTS700024", "AADSTS700024: Client assertion is not within its valid time range. Current time: ...", 401
        ),
    ),
    _entry(
        key="federation_mismatch",
        codes=("AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213"),
        cause="No federated credential of the application fits issuer, subject and audience of the token.",
        remedy="Compare issuer, subject and audience of the federated credential with those of the token, letter by "
        "letter.",
        example=Example(
            "AADSTS70021",
            "AADSTS70021: No matching federated identity record found for presented assertion.",
            401,
        ),
    ),
    _entry(
        key="resource_unknown",
        codes=("AADSTS500011", "AADSTS50001"),
        cause="The tenant does not know the endpoint that the token was asked for, mostly that of another cloud.",
        remedy="Check the cloud environment and the endpoint.",
        example=Example(
            "AADSTS500011",
            "AADSTS500011: The resource principal named https://management.chinacloudapi.cn was not found in the "
            "tenant named Contoso.",
            400,
        ),
    ),
    _entry(
        key="conditional_access",
        codes=("AADSTS53003", "AADSTS53000", "AADSTS53001"),
        cause="A Conditional Access policy of the tenant refuses this sign-in.",
        remedy="Exempt the application from the policy, or run from a place that the policy allows.",
        example=Example("AADSTS53003", "AADSTS53003: Access has been blocked by Conditional Access policies.", 400),
    ),
    _entry(
        key="interaction_required",
        codes=(
            "AADSTS50076",
            "AADSTS50078",
            "AADSTS50079",
            "AADSTS50132",
            "AADSTS50173",
            "AADSTS70043",
            "AADSTS70044",
            "AADSTS700082",
        ),
        cause="The stored sign-in of a user has ended, or needs a second factor.",
        remedy="Run az login again, or use an application, which needs nobody at the keyboard.",
        example=Example("AADSTS700082", "AADSTS700082: The refresh token has expired due to inactivity.", 400),
    ),
    _entry(
        key="entra_unavailable",
        codes=("AADSTS90012", "AADSTS90024", "AADSTS90033", "AADSTS90055", "temporarily_unavailable"),
        retry=Retry.LATER,
        cause="Microsoft Entra ID does not answer at the moment.",
        remedy="Try again in some minutes.",
        example=Example("AADSTS90033", "AADSTS90033: A transient error has occurred. Please try again.", 503),
    ),
    _identity(
        key="managed_identity_missing",
        words=r"no managed identity endpoint|no response from the IMDS endpoint|identity not found",
        cause="This machine has no managed identity, or not the one that was named.",
        remedy="Assign the identity to this machine and check its client id, or use other credentials.",
        example=Example(
            "", "ManagedIdentityCredential authentication unavailable, no response from the IMDS endpoint."
        ),
    ),
    _identity(
        key="cli_not_signed_in",
        words=r"Please run '?az login|Azure CLI not found",
        cause="The Azure CLI on this machine is missing or not signed in.",
        remedy="Run az login as the user of this run, or use other credentials.",
        example=Example("", "Please run 'az login' to set up an account"),
    ),
)
