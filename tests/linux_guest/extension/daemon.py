"""One run of the extension, in its order: enable, checks, pre, freeze, snapshot, thaw, post, status.

Runs as a process of its own in the handler's folder, as root, with the agent's environment. The agent hands over two
sockets: the one to tell it what happens, and a session with the process that freezes and thaws.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import traceback
from pathlib import Path

from ..engines import DISK
from ..safe_freeze import SafeFreeze
from . import codes, handler, knobs, log, script
from .handler import Handler
from .pace import Pace
from .plugin_host import PhaseResult, PluginHost
from .request import Request
from .run_record import Moment, RunRecord
from .snapshot import DaemonHangs, Disk, Snapshotter

# How the agent hands over open files and the order; taken out of the environment before anything is run.
ORDER = "GUEST_RUN_ORDER"
AZURE_FOLDER = Path("/etc/azure")
AGENT_FOLDER = Path("/var/lib/waagent")
LOG_PARENT = Path("/var/log/azure")
_RANDOM_SLEEP = (0.5, 5.0)
_FAULT_STEP = 0.005


class Daemon:
    def __init__(self, order: dict[str, object]) -> None:
        self._channel = socket.socket(fileno=int(str(order["channel"])))
        freezer = SafeFreeze(socket.socket(fileno=int(str(order["freezer"]))))
        self._number = int(str(order["number"]))
        self._pace = Pace(float(str(order["waits"])), float(str(order["limits"])))
        self._request = Request(**json.loads(str(order["request"])))
        self._handler = Handler(AGENT_FOLDER, LOG_PARENT, AZURE_FOLDER)
        self._knobs = knobs.read_knobs(AZURE_FOLDER)
        self._log = log.ExtensionLog(
            self._handler.log_folder, enabled=self._knobs.write_log, drop_while_frozen=self._knobs.drop_while_frozen
        )
        self._record = RunRecord(self._tell)
        self._snapshotter = Snapshotter(
            Disk(DISK, int(str(order["image"])), int(str(order["copies"]))),
            freezer,
            azure_folder=AZURE_FOLDER,
            knobs=self._knobs,
            pace=self._pace,
            write=self._log,
            record=self._record,
            request=self._request,
        )
        self._code = codes.SUCCESS
        self._health: int | None = None
        self._message = ""
        self._details: handler.Details = {}

    def run(self) -> None:
        if not self._enable():
            self._end(codes.ALREADY_PROCESSED, codes.ALREADY_PROCESSED, error="This task id was the last one that ran.")
            return
        try:
            self._work()
        except DaemonHangs as error:
            self._end(codes.RUNNING, codes.RUNNING, error=str(error))
            return
        except Exception as error:
            self._log(f"Failed to enable the extension with error: {error}, stack trace: {traceback.format_exc()}")
            self._code = codes.ERROR
            self._health = codes.ERROR
            self._message = f"Enable failed.{error}"
        self._report()

    def _tell(self, words: dict[str, object]) -> None:
        self._channel.send(json.dumps(words).encode())

    def _end(self, code: int, health: int, *, error: str | None) -> None:
        good = code in {codes.SUCCESS, codes.SUCCESS_APPLICATION_CONSISTENT}
        image = f"{self._request.task_id}.img" if good and self._snapshotter.copied else None
        self._tell(self._record.final(code=code, health=health, image=image, error=error))

    def _enable(self) -> bool:
        """The agent's call, which ends at once and leaves the daemon to work."""
        task = self._request.task_id
        self._log.first(f"try_parse_context : Sequence Number received {self._number}")
        self._log(f"sequence number from environment variable is {self._number}")
        self._log("starting enable")
        self._log(f"taskId: {task}")
        seconds = random.uniform(*_RANDOM_SLEEP)
        self._log(f"Sleeping for milliseconds: {int(seconds * 1000)}")
        time.sleep(self._pace.wait(seconds))
        if self._handler.same_task(task):
            self._log(f"TaskId is same as last, so skip with Processed Status, current:{task}== last:{task}")
            return False
        self._interim()
        return True

    def _interim(self) -> None:
        message = "Transitioning state in extension"
        self._handler.write_status(
            self._number,
            self._request.task_id,
            code=codes.RUNNING,
            health=codes.RUNNING,
            message=message,
            details=self._details,
        )
        self._log(f"Enable,success,{codes.RUNNING},{message},False")

    def _work(self) -> None:
        self._log("starting daemon initially")
        log.shell_line(self._handler.log_folder, "/usr/bin/python3 is used")
        if self._request.fault == "too_late":
            self._code, self._message = codes.TOO_LATE, "CRP timeout limit has reached, will not take snapshot."
            self._log(self._message)
            return
        workload = knobs.read_workload(AZURE_FOLDER)
        if workload is not None:
            self._run_workload(workload)
        else:
            self._run_scripts()

    def _run_workload(self, workload: knobs.Workload) -> None:
        """workload.conf names a database: the scripts are not looked at. Its own SQL is not emulated: a workload that
        would quiesce is reported as one whose quiescing failed."""
        self._log(f"workload backup enabled for workload: {workload.name}")
        if not workload.has_credentials:
            self._health = codes.WORKLOAD_NO_CREDENTIALS
        elif not workload.names_databases:
            self._health = codes.WORKLOAD_QUIESCE_FAILED
        self._code = self._snapshotter.take(freeze=True)
        if self._code == codes.SUCCESS and self._health is None:
            self._succeed()

    def _run_scripts(self) -> None:
        host = PluginHost(
            AZURE_FOLDER,
            self._handler.folder,
            environment=dict(os.environ),
            pace=self._pace,
            log=self._log,
            started=self._script_started,
        )
        checked = host.check()
        refused = checked.code != codes.SUCCESS_APPLICATION_CONSISTENT
        if checked.code not in codes.SILENT:
            self._log("App Consistent Consistent Backup Enabled")
            self._details["isPrePostEnabled"] = "true"
        if refused:
            name = codes.NAMES[checked.code]
            self._log(f"Triggering File System Consistent Backup because of error code StatusCode.{name},")
        go_on = checked.go_on
        pre = post = PhaseResult((), True)
        if not refused:
            pre = self._run_phase(host, script.PRE)
            go_on = pre.go_on
            if not checked.freeze and pre.failed_codes:
                go_on = False
        if go_on:
            self._code = self._snapshotter.take(freeze=checked.freeze)
            if self._request.fault == "post_never_run":
                os.kill(os.getpid(), signal.SIGKILL)
        if not refused:
            post = self._run_phase(host, script.POST)
            if not post.go_on or (not checked.freeze and post.failed_codes):
                go_on = False
        failed = (checked.code,) * refused + pre.failed_codes + post.failed_codes
        if not go_on and failed and self._code == codes.SUCCESS:
            self._code = failed[0]
            self._message = f"Plugin host or script failed. StatusCode.{codes.NAMES[failed[0]]},"
            self._log(self._message)
        if checked.code not in codes.SILENT and failed and self._code == codes.SUCCESS:
            # The first one that is set stays; a failed snapshot has set its own by now.
            self._health = failed[0]
        if self._code == codes.SUCCESS and not failed:
            self._succeed()

    def _run_phase(self, host: PluginHost, phase: script.Phase) -> PhaseResult:
        before = "pre" if phase is script.PRE else "post"
        result = host.run(phase)
        # For a script that was given up, this is when.
        self._record.mark_once(f"{before}_ended", after=f"{before}_started")
        return result

    def _succeed(self) -> None:
        self._code = codes.SUCCESS_APPLICATION_CONSISTENT
        self._message = "Enable Succeeded with App Consistent Snapshot"
        self._log(self._message)

    def _report(self) -> None:
        """The final status. The outer status of a final state is always "success"."""
        health = self._code if self._health is None else self._health
        if self._code in codes.NEVER_REPORTED:
            self._log(f"Failed to log status in extension{self._code}", "Error")
        else:
            self._handler.write_status(
                self._number,
                self._request.task_id,
                code=self._code,
                health=health,
                message=self._message,
                details=self._details,
            )
            good = self._code in {codes.SUCCESS, codes.SUCCESS_APPLICATION_CONSISTENT}
            self._log.final(f"Enable,{'success' if good else 'error'},{self._code},{self._message},False")
        self._log.release(complete=False)
        log.shell_line(self._handler.log_folder, "0 returned from handle.py")
        error = None
        if self._code not in {codes.SUCCESS, codes.SUCCESS_APPLICATION_CONSISTENT}:
            error = self._message or codes.NAMES[self._code]
        self._end(self._code, health, error=error)

    def _script_started(self, phase: script.Phase, process: subprocess.Popen[bytes], moment: Moment) -> None:
        name = "pre" if phase is script.PRE else "post"
        self._record.mark(f"{name}_started", moment)
        threading.Thread(target=self._watch, args=(name, process), daemon=True).start()

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Do to a running script what the test asked for, and note when it ended, closer than the polls do."""
        request = self._request
        started = time.monotonic()
        while True:
            # Reaped by whoever polls first; both see the same status.
            if process.poll() is not None:
                self._record.mark_once(f"{name}_ended", after=f"{name}_started")
                return
            due = time.monotonic() - started >= request.fault_seconds
            if request.fault_path is not None:
                due = Path(request.fault_path).exists()
            if due and request.fault == f"kill_{name}":
                process.kill()
            if due and name == "pre" and request.fault == "daemon_killed_in_pre":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(_FAULT_STEP)


def main() -> int:
    order = json.loads(os.environ.pop(ORDER))
    Daemon(order).run()
    # A script that is still running is left alone; so are the threads that wait for it.
    os._exit(0)
