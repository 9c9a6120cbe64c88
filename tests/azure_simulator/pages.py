"""Lists that come in pages: `value` and `nextLink`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .errors import ArmError
from .exchange import Call, Response
from .exchange import answer as plain_answer

if TYPE_CHECKING:
    from .world import World


def cut(world: World, call: Call, keys: Mapping[str, Any]) -> tuple[list[str], str | None]:
    """The keys of the asked page, and the link to the next one."""
    size = world.settings.rules.page_size
    start = _start(call)
    page = list(islice(keys, start, start + size))
    if start + size >= len(keys):
        return page, None
    token = base64.urlsafe_b64encode(f"from={start + size}".encode()).decode()
    path, _, raw = call.incoming.raw_path.partition("?")
    kept = [pair for pair in raw.split("&") if not pair.lower().startswith(("$skiptoken", "%24skiptoken"))]
    return page, f"{call.incoming.base_url}{path}?{'&'.join(kept)}&$skiptoken={quote(token)}"


def _start(call: Call) -> int:
    token = call.query.get("$skiptoken")
    if token is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition("=")
        if word == "from":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise ArmError(400, "InvalidSkipToken", f"The skip token '{token}' is invalid.")


def answer(values: Iterable[Any], link: str | None) -> Response:
    body: dict[str, Any] = {"value": list(values)}
    if link is not None:
        body["nextLink"] = link
    return plain_answer(200, body)
