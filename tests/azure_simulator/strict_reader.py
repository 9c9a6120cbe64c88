"""Reads plain values strictly: every mistake is named with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

GUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")


class FleetError(ValueError):
    """What is wrong in the fleet file, and where."""


class Reader:
    """Takes keys out of a mapping one by one; what is left at the end is unknown."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            raise FleetError(f"{place} must be a mapping, not {_kind(value)}.")
        self.left: dict[str, Any] = dict(value)
        self.place = place

    def take(self, name: str, kind: type[T], default: T | None = None, choices: Sequence[T] | None = None) -> T:
        value = self.maybe(name, kind, choices)
        if value is not None:
            return value
        if default is None:
            raise FleetError(f"{self.place} needs '{name}'.")
        return default

    def maybe(self, name: str, kind: type[T], choices: Sequence[T] | None = None) -> T | None:
        value = self.left.pop(name, None)
        if value is None:
            return None
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise FleetError(f"{self.place}.{name} must be {_KINDS[kind]}, not {_kind(value)}.")
        if choices is not None and value not in choices:
            raise FleetError(
                f"{self.place}.{name} must be one of {', '.join(str(choice) for choice in choices)}, not {value!r}."
            )
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.take(name, list, [])
        for value in values:
            if not isinstance(value, str):
                raise FleetError(f"{self.place}.{name} must be a list of texts; {value!r} is none.")
        return tuple(values)

    def many(self, name: str) -> list[Reader]:
        values = self.take(name, list, [])
        return [Reader(value, f"{self.place}.{name}[{position}]") for position, value in enumerate(values)]

    def guid(self, name: str, default: str | None = None) -> str:
        value = self.take(name, str, default)
        if not GUID.match(value):
            raise FleetError(f"{self.place}.{name} must be a GUID, not {value!r}.")
        return value.lower()

    def name(self, name: str, default: str | None = None) -> str:
        value = self.take(name, str, default)
        if not NAME.match(value):
            raise FleetError(f"{self.place}.{name} is no valid resource name: {value!r}.")
        return value

    def end(self) -> None:
        if self.left:
            raise FleetError(f"{self.place} has unknown keys: {', '.join(sorted(map(str, self.left)))}.")


_KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.60}"
