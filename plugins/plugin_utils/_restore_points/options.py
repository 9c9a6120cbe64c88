# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that say what is wanted for a machine, shared by the actions that may make a restore point."""

from __future__ import annotations

from .._azure.resource_ids import check_name
from .._durations import parse
from .._errors import InvalidInput
from .._json import Json
from .next_step import Wish
from .points import LONGEST_NAME, Consistency
from .retention import Retention

CONSISTENCIES = ["ApplicationConsistent", "FileSystemConsistent", "CrashConsistent"]

# Documented in the fragment appconsistent.azure.wish.
WISH_SPEC: dict[str, Json] = {
    "consistency": {
        "type": "str",
        "choices": ["ApplicationConsistent", "CrashConsistent"],
        "default": "ApplicationConsistent",
    },
    "minimum_consistency": {"type": "str", "choices": CONSISTENCIES},
    "exclude_disks": {"type": "list", "elements": "str", "default": []},
    "collection_resource_group": {"type": "str"},
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
    # 20 characters stay for a window and an attempt.
    check_name(schedule, "schedule", LONGEST_NAME - 20)
    if key:
        check_name(f"{schedule}-{key}", "schedule and schedule_key together", LONGEST_NAME - 4)
    return Wish(
        schedule=schedule,
        name=params.get("name") or "",
        key=key,
        max_age=parse(params.get("max_age") or "24h", "max_age"),
        consistency=consistency,
        minimum=minimum,
        min_interval=parse(interval, "min_interval") if interval else None,
        collection_group=params.get("collection_resource_group") or "",
        exclude_disks=tuple(params["exclude_disks"]),
        wait=bool(params.get("wait", True)),
        timeout=parse(params["timeout"], "timeout"),
        retention=_read_retention(params),
    )


def _read_retention(params: Json) -> Retention:
    keep, keep_for, keep_good = params.get("keep"), params.get("keep_for"), params.get("keep_good", 1)
    for option, value, least in (("keep", keep, 1), ("keep_good", keep_good, 0)):
        if value is not None and value < least:
            raise InvalidInput(f"The option {option} is {value}", advice=f"Give a whole number of at least {least}.")
    return Retention(keep, parse(keep_for, "keep_for") if keep_for else None, keep_good)
