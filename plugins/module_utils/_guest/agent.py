# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Azure Linux agent: whether it is there, runs, and may run extensions. Source: Azure/WALinuxAgent 2.15."""

import calendar
import os
import re
import time
from typing import Callable, Dict, List, NamedTuple, Optional

from .._hostile_json import BadJson, mapping, parse
from .files import FOUND, MISSING, list_names, read_head, read_tail
from .processes import Process

CONF = "waagent.conf"
POLICY = "waagent_policy.json"
LIB_DIR = "/var/lib/waagent"
LOG_DIR = "/var/log/azure"

_SERVICES = ("walinuxagent", "waagent")
_UNIT_FOLDERS = ("etc/systemd/system", "lib/systemd/system", "usr/lib/systemd/system")
_PROGRAMS = ("/usr/sbin/waagent", "/usr/bin/waagent", "/usr/local/sbin/waagent")
_VERSION = re.compile(r"WALinuxAgent-(\d+(?:\.\d+){1,4})")
_GOAL_STATE = re.compile(r"Goal state agent: (\d+(?:\.\d+){1,4})")
_STAMP = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)")
_HEARTBEAT = "is running as the goal state agent"
_UNINSTALL = "Target handler state: uninstall"
_LOG_TAIL = 1 << 18
# What was reported is written anew in every goal state period, 6 s by default. The heartbeat comes every 30 min.
_SILENT_REPORTS = 15 * 60.0
_SILENT_HEART = 45 * 60.0


class ExtensionPolicy(NamedTuple):
    enabled: bool
    file: Optional[str]
    allows: Optional[bool]  # the extension to run; None when that cannot be told
    problem: Optional[str]


class AgentLog(NamedTuple):
    version: Optional[str]
    heartbeat: Optional[float]
    uninstalled: Optional[float]  # the last time that Azure had the extension removed


class Agent(NamedTuple):
    service: Optional[str]
    masked: bool
    program: Optional[str]
    pid: Optional[int]  # of the part that handles extensions, or else of the daemon
    running: bool
    version: Optional[str]
    installed_version: Optional[str]
    last_seen: Optional[float]
    silent_after: float  # seconds without a sign of life that mean something
    uninstalled: Optional[float]
    extensions_enabled: bool
    policy: ExtensionPolicy
    lib_dir: str
    log_dir: str

    @property
    def state(self) -> str:
        """``running``, ``stopped`` or ``missing``."""
        if self.running:
            return "running"
        return "stopped" if self.program is not None or self.service is not None else "missing"


def settings(etc: str) -> Dict[str, str]:
    """``waagent.conf`` as the agent reads it: ``key=value``, ``#`` begins a comment."""
    found: Dict[str, str] = {}
    for line in read_head(etc, CONF, 1 << 16).data.decode("utf-8", "replace").splitlines():
        key, equals, value = line.split("#", 1)[0].partition("=")
        if equals and key.strip():
            found[key.strip()] = value.strip().strip('"')
    return found


def folder_setting(conf: Dict[str, str], key: str, default: str) -> str:
    value = conf.get(key, "")
    return value if value.startswith("/") and "\0" not in value else default


def _is_on(conf: Dict[str, str], key: str, default: bool) -> bool:
    value = conf.get(key, "").lower()
    return value in ("y", "yes", "true", "1") if value else default


def policy(etc: str, conf: Dict[str, str], extension: str) -> ExtensionPolicy:
    """Whether the agent's own allow list is on, and whether the extension stands in it."""
    if not _is_on(conf, "Debug.EnableExtensionPolicy", False):
        return ExtensionPolicy(False, None, None, None)
    path = "/etc/" + POLICY
    file = read_head(etc, POLICY, 1 << 20)
    if file.state == MISSING:
        return ExtensionPolicy(True, path, True, None)
    if file.state != FOUND:
        return ExtensionPolicy(True, path, False, file.reason)
    try:
        rules = mapping(mapping(parse(file.data)).get("extensionPolicies"))
    except BadJson as error:
        return ExtensionPolicy(True, path, False, str(error))
    listed = {name.lower() for name in mapping(rules.get("extensions")) if isinstance(name, str)}
    only_listed = rules.get("allowListedExtensionsOnly") is True
    return ExtensionPolicy(True, path, not only_listed or extension.lower() in listed, None)


def _stamp(line: str) -> Optional[float]:
    found = _STAMP.match(line)
    if found is None:
        return None
    try:
        return float(calendar.timegm(time.strptime(" ".join(found.groups()), "%Y %m %d %H %M %S")))
    except (ValueError, OverflowError):
        return None


def agent_log(var_log: str, extension: str) -> AgentLog:
    """What the last part of ``waagent.log`` says. Its stamps are UTC."""
    version, heartbeat, uninstalled = None, None, None
    tail = read_tail(var_log, "waagent.log", _LOG_TAIL).data
    for raw in tail.splitlines():
        line = raw[:1000].decode("utf-8", "replace")
        if _HEARTBEAT in line:
            found = _VERSION.search(line)
            version, heartbeat = (found.group(1) if found else version), _stamp(line)
        elif _UNINSTALL in line and "[" + extension + "-" in line:
            uninstalled = _stamp(line)
    return AgentLog(version, heartbeat, uninstalled)


def _last_report(lib_dir: str) -> Optional[float]:
    """When the agent last wrote down what it reported; it does so in every period."""
    for name in reversed(list_names(lib_dir, "history").names[-50:]):
        file = read_head(lib_dir, "history/{0}/waagent_status.json".format(name), 1)
        if file.state == FOUND:
            return file.modified
    return None


def _service(root: str) -> Optional[str]:
    for name in _SERVICES:
        if any(os.path.lexists(os.path.join(root, folder, name + ".service")) for folder in _UNIT_FOLDERS):
            return name
    return None


def _masked(root: str, service: Optional[str]) -> bool:
    if service is None:
        return False
    try:
        return os.readlink(os.path.join(root, "etc/systemd/system", service + ".service")) == "/dev/null"
    except OSError:
        return False


def find_process(processes: List[Process], run: str = "/run") -> Optional[Process]:
    """The agent's process that handles extensions, or else its daemon."""
    handler = next((process for process in processes if "-run-exthandlers" in process.command), None)
    if handler is not None:
        return handler
    noted = read_head(run, "waagent.pid", 20).data.strip()
    return next((each for each in processes if each.has("waagent", "-daemon") or str(each.pid).encode() == noted), None)


def _version_in(pattern: "re.Pattern[str]", text: str) -> Optional[str]:
    found = pattern.search(text)
    return found.group(1) if found else None


def see_agent(
    processes: List[Process],
    extension: str,
    ask_version: Callable[[str], str],
    root: str = "/",
) -> Agent:
    """Everything that can be told about the agent. ``ask_version`` runs ``waagent -version`` and returns its words."""
    etc = os.path.join(root, "etc")
    conf = settings(etc)
    lib_dir = folder_setting(conf, "Lib.Dir", LIB_DIR)
    process = find_process(processes, os.path.join(root, "run"))
    log = agent_log(os.path.join(root, "var/log"), extension)
    program = next((path for path in _PROGRAMS if os.path.exists(root.rstrip("/") + path)), None)
    service = _service(root)
    said = ask_version(program) if program else ""
    running_as = _version_in(_VERSION, " ".join(process.command)) if process else None
    reported = _last_report(os.path.join(root, lib_dir.lstrip("/")))
    seen = [moment for moment in (log.heartbeat, reported) if moment is not None]
    return Agent(
        service=service,
        masked=_masked(root, service),
        program=program,
        pid=process.pid if process else None,
        running=process is not None,
        version=running_as or _version_in(_GOAL_STATE, said) or log.version,
        installed_version=_version_in(_VERSION, said),
        last_seen=max(seen) if seen else None,
        silent_after=_SILENT_REPORTS if reported is not None else _SILENT_HEART,
        uninstalled=log.uninstalled,
        extensions_enabled=_is_on(conf, "Extensions.Enabled", True),
        policy=policy(etc, conf, extension),
        lib_dir=lib_dir,
        log_dir=folder_setting(conf, "Extension.LogDir", LOG_DIR),
    )
