# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that the VSS actions share, and what a user's own rows of the service table become."""

from __future__ import annotations

import re
import typing as t

from .._errors import InvalidInput
from .repair import Limits
from .services import FORBIDDEN_SERVICES, IMPACTS, SERVICE_NAME, Services, WriterService

_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})\}?")

SHARED_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "busy_timeout": {"type": "int", "default": 120},
    "list_timeout": {"type": "int", "default": 180},
    "writer_services": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "writer": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "impact": {"type": "str", "choices": list(IMPACTS), "default": "brief"},
        },
    },
}


def services_of(options: t.Mapping[str, t.Any]) -> Services:
    """Return the table with the user's rows before it."""
    _checked_seconds(options, "list_timeout", 10, 3600)
    _checked_seconds(options, "busy_timeout", 0, 86400)
    return Services(_row(row) for row in options["writer_services"])


def limits_of(options: t.Mapping[str, t.Any]) -> Limits:
    """Return the user's times."""
    _checked_seconds(options, "settle_timeout", 0, 3600)
    return Limits(options["list_timeout"], options["busy_timeout"], options["settle_timeout"])


def checked_service(name: str, option: str) -> str:
    """Return a service's name that may be sent to a guest."""
    if not SERVICE_NAME.fullmatch(name):
        raise InvalidInput(
            f"{option}: '{name}' cannot be the name of a Windows service.",
            advice="Give the short name that sc.exe query shows, not the display name, and no wildcard.",
        )
    if name.casefold() in FORBIDDEN_SERVICES:
        raise InvalidInput(
            f"{option}: the service {name} must not be restarted by a tool.",
            advice="Leave it out; the result of the check says what a person should do instead.",
        )
    return name


def _row(row: t.Mapping[str, t.Any]) -> WriterService:
    guid = _GUID.fullmatch(row["writer"].strip())
    return WriterService(
        writer="" if guid else row["writer"].strip(),
        id=guid[1].lower() if guid else "",
        service=checked_service(row["service"].strip(), "writer_services"),
        impact=row["impact"],
    )


def _checked_seconds(options: t.Mapping[str, t.Any], name: str, least: int, most: int) -> None:
    if not least <= options[name] <= most:
        raise InvalidInput(f"{name} must be from {least} to {most} seconds, not {options[name]}.")
