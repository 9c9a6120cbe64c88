"""`POST /batch`: many reads in one request, as the inventory azure_rm of azure.azcollection sends them.

Documented nowhere in public; the form is what that client sends and reads (its plugins/inventory/azure_rm.py).
Azure also answers 202 with a Location; here the answers are always there at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from . import bodies
from .errors import ArmError, invalid_parameter
from .exchange import Incoming, Response, answer

VERSIONS = frozenset(["2015-11-01", "2020-06-01"])
# What the client puts into one request (the same file); more is refused here, so that nobody relies on it.
MOST_REQUESTS = 100
BODY: Mapping[str, bodies.Shape] = {
    "requests": [{"httpMethod": ("GET",), "url": str, "name": str, "requestHeaderDetails": dict}]
}


def respond(incoming: Incoming, query: Mapping[str, str], handle: Callable[[Incoming], Response]) -> Response:
    """Each request with the caller's own token, rights and limits; one that fails is told among the others."""
    if incoming.method != "POST":
        raise ArmError(405, "MethodNotAllowed", f"The method '{incoming.method}' is not supported at '/batch'.")
    if query.get("api-version") not in VERSIONS:
        raise ArmError(400, "InvalidApiVersionParameter", f"The api-version '{query.get('api-version')}' is invalid.")
    try:
        body: Any = json.loads(incoming.body)
    except (ValueError, RecursionError):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid.") from None
    bodies.check(body, BODY, "BatchRequest")
    requests = bodies.required(body.get("requests"), "requests")
    if len(requests) > MOST_REQUESTS:
        raise invalid_parameter(f"A batch holds at most {MOST_REQUESTS} requests.", "requests")
    return answer(200, {"responses": [_one(incoming, request, handle) for request in requests]})


def _one(outer: Incoming, request: Mapping[str, Any], handle: Callable[[Incoming], Response]) -> dict[str, Any]:
    url = urlsplit(bodies.required(request.get("url"), "url"))
    if url.netloc and f"{url.scheme}://{url.netloc}" != outer.base_url:
        raise invalid_parameter(f"The URL '{url.geturl()[:200]}' is not one of this service.", "url")
    inner = outer._replace(method="GET", raw_path=f"{url.path}?{url.query}", body=b"")
    response = handle(inner)
    shown: dict[str, Any] = {
        "httpStatusCode": response.status,
        "headers": dict(response.headers),
        "content": json.loads(response.body) if response.body else None,
        "contentLength": len(response.body),
    }
    return shown | ({"name": request["name"]} if "name" in request else {})
