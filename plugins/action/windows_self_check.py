# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tries every command on a Windows guest. Documentation: plugins/modules/windows_self_check.py."""

from __future__ import annotations

import typing as t

from ..plugin_utils._windows.action import WindowsAction
from ..plugin_utils._windows.guest import WindowsGuest
from ..plugin_utils._windows_snapshot.self_check import self_check


class ActionModule(WindowsAction):
    """The action."""

    ARGUMENT_SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {}

    def inspect(self, _options: dict[str, t.Any], guest: WindowsGuest) -> dict[str, t.Any]:
        checked, about = self_check(guest)
        bad = [check for check in checked if check.problems]
        result: dict[str, t.Any] = {
            "changed": False,
            "windows_self_check": {"ok": not bad, **about, "commands": [check.as_dict() for check in checked]},
        }
        if bad:
            result.update(
                failed=True,
                msg=f"{len(bad)} of {len(checked)} commands are not as they should be on {guest.name}: "
                + " ".join(f"{check.command}: {'; '.join(check.problems)}." for check in bad)[:2000],
            )
        return result
