# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be said about the last run of the extension."""

from typing import List, Optional

from .._finding import Finding
from .._printable import iso
from . import extension_codes as codes
from .findings import finding
from .last_run import LastRun

_LONG_HOLD = 60.0


def _why(run: LastRun) -> codes.ExtensionCode:
    """The number that explains a run best. Health stays 1 when scripts are refused in silence; then the log knows."""
    for better in (run.health, run.pre.code, run.post.code):
        if better not in (None, codes.APPLICATION, codes.FILE_SYSTEM, codes.TRANSITIONING):
            return codes.code_entry(better)
    return codes.code_entry(run.code or 0)


def _of_state(run: LastRun, evidence: Optional[str]) -> Optional[Finding]:
    """What its state or what it reached says; one thing at most, the worst first."""
    log = run.sources.log
    if run.state == "running":
        return finding("run.running", evidence)
    if run.state == "stuck" and run.worker is not None:
        began = iso(run.started) or iso(run.worker.started)
        return finding("run.stuck", evidence, started=began, pid=run.worker.pid, log=run.sources.log_path)
    if run.state == "lost":
        return finding("run.lost", evidence)
    if run.reached == "none":
        return _failed(run)
    if run.code == codes.FILE_SYSTEM:
        why = _why(run)
        refusal = log.last("refusal") if log else None
        words = ": " + refusal.text if refusal and run.pre.state == "refused" else ""
        return finding(
            "run.not_application_consistent",
            "code {0}, {1}{2}".format(why.code, why.name, words),
            reached="crash" if run.reached == "crash" else "file-system",
            meaning=why.meaning,
            remedy=why.remedy,
        )
    if run.code == codes.APPLICATION and run.reached != "application":
        return finding("run.scripts_never_ran")
    return None


def _failed(run: LastRun) -> Finding:
    log, status = run.sources.log, run.sources.status
    why = _why(run) if run.code == codes.ERROR else codes.code_entry(run.code or 0)
    crashed = log.last("crashed") if log else None
    words = crashed.text if crashed else run.freeze.error or (status.message if status else None)
    return finding("run.failed", words, code=run.code, meaning=why.meaning, remedy=why.remedy)


def run_findings(run: Optional[LastRun]) -> List[Finding]:
    """What an operator should know of the run, or of there being none."""
    if run is None:
        return [finding("run.none")]
    status, log = run.sources.status, run.sources.log
    last = log.marks[-1] if log and log.marks else None
    evidence = "last mark in the log: {0} at {1}".format(last.name, iso(last.when)) if last else None
    of_state = _of_state(run, evidence)
    found = [of_state] if of_state else []
    if run.workload:
        found.append(finding("run.workload_framework", workload=run.workload))
    if run.freeze.state == "hung":
        found.append(finding("run.freeze_hung", evidence))
    if log is not None and run.pre.started is not None and run.post.started is None and run.state != "running":
        found.append(finding("run.post_never_ran", evidence))
    if run.hold_seconds is not None and run.hold_seconds > _LONG_HOLD:
        found.append(finding("run.hold_was_long", seconds=run.hold_seconds))
    if run.agree is False and status:
        logged = log.last("final") if log else None
        found.append(finding("run.sources_disagree", status=status.code, log=logged.text if logged else "nothing"))
    if log is not None and not log.complete:
        found.append(finding("run.log_cut", file=run.sources.log_path))
    return found
