"""Reads a resource id or request path: case does not matter, doubled slashes collapse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Target:
    """What a path addresses: `.../providers/{namespace}/{type}/{name}/...` taken apart.

    `key` is the lower-cased path and identifies the resource; `scope` is the key of what stands before the last
    `/providers/`; `types` is `namespace/type/subtype` in lower case; `names` keep the case they were written in.
    """

    key: str
    scope: str
    types: str
    names: tuple[str, ...]
    is_item: bool
    subscription: str
    group: str

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def parent(self) -> str:
        """The key of the resource that holds this one: the last two segments cut, for an action or a list one."""
        return self.key.rsplit("/", 2 if self.is_item else 1)[0]


@lru_cache(maxsize=32768)
def parse(path: str) -> Target:
    # Decoded before it is cut: the locks SDK sends a whole scope as one segment with %2F in it.
    segments = [segment for segment in unquote(path).split("/") if segment]
    lower = [segment.lower() for segment in segments]
    key = "/" + "/".join(lower)
    subscription = segments[1] if len(segments) > 1 and lower[0] == "subscriptions" else ""
    group = segments[3] if subscription and len(segments) > 3 and lower[2] == "resourcegroups" else ""
    # A trailing ".../providers" or ".../providers/{namespace}" is the list of resource providers, not a resource.
    marks = [at for at, word in enumerate(lower) if word == "providers" and at + 2 < len(lower)]
    if marks:
        at = marks[-1]
        rest, names = lower[at + 2 :], segments[at + 3 :: 2]
        types = "/".join([lower[at + 1], *rest[::2]])
        return Target(key, _join(lower[:at]), types, tuple(names), len(rest) % 2 == 0, subscription, group)
    return Target(
        key, key, "/".join(lower[::2]), tuple(segments[1::2]), bool(lower) and len(lower) % 2 == 0, subscription, group
    )


def _join(segments: list[str]) -> str:
    return "/" + "/".join(segments) if segments else ""


def ancestors(key: str) -> list[str]:
    """The key itself and every scope that holds it, nearest first: a lock on any of them covers it."""
    found = []
    while key:
        found.append(key)
        if "/providers/" not in key:
            key = key.rsplit("/", 2)[0]
        elif key.rsplit("/", 4)[1] == "providers":
            key = key.rsplit("/", 4)[0]
        else:
            key = key.rsplit("/", 2)[0]
    return found
