"""Freeze, copy, thaw: what the extension does between pre and post."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from .. import images
from ..safe_freeze import SafeFreeze
from . import codes, log
from .knobs import Knobs
from .pace import Pace
from .request import Request
from .run_record import RunRecord

_LOCK = Path("MicrosoftRecoverySvcsSafeFreezeLock/SafeFreezeLockFile")
_LOCK_TRIES = 5
_LOCK_LAST_WAIT = 30.0
# Fixed in the extension, before it starts the freeze binary.
_SLEEP_BEFORE_FREEZE = 3.0
_STEP = 1.0
# How long a thaw may take before we call the freezer lost.
_THAW_WAIT = 30.0


class DaemonHangs(Exception):
    """The extension would now wait for ever."""


@dataclass(frozen=True)
class Disk:
    """The data disk as the run sees it: where it is mounted, and the image behind it, "Azure's" side of it."""

    mount_point: Path
    image: int
    copies: int

    def copy(self, name: str, halfway: Callable[[], None] | None = None) -> None:
        target = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self.copies)
        try:
            images.copy(self.image, target, halfway)
        finally:
            os.close(target)


def copy_at_once(disk: Disk, name: str, freezer: SafeFreeze, record: RunRecord) -> None:
    """A crash-consistent point: no agent, no scripts. Azure copies all blocks at one instant; a freeze stands in for
    that, as a file cannot be copied at one instant here."""
    mount_point = os.open(disk.mount_point, os.O_RDONLY | os.O_DIRECTORY)
    try:
        record.mark("freeze_called_at")
        refused = freezer.freeze(mount_point, 60.0, 66.0)
        if refused:
            raise OSError(refused, os.strerror(refused))
        record.mark("frozen_at")
        try:
            disk.copy(name)
            record.mark("copied_at")
        finally:
            record.mark("thaw_called_at")
            freezer.thaw(_THAW_WAIT)
            record.mark("thawed_at")
    finally:
        os.close(mount_point)


class Snapshotter:
    def __init__(
        self,
        disk: Disk,
        freezer: SafeFreeze,
        *,
        azure_folder: Path,
        knobs: Knobs,
        pace: Pace,
        write: log.ExtensionLog,
        record: RunRecord,
        request: Request,
    ) -> None:
        self._disk = disk
        self._freezer = freezer
        self._azure = azure_folder
        self._knobs = knobs
        self._pace = pace
        self._log = write
        self._record = record
        self._request = request
        self.copied = False

    def take(self, *, freeze: object) -> int:
        """The whole of it. `freeze` is the JSON's value, whatever its type: what counts is its truth."""
        self._log("Taking Snapshot through Host")
        self._log(f"T:S freeze, timeout value {self._knobs.thaw_after:g}")
        self._log(f"skip freeze is : {not freeze}")
        # A skipped mount and a torn copy asked for by a test look the same to the log: frozen, with nothing to freeze.
        if freeze:
            with ExitStack() as stack:
                code = self._take_frozen(stack)
        else:
            code = self._copy()
        status = "success" if code == codes.SUCCESS else "error"
        self._log(
            f"doFreezeSnapshot : run_result - {code} run_status - {status} all_failed - "
            f"{code == codes.NO_NETWORK} unable_to_sleep - False is_inconsistent - {code == codes.ERROR} "
            "values post snapshot"
        )
        return code

    def _take_frozen(self, stack: ExitStack) -> int:
        started = log.now()
        mounts = [] if self._skipped() else [str(self._disk.mount_point)]
        self._log(f"arg : {['./main/safefreeze/bin/safefreeze', f'{self._knobs.thaw_after:g}', *mounts]}")
        self._log("proceeded for accepting signals")
        self._log.keep()
        if not self._lock(stack):
            return self._freeze_refused("Unable to acquire the lock\n")
        self._log("Aquired Lock Successful")
        time.sleep(self._pace.wait(_SLEEP_BEFORE_FREEZE))
        self._log("****** 1. Starting Freeze Binary ")
        binary = [_local("****** 2. Binary Freeze Started")]
        refused = self._freeze(binary, mounts)
        if refused:
            self._log("****** 9. Binary Process completed (Signal=2 received)")
            reason = os.strerror(refused)
            binary.append(_local(f"Failed to FIFREEZE: {self._disk.mount_point} with error message: {reason}"))
            binary.append(_local(f"Thawing: {self._disk.mount_point}"))
            time.sleep(self._pace.wait(_STEP))
            for line in binary:
                self._log(line)
            return self._freeze_refused("freeze failed for some mount\n")
        binary.append(_local("****** 3. Binary Freeze Completed"))
        self._log("****** 4. Freeze Completed (Signal=1 received)")
        time.sleep(self._pace.wait(_STEP))
        ended = log.now()
        self._log(
            f"T:S ***** freeze, time_before_freeze={_plain(started)}, time_after_freeze={_plain(ended)}, "
            f"freezeTimeTaken={ended - started}"
        )
        try:
            code = self._copy()
        finally:
            in_time = self._thaw(mounts)
        if not in_time:
            self._log("****** 7. Error - Binary Process Already Completed", "Error")
            code = codes.ERROR
        self._log("****** 9. Binary Process completed (Signal=2 received)")
        binary.append(_local("****** 8. Binary Thaw Signal Received" if in_time else "Failed to receive timely Thaw"))
        binary += [_local(f"Thawing: {mount}") for mount in mounts]
        time.sleep(self._pace.wait(_STEP))
        self._log.release(complete=True)
        for line in binary:
            self._log(line)
        self._log("T:S thaw result " + ("" if in_time else "Failed to receive timely Thaw"))
        return code

    def _skipped(self) -> bool:
        return str(self._disk.mount_point) in self._knobs.mounts_to_skip

    def _lock(self, stack: ExitStack) -> bool:
        """One freeze at a time on a machine, by a lock file that stays."""
        path = self._azure / _LOCK
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = stack.enter_context(path.open("w"))
        for attempt in range(1, _LOCK_TRIES + 1):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if attempt == _LOCK_TRIES:
                    return False
                last = attempt == _LOCK_TRIES - 1
                time.sleep(self._pace.wait(_LOCK_LAST_WAIT if last else _STEP))
            else:
                return True
        return False

    def _freeze(self, binary: list[str], mounts: list[str]) -> int:
        fault = self._request.fault
        if fault == "freeze_hangs":
            time.sleep(self._pace.limit(self._knobs.wait_for_freeze))
            raise DaemonHangs("The freeze did not end, and the extension waits for it for ever.")
        self._record.mark("freeze_called_at")
        if fault == "freeze_busy":
            return errno.EBUSY
        binary += [_local(f"Freezing: {mount}") for mount in mounts]
        if mounts and fault != "copy_unfrozen":
            mount_point = os.open(self._disk.mount_point, os.O_RDONLY | os.O_DIRECTORY)
            try:
                refused = self._freezer.freeze(
                    mount_point,
                    self._pace.limit(self._knobs.thaw_after),
                    self._pace.limit(self._knobs.wait_for_freeze),
                )
            except TimeoutError as error:
                raise DaemonHangs("The freeze did not end in time, and the extension waits for it for ever.") from error
            finally:
                os.close(mount_point)
            if refused:
                return refused
        self._record.mark("frozen_at")
        return 0

    def _freeze_refused(self, message: str) -> int:
        name = codes.NAMES[codes.FREEZE_FAILED]
        self._log(message.rstrip(), "Error")
        self._log(f"T:S freeze result {message}, timedout :False")
        self._log(f"T:S Enable failed with error: {message} StatusCode.{name},", "Warning")
        return codes.FREEZE_FAILED

    def _copy(self) -> int:
        request = self._request
        self._log("T:S doing snapshot now...")
        self._log("****** 5. Snaphotting (Host) Started")
        if request.fault == "slow_snapshot":
            time.sleep(request.fault_seconds)
        failed = {
            "snapshot_error": codes.NO_NETWORK,
            "snapshot_rate": codes.RATE_EXCEEDED,
            "host_error": codes.HOST_SERVER_ERROR,
        }.get(request.fault or "")
        if failed is None:
            torn = request.fault == "copy_unfrozen"
            pause = partial(time.sleep, request.fault_seconds)
            self._disk.copy(f"{request.task_id}.img", pause if torn else None)
            self.copied = True
            self._record.mark("copied_at")
        self._log("****** 6. Snaphotting (Host) Completed")
        self._log(f"From Host- IsSuccessful:{failed is None}, SnapshotUri:None")
        return codes.SUCCESS if failed is None else failed

    def _thaw(self, mounts: list[str]) -> bool:
        if self._request.fault == "daemon_killed_while_frozen":
            os.kill(os.getpid(), 9)
        self._log("****** 7. Sending Thaw Signal to Binary")
        self._record.mark("thaw_called_at")
        in_time = True
        if mounts and self._request.fault != "copy_unfrozen":
            in_time = self._freezer.thaw(_THAW_WAIT)
        self._record.mark("thawed_at")
        return in_time


def _local(text: str) -> str:
    """The freeze binary stamps its own lines, in local time."""
    return f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}"  # noqa: DTZ005


def _plain(moment: datetime) -> str:
    return str(moment.replace(tzinfo=None))
