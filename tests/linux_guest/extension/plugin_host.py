"""The host file and the script config: what is checked, in which order, with which code, and the wait for scripts."""

from __future__ import annotations

import configparser
import json
import pwd
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import codes, script
from .pace import Pace
from .run_record import Moment

HOST_TIMEOUT = 1800
_DEFAULT_POLL = 3
_SHIPPED_HOST_FILE = Path("main/VMSnapshotPluginHost.conf")


def _digits(path: Path, log: Callable[..., None]) -> tuple[int, int, int]:
    """The last three octal digits of a file's mode: no more is looked at, so setuid and sticky bits pass."""
    mode = stat.S_IMODE(path.stat().st_mode)
    log(f"Permissions of the file {path} are {mode & 0o777:03o}")
    return mode >> 6 & 7, mode >> 3 & 7, mode & 7


def _owned_by_root(path: Path) -> bool:
    """By the account's name: a renamed uid 0 fails."""
    try:
        return pwd.getpwuid(path.stat().st_uid).pw_name == "root"
    except (KeyError, OSError):
        return False


@dataclass
class _Config:
    """The script config, its values as they stood in the JSON."""

    module: Any = "ScriptRunner"
    timeout: Any = 10
    go_on: Any = True
    freeze: Any = True
    poll: int = _DEFAULT_POLL
    pre: Any = None
    post: Any = None
    pre_params: Any = field(default_factory=list)
    post_params: Any = field(default_factory=list)
    pre_retries: Any = 0
    post_retries: Any = 0

    def script(self, phase: script.Phase) -> script.Script:
        pre = phase is script.PRE
        return script.Script(
            phase=phase,
            module=self.module,
            location=self.pre if pre else self.post,
            params=self.pre_params if pre else self.post_params,
            retries=self.pre_retries if pre else self.post_retries,
            timeout=self.timeout,
            poll=self.poll,
            go_on=self.go_on,
        )


# Key in the JSON, field here; the two locations are required and read apart.
_OPTIONAL_KEYS = (
    ("pluginName", "module"),
    ("preScriptParams", "pre_params"),
    ("postScriptParams", "post_params"),
    ("continueBackupOnFailure", "go_on"),
    ("preScriptNoOfRetries", "pre_retries"),
    ("postScriptNoOfRetries", "post_retries"),
    ("fsFreezeEnabled", "freeze"),
)


@dataclass(frozen=True)
class CheckResult:
    code: int
    go_on: Any
    freeze: Any


@dataclass(frozen=True)
class PhaseResult:
    failed_codes: tuple[int, ...]
    go_on: Any


class PluginHost:
    def __init__(
        self,
        azure_folder: Path,
        handler_folder: Path,
        *,
        environment: dict[str, str],
        pace: Pace,
        log: Callable[..., None],
        started: Callable[[script.Phase, subprocess.Popen[bytes], Moment], None],
    ) -> None:
        self._azure = azure_folder
        self._handler = handler_folder
        self._environment = environment
        self._pace = pace
        self._log = log
        self._started = started
        self._timeout: int = HOST_TIMEOUT
        self._configs: list[_Config] = []

    def check(self) -> CheckResult:
        self._log("Loading script modules now...")
        host_file = self._azure / "VMSnapshotPluginHost.conf"
        if not host_file.is_file():
            host_file = self._handler / _SHIPPED_HOST_FILE
        result = self._check_host_file(host_file)
        poll = self._configs[-1].poll if self._configs else _DEFAULT_POLL
        self._log(
            f"Validate Scripts output: errorCode - {result.code} dobackup - {result.go_on} "
            f"fsFreeze_on - {result.freeze} pollTime - {poll}"
        )
        return result

    def _check_host_file(self, host_file: Path) -> CheckResult:
        if not host_file.is_file():
            self._log(f"Plugin host Config file does not exist in the location {host_file}")
            return CheckResult(codes.HOST_CONFIG_NOT_FOUND, True, True)
        _owner, group, others = _digits(host_file, self._log)
        if group not in {0, 4} or others not in {0, 4}:
            self._log("Plugin host Config file does not have desired permissions", "Error")
            return CheckResult(codes.HOST_CONFIG_PERMISSION, True, True)
        if not _owned_by_root(host_file):
            self._log(f"The owner of the Plugin host Config file {host_file} is not root", "Error")
            return CheckResult(codes.HOST_CONFIG_PERMISSION, True, True)
        try:
            return self._load(host_file)
        except Exception as error:
            # One net for everything: a JSON value of a wrong type lands here too.
            self._log(f"Error in reading PluginHost config file : {error}", "Error")
            return CheckResult(codes.HOST_CONFIG_PARSING, True, True)

    def _load(self, host_file: Path) -> CheckResult:
        parser = configparser.ConfigParser()
        parser.read(host_file)
        if parser.has_option("pre_post", "timeoutInSeconds"):
            self._timeout = min(int(parser.get("pre_post", "timeoutInSeconds")), HOST_TIMEOUT)
        count = 0
        if parser.has_option("pre_post", "numberOfPlugins"):
            count = int(parser.get("pre_post", "numberOfPlugins"))
        result = CheckResult(codes.SUCCESS_APPLICATION_CONSISTENT, True, True)
        for _ in range(count):
            # After a refused config this number has not moved: the same entry is read again, the next one never.
            number = len(self._configs)
            name = parser.get("pre_post", f"pluginName{number}")
            parser.get("pre_post", f"pluginPath{number}")
            path = Path(parser.get("pre_post", f"pluginConfigPath{number}"))
            refused = self._check_config_file(path)
            if refused:
                result = CheckResult(refused, True, result.freeze)
                continue
            if name != "ScriptRunner":
                raise ImportError(f"No module named '{name}'")
            config = _Config()
            self._configs.append(config)
            result = self._check_config(config, path)
        return result

    def _check_config_file(self, path: Path) -> int:
        if not path.is_file():
            self._log(f"Plugin host file does not exist in the location {path}", "Error")
            return codes.PLUGIN_CONFIG_NOT_FOUND
        owner, group, others = _digits(path, self._log)
        if owner % 2 or group or others:
            self._log("Plugin Config file does not have desired permissions", "Error")
            return codes.PLUGIN_CONFIG_PERMISSION
        if not _owned_by_root(path):
            self._log(f"The owner of the Plugin Config file {path} is not root", "Error")
            return codes.PLUGIN_CONFIG_PERMISSION
        return 0

    def _check_config(self, config: _Config, path: Path) -> CheckResult:
        try:
            self._read(config, json.loads(path.read_bytes().decode("utf-8")))
        except (ValueError, KeyError) as error:
            self._log(f"Error in decoding {config.module} config file. {error!r}", "Error")
            return CheckResult(codes.PLUGIN_CONFIG_PARSING, True, config.freeze)
        self._log(
            f"Plugin:{config.module} timeout:{config.timeout} pollTotalCount:{config.timeout / config.poll} "
            f"preScriptParams:{config.pre_params} postScriptParams:{config.post_params} "
            f"continueBackupOnFailure:{config.go_on} preScriptNoOfRetries:{config.pre_retries} "
            f"postScriptNoOfRetries:{config.post_retries} Global FS Freeze on :{config.freeze}"
        )
        for location, title, missing, refused in (
            (config.pre, "Prescript", codes.PRE_NOT_FOUND, codes.PRE_PERMISSION),
            (config.post, "Postscript", codes.POST_NOT_FOUND, codes.POST_PERMISSION),
        ):
            code = self._check_script(location, title, missing, refused)
            if code:
                return CheckResult(code, config.go_on, config.freeze)
        return CheckResult(codes.SUCCESS_APPLICATION_CONSISTENT, config.go_on, config.freeze)

    def _read(self, config: _Config, data: Any) -> None:
        keys = data.keys()
        if "timeoutInSeconds" in keys:
            config.timeout = min(data["timeoutInSeconds"], self._timeout)
        config.pre = data["preScriptLocation"]
        config.post = data["postScriptLocation"]
        for key, name in _OPTIONAL_KEYS:
            if key in keys:
                setattr(config, name, data[key])
        if "ScriptsExecutionPollTimeSeconds" in keys:
            poll = data["ScriptsExecutionPollTimeSeconds"]
            if not isinstance(poll, int | float):
                raise ValueError(f"poll time {poll!r} is not a number")
            if isinstance(poll, int) and 1 <= poll <= 5:
                config.poll = poll

    def _check_script(self, location: Any, title: str, missing: int, refused: int) -> int:
        path = Path(location)
        if not str(location) or not (self._handler / path).is_file():
            self._log(f"{title} file does not exist in the location {location}", "Error")
            return missing
        _owner, group, others = _digits(self._handler / path, self._log)
        if group or others:
            self._log(f"{title} file does not have desired permissions ", "Error")
            return refused
        if not _owned_by_root(self._handler / path):
            self._log(f"The owner of the {title} file {location} is not root", "Error")
            return refused
        return 0

    def run(self, phase: script.Phase) -> PhaseResult:
        """Run the phase's script of every plugin, each in its thread, and wait for them at most the host's time."""
        if phase is script.POST:
            self._log("Starting postscript for all modules.")
        outcomes: list[script.Outcome | None] = [None] * len(self._configs)

        def runner(number: int) -> None:
            try:
                outcomes[number] = script.run(
                    self._configs[number].script(phase),
                    environment=self._environment,
                    pace=self._pace,
                    log=self._log,
                    started=partial(self._started, phase),
                )
            except Exception:
                # The thread dies unheard, and the wait below goes on to the host's own limit.
                return

        for number in range(len(self._configs)):
            threading.Thread(target=runner, args=(number,), daemon=True).start()
        self._wait(outcomes)
        go_on: Any = True
        failed: list[int] = []
        for outcome in outcomes:
            code = phase.host_timed_out if outcome is None else outcome.code
            # A string or null out of the JSON raises here: the run crashes, and post is never run.
            go_on &= True if outcome is None else outcome.go_on
            if code:
                failed.append(code)
        title = phase.title.lower()
        self._log(f"Finished {title} execution from PluginHost side. Continue Backup: {go_on}")
        return PhaseResult(tuple(failed), go_on)

    def _wait(self, outcomes: list[script.Outcome | None]) -> None:
        poll = self._configs[-1].poll if self._configs else _DEFAULT_POLL
        polls = 0
        while polls < self._pace.polls(self._timeout, poll) + 2:
            time.sleep(self._pace.wait(poll))
            polls += 1
            if all(outcome is not None for outcome in outcomes):
                return


def host_file_text() -> str:
    return (
        "[pre_post]\n"
        f"timeoutInSeconds = {HOST_TIMEOUT}\n"
        "numberOfPlugins = 1\n"
        "pluginName0 = ScriptRunner\n"
        "pluginPath0 = /etc/azure\n"
        "pluginConfigPath0 = /etc/azure/VMSnapshotScriptPluginConfig.json\n"
    )


def write_shipped_host_file(handler_folder: Path) -> None:
    path = handler_folder / _SHIPPED_HOST_FILE
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_text(host_file_text())
    # What the agent's unzip leaves; it passes the check.
    path.chmod(0o744)
