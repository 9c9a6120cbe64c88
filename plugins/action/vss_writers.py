# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Brings the VSS writers of a Windows guest back to health. Documentation: plugins/modules/vss_writers.py."""

from __future__ import annotations

import typing as t

from ..plugin_utils._vss.options import SHARED_SPEC, checked_service, limits_of, services_of
from ..plugin_utils._vss.plan import RepairPolicy
from ..plugin_utils._vss.repair import Interrupted, Repairer
from ..plugin_utils._vss.report import repair_report
from ..plugin_utils._windows.action import WindowsAction
from ..plugin_utils._windows.guest import WindowsGuest


class ActionModule(WindowsAction):
    """The action."""

    ARGUMENT_SPEC: t.ClassVar = {
        **SHARED_SPEC,
        "state": {"type": "str", "choices": ["healthy"], "default": "healthy"},
        "allow_outage": {"type": "list", "elements": "str", "default": []},
        "max_impact": {"type": "str", "choices": ["quiet", "brief"], "default": "brief"},
        "restart_on_last_error": {"type": "bool", "default": False},
        "restart_stuck": {"type": "bool", "default": False},
        "settle_timeout": {"type": "int", "default": 120},
    }

    def inspect(self, options: dict[str, t.Any], guest: WindowsGuest) -> dict[str, t.Any]:
        services = services_of(options)
        policy = RepairPolicy(
            max_impact=options["max_impact"],
            allow_outage=frozenset(
                checked_service(name, "allow_outage").casefold() for name in options["allow_outage"]
            ),
            last_errors=options["restart_on_last_error"],
            stuck=options["restart_stuck"],
        )
        try:
            repair = Repairer(guest, services, policy, limits_of(options)).run()
        except Interrupted as error:
            return {
                "changed": True,
                "failed": True,
                "msg": str(error),
                "restarts": [restart.as_dict() for restart in error.restarts],
            }
        return repair_report(repair, services, guest.name, check_mode=guest.check_mode)
