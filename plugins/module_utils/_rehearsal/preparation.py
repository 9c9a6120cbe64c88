# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the module's options to a rehearsal, and from what came of it to the module's answer."""

import configparser
import contextlib
import fcntl
import os
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from .._finding import Finding, ranked
from .._guest import agent, handler, plugin_check
from .._guest import extension_codes as codes
from .._guest.extension_environment import AgentEnvironment, surroundings
from .._guest.files import FOUND, read_head, read_tail
from .._guest.plugin_check import PluginPlan, Script
from .._guest.processes import processes_of_root
from .._printable import printable
from . import probe
from .course import CANNOT_TELL, NOT_RUN, WRITTEN, Course, ProbeResult, World, argv_of
from .findings import finding
from .processes import CourseOutcome, in_own_processes, run_here
from .verdict import as_dict, would_report

LOCK = "/run/appconsistent-rehearsal.lock"
# Azure's names for what is asked for -> what of the guest's own words is enough.
_ENOUGH = {
    "ApplicationConsistent": ("application",),
    "FileSystemConsistent": ("application", "file_system"),
    "CrashConsistent": ("application", "file_system", "crash"),
}
# The scripts' own log of the run, in memory. Source: hold.sh
_SCRIPT_LOG = "appconsistent/log"


class RehearsalResult(NamedTuple):
    rehearsal: Dict[str, Any]
    problem: Optional[str]  # why the task is to fail


class _NoLock(Exception):
    """The text says why."""


Conduct = Callable[[Callable[[World], Dict[str, Any]], AgentEnvironment, List[int]], CourseOutcome]


class RehearsalGuest(NamedTuple):
    """The machine, as far as it has to be replaced in a test."""

    root: str = "/"
    uid: int = 0
    conduct: Conduct = in_own_processes
    deployed_probes: Callable[[float], List[ProbeResult]] = probe.deployed
    root_uid: int = 0

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))


class Preparation(NamedTuple):
    plan: PluginPlan
    around: AgentEnvironment
    findings: List[Finding]
    refusal: Optional[Finding]


def _workload(guest: RehearsalGuest) -> str:
    file = read_head(guest.path("/etc/azure"), "workload.conf", 1 << 16)
    config = configparser.ConfigParser()
    try:
        config.read_string(file.data.decode("utf-8") if file.state == FOUND else "")
        return config.get("workload", "workload_name", fallback="")
    except (ValueError, configparser.Error):
        return ""


def _refusal(guest: RehearsalGuest, plan: PluginPlan) -> Optional[Finding]:
    if guest.uid != 0:
        return finding("rehearsal.not_root")
    workload = _workload(guest)
    if workload:
        return finding("rehearsal.workload_active", workload=workload)
    if plan.code != codes.APPLICATION:
        return finding("rehearsal.refused", plan.reason, known=codes.code_entry(plan.code))
    if plan.plugins <= 0:
        return finding("rehearsal.no_plugin", path=plan.host_path)
    if plan.plugins > 1 or plan.plugin_name != plugin_check.SHIPPED_PLUGIN:
        return finding("rehearsal.other_plugins", path=plan.host_path)
    return None


def prepare(guest: RehearsalGuest) -> Preparation:
    """What would be run, and why not, if it would not."""
    conf = agent.settings(guest.path("/etc"))
    lib_dir = guest.path(agent.folder_setting(conf, "Lib.Dir", agent.LIB_DIR))
    current = handler.current(handler.versions(lib_dir))
    plan = plugin_check.check(
        current.folder if current else None,
        guest.path(plugin_check.HOST_OVERRIDE),
        guest.path(plugin_check.SHIPPED_CONFIG),
    )
    processes = processes_of_root(guest.path("/proc"), None, guest.root_uid)
    process = agent.find_process(processes, guest.path("/run"))
    sequence = handler.sequences(current).last if current else None
    around = surroundings(
        process.pid if process else None,
        current.folder if current else None,
        current.version if current else None,
        sequence,
        guest.path("/proc"),
    )
    found = []
    if current is None:
        found.append(finding("rehearsal.no_extension"))
    if not around.from_agent:
        found.append(finding("rehearsal.no_agent"))
    refusal = _refusal(guest, plan)
    daemon = handler.daemon(processes)
    if refusal is None and daemon is not None:
        refusal = finding("rehearsal.snapshot_runs", pid=daemon.pid)
    return Preparation(plan, around, found, refusal)


def _shown_command(script: Optional[Script]) -> Optional[List[str]]:
    if script is None:
        return None
    # How many parameters, not which: a careless author may have put a password there.
    return ["sh", printable(script.path or "")] + ["********"] * len(script.params or [])


def _described(ready: Preparation) -> Dict[str, Any]:
    plan = ready.plan
    return {
        "check": {
            "code": plan.code,
            "code_name": codes.code_entry(plan.code).name,
            "reason": printable(plan.reason) or None,
        },
        "commands": {"pre": _shown_command(plan.pre), "post": _shown_command(plan.post)},
        "settings": {
            "timeout": plan.timeout,
            "poll": plan.poll,
            "continue_on_failure": bool(plan.continue_on_failure),
            "freeze": plan.freeze,
            "config": plan.config_path,
            "host": plan.host_path,
        },
        "surroundings": {
            "folder": ready.around.folder,
            "umask": "{0:04o}".format(ready.around.umask),
            "environment": sorted(printable(name, 100) for name in ready.around.environment)[:200],
            "from_agent": ready.around.from_agent,
        },
    }


def _not_run(ready: Preparation) -> Dict[str, Any]:
    refused = ready.plan.code != codes.APPLICATION or ready.plan.plugins <= 0
    return {
        "ran": False,
        "pre": NOT_RUN.as_dict(),
        "post": NOT_RUN.as_dict(),
        "window_seconds": 0.0,
        "hold_seconds": None,
        # What a refusal would lead to is known without running anything.
        "would_report": as_dict(would_report(ready.plan, 0, None)) if refused else None,
        "probes": [],
        "released": None,
        "released_by": None,
    }


@contextlib.contextmanager
def _alone(path: str) -> Iterator[int]:
    """Two rehearsals at once would each find the other's hold."""
    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _NoLock("it cannot be opened: {0}".format(os.strerror(error.errno or 0))) from error
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _NoLock("another rehearsal holds it") from error
        yield opened
    finally:
        os.close(opened)


def _script_log(guest: RehearsalGuest) -> List[str]:
    """What the deployed scripts said of this run."""
    text = read_tail(guest.path("/run"), _SCRIPT_LOG, 1 << 14).data.decode("utf-8", "replace")
    return [printable(line, 300) for line in text.splitlines()[-60:]]


def _after_a_kill(ready: Preparation, outcome: CourseOutcome, write: Callable[[], List[ProbeResult]]) -> Dict[str, Any]:
    """The process that rehearsed is gone. Its guardian ran post; if it is gone too, that is left to us."""
    post = ready.plan.post
    path = post.path if post else ""
    if outcome.guardian_status is not None:
        found = [finding("rehearsal.runner_killed", outcome.fault, status=outcome.guardian_status)]
    else:
        found = [finding("rehearsal.runner_vanished", outcome.fault, path=path)]
        if post is not None:
            run_here(argv_of(post), ready.around, ready.plan.timeout)
    after = write()
    states = {result.state for result in after}
    released: Optional[bool] = True if states == {WRITTEN} else None
    for result in after:
        if result.state not in (WRITTEN, CANNOT_TELL):
            released = False
            found.append(finding("rehearsal.not_released", result.said, name=result.name))
    return dict(
        _not_run(ready),
        ran=True,
        probes=[{"name": r.name, "before": None, "after": r.state, "said": r.said or None} for r in after],
        released=released,
        released_by="guardian" if outcome.guardian_status is not None else "module",
        findings=[each.as_dict() for each in found],
    )


# What a probe said is the cause; of the others the message has it.
_OF_A_PROBE = ("rehearsal.not_released", "rehearsal.not_writable_before")


def _problem(result: Dict[str, Any], minimum: str) -> Optional[str]:
    """Why the task is to fail, in one sentence and what to do, or None."""
    findings = result["findings"]
    report_ = result["would_report"]
    if result["released"] is False:
        worst = next(each for each in findings if each["code"] == "rehearsal.not_released")
    elif result["ran"] and report_ and report_["consistency_reached"] in _ENOUGH[minimum]:
        return None
    elif findings and findings[0]["severity"] == "error":
        worst = findings[0]
    else:
        return "Less than {0} would be reached. Read the result's findings.".format(minimum)
    said = worst["evidence"] if worst["code"] in _OF_A_PROBE else None
    return " ".join(filter(None, (worst["message"], said and "It said: {0}.".format(said), worst["remedy"])))


def rehearse(params: Dict[str, Any], guest: RehearsalGuest, check_mode: bool) -> RehearsalResult:
    """Look, refuse or run, and judge."""
    ready = prepare(guest)
    refusal = ready.refusal
    result: Optional[Dict[str, Any]] = None
    seconds = params["probe_timeout"]

    def write() -> List[ProbeResult]:
        results = guest.deployed_probes(seconds)
        return results + ([probe.command(params["probe"], seconds)] if params["probe"] else [])

    def work(world: World) -> Dict[str, Any]:
        return Course(ready.plan, params["window"], write, world).run()

    if refusal is None and not check_mode:
        try:
            with _alone(guest.path(LOCK)) as lock:
                outcome = guest.conduct(work, ready.around, [lock])
                result = outcome.result or _after_a_kill(ready, outcome, write)
        except _NoLock as error:
            refusal = finding("rehearsal.no_lock", path=LOCK, reason=error)
    refused = [refusal] if refusal else []
    found = [each.as_dict() for each in ranked(refused + ready.findings)] + (result["findings"] if result else [])
    found.sort(key=lambda each: ("error", "warning", "info").index(str(each["severity"])))
    answer = dict(_described(ready), **(result or _not_run(ready)))
    answer.update(findings=found, log=_script_log(guest) if result and result["ran"] else [])
    if check_mode and refusal is None:
        return RehearsalResult(answer, None)
    return RehearsalResult(answer, _problem(answer, params["minimum_consistency"]))
