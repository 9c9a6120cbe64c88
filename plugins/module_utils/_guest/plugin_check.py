# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks that the extension makes before it runs the scripts, made the same way, with the same numbers.

This follows ``PluginHost.pre_check`` and ``ScriptRunner.validate_scripts`` in Azure/azure-linux-extensions step by
step, odd ones included: it must say what the extension would do, not what would be right. What would be right is for
the lint to say. Like the extension it follows symbolic links; unlike it, it never reads a device and never more than
1 MiB. A reason never quotes a file: a link may lead to one that is nobody's business.
"""

import configparser
import json
import os
import pwd
import stat
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from . import extension_codes as codes

HOST_OVERRIDE = "/etc/azure/VMSnapshotPluginHost.conf"
SHIPPED_HOST = "main/VMSnapshotPluginHost.conf"
# What the shipped host file says.
SHIPPED_PLUGIN = "ScriptRunner"
SHIPPED_CONFIG = "/etc/azure/VMSnapshotScriptPluginConfig.json"
LONGEST_HOST_TIMEOUT = 1800
DEFAULT_TIMEOUT = 10
DEFAULT_POLL = 3
_LARGEST = 1 << 20


class Script(NamedTuple):
    path: Optional[str]
    params: Optional[List[str]]  # None: of a type that kills the extension's runner thread
    retries_are_sane: bool
    exists: bool
    mode: Optional[str]
    owner: Optional[str]


class PluginPlan(NamedTuple):
    """What the extension would make of the files as they are now."""

    code: int  # 0, or the number of the first check that fails
    reason: str
    host_path: Optional[str]
    host_override: bool
    host_timeout: int
    plugins: int
    plugin_name: Optional[str]
    config_path: Optional[str]
    config_loaded: bool
    timeout: float
    poll: int
    continue_on_failure: Any  # as written: the extension does not check its type
    freeze: bool
    pre: Optional[Script]
    post: Optional[Script]

    def scripts_run(self) -> bool:
        return self.code == codes.APPLICATION and self.plugins > 0

    def snapshot_without_scripts(self) -> bool:
        """Whether a snapshot is taken although the checks failed."""
        return bool(self.continue_on_failure) if self.config_loaded else True


class _Refused(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def owner_name(about: os.stat_result) -> str:
    """The owner's name, which is what the extension compares: a renamed uid 0 is not root."""
    try:
        return pwd.getpwuid(about.st_uid).pw_name
    except KeyError:
        return ""


def _stat(path: str) -> Optional[os.stat_result]:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _text(path: str) -> str:
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as source:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError("not a regular file")
        data = source.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError("larger than 1 MiB")
    return data.decode("utf-8")


def _digits(about: os.stat_result) -> Tuple[int, int, int]:
    """The last three octal digits of the mode, the only ones that the extension looks at."""
    return (about.st_mode >> 6) & 7, (about.st_mode >> 3) & 7, about.st_mode & 7


class _Check:
    """One run of the checks. The fields are filled as far as the checks get."""

    def __init__(self, handler_folder: Optional[str], host_override: str, shipped_config: str) -> None:
        self.handler_folder = handler_folder
        self.shipped_config = shipped_config
        self.host_override = host_override
        self.host_path: Optional[str] = None
        self.host_timeout = LONGEST_HOST_TIMEOUT
        self.plugins = 0
        self.plugin_name: Optional[str] = None
        self.config_path: Optional[str] = None
        self.config: Dict[str, Any] = {}
        self.config_loaded = False
        self.timeout: float = DEFAULT_TIMEOUT
        self.poll = DEFAULT_POLL

    def host_file(self) -> None:
        self.host_path = self.host_override
        about = _stat(self.host_path)
        if about is None or not stat.S_ISREG(about.st_mode):
            self.host_path = os.path.join(self.handler_folder, SHIPPED_HOST) if self.handler_folder else None
            about = _stat(self.host_path) if self.host_path else None
        if self.host_path is None:
            # The extension is not here yet. It will bring its own copy.
            self.plugins, self.plugin_name, self.config_path = 1, SHIPPED_PLUGIN, self.shipped_config
            return
        if about is None or not stat.S_ISREG(about.st_mode):
            self.host_path = None
            raise _Refused(
                codes.HOST_CONFIG_NOT_FOUND,
                "neither {0} nor the extension's own copy exists".format(self.host_override),
            )
        _owner, group, other = _digits(about)
        if group not in (0, 4) or other not in (0, 4):
            raise _Refused(
                codes.HOST_CONFIG_PERMISSION, "{0} may be written or executed by others".format(self.host_path)
            )
        if owner_name(about) != "root":
            raise _Refused(codes.HOST_CONFIG_PERMISSION, "{0} is not owned by root".format(self.host_path))
        self.read_host_file(self.host_path)

    def read_host_file(self, path: str) -> None:
        config = configparser.ConfigParser()
        try:
            config.read_string(_text(path))
            if config.has_option("pre_post", "timeoutInSeconds"):
                self.host_timeout = min(int(config.get("pre_post", "timeoutInSeconds")), LONGEST_HOST_TIMEOUT)
            if config.has_option("pre_post", "numberOfPlugins"):
                self.plugins = int(config.get("pre_post", "numberOfPlugins"))
            if self.plugins > 0:
                self.plugin_name = config.get("pre_post", "pluginName0")
                config.get("pre_post", "pluginPath0")
                self.config_path = config.get("pre_post", "pluginConfigPath0")
        except (configparser.Error, OSError, ValueError) as error:
            raise _Refused(
                codes.HOST_CONFIG_PARSING, "{0} cannot be used ({1})".format(path, type(error).__name__)
            ) from error

    def config_file(self) -> None:
        path = self.config_path or ""
        about = _stat(path)
        if about is None or not stat.S_ISREG(about.st_mode):
            raise _Refused(codes.PLUGIN_CONFIG_NOT_FOUND, "{0} does not exist".format(path))
        owner, group, other = _digits(about)
        if owner_name(about) != "root":
            raise _Refused(codes.PLUGIN_CONFIG_PERMISSION, "{0} is not owned by root".format(path))
        if owner % 2 or group or other:
            raise _Refused(
                codes.PLUGIN_CONFIG_PERMISSION,
                "{0} has mode {1:04o}; it must be 0600 or less".format(path, about.st_mode & 0o7777),
            )
        try:
            loaded = json.loads(_text(path))
        except (ValueError, RecursionError) as error:
            raise _Refused(
                codes.PLUGIN_CONFIG_PARSING, "{0} is not JSON: {1}".format(path, str(error)[:200])
            ) from error
        except OSError as error:
            raise _Refused(
                codes.HOST_CONFIG_PARSING, "{0} cannot be read ({1})".format(path, type(error).__name__)
            ) from error
        if not isinstance(loaded, dict):
            raise _Refused(codes.HOST_CONFIG_PARSING, "{0} does not hold a JSON object".format(path))
        self.config = loaded
        self.read_config(path)

    def read_config(self, path: str) -> None:
        timeout = self.config.get("timeoutInSeconds", DEFAULT_TIMEOUT)
        if not isinstance(timeout, (int, float)):
            raise _Refused(codes.HOST_CONFIG_PARSING, "timeoutInSeconds in {0} is not a number".format(path))
        self.timeout = min(timeout, self.host_timeout)
        for key in ("preScriptLocation", "postScriptLocation"):
            if key not in self.config:
                raise _Refused(codes.PLUGIN_CONFIG_PARSING, "{0} lacks {1}".format(path, key))
        if "ScriptsExecutionPollTimeSeconds" in self.config:
            try:
                poll = int(self.config["ScriptsExecutionPollTimeSeconds"])
            except (TypeError, ValueError, OverflowError) as error:
                raise _Refused(
                    codes.PLUGIN_CONFIG_PARSING, "ScriptsExecutionPollTimeSeconds in {0} is not a number".format(path)
                ) from error
            # Anything outside is ignored by the extension.
            self.poll = poll if 1 <= poll <= 5 else DEFAULT_POLL
        self.config_loaded = True

    def script_file(self, key: str, name: str, not_found: int, permission: int) -> None:
        path = self.config[key]
        if not isinstance(path, str):
            raise _Refused(codes.HOST_CONFIG_PARSING, "{0} is not text".format(key))
        # The extension's working folder is its own.
        full = os.path.join(self.handler_folder or "/", path)
        about = _stat(full) if path else None
        if about is None or not stat.S_ISREG(about.st_mode):
            raise _Refused(not_found, "the {0} script {1} does not exist".format(name, path or "''"))
        _owner, group, other = _digits(about)
        if group or other:
            raise _Refused(
                permission,
                "the {0} script {1} has mode {2:04o}; it must be 0700 or less".format(
                    name, path, about.st_mode & 0o7777
                ),
            )
        if owner_name(about) != "root":
            raise _Refused(permission, "the {0} script {1} is not owned by root".format(name, path))

    def script(self, which: str) -> Optional[Script]:
        if not self.config_loaded:
            return None
        path = self.config.get(which + "ScriptLocation")
        if not isinstance(path, str):
            return None
        about = _stat(os.path.join(self.handler_folder or "/", path)) if path else None
        params = self.config.get(which + "ScriptParams", [])
        # The extension iterates over whatever stands there: a text is cut into letters, an object into its keys.
        listed = [str(param) for param in params] if isinstance(params, (list, str, dict)) else None
        return Script(
            path,
            listed,
            isinstance(self.config.get(which + "ScriptNoOfRetries", 0), (int, float)),
            about is not None and stat.S_ISREG(about.st_mode),
            "{0:04o}".format(about.st_mode & 0o7777) if about else None,
            owner_name(about) if about else None,
        )

    def run(self) -> None:
        self.host_file()
        if self.plugins <= 0:
            return
        self.config_file()
        self.script_file("preScriptLocation", "pre", codes.PRE_NOT_FOUND, codes.PRE_PERMISSION)
        self.script_file("postScriptLocation", "post", codes.POST_NOT_FOUND, codes.POST_PERMISSION)


def check(
    handler_folder: Optional[str], host_override: str = HOST_OVERRIDE, shipped_config: str = SHIPPED_CONFIG
) -> PluginPlan:
    """What the extension would do with the host file, the configuration and the scripts as they are now.

    Without a handler folder the extension is not installed yet; then its own host file is taken to be as it is shipped.
    """
    made = _Check(handler_folder, host_override, shipped_config)
    code, reason = codes.APPLICATION, ""
    try:
        made.run()
    except _Refused as refused:
        code, reason = refused.code, refused.reason
        if code == codes.HOST_CONFIG_PARSING:
            # The extension falls back to its defaults for everything, whatever it had read by then.
            made.config_loaded = False
    settings = made.config if made.config_loaded else {}
    return PluginPlan(
        code=code,
        reason=reason,
        host_path=made.host_path,
        host_override=made.host_path == host_override,
        host_timeout=made.host_timeout,
        plugins=made.plugins,
        plugin_name=made.plugin_name,
        config_path=made.config_path,
        config_loaded=made.config_loaded,
        timeout=made.timeout,
        poll=made.poll,
        continue_on_failure=settings.get("continueBackupOnFailure", True),
        freeze=bool(settings.get("fsFreezeEnabled", True)),
        pre=made.script("pre"),
        post=made.script("post"),
    )
