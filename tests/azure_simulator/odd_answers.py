"""Answers as gateways, broken servers and attackers make them of a good one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from .exchange import Call, Response
from .faults import Fault

ASYNC = ("Azure-AsyncOperation", "Location")
PAGE = "<html><body>Please sign in to the network.</body></html>"


def changed(response: Response, fault: Fault, call: Call) -> Response:
    given = fault.parameters
    if fault.kind == "page_of_a_proxy":
        body = str(given.get("text", PAGE)).encode()
        return Response(int(given.get("status", 200)), body, content_type="text/html")
    if fault.kind == "deep":
        depth = int(given.get("depth", 200_000))
        return response._replace(body=b'{"value": ' + b"[" * depth + b"]" * depth + b"}")
    if fault.kind == "bomb":
        packed = _packed(int(given.get("mebibytes", 100)))
        return response._replace(body=packed, headers=(*response.headers, ("Content-Encoding", "gzip")))
    if fault.kind == "location_only":
        # That of the state stands for the one of the outcome where a create has none.
        links = dict(response.headers)
        kept = [(name, value) for name, value in response.headers if name not in ASYNC]
        link = links.get("Location") or links.get("Azure-AsyncOperation")
        return response._replace(headers=(*kept, ("Location", link)) if link else tuple(kept))
    return _with_links(response, str(given.get("form", "blank")), call, fault.hits)


def _packed(mebibytes: int) -> bytes:
    """One stream of blanks, made piece by piece: the simulator need not hold what it is to unpack to."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    piece = b" " * (1 << 20)
    return b"".join([*(packer.compress(piece) for _number in range(mebibytes)), packer.flush()])


def _with_links(response: Response, form: str, call: Call, number: int) -> Response:
    """Change the links of an answer; `itself` and `endless` give a list one that it did not have.

    An operation's URL is signed, so that only where it leads to can be changed.
    """
    base = call.incoming.base_url
    here = base + call.incoming.raw_path

    def odd(link: str) -> str:
        return FORMS[form](link, urlsplit(link).netloc)

    headers = tuple(
        (name, odd(value) if name in ASYNC and form in FORMS else value) for name, value in response.headers
    )
    body = response.body
    try:
        held = json.loads(body)
    except ValueError:
        held = None
    if isinstance(held, dict) and isinstance(held.get("value"), list):
        if form == "itself":
            held["nextLink"] = here
        elif form == "endless":
            held["nextLink"] = f"{here.partition('&page=')[0]}&page={number}"
        elif held.get("nextLink"):
            held["nextLink"] = odd(held["nextLink"])
        body = json.dumps(held).encode()
    return response._replace(headers=headers, body=body)


FORMS: Mapping[str, Callable[[str, str], str]] = {
    "blank": lambda link, _host: f"{link}&of=a b",
    "non_ascii": lambda link, _host: f"{link}&of=Zürich",
    "relative": lambda link, host: link.partition(host)[2],
    "foreign": lambda link, host: link.replace(host, "evil.example"),
    "user": lambda link, host: link.replace(host, f"{host}@127.0.0.1:1"),
    "surrogate": lambda link, _host: f"{link}&of=\ud800",
    "bracket": lambda _link, _host: "https://[::1/",
}
WHERE = frozenset({"relative", "foreign", "user", "bracket"})
