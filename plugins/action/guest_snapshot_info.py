# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Tells what a guest knows about its snapshots. Here for Windows; a Linux guest is for the module of the same name."""

from __future__ import annotations

import typing as t

from ..plugin_utils._errors import InvalidInput
from ..plugin_utils._windows.action import WindowsAction
from ..plugin_utils._windows.commands import SNAPSHOT
from ..plugin_utils._windows.guest import WindowsGuest
from ..plugin_utils._windows_snapshot.evidence import read_evidence, snapshot_question
from ..plugin_utils._windows_snapshot.findings import snapshot_findings
from ..plugin_utils._windows_snapshot.snapshot import guest_snapshot, read_snapshot


class ActionModule(WindowsAction):
    """The action."""

    ARGUMENT_SPEC: t.ClassVar = {"wire_server_timeout": {"type": "float", "default": 2.0}}

    def inspect(self, options: dict[str, t.Any], guest: WindowsGuest) -> dict[str, t.Any]:
        seconds = options["wire_server_timeout"]
        if not 0 <= seconds <= 60:
            raise InvalidInput(f"wire_server_timeout must be from 0 to 60 seconds, not {seconds}.")
        snapshot = read_snapshot(read_evidence(guest.run(SNAPSHOT, **snapshot_question(seconds))))
        if snapshot.report.problem:
            # The agent replaces that file every few seconds: it was most likely half written.
            guest.clock.sleep(2)
            snapshot = read_snapshot(read_evidence(guest.run(SNAPSHOT, **snapshot_question(seconds))))
        findings = snapshot_findings(snapshot, guest.clock.utc_now())
        return {"changed": False, "guest_snapshot": guest_snapshot(snapshot, findings)}

    def _elsewhere(
        self, _options: dict[str, t.Any], task_vars: dict[str, t.Any], result: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        result.update(
            self._execute_module(
                module_name="appconsistent.azure.guest_snapshot_info",
                module_args=self._task.args,
                task_vars=task_vars,
            )
        )
        return result
