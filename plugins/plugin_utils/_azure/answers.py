# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What Azure answers: bodies, errors, and the words for those who did not answer at all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .._errors import AzureError, CredentialError, DeadlineExceeded, EndpointUnreachable, from_answer
from .._json import Json, child, children, text
from .libraries import AsyncHttpResponse

# A day: longer than any task has, and a number that can be reckoned with.
LONGEST_RETRY_AFTER = 86_400.0
# What libcurl says with OpenSSL, with GnuTLS: the reason first, for each of them speaks of a certificate.
_CERTIFICATE_CURES = (
    (
        r"has expired|expired certificate|not yet valid|not activated",
        "Its certificate is out of its time: set the clock of this machine right, or "
        "have the certificate renewed by whoever runs the endpoint or the proxy before it.",
    ),
    (
        r"does not match|no alternative certificate subject name|owner .* not match",
        "Its certificate is for another host: check cloud_environment "
        "and the proxy variables, and who answers under that name.",
    ),
    (r"revoked", "Its certificate was revoked: have it renewed by whoever runs the endpoint or the proxy before it."),
    (r"certificate", "Name the CA that signed its certificate with the option ca_file."),
)


@dataclass(frozen=True)
class Answer:
    """What Azure answered to one request. `operation_url` is set where it goes on working; it is a secret.

    `tells_status` where that URL answers with a status (Azure-AsyncOperation); a Location has only that of HTTP.
    `retry_after` is in seconds.
    """

    status: int
    body: Json
    operation_url: str = ""
    retry_after: float | None = None
    tells_status: bool = True

    @property
    def operation(self) -> str:
        """The id of the operation, as support asks for it; the rest of the URL is signed."""
        # Not taken apart as a URL: what is none has to be told where it is followed, not here.
        return self.operation_url.partition("?")[0].rstrip("/").rpartition("/")[2]

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, operation={bool(self.operation_url)})"


def json_object(response: AsyncHttpResponse) -> Json:
    """Return the JSON object of an answer, an empty one where there is none."""
    return _json_of(response.content) or {}


def _json_of(content: bytes) -> Json | None:
    try:
        # JSON tells its encoding itself; the SDK would look for it in the headers, which takes longer than reading it.
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def answer_of(response: AsyncHttpResponse) -> Answer:
    """Return what Resource Manager answered; ValueError with the reason where it cannot have been Resource Manager.

    A proxy that wants a sign-in, for one, answers 302, or 200 with a page: taken for Azure's, it would be an empty
    success.
    """
    status, headers = response.status_code, response.headers
    if not 200 <= status < 300 and status < 400:
        raise ValueError(f"HTTP {status}, which Resource Manager does not send")
    body = _json_of(response.content)
    if body is None and status < 400:
        raise ValueError(f"HTTP {status} with something that is not a JSON object")
    polled = headers.get("Azure-AsyncOperation") or ""
    return Answer(
        status,
        body or {},
        polled or headers.get("Location") or "",
        seconds_of(headers.get("Retry-After")),
        bool(polled),
    )


def seconds_of(header: str | None) -> float | None:
    """Return the seconds of a Retry-After, from 1 to LONGEST_RETRY_AFTER; None where it tells no time to wait.

    Azure sends whole seconds. What stands between may send a date, which is left: it is of a clock that is not known.
    """
    try:
        seconds = float(header or "nan")
    except ValueError:
        return None
    # Not a number compares with nothing. No pause at all would let a refused request come back at once, for ever.
    return min(max(seconds, 1.0), LONGEST_RETRY_AFTER) if seconds > 0 else None


def error_of(body: Json, *, default: str) -> tuple[str, str, str]:
    """Return code, message and target of an error body; the innermost detail speaks, it is mostly the root.

    Some throttled Compute answers carry the object without the `error` around it.
    """
    error = child(body, "error") or body
    for _depth in range(5):
        inner = next((item for item in children(error, "details") if text(item, "code")), None)
        if inner is None:
            break
        error = {"message": error.get("message"), "target": error.get("target"), **inner}
    return text(error, "code") or default, text(error, "message") or "no message", text(error, "target")


def refusal(response: AsyncHttpResponse, answer: Answer, doing: str) -> AzureError:
    code, message, target = error_of(answer.body, default=f"HTTP{answer.status}")
    return from_answer(answer.status, code)(
        doing,
        code=code,
        message=message,
        status=answer.status,
        target=target,
        retry_after=answer.retry_after,
        request_id=response.headers.get("x-ms-request-id") or "",
    )


def credential_error(said: str) -> CredentialError:
    """Word what Microsoft Entra ID said: its text begins with AADSTS and a number, which tells the cause."""
    code = next((word.strip(":,.'\"") for word in said.split() if word.startswith("AADSTS")), "")
    first_line = said.strip().splitlines()[0] if said.strip() else "no reason given"
    advice = "" if code else "Check the credentials given to this task."
    if "azure cli" in said.lower() and "time" in said.lower():
        advice = "See what 'az account get-access-token' waits for, or use a service principal or a managed identity."
    return CredentialError(f"Could not sign in to Azure: {first_line}", advice=advice, code=code, said=said)


def too_late(doing: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"Could not {doing} in the time allowed",
        advice="What was begun goes on in Azure: run the same again to take it up, or allow more time.",
    )


def unreachable(address: str, doing: str, why: str, *, answered: bool = False) -> EndpointUnreachable:
    """Word that nobody answered, or (`answered`) something that is not Azure."""
    advice = "Check cloud_environment, the network and the proxy variables."
    for words, cure in _CERTIFICATE_CURES:
        if re.search(words, why, re.IGNORECASE):
            advice = cure
            break
    said = "gave no answer of Azure's" if answered else "does not answer"
    return EndpointUnreachable(f"Could not {doing}: {address} {said} ({why})", advice=advice)
