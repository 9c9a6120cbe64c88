# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tells what state the VSS writers of a Windows guest are in. Documentation: plugins/modules/vss_writers_info.py."""

from __future__ import annotations

import typing as t

from ..plugin_utils._vss.options import SHARED_SPEC, services_of
from ..plugin_utils._vss.report import report
from ..plugin_utils._vss.watch import until_idle
from ..plugin_utils._windows.action import WindowsAction
from ..plugin_utils._windows.guest import WindowsGuest


class ActionModule(WindowsAction):
    """The action."""

    ARGUMENT_SPEC: t.ClassVar = {**SHARED_SPEC}

    def inspect(self, options: dict[str, t.Any], guest: WindowsGuest) -> dict[str, t.Any]:
        services = services_of(options)
        survey = until_idle(guest, services, options["list_timeout"], options["busy_timeout"])
        return {"changed": False, **report(survey, services)}
