# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A machine of the fleet that a task works on."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._azure.resource_ids import VmId
from .._json import Json
from .._restore_points.points import CollectionId


@dataclass(frozen=True)
class Target:
    """The inventory's name for a machine, its id, and where its points are kept.

    Machines of one `application` are taken in the order of their `wave`, those of one wave at once. `plan` holds the
    options that are this machine's own.
    """

    host: str
    vm: VmId
    collection: CollectionId | None = None
    application: str = ""
    wave: int = 0
    plan: Json = field(default_factory=dict, compare=False)
