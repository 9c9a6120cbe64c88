# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that say what is wanted for a machine, shared by the actions that may make a restore point."""

from __future__ import annotations

from .._durations import parse_duration
from .._errors import InvalidInput
from .._json import Json
from .names import check_schedule
from .next_step import Wish
from .place import read_place
from .points import Consistency
from .retention import Retention

CONSISTENCIES = ["ApplicationConsistent", "FileSystemConsistent", "CrashConsistent"]

# Documented in the fragment appconsistent.azure.wish.PLACE.
PLACE_SPEC: dict[str, Json] = {"collection_resource_group": {"type": "str"}, "collection_name": {"type": "str"}}
# Documented in the fragment appconsistent.azure.wish.
WISH_SPEC: dict[str, Json] = {
    "consistency": {
        "type": "str",
        "choices": ["ApplicationConsistent", "CrashConsistent"],
        "default": "ApplicationConsistent",
    },
    "minimum_consistency": {"type": "str", "choices": CONSISTENCIES},
    "exclude_disks": {"type": "list", "elements": "str", "default": []},
    **PLACE_SPEC,
    "collection_tags": {"type": "dict", "default": {}},
    "min_interval": {"type": "str"},
    "timeout": {"type": "str", "default": "1h"},
}
# Documented in the fragment appconsistent.azure.wish.SCHEDULE.
SCHEDULE_SPEC: dict[str, Json] = {
    "schedule": {"type": "str", "default": "appconsistent"},
    "schedule_key": {"type": "str", "no_log": False},
    "max_age": {"type": "str", "default": "24h"},
}

# Documented in the fragment appconsistent.azure.wish.RETENTION.
RETENTION_SPEC: dict[str, Json] = {
    "keep": {"type": "int"},
    "keep_for": {"type": "str"},
    "keep_good": {"type": "int", "default": 1},
}


# What the protection plan of one machine can say. How long the task may take is not the machine's to say.
PLAN_SPEC: dict[str, Json] = {
    name: {part: value for part, value in spec.items() if part != "default"}
    for name, spec in {**WISH_SPEC, **SCHEDULE_SPEC, **RETENTION_SPEC}.items()
    if name != "timeout"
}


def read_wish(params: Json) -> Wish:
    """Return the wish that the options express; raise InvalidInput that names the option."""
    consistency = Consistency.read(params["consistency"])
    minimum = Consistency.read(params.get("minimum_consistency")) or consistency
    if minimum > consistency:
        raise InvalidInput(
            f"minimum_consistency is {minimum.label}, more than the {consistency.label} that consistency asks for",
            advice="Ask for ApplicationConsistent or accept less.",
        )
    interval = params.get("min_interval")
    schedule = params.get("schedule") or Wish.schedule
    key = params.get("schedule_key") or ""
    check_schedule(schedule, key)
    return Wish(
        schedule=schedule,
        name=params.get("name") or "",
        key=key,
        max_age=parse_duration(params.get("max_age") or "24h", "max_age"),
        consistency=consistency,
        minimum=minimum,
        min_interval=parse_duration(interval, "min_interval") if interval else None,
        place=read_place(params),
        exclude_disks=tuple(params["exclude_disks"]),
        wait=bool(params.get("wait", True)),
        timeout=parse_duration(params["timeout"], "timeout"),
        retention=_read_retention(params),
    )


def _read_retention(params: Json) -> Retention:
    keep, keep_for, keep_good = params.get("keep"), params.get("keep_for"), params.get("keep_good", 1)
    for option, value, least in (("keep", keep, 1), ("keep_good", keep_good, 0)):
        if value is not None and value < least:
            raise InvalidInput(f"The option {option} is {value}", advice=f"Give a whole number of at least {least}.")
    return Retention(keep, parse_duration(keep_for, "keep_for") if keep_for else None, keep_good)
