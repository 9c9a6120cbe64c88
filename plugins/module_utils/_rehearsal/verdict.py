# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the extension reports for a run, from what its checks, the scripts and the snapshot did.

Follows the end of ``daemon()`` in ``handle.py`` and of ``PluginHost.pre_script`` in Azure/azure-linux-extensions, where
the two codes are set in this order, the first failure winning. The snapshot itself is taken to succeed.
"""

from typing import Any, NamedTuple, Optional

from .._guest import extension_codes as codes
from .._guest.plugin_check import PluginPlan


class WouldReport(NamedTuple):
    code: int
    health: int
    snapshot: bool
    consistency: str


def crashes(plan: PluginPlan, code: int) -> bool:
    """A value that is neither number nor boolean is combined with one only when a script fails; that ends the run."""
    died = code in (codes.HOST_PRE_TIMEOUT, codes.HOST_POST_TIMEOUT)
    return code != codes.APPLICATION and not died and not isinstance(plan.continue_on_failure, int)


def _goes_on(plan: PluginPlan, code: int) -> bool:
    # A runner thread that died left no wish to stop.
    died = code in (codes.HOST_PRE_TIMEOUT, codes.HOST_POST_TIMEOUT)
    return code == codes.APPLICATION or died or bool(plan.continue_on_failure)


def snapshot_is_taken(plan: PluginPlan, pre_code: int) -> bool:
    """Whether the extension goes on to freeze and snapshot after the checks and the pre script."""
    if plan.code != codes.APPLICATION:
        return plan.snapshot_without_scripts()
    if crashes(plan, pre_code):
        return False
    return _goes_on(plan, pre_code) and (plan.freeze or pre_code == codes.APPLICATION)


def would_report(plan: PluginPlan, pre_code: int, post_code: Optional[int]) -> WouldReport:
    """``post_code`` is None when post was not run. Without plugins both scripts count as succeeded."""
    taken = snapshot_is_taken(plan, pre_code)
    checked = plan.code == codes.APPLICATION
    if checked and crashes(plan, pre_code):
        return WouldReport(codes.ERROR, codes.ERROR, False, "none")
    post = post_code or codes.APPLICATION
    if checked and crashes(plan, post):
        return WouldReport(codes.ERROR, codes.ERROR, taken, "none")
    good = taken and (not checked or (_goes_on(plan, post) and (plan.freeze or post == codes.APPLICATION)))
    failures = [code for code in (plan.code, pre_code, post) if code != codes.APPLICATION]
    code = codes.FILE_SYSTEM if good or not failures else failures[0]
    if not failures:
        code = codes.APPLICATION
    health = code
    if failures and plan.code not in codes.SILENT:
        health = failures[0]
    return WouldReport(code, health, taken, _consistency(plan, code))


def _consistency(plan: PluginPlan, code: int) -> str:
    below = "file_system" if plan.freeze else "crash"
    if code == codes.APPLICATION:
        # Without a plugin the extension claims what no script has done.
        return "application" if plan.plugins > 0 else below
    return below if code == codes.FILE_SYSTEM else "none"


def as_dict(made: WouldReport) -> Any:
    known = codes.code_entry(made.code)
    return {
        "code": made.code,
        "code_name": known.name,
        "meaning": known.meaning,
        "health": made.health,
        "health_name": codes.code_entry(made.health).name,
        "consistency_reached": made.consistency,
        "snapshot_taken": made.snapshot,
    }
