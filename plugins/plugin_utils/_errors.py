# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The exception tree of the Azure side.

AppConsistentError           everything this collection raises on purpose
├── InvalidInput             an option or a resource id that cannot be used
├── CredentialError          no credentials, or Microsoft Entra ID refused them
├── EndpointUnreachable      nobody answers at the endpoint
├── DeadlineExceeded         not finished in the time allowed; Azure may still go on with it
└── AzureError               Azure's own answer: HTTP status, code and message
    ├── NotFound             404
    ├── Forbidden            401 or 403
    ├── Locked               409 ScopeLocked
    ├── Conflict             409 or 412, anything else
    ├── Throttled            429
    └── OperationFailed      a long-running operation that ended as Failed or Canceled

The text of an error is one or two sentences. What Azure's own answers mean, and what to do about them, is not decided
where they are raised but where a result is worded (`_failures.explain`). Secrets and signed URLs never get into it.
"""

from __future__ import annotations

import re
import typing as t

# A query string may carry a signature (operation URLs, SAS), so no URL keeps one. A bearer token begins with "eyJ".
_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]*")
_TOKEN = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*")
# A half of a surrogate pair, which JSON can hold, cannot be written to a terminal or a file.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def redact(text: str) -> str:
    """Return `text` without query strings, tokens and control characters, cut to a readable length."""
    text = _CONTROL.sub(" ", _TOKEN.sub("[token]", _URL_QUERY.sub(r"\1?[signed]", text)))
    return text if len(text) <= 2000 else text[:2000] + " [...]"


# Words, addresses and paths. A client secret of Microsoft Entra ID has digits and signs and no slash.
_PLAIN = re.compile(r"[A-Za-z_]{1,30}|(?:https://|~?\.{0,2}/)[\w./ -]+|[\w -]+\.(?:cer|crt|pem|pfx)")


def shown(value: str) -> str:
    """Return what a sign-in option was set to as a message may repeat it: a secret gets into the wrong option, too."""
    return repr(value) if _PLAIN.fullmatch(value) else "a value that is not repeated, for it may be a secret"


class AppConsistentError(Exception):
    """Everything this collection raises on purpose; `str(error)` is fit for a user."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        self.message = redact(message)
        self.advice = redact(advice)
        super().__init__(" ".join(part for part in (sentence(self.message), self.advice) if part))

    def details(self) -> dict[str, t.Any]:
        """What a playbook can branch on, beside the sentence."""
        return {"kind": type(self).__name__, "code": "", "message": self.message, "status": None, "advice": self.advice}


class InvalidInput(AppConsistentError):
    """An option or a resource id that cannot be used."""


class CredentialError(AppConsistentError):
    """No credentials, or Microsoft Entra ID refused them; then `code` is its AADSTS number, and `said` its words."""

    def __init__(self, message: str, *, advice: str = "", code: str = "", said: str = "") -> None:
        self.code = code
        self.said = redact(said)
        super().__init__(message, advice=advice)


class EndpointUnreachable(AppConsistentError):
    """Nobody answers at the endpoint."""


class DeadlineExceeded(AppConsistentError):
    """Not finished in the time allowed. What was begun in Azure may still end well."""


class AzureError(AppConsistentError):
    """Azure's own answer. `doing` completes the sentence "Could not ..."."""

    def __init__(
        self,
        doing: str,
        *,
        code: str,
        message: str,
        status: int | None = None,
        advice: str = "",
        target: str = "",
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        self.doing = doing
        self.code = redact(code)
        self.azure_message = redact(message)
        self.status = status
        self.target = target
        self.retry_after = retry_after
        self.request_id = request_id
        super().__init__(f"Could not {doing}: {code}: {self.azure_message}", advice=advice)

    def details(self) -> dict[str, t.Any]:
        return {
            **super().details(),
            "code": self.code,
            "message": self.azure_message,
            "status": self.status,
            "request_id": self.request_id,
        }


class NotFound(AzureError):
    """404."""


class Forbidden(AzureError):
    """401 or 403: not signed in for this, no role that allows it, or denied by a policy."""


class Locked(AzureError):
    """409 ScopeLocked: a management lock stands in the way."""


class Conflict(AzureError):
    """409 or 412: the resource is in another state than the request needs."""


class Throttled(AzureError):
    """429. `retry_after` is in seconds, None when Azure did not say."""


class OperationFailed(AzureError):
    """A long-running operation that ended as Failed or Canceled."""


def from_answer(status: int, code: str) -> type[AzureError]:
    """Return the class that stands for an HTTP status and an error code."""
    if code == "ScopeLocked":
        return Locked
    return {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict, 412: Conflict, 429: Throttled}.get(
        status, AzureError
    )


def sentence(text: str) -> str:
    """Return `text` with a full stop at its end, if it is not empty."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else text + "."
