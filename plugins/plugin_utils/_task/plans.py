# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine's own protection plan: the host variable that overrides the options of a task for that machine."""

from __future__ import annotations

import difflib

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._errors import InvalidInput
from .._json import Json
from .._restore_points.options import PLAN_SPEC
from .host_variables import HostVariables

PLAN = "appconsistent"
# What a plan says of the points themselves, whoever asks for them.
OF_ONE_MACHINE = ("exclude_disks", "collection_resource_group", "collection_name", "collection_tags")
_ADVICE = f"Correct the host or group variable {PLAN}: it takes {', '.join(sorted(PLAN_SPEC))}."


def read_plan(variables: HostVariables) -> Json:
    """Return the options that the host's variable PLAN sets, and no others; raise InvalidInput that names the host."""
    given = variables.get(PLAN)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidInput(f"{variables.host}: {PLAN} is not a mapping of options", advice=_ADVICE)
    unknown = sorted(str(name) for name in given if name not in PLAN_SPEC)
    if unknown:
        near = difflib.get_close_matches(unknown[0], PLAN_SPEC, n=1)
        meant = f"; {near[0]} may be meant" if near else ""
        raise InvalidInput(f"{variables.host}: {PLAN} has no option {unknown[0]}{meant}", advice=_ADVICE)
    checked = ArgumentSpecValidator(PLAN_SPEC).validate(given)
    if checked.error_messages:
        raise InvalidInput(f"{variables.host}: {PLAN}: {checked.error_messages[0]}", advice=_ADVICE)
    return {name: value for name, value in checked.validated_parameters.items() if given.get(name) is not None}
