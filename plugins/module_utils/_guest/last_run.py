# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last run of the extension, told from its status file and its log together."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._printable import iso, printable, span
from . import extension_codes as codes
from .extension_log import LoggedRun, Mark
from .extension_status import RunStatus
from .handler import daemon
from .processes import Process

# The agent starts the daemon up to 5 s after it began; the machine may be busy.
_START_SECONDS = 30.0
# A freeze with everything that waits in it ends within 66 + 40 + 40 + 120 s.
_LONGEST_SILENCE_AFTER_FREEZE = 300.0
# Two scripts at the host file's limit, and the snapshot.
_LONGEST_RUN = 2 * 1800.0 + 600.0

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


class Freeze(NamedTuple):
    state: str
    mounts: List[str]
    error: Optional[str] = None
    seconds: Optional[float] = None

    def as_dict(self) -> Dict[str, Any]:
        return {"state": self.state, "mounts": self.mounts, "error": self.error}


class SnapshotTaken(NamedTuple):
    by: Optional[str]
    state: str
    disks: Optional[int]
    failed_disks: Optional[int]

    def as_dict(self) -> Dict[str, Any]:
        return dict(self._asdict())


def _thawed(log: LoggedRun, frozen: Mark) -> Optional[Mark]:
    """The end of the freeze. "Binary Process completed" is logged for every child that ends, the post script too."""
    sent = log.first("thaw_sent")
    since = (sent.when if sent else frozen.when) or 0.0
    ended = next((mark for mark in log.marks if mark.name == "child_ended" and (mark.when or 0.0) >= since), None)
    return ended or sent


def _freeze(log: Optional[LoggedRun], state: str, health: Optional[int]) -> Freeze:
    by_health = {121: "failed", 122: "timed_out", 123: "failed"}
    if log is None:
        return Freeze(by_health.get(health or 0, "unknown"), [])
    mounts = list(dict.fromkeys(printable(text, 200) for text in log.texts("freezing")))[:100]
    error = log.last("freeze_error")
    why = printable(error.text, 200) if error else None
    frozen = log.first("frozen")
    if log.has("freeze_skipped"):
        return Freeze("skipped", mounts)
    if frozen is not None:
        seconds = span(frozen.when, _when(_thawed(log, frozen)))
        return Freeze("thawed_early" if log.has("thaw_late") else "done", mounts, why, seconds)
    if log.has("freeze_timed_out"):
        return Freeze("timed_out", mounts, why)
    if log.has("freeze_failed", "freeze_error"):
        return Freeze("failed", mounts, why)
    if log.has("accepting"):
        if state in ("stuck", "lost"):
            return Freeze("hung", mounts, why)
        return Freeze(by_health.get(health or 0, "unknown"), mounts, why)
    return Freeze("not_done" if log.complete and state == "finished" else "unknown", mounts, why)


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


def _snapshot(sources: Sources, code: Optional[int], state: str) -> SnapshotTaken:
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
    return SnapshotTaken(taker, what, len(disks) or None, disks.count(False) if disks else None)


def _reached(sources: Sources, code: Optional[int], freeze: Freeze, pre: ScriptRun) -> Optional[str]:
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


class LastRun(NamedTuple):
    """The last run of the extension; times are seconds since 1970, None where nothing tells of one."""

    sources: Sources  # those of this run
    sequence: Optional[int]
    state: str  # running, finished, lost or stuck
    code: Optional[int]
    health: Optional[int]
    started: Optional[float]
    ended: Optional[float]
    reached: Optional[str]  # application, file_system, crash or none
    pre: ScriptRun
    post: ScriptRun
    freeze: Freeze
    snapshot: SnapshotTaken
    worker: Optional[Process]

    @property
    def hold_seconds(self) -> Optional[float]:
        return span(self.pre.started, self.post.ended)

    @property
    def task(self) -> Optional[str]:
        status, log = self.sources.status, self.sources.log
        logged = log.last("task") if log else None
        return (status.task if status else None) or (logged.text if logged else None)

    @property
    def workload(self) -> Optional[str]:
        mark = self.sources.log.last("workload") if self.sources.log else None
        return printable(mark.text, 40) if mark else None

    @property
    def agree(self) -> Optional[bool]:
        """Whether status and log name the same final code."""
        status, log = self.sources.status, self.sources.log
        logged = _number(log.last("final")) if log else None
        return logged == status.code if status and logged is not None and status.code is not None else None

    def as_dict(self) -> Dict[str, Any]:
        status, log = self.sources.status, self.sources.log
        known = codes.code_entry(self.code) if self.code is not None else None
        return {
            "sequence": self.sequence,
            "task": self.task,
            "started": iso(self.started),
            "ended": iso(self.ended),
            "seconds": span(self.started, self.ended),
            "state": self.state,
            "code": self.code,
            "code_name": known.name if known else None,
            "meaning": known.meaning if known else None,
            "health": self.health,
            "health_name": codes.code_entry(self.health).name if self.health is not None else None,
            "health_state": status.health_state if status and self.health is not None else None,
            "consistency_reached": self.reached,
            "hold_seconds": self.hold_seconds,
            "freeze_seconds": self.freeze.seconds,
            "pre": self.pre.as_dict(),
            "post": self.post.as_dict(),
            "freeze": self.freeze.as_dict(),
            "snapshot": self.snapshot.as_dict(),
            "sources": {
                "status": self.sources.status_path,
                "log": self.sources.log_path,
                "log_complete": log.complete if log else None,
                "agree": self.agree,
            },
            "linux": {
                "message": status.message if status else None,
                "fixable": known.fixable if known else None,
                "python_2": log.python_2 if log else None,
                "workload": self.workload,
                "telemetry": status.telemetry if status else {},
            },
        }


def _started(sources: Sources, code: Optional[int]) -> Optional[float]:
    status, log = sources.status, sources.log
    if log is not None:
        return _when(log.marks[0]) if log.complete else None
    return status.reported if status and code == codes.TRANSITIONING else None


def last_run_of(sources: Sources) -> Optional[LastRun]:
    """The last run, None where neither status nor log tells of one."""
    sources = join(sources)
    status, log = sources.status, sources.log
    if status is None and log is None:
        return None
    code, final = _result(sources)
    health = status.health if status and code == status.code and code != codes.TRANSITIONING else None
    sequence = sources.sequence
    if sequence is None and log:
        sequence = _number(log.last("sequence"))
    worker = daemon(sources.processes, sequence)
    state = _state(sources, code, worker)
    pre = _script_run(log, "pre", health, state != "running")
    freeze = _freeze(log, state, health if health is not None else code)
    return LastRun(
        sources,
        sequence,
        state,
        code,
        health,
        _started(sources, code),
        _when(final) if final else (status.reported if status and state == "finished" else None),
        _reached(sources, code, freeze, pre),
        pre,
        _script_run(log, "post", health, state != "running"),
        freeze,
        _snapshot(sources, code, state),
        worker,
    )
