"""Checks request bodies against small tables of what each may hold, and refuses in Azure's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from .errors import ArmError

# A shape is a Python type, a table of members, a list with the shape of its items, or a tuple of the values allowed.
Shape: TypeAlias = "type | Mapping[str, Shape] | list[Shape] | tuple[str, ...]"

# The members that a client may send back although only the service writes them.
RESOURCE: Mapping[str, Shape] = {"id": str, "name": str, "type": str, "systemData": dict}


def check(body: Any, shape: Shape, object_name: str, path: str = "") -> None:
    """Raises the 400 that names the member, its place and what is wrong with it."""
    if isinstance(shape, Mapping):
        _check_members(body, shape, object_name, path)
    elif isinstance(shape, list):
        if not isinstance(body, list):
            raise _wrong_type(body, path, "array")
        for position, item in enumerate(body):
            check(item, shape[0], object_name, f"{path}[{position}]")
    elif isinstance(shape, tuple):
        if not isinstance(body, str) or body.lower() not in {value.lower() for value in shape}:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The value '{body}' of parameter '{path}' is invalid. The allowed values are: {', '.join(shape)}.",
                path,
            )
    elif not isinstance(body, shape) or (shape is int and isinstance(body, bool)):
        raise _wrong_type(body, path, shape.__name__)


def _check_members(body: Any, shape: Mapping[str, Shape], object_name: str, path: str) -> None:
    if not isinstance(body, dict):
        raise _wrong_type(body, path, "object")
    known = {name.lower(): (name, member) for name, member in shape.items()}
    for name, value in body.items():
        place = f"{path}.{name}" if path else name
        found = known.get(name.lower())
        if found is None:
            raise ArmError(
                400,
                "BadRequest",
                f"Could not find member '{name}' on object of type '{object_name}'. Path '{place}'.",
                place,
            )
        if value is not None:
            check(value, found[1], object_name, place)


def _wrong_type(body: Any, path: str, wanted: str) -> ArmError:
    return ArmError(
        400,
        "BadRequest",
        f"Error converting value {body!r:.80} to type '{wanted}'. Path '{path}'.",
        path or None,
    )


def required(value: Any, name: str) -> Any:
    if value is None or value == "":
        raise ArmError(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", name)
    return value
