# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that make Azure's extension hold a Linux guest's applications: which they are, and how they get there."""

import json
from typing import Any, Dict, List, NamedTuple

from .._profiles.profile import Hook, settings_text
from .._profiles.table import units_of
from .files import Wanted
from .hold_sh import HOLD
from .run_sh import BOOT, POST, PRE, PROBE, RECORD, UNIT, WATCHDOG
from .session_sh import SESSION

AZURE = "/etc/azure"
CONFIG = "/etc/azure/VMSnapshotScriptPluginConfig.json"
SCRIPTS = "/etc/azure/appconsistent"
HOOKS = "/etc/azure/appconsistent.d"
SETTINGS = SCRIPTS + "/settings"
PRE_PATH = SCRIPTS + "/pre.sh"
POST_PATH = SCRIPTS + "/post.sh"
UNIT_NAME = "appconsistent-boot.service"
UNITS = "/etc/systemd/system"
UNIT_PATH = UNITS + "/" + UNIT_NAME
WANTS = UNITS + "/multi-user.target.wants"
# In a hook that we wrote, and in no other.
MARK = b"# Deployed by appconsistent.azure.snapshot_scripts;"

_TEXTS = (
    ("hold.sh", HOLD, 0o600),
    ("session.sh", SESSION, 0o600),
    ("watchdog.sh", WATCHDOG, 0o700),
    ("record.sh", RECORD, 0o700),
    ("boot.sh", BOOT, 0o700),
    ("probe.sh", PROBE, 0o700),
    ("post.sh", POST, 0o700),
    ("pre.sh", PRE, 0o700),
)
# What was shipped, by path: whoever finds something else there found a change.
SHIPPED = {SCRIPTS + "/" + name: text for name, text, _mode in _TEXTS}


class Times(NamedTuple):
    """How long what may take, in seconds."""

    script: int  # each script ends by itself within
    freeze: int  # and pre.sh has this much of it for its hooks; the rest is for undoing
    hold: int


def times_of(timeout: int, hold: int) -> Times:
    script = timeout - max(3, timeout // 10)
    return Times(script, script * 3 // 4, hold)


def config_text(params: Dict[str, Any]) -> str:
    """The extension's configuration. It checks no types and fails in silence, so they are made right here."""
    config = {
        "pluginName": "ScriptRunner",
        "preScriptLocation": PRE_PATH,
        "postScriptLocation": POST_PATH,
        "preScriptParams": [],
        "postScriptParams": [],
        "preScriptNoOfRetries": 0,
        "postScriptNoOfRetries": 0,
        "timeoutInSeconds": int(params["timeout"]),
        "continueBackupOnFailure": bool(params["continue_backup_on_failure"]),
        "fsFreezeEnabled": bool(params["fs_freeze_enabled"]),
        "ScriptsExecutionPollTimeSeconds": int(params["poll_seconds"]),
    }
    return json.dumps(config, indent=4) + "\n"


def unit_text(hooks: List[Hook]) -> str:
    """The boot unit, ordered after what the profiles in use hold. It tries again for whatever comes up later."""
    first = "After=local-fs.target\n"
    return UNIT.replace(first, first + "".join("After={0}\n".format(unit) for unit in units_of(hooks)))


def wanted_files(params: Dict[str, Any], hooks: List[Hook]) -> List[Wanted]:
    """Everything that is to be there, in the order in which it is written: what Azure looks for comes last."""
    times = times_of(params["timeout"], params["hold_seconds"])
    settings = settings_text(
        {
            "AC_FREEZE_SECONDS": times.freeze,
            "AC_HOLD_SECONDS": times.hold,
            "AC_LOG": params["log_file"],
            "AC_SCRIPT_SECONDS": times.script,
            "AC_SYNC": not params["fs_freeze_enabled"],
        }
    )
    files = [Wanted(SETTINGS, settings, 0o600, settings)]
    files += [Wanted(SCRIPTS + "/" + name, text, mode, text) for name, text, mode in _TEXTS]
    for hook in hooks:
        path = HOOKS + "/" + hook.file_name
        files.append(Wanted(path + ".conf", hook.settings, 0o600, hook.shown_settings))
        files.append(Wanted(path, hook.text, 0o700, hook.text))
    unit = unit_text(hooks)
    files.append(Wanted(UNIT_PATH, unit, 0o644, unit))
    config = config_text(params)
    files.append(Wanted(CONFIG, config, 0o600, config))
    return files
