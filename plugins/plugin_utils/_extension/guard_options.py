# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The options that say how an extension is guarded, shared by the guard of one machine and of a fleet."""

from __future__ import annotations

from .._azure.resource_ids import check_name
from .._json import Json
from .._restore_points.options import PLACE_SPEC
from .._restore_points.place import read_place
from .guard import LOCK_NAME, NOTE, POLICY_NAME, Guard, check_guard

# Documented in the fragment appconsistent.azure.guard.
GUARD_SPEC: dict[str, Json] = {
    "method": {"type": "str", "choices": ["lock", "policy", "both"], "default": "lock"},
    "lock_name": {"type": "str", "default": LOCK_NAME},
    "policy_name": {"type": "str", "default": POLICY_NAME},
    "policy_scope": {"type": "str", "choices": ["resource_group", "subscription"], "default": "resource_group"},
    "notes": {"type": "str", "default": NOTE},
    **PLACE_SPEC,
}


def read_guard(params: Json) -> Guard:
    """Return the guard that the options describe; raise InvalidInput that names the option."""
    guard = Guard(
        lock=params["method"] in ("lock", "both"),
        policy=params["method"] in ("policy", "both"),
        lock_name=check_name(params["lock_name"], "lock_name", 90),
        policy_name=check_name(params["policy_name"], "policy_name", 64),
        subscription_wide=params["policy_scope"] == "subscription",
        notes=params.get("notes") or NOTE,
        place=read_place(params),
    )
    check_guard(guard)
    return guard
