# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``VMSnapshotScriptPluginConfig.json``, key by key: the types and values that the extension needs and does not check.

Source: ``ScriptRunner.py`` and ``PluginHost.py`` in Azure/azure-linux-extensions, read and run.
"""

import json
from typing import Any, Dict, List, Tuple

from .._finding import ERROR, INFO, WARNING, Finding
from .._printable import printable
from .files import FILE, MISSING, FoundFile

_FLAGS = ("continueBackupOnFailure", "fsFreezeEnabled")
_LOCATIONS = ("preScriptLocation", "postScriptLocation")
_PARAMS = ("preScriptParams", "postScriptParams")
_RETRIES = ("preScriptNoOfRetries", "postScriptNoOfRetries")
_TIMEOUT = "timeoutInSeconds"
_POLL = "ScriptsExecutionPollTimeSeconds"
_KNOWN = ("pluginName", "appName", _TIMEOUT, _POLL, *_FLAGS, *_LOCATIONS, *_PARAMS, *_RETRIES)
_REDEPLOY = "Deploy the scripts again with appconsistent.azure.snapshot_scripts."
# The host file caps it there.
_LONGEST_TIMEOUT = 1800


class _Findings:
    def __init__(self, path: str) -> None:
        self.path = path
        self.found: List[Finding] = []

    def add(self, code: str, severity: str, message: str, remedy: str = _REDEPLOY, evidence: str = "") -> None:
        self.found.append(
            Finding("config." + code, severity, message.replace("{path}", self.path), remedy, evidence or None)
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _lint_numbers(config: Dict[str, Any], to: _Findings) -> None:
    timeout: Any = config.get(_TIMEOUT)
    if _TIMEOUT not in config:
        to.add("timeout_missing", WARNING, "timeoutInSeconds is missing in {path}; the scripts get 10 seconds.")
    elif not _is_number(timeout):
        to.add(
            "timeout_type",
            ERROR,
            "timeoutInSeconds in {path} must be a number, or no script is run (304) while all looks healthy.",
            evidence=printable(json.dumps(timeout), 60),
        )
    elif not 0 < timeout <= _LONGEST_TIMEOUT:
        to.add(
            "timeout_range",
            ERROR if timeout <= 0 else WARNING,
            "timeoutInSeconds in {{path}} is {0}; it counts from 1 to 1800.".format(timeout),
            "Set it to 60 or more, up to 1800.",
        )
    elif timeout < 20:
        to.add(
            "timeout_short",
            WARNING,
            "timeoutInSeconds in {{path}} is {0}; a script that takes longer is not ended, it goes on beside the "
            "snapshot.".format(timeout),
            "Set it to 60 or more.",
        )
    if _POLL in config:
        poll = config[_POLL]
        if not _is_number(poll):
            to.add("poll_type", ERROR, "ScriptsExecutionPollTimeSeconds in {path} must be a number (305).")
        elif not 1 <= poll < 6:
            to.add(
                "poll_range",
                WARNING,
                "ScriptsExecutionPollTimeSeconds in {{path}} is {0}; anything but 1 to 5 is taken for 3.".format(poll),
                "Set it to 1: the application is held a few seconds less.",
            )
    for key in _RETRIES:
        value = config.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool):
            to.add(
                "retries_type",
                ERROR,
                "{0} in {{path}} must be a whole number; anything else hangs the run for half an hour when the script "
                "fails.".format(key),
            )
        elif value > 0:
            to.add(
                "retries",
                INFO,
                "{0} in {{path}} does nothing: the extension starts a script once, whatever it says.".format(key),
                "Set it to 0 and retry inside the script.",
            )


def _lint_words(config: Dict[str, Any], to: _Findings) -> None:
    for key in _FLAGS:
        if key in config and not isinstance(config[key], bool):
            worst = (
                "a text counts as true, so freezing stays on"
                if key == "fsFreezeEnabled"
                else "anything else crashes the run when a script fails, and post.sh is never run"
            )
            to.add("flag_type", ERROR, "{0} in {{path}} must be true or false without quotes: {1}.".format(key, worst))
    for key in _PARAMS:
        value = config.get(key, [])
        if not isinstance(value, list):
            worst = (
                "a text is cut into its letters" if isinstance(value, str) else "the run hangs for half an hour over it"
            )
            to.add("params_type", ERROR, "{0} in {{path}} must be a list of texts: {1}.".format(key, worst))
        elif not all(isinstance(word, str) for word in value):
            to.add("params_item", WARNING, "{0} in {{path}} must hold texts; true arrives as 'True'.".format(key))
        elif "" in value:
            to.add("params_empty", INFO, "{0} in {{path}} passes an empty argument to the script.".format(key))
    if "pluginName" in config and config["pluginName"] != "ScriptRunner":
        to.add("plugin_name", INFO, "pluginName in {path} is not ScriptRunner; it shows in log lines only.")
    if config.get("fsFreezeEnabled") is False:
        to.add(
            "freeze_off",
            WARNING,
            "fsFreezeEnabled in {path} is false: volumes are not taken at one moment, and when a script fails there is "
            "no point at all.",
            "Set it to true unless the application keeps its own backup mode open meanwhile.",
        )
    if config.get("continueBackupOnFailure") is False:
        to.add(
            "no_point_on_failure",
            INFO,
            "continueBackupOnFailure in {path} is false: when a script fails there is no point at all, not even a "
            "file-system-consistent one.",
            "Keep it so only if that is what you want.",
        )
    for key in config:
        if key not in _KNOWN:
            to.add("unknown_key", INFO, "{path} holds a key that nothing reads.", evidence=printable(str(key), 60))


def lint_config(path: str, file: FoundFile, uid: int) -> Tuple[List[Finding], Dict[str, Any]]:
    """What is to be said about the file, and its content as far as it can be used."""
    to = _Findings(path)
    if file.kind == MISSING:
        to.add("missing", WARNING, "{path} does not exist, so no scripts are run (316) while all looks healthy.")
        return to.found, {}
    if file.kind != FILE or file.data is None:
        to.add("unreadable", ERROR, "{{path}} cannot be read: {0}.".format(file.reason or "it is not a regular file"))
        return to.found, {}
    if file.mode & 0o177:
        to.add(
            "mode",
            ERROR,
            "{{path}} has mode {0:04o}, so no scripts are run (317), and continueBackupOnFailure is not heeded.".format(
                file.mode
            ),
            "Set its mode to 0600.",
        )
    if file.uid != uid:
        to.add("owner", ERROR, "{path} is not owned by root, so no scripts are run (317).", "Give it to root.")
    if file.data.startswith(b"\xef\xbb\xbf"):
        to.add("bom", ERROR, "{path} begins with a byte order mark, so no scripts are run (305).")
        return to.found, {}
    try:
        config = json.loads(file.data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        to.add(
            "not_json", ERROR, "{path} is not JSON, so no scripts are run (305).", evidence=printable(str(error), 100)
        )
        return to.found, {}
    if not isinstance(config, dict):
        to.add("not_object", ERROR, "{path} does not hold a JSON object, so no scripts are run (304).")
        return to.found, {}
    for key in _LOCATIONS:
        if key not in config:
            to.add("key_missing", ERROR, "{{path}} lacks {0}, so no scripts are run (305).".format(key))
        elif not isinstance(config[key], str) or not config[key].startswith("/"):
            to.add(
                "location",
                ERROR,
                "{0} in {{path}} must be an absolute path, or the script is not found (302, 303).".format(key),
                evidence=printable(str(config[key]), 100),
            )
    if config.get("preScriptLocation") == config.get("postScriptLocation") and config.get(
        "preScriptParams"
    ) == config.get("postScriptParams"):
        to.add("same_script", WARNING, "{path} names one script with the same parameters for pre and post.")
    _lint_numbers(config, to)
    _lint_words(config, to)
    return to.found, config
