"""One request and its answer, as the framework-neutral core sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, unquote_plus

from .errors import ArmError
from .paths import Target

Json: TypeAlias = Any

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Principal(NamedTuple):
    """Who calls: a service principal or a managed identity."""

    object_id: str
    client_id: str
    name: str


class Incoming(NamedTuple):
    """What came over the wire. `raw_path` holds the request line's target, byte for byte."""

    method: str
    raw_path: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    client_ip: str


class Response(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A request to Resource Manager after it was authenticated and routed."""

    incoming: Incoming
    target: Target
    query: Mapping[str, str]
    principal: Principal
    api_version: str
    action: str
    correlation_id: str
    # What each rate-limit policy has left; becomes x-ms-ratelimit-remaining-resource.
    remaining: list[str]

    @property
    def path(self) -> str:
        """The path as the caller wrote it, for messages."""
        written = unquote(self.incoming.raw_path.partition("?")[0])
        return "/" + "/".join(segment for segment in written.split("/") if segment)

    @property
    def scope_path(self) -> str:
        """What stands before the last `/providers/`, as the caller wrote it."""
        return self.path[: len(self.target.scope)]

    def json(self) -> dict[str, Json]:
        """The body, which must be a JSON object."""
        if not self.incoming.body.strip():
            raise ArmError(400, "MissingRequestBody", "The request body must be specified.")
        try:
            body = json.loads(self.incoming.body)
        except (ValueError, RecursionError) as error:
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from None
        if not isinstance(body, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: a JSON object is expected.")
        return body


def parse_query(raw: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in raw.split("&"):
        name, _, value = pair.partition("=")
        if name:
            found[unquote_plus(name).lower()] = unquote_plus(value) if "%" in value or "+" in value else value
    return found


def answer(status: int, body: Json, *headers: tuple[str, str]) -> Response:
    return Response(status, _ENCODER.encode(body).encode(), headers)
