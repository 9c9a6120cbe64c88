# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The machines of a fleet task that reports on each of them, also on those whose id cannot be used."""

from __future__ import annotations

import typing as t

from .._errors import AppConsistentError
from .._json import Json
from .each_machine import Report, failed
from .target import Target
from .targets import find_targets


def targets_of(given: t.Mapping[str, t.Any] | None, task_vars: Json) -> tuple[list[Target], list[Report]]:
    """Return the machines, and a report for each host whose id cannot be used."""
    targets, refused = find_targets(given, task_vars)
    return targets, [failed(host, _uniform(error)) for host, error in refused]


def _uniform(error: AppConsistentError) -> AppConsistentError:
    """Say of an instance of a uniform scale set what the bad id alone does not."""
    if "/virtualmachinescalesets/" not in error.message.lower():
        return error
    return AppConsistentError(
        f"{error.message}: it is in a scale set of uniform orchestration, which restore points do not support",
        advice="Protect such instances by other means; those of flexible orchestration have ids of virtual machines.",
    )
