# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP006, UP035, UP045 - these tests run on the guest's Pythons too, 3.6 and newer
"""A folder that looks like a Linux guest from the inside: agent, extension, logs, processes."""

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from ansible_collections.appconsistent.azure.plugins.module_utils._finding import Finding
from ansible_collections.appconsistent.azure.plugins.module_utils._guest import plugin_check, wire_server
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.guest import Guest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.snapshot import gather

DATA = Path(__file__).parent / "data"
NAME = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
VERSION = "1.0.9216.0"
AGENT = ["python3", "-u", "bin/WALinuxAgent-2.15.0.1-py3.12.egg", "-run-exthandlers"]
SHIPPED_HOST = (
    "[pre_post]\ntimeoutInSeconds = 1800\nnumberOfPlugins = 1\n"
    "pluginName0 = ScriptRunner\npluginPath0 = /etc/azure/\npluginConfigPath0 = {0}\n"
)


def log_text(story: str) -> bytes:
    return (DATA / "extension_logs" / (story + ".log")).read_bytes()


def status_text(story: str) -> bytes:
    return (DATA / "handlers" / (story + ".status")).read_bytes()


class GuestTree:
    """What stands in the tree is added step by step; ``look`` asks the module's core what it sees."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = time.time()
        self.ports = {str(port): "open" for port in wire_server.PORTS}
        self.version_text = ""
        self.lint: List[Finding] = []
        for folder in ("etc/azure", "var/lib/waagent", "var/log/azure", "proc", "usr/bin"):
            (root / folder).mkdir(parents=True)
        (root / "proc/uptime").write_text("1000.0 900.0\n")

    def write(self, path: str, text: Any, mode: int = 0o600) -> Path:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        target.chmod(mode)
        return target

    def agent(self, running: bool = True) -> "GuestTree":
        self.write("usr/sbin/waagent", "", 0o755)
        self.write("lib/systemd/system/walinuxagent.service", "")
        self.write("usr/bin/python3", "", 0o755)
        if running:
            self.process(812, AGENT)
        return self

    def folder(self, version: str = VERSION) -> Path:
        return self.root / "var/lib/waagent" / (NAME + "-" + version)

    def extension(self, version: str = VERSION, state: Optional[str] = "Enabled") -> "GuestTree":
        below = "var/lib/waagent/" + NAME + "-" + version
        if state is not None:
            self.write(below + "/config/HandlerState", state)
        self.write(
            below + "/config/HandlerStatus",
            json.dumps({"name": NAME, "version": version, "status": "Ready", "code": 0, "message": "Plugin enabled"}),
        )
        self.write(below + "/main/VMSnapshotPluginHost.conf", SHIPPED_HOST.format(self.config_path()), 0o744)
        (self.folder(version) / "status").mkdir(exist_ok=True)
        return self

    def config_path(self) -> str:
        return str(self.root / "etc/azure/VMSnapshotScriptPluginConfig.json")

    def scripts(self, **changes: Any) -> "GuestTree":
        """A pair of scripts and their configuration, as they should be."""
        for name in ("pre", "post"):
            self.write("etc/azure/" + name, "exit 0\n", 0o700)
        config: Dict[str, Any] = {
            "pluginName": "ScriptRunner",
            "preScriptLocation": str(self.root / "etc/azure/pre"),
            "postScriptLocation": str(self.root / "etc/azure/post"),
            "preScriptParams": [],
            "postScriptParams": [],
            "preScriptNoOfRetries": 0,
            "postScriptNoOfRetries": 0,
            "timeoutInSeconds": 120,
            "continueBackupOnFailure": True,
            "fsFreezeEnabled": True,
            "ScriptsExecutionPollTimeSeconds": 1,
        }
        config.update(changes)
        self.write("etc/azure/VMSnapshotScriptPluginConfig.json", json.dumps(config))
        return self

    def log(self, text: bytes) -> "GuestTree":
        self.write("var/log/azure/" + NAME + "/extension.log", text)
        return self

    def status(self, text: bytes, sequence: int, version: str = VERSION) -> "GuestTree":
        below = "var/lib/waagent/" + NAME + "-" + version
        self.write(f"{below}/status/{sequence}.status", text)
        self.write(f"{below}/config/{sequence}.settings", "secret")
        self.write(below + "/mrseq", str(sequence))
        return self

    def process(self, pid: int, command: List[str], seconds: float = 60.0, state: str = "S", stack: str = "") -> None:
        """A process that began so many seconds ago."""
        folder = f"proc/{pid}"
        ticks = int((1000.0 - seconds) * os.sysconf("SC_CLK_TCK"))
        self.write(folder + "/cmdline", b"\0".join(word.encode() for word in command) + b"\0")
        self.write(folder + "/stat", "{} (na me) {} {}{} 0 0\n".format(pid, state, "0 " * 18, ticks))
        self.write(folder + "/stack", stack)

    def daemon(self, sequence: int, seconds: float = 60.0) -> "GuestTree":
        self.process(4711, ["/usr/bin/python3", "main/handle.py", f"-seqNo:{sequence}", "-daemon"], seconds)
        return self

    def story(self, name: str, sequence: int) -> "GuestTree":
        """A guest in order whose last run is one of the recorded ones."""
        self.agent().extension().scripts()
        return self.log(log_text(name)).status(status_text(name), sequence)

    def look(self) -> Dict[str, Any]:
        guest = Guest(
            str(self.root),
            0,
            self.now,
            lambda _program: self.version_text,
            lambda: self.ports,
            lambda: self.lint,
            os.getuid(),
        )
        seen: Dict[str, Any] = gather(guest)["guest_snapshot"]
        return seen


def codes(seen: Dict[str, Any]) -> List[str]:
    return [found["code"] for found in seen["findings"]]


def evidence(seen: Dict[str, Any], code: str) -> Dict[str, Any]:
    """The one finding with that code."""
    (found,) = [each for each in seen["findings"] if each["code"] == code]
    return dict(found)


def root_owns_everything(monkeypatch: Any) -> None:
    """So that the tests also pass for somebody who is not root; what belongs to others has tests of its own."""
    monkeypatch.setattr(plugin_check, "owner_name", lambda _about: "root")
