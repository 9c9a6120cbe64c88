# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Joins what Azure, the guest and the catalogue say about a machine into one explained verdict."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._failures.diagnosis import diagnose, lines
from ..plugin_utils._json import Json


def snapshot_diagnosis(
    azure: t.Any,
    readiness: t.Any = None,
    guest: t.Any = None,
    vss_writers: t.Any = None,
    guard: t.Any = None,
    host: str = "",
) -> Json:
    """Return the diagnosis; see the plugin's documentation."""
    parts = {"azure": azure, "readiness": readiness, "guest": guest, "vss_writers": vss_writers, "guard": guard}
    for name, part in parts.items():
        if part is not None and not isinstance(part, dict):
            raise AnsibleFilterError(f"snapshot_diagnosis: {name} must be a task's result, not {type(part).__name__}.")
    diagnosis = diagnose(*(dict(part or {}) for part in parts.values()))
    return {**diagnosis, "lines": lines(host or "This VM", diagnosis)}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"snapshot_diagnosis": snapshot_diagnosis}
