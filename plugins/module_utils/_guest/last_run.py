# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last run of the extension, told from its status file and its log together."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._finding import Finding
from .._printable import iso, printable, span
from . import extension_codes as codes
from .extension_log import LoggedRun, Mark
from .extension_status import RunStatus
from .findings import finding
from .handler import daemon
from .processes import Process

# The agent starts the daemon up to 5 s after it began; the machine may be busy.
_START_SECONDS = 30.0
# A freeze with everything that waits in it ends within 66 + 40 + 40 + 120 s.
_LONGEST_SILENCE_AFTER_FREEZE = 300.0
# Two scripts at the host file's limit, and the snapshot.
_LONGEST_RUN = 2 * 1800.0 + 600.0
_LONG_HOLD = 60.0

_PRE_CODES = {
    codes.PRE_FAILED: "failed",
    codes.PRE_TIMEOUT: "timed_out",
    codes.HOST_PRE_TIMEOUT: "failed",
}
_POST_CODES = {
    codes.POST_FAILED: "failed",
    codes.POST_TIMEOUT: "timed_out",
    codes.HOST_POST_TIMEOUT: "failed",
}
_REFUSALS = frozenset(range(302, 308)) | {304, 305, 312, 313, 314, 315, 316, 317, 318}
# The snapshot was taken by then; what failed came after it.
_FAILED_AFTER_SNAPSHOT = frozenset((codes.POST_FAILED, codes.POST_TIMEOUT))


class Sources(NamedTuple):
    """What there is to tell the last run from."""

    sequence: Optional[int]  # of the status file
    status: Optional[RunStatus]
    status_path: Optional[str]
    log: Optional[LoggedRun]
    log_path: Optional[str]
    processes: List[Process]
    now: float


class ScriptRun(NamedTuple):
    state: str
    code: Optional[int] = None
    exit_code: Optional[int] = None
    started: Optional[float] = None
    ended: Optional[float] = None

    def as_dict(self) -> Dict[str, Any]:
        return {
            "state": self.state,
            "code": self.code,
            "exit_code": self.exit_code,
            "started": iso(self.started),
            "seconds": span(self.started, self.ended),
        }


def _number(mark: Optional[Mark]) -> Optional[int]:
    return int(mark.text) if mark is not None else None


def _when(mark: Optional[Mark]) -> Optional[float]:
    return mark.when if mark is not None else None


def join(sources: Sources) -> Sources:
    """Keep status and log together when they tell of the same run; else keep the newer one."""
    status, log = sources.status, sources.log
    if status is None or log is None:
        return sources
    sequence, task = _number(log.last("sequence")), log.last("task")
    if task is not None and status.task:
        same = task.text == status.task
    else:
        same = sequence is None or sequence == sources.sequence
    if same:
        return sources
    if (_when(log.marks[-1]) or 0.0) > (status.reported or 0.0):
        return sources._replace(status=None, status_path=None, sequence=sequence)
    return sources._replace(log=None, log_path=None)


def _script_run(log: Optional[LoggedRun], which: str, health: Optional[int], over: bool) -> ScriptRun:
    by_code = _PRE_CODES if which == "pre" else _POST_CODES
    failed, timed_out, died = sorted(by_code)
    if log is None:
        if health in by_code:
            return ScriptRun(by_code[health], health)
        return ScriptRun("refused", health) if health in _REFUSALS else ScriptRun("unknown")
    begun = log.first(which)
    if begun is None:
        checked = _number(log.last("checked"))
        if checked:
            return ScriptRun("refused", checked)
        return ScriptRun("not_run" if over and log.complete else "unknown")
    ended = log.first(which + "_succeeded", which + "_failed", which + "_timed_out")
    if ended is None:
        # The runner's thread died, or the host file's limit passed: the host goes on without its result.
        gone_on = log.first(which + "_finished")
        return (
            ScriptRun("failed", died, None, begun.when, gone_on.when)
            if gone_on
            else ScriptRun("unfinished", None, None, begun.when)
        )
    if ended.name.endswith("_succeeded"):
        return ScriptRun("succeeded", 0, 0, begun.when, ended.when)
    if ended.name.endswith("_timed_out"):
        return ScriptRun("timed_out", timed_out, None, begun.when, ended.when)
    return ScriptRun("failed", failed, int(ended.text), begun.when, ended.when)


class _Freeze(NamedTuple):
    state: str
    mounts: List[str]
    error: Optional[str]
    seconds: Optional[float]


def _thawed(log: LoggedRun, frozen: Mark) -> Optional[Mark]:
    """The end of the freeze. "Binary Process completed" is logged for every child that ends, the post script too."""
    sent = log.first("thaw_sent")
    since = (sent.when if sent else frozen.when) or 0.0
    ended = next((mark for mark in log.marks if mark.name == "child_ended" and (mark.when or 0.0) >= since), None)
    return ended or sent


def _freeze(log: Optional[LoggedRun], state: str, health: Optional[int]) -> _Freeze:
    by_health = {121: "failed", 122: "timed_out", 123: "failed"}
    if log is None:
        return _Freeze(by_health.get(health or 0, "unknown"), [], None, None)
    mounts = list(dict.fromkeys(printable(text, 200) for text in log.texts("freezing")))[:100]
    error = log.last("freeze_error")
    why = printable(error.text, 200) if error else None
    frozen = log.first("frozen")
    if log.has("freeze_skipped"):
        return _Freeze("skipped", mounts, None, None)
    if frozen is not None:
        seconds = span(frozen.when, _when(_thawed(log, frozen)))
        return _Freeze("thawed_early" if log.has("thaw_late") else "done", mounts, why, seconds)
    if log.has("freeze_timed_out"):
        return _Freeze("timed_out", mounts, why, None)
    if log.has("freeze_failed", "freeze_error"):
        return _Freeze("failed", mounts, why, None)
    if log.has("accepting"):
        if state in ("stuck", "lost"):
            return _Freeze("hung", mounts, why, None)
        return _Freeze(by_health.get(health or 0, "unknown"), mounts, why, None)
    return _Freeze("not_done" if log.complete and state == "finished" else "unknown", mounts, why, None)


def _result(sources: Sources) -> Tuple[Optional[int], Optional[Mark]]:
    """The final code and the mark in the log that carries it."""
    final = sources.log.last("final", "status_unwritten") if sources.log else None
    reported = sources.status.code if sources.status else None
    if reported not in (None, codes.TRANSITIONING):
        return reported, final
    return (int(final.text), final) if final else (reported, None)


def _state(sources: Sources, code: Optional[int], worker: Optional[Process]) -> str:
    if code not in (None, codes.TRANSITIONING):
        return "finished"
    log, status = sources.log, sources.status
    last = _when(log.marks[-1]) if log and log.marks else None
    since = last if last is not None else (status.reported if status else None)
    silence = sources.now - since if since is not None else None
    if worker is None:
        # The agent answers first and starts the daemon seconds later; after that, no process means no run.
        begins = (log is None or not log.has("daemon")) and silence is not None and 0 <= silence < _START_SECONDS
        return "running" if begins else "lost"
    if worker.started is not None and sources.now - worker.started > _LONGEST_RUN:
        return "stuck"
    waits = log is not None and bool(log.marks) and log.marks[-1].name == "accepting"
    return "stuck" if waits and silence is not None and silence > _LONGEST_SILENCE_AFTER_FREEZE else "running"


def _snapshot(sources: Sources, code: Optional[int], state: str) -> Dict[str, Any]:
    log, status = sources.log, sources.status
    by = log.last("snapshot_by", "by") if log else None
    creator = (status.telemetry.get("snapshotCreator", "") if status else "").lower()
    taker = by.text.lower() if by else next((name for name in ("host", "guest") if name in creator), None)
    disks = status.disks if status and status.code != codes.TRANSITIONING else []
    if not disks and log:
        disks = [text == "True" for text in log.texts("disk")]
    if code in (codes.APPLICATION, codes.FILE_SYSTEM) or code in _FAILED_AFTER_SNAPSHOT:
        what = "taken"
    elif state != "finished":
        what = "unknown"
    elif log is not None and log.complete and not log.has("snapshot_result", "snapshot_by", "by"):
        what = "not_taken"
    else:
        what = "failed"
    return {
        "by": taker,
        "state": what,
        "disks": len(disks) or None,
        "failed_disks": disks.count(False) if disks else None,
    }


def _reached(sources: Sources, code: Optional[int], freeze: _Freeze, pre: ScriptRun) -> Optional[str]:
    log = sources.log
    unfrozen = freeze.state == "skipped" or bool(sources.status and sources.status.crash_consistent)
    below = "crash" if unfrozen else "file_system"
    if code == codes.APPLICATION:
        # A host file without plugins makes the extension claim what no script has done.
        return (
            below
            if log is not None and log.complete and pre.state == "not_run" and not log.has("workload")
            else "application"
        )
    if code == codes.FILE_SYSTEM:
        return below
    return None if code in (None, codes.ALREADY_PROCESSED, codes.TRANSITIONING) else "none"


def _why(code: int, health: Optional[int], pre: ScriptRun, post: ScriptRun) -> codes.ExtensionCode:
    """The number that explains a run best. Health stays 1 when scripts are refused in silence; then the log knows."""
    for better in (health, pre.code, post.code):
        if better not in (None, codes.APPLICATION, codes.FILE_SYSTEM, codes.TRANSITIONING):
            return codes.describe(better)
    return codes.describe(code)


def describe(sources: Sources) -> Tuple[Optional[Dict[str, Any]], List[Finding]]:
    """The last run as the module returns it, and what is to be said about it."""
    sources = join(sources)
    status, log = sources.status, sources.log
    if status is None and log is None:
        return None, [finding("run.none")]
    code, final = _result(sources)
    health = status.health if status and code == status.code and code != codes.TRANSITIONING else None
    sequence = sources.sequence
    if sequence is None and log:
        sequence = _number(log.last("sequence"))
    worker = daemon(sources.processes, sequence)
    state = _state(sources, code, worker)
    over = state != "running"
    pre = _script_run(log, "pre", health, over)
    post = _script_run(log, "post", health, over)
    freeze = _freeze(log, state, health if health is not None else code)
    reached = _reached(sources, code, freeze, pre)
    known = codes.describe(code) if code is not None else None
    started = _when(log.marks[0]) if log and log.complete else None
    if started is None and log is None and status and code == codes.TRANSITIONING:
        started = status.reported
    ended = _when(final) if final else (status.reported if status and state == "finished" else None)
    workload = log.last("workload") if log else None
    task = status.task if status else None
    logged_task = log.last("task") if log else None
    logged_code = _number(log.last("final")) if log else None
    agree = logged_code == status.code if status and logged_code is not None and status.code is not None else None
    run: Dict[str, Any] = {
        "sequence": sequence,
        "task": task or (logged_task.text if logged_task else None),
        "started": iso(started),
        "ended": iso(ended),
        "seconds": span(started, ended),
        "state": state,
        "code": code,
        "code_name": known.name if known else None,
        "meaning": known.meaning if known else None,
        "health": health,
        "health_name": codes.describe(health).name if health is not None else None,
        "health_state": status.health_state if status and health is not None else None,
        "consistency_reached": reached,
        "hold_seconds": span(pre.started, post.ended),
        "freeze_seconds": freeze.seconds,
        "pre": pre.as_dict(),
        "post": post.as_dict(),
        "freeze": {"state": freeze.state, "mounts": freeze.mounts, "error": freeze.error},
        "snapshot": _snapshot(sources, code, state),
        "sources": {
            "status": sources.status_path,
            "log": sources.log_path,
            "log_complete": log.complete if log else None,
            "agree": agree,
        },
        "linux": {
            "message": status.message if status else None,
            "fixable": known.fixable if known else None,
            "python_2": log.python_2 if log else None,
            "workload": printable(workload.text, 40) if workload else None,
            "telemetry": status.telemetry if status else {},
        },
    }
    return run, _findings(sources, run, pre, post, freeze, worker)


def _findings(
    sources: Sources,
    run: Dict[str, Any],
    pre: ScriptRun,
    post: ScriptRun,
    freeze: _Freeze,
    worker: Optional[Process],
) -> List[Finding]:
    found = []
    log, code, state = sources.log, run["code"], run["state"]
    last = log.marks[-1] if log and log.marks else None
    evidence = "last mark in the log: {0} at {1}".format(last.name, iso(last.when)) if last else None
    crashed = log.last("crashed") if log else None
    if state == "running":
        found.append(finding("run.running", evidence))
    elif state == "stuck" and worker is not None:
        began = run["started"] or iso(worker.started)
        found.append(finding("run.stuck", evidence, started=began, pid=worker.pid, log=sources.log_path))
    elif state == "lost":
        found.append(finding("run.lost", evidence))
    elif run["consistency_reached"] == "none":
        why = _why(code, run["health"], pre, post) if code == codes.ERROR else codes.describe(code)
        found.append(
            finding(
                "run.failed",
                crashed.text if crashed else freeze.error or run["linux"]["message"],
                code=code,
                meaning=why.meaning,
                remedy=why.remedy,
            )
        )
    elif code == codes.FILE_SYSTEM:
        why = _why(code, run["health"], pre, post)
        refusal = log.last("refusal") if log else None
        found.append(
            finding(
                "run.not_application_consistent",
                "code {0}, {1}{2}".format(
                    why.code, why.name, ": " + refusal.text if refusal and pre.state == "refused" else ""
                ),
                reached="crash" if run["consistency_reached"] == "crash" else "file-system",
                meaning=why.meaning,
                remedy=why.remedy,
            )
        )
    elif code == codes.APPLICATION and run["consistency_reached"] != "application":
        found.append(finding("run.scripts_never_ran"))
    if run["linux"]["workload"]:
        found.append(finding("run.workload_framework", workload=run["linux"]["workload"]))
    if freeze.state == "hung":
        found.append(finding("run.freeze_hung", evidence))
    if log is not None and pre.started is not None and post.started is None and state != "running":
        found.append(finding("run.post_never_ran", evidence))
    if run["hold_seconds"] is not None and run["hold_seconds"] > _LONG_HOLD:
        found.append(finding("run.hold_was_long", seconds=run["hold_seconds"]))
    if run["sources"]["agree"] is False and sources.status:
        logged = log.last("final") if log else None
        found.append(
            finding("run.sources_disagree", status=sources.status.code, log=logged.text if logged else "nothing")
        )
    if log is not None and not log.complete:
        found.append(finding("run.log_cut", file=sources.log_path))
    return found
