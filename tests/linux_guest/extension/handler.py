"""What the extension keeps on disk: its folder, state, settings and status files."""

from __future__ import annotations

import base64
import json
import shutil
import time
from pathlib import Path

from . import codes, knobs, plugin_host
from .log import HANDLER

VERSION = "1.0.9236.0"
_IDENTITY = "FD76C85E-406F-4CFA-8EB0-CF18B123358B"
_LAUNCHER = """\
# Stand-in for the extension's own daemon: the emulation in tests/linux_guest.
import sys

sys.path.insert(0, {project!r})
from tests.linux_guest.extension import daemon

sys.exit(daemon.main())
"""
_HANDLE_SH = """\
#!/bin/sh
# Stand-in: the emulation's agent starts main/handle.py by itself.
exit 0
"""


class Handler:
    """The installed extension below one agent's folder."""

    def __init__(self, agent_folder: Path, log_parent: Path, azure_folder: Path) -> None:
        self._agent_folder = agent_folder
        self._azure = azure_folder
        self.folder = agent_folder / f"{HANDLER}-{VERSION}"
        self.log_folder = log_parent / HANDLER

    @property
    def installed(self) -> bool:
        state = self.folder / "config/HandlerState"
        return state.is_file() and state.read_text().strip() == "Enabled"

    def install(self, project: str) -> None:
        self._agent_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in ("config", "status", "main"):
            (self.folder / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.log_folder / "events").mkdir(mode=0o755, parents=True, exist_ok=True)
        plugin_host.write_shipped_host_file(self.folder)
        _write(self.folder / "main/handle.py", _LAUNCHER.format(project=project), 0o744)
        _write(self.folder / "main/handle.sh", _HANDLE_SH, 0o744)
        _write_json(self.folder / "HandlerManifest.json", [self._manifest()])
        _write_json(self.folder / "HandlerEnvironment.json", [self._environment()])
        knobs.install_workload_template(self._azure)
        self.set_state("Enabled", ready=True)

    def uninstall(self) -> None:
        """What the agent does: /etc/azure and the logs stay."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def set_state(self, state: str, *, ready: bool) -> None:
        _write(self.folder / "config/HandlerState", state, 0o600)
        status = {
            "name": HANDLER,
            "version": VERSION,
            "status": "Ready" if ready else "NotReady",
            "code": 0,
            "message": "Plugin enabled" if ready else "Plugin disabled",
            "supports_multi_config": False,
            "extension_status": None,
        }
        _write(self.folder / "config/HandlerStatus", json.dumps(status), 0o600)

    def next_number(self) -> int:
        numbers = [
            int(path.stem)
            for pattern in ("config/*.settings", "status/*.status")
            for path in self.folder.glob(pattern)
            if path.stem.isdigit()
        ]
        return max(numbers, default=-1) + 1

    def write_settings(self, number: int, task_id: str) -> None:
        """The settings of one run, without the protected part: the extension removes that once it has read it."""
        for old, kind in (("config", "settings"), ("status", "status")):
            for path in (self.folder / old).glob(f"*.{kind}"):
                if path.stem.isdigit():
                    path.rename(path.with_name(f"{path.stem}_{kind}"))
        custom = {
            "takeSnapshotFrom": "onlyHost",
            "isManagedVm": True,
            "backupTaskId": task_id,
            "backupRetryCount": 0,
            "canTakeCrashConsistentSnapshot": False,
        }
        # .NET ticks: tenths of a microsecond since the year 1.
        ticks = 621355968000000000 + int(time.time() * 10_000_000)
        public = {
            "commandToExecute": "snapshot",
            "taskId": task_id,
            "locale": "en-us",
            "vmType": "microsoft.compute/virtualmachines",
            "commandStartTimeUTCTicks": str(ticks),
            "objectStr": base64.b64encode(b"{}").decode(),
            "customSettings": json.dumps(custom),
        }
        settings = {"runtimeSettings": [{"handlerSettings": {"publicSettings": public}}]}
        _write(self.folder / f"config/{number}.settings", json.dumps(settings), 0o600)
        _write(self.folder / "mrseq", str(number), 0o600)

    def same_task(self, task_id: str) -> bool:
        """Whether this task was the last one that ran; remembers it."""
        path = self.folder / f"task_identity_{_IDENTITY}"
        if path.is_file() and path.read_text() == task_id:
            return True
        _write(path, task_id, 0o600)
        return False

    def write_status(
        self, number: int, task_id: str, *, code: int, health: int, message: str, details: Details
    ) -> None:
        """Status N. The outer status is "success" whatever happened; the code and the inner report tell the truth."""
        good = code in {codes.SUCCESS, codes.SUCCESS_APPLICATION_CONSISTENT, codes.RUNNING}
        spoken = json.dumps(
            {
                "messageStr": message,
                # Always 0: the extension compares a string with a number.
                "snapshotConsistency": 0,
                "jobMessage": None,
                "isSizeComputationFailed": False,
            }
        )
        telemetry = {
            "extErrorCode": codes.NAMES[health],
            "extensionVersion": VERSION,
            "guestAgentVersion": "2.15.0.0",
            "consistencyType": "none",
            **details,
        }
        report = {
            "version": "1.0",
            "timestampUTC": f"/Date({int(time.time() * 1000)})/",
            "status": {
                "name": HANDLER,
                "operation": "Enable",
                "status": "success" if good else "error",
                "code": str(code),
                "taskId": task_id,
                "formattedMessage": {"lang": "en-US", "message": spoken},
                "telemetryData": [{"Key": key, "Value": value} for key, value in telemetry.items()],
                "snapshotInfo": [{"isSuccessful": good, "snapshotUri": None, "errorMessage": None, "blobUri": None}],
                "vmHealthInfo": {"vmHealthState": codes.health_state(health), "vmHealthStatusCode": health},
            },
        }
        status = {
            "version": "1.0",
            "timestampUTC": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "status": {
                "name": HANDLER,
                "operation": "Enable",
                "status": "success",
                "code": str(code),
                "taskId": task_id,
                "formattedMessage": {"lang": "en-US", "message": spoken},
                "substatus": [
                    {
                        "name": json.dumps(report),
                        "status": "success",
                        "code": 0,
                        "formattedMessage": {"lang": "en-US", "message": ""},
                    }
                ],
                "storageDetails": {
                    "partitionCount": 1,
                    "totalUsedSizeInBytes": 0,
                    "isStoragespacePresent": False,
                    "isSizeComputationFailed": False,
                },
            },
        }
        temporary = self.folder / "status/tempStatusFile.status"
        _write(temporary, json.dumps([status]), 0o600)
        temporary.rename(self.folder / f"status/{number}.status")

    def _manifest(self) -> dict[str, object]:
        commands = {
            f"{verb}Command": f"main/handle.sh {verb}" for verb in ("install", "enable", "disable", "uninstall")
        }
        return {
            "name": HANDLER,
            "version": 1.0,
            "handlerManifest": {
                **commands,
                "updateCommand": "main/handle.sh update",
                "rebootAfterInstall": False,
                "reportHeartbeat": False,
            },
        }

    def _environment(self) -> dict[str, object]:
        return {
            "name": HANDLER,
            "version": 1.0,
            "handlerEnvironment": {
                "logFolder": str(self.log_folder),
                "configFolder": str(self.folder / "config"),
                "statusFolder": str(self.folder / "status"),
                "heartbeatFile": str(self.folder / "heartbeat.log"),
                "eventsFolder": str(self.log_folder / "events"),
                "eventsFolder_preview": str(self.log_folder / "events"),
            },
        }


Details = dict[str, str]


def _write(path: Path, text: str, mode: int) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _write_json(path: Path, value: object) -> None:
    _write(path, json.dumps(value, indent=2), 0o600)
