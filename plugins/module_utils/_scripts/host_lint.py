# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two files that switch the scripts off, or let a run look better than it was: the host override and workload.conf.

Sources: ``PluginHost.py`` and ``workloadPatch/WorkloadUtils/WorkloadPatch.py`` in Azure/azure-linux-extensions.
"""

import configparser
from typing import List, Optional

from .._finding import ERROR, INFO, WARNING, Finding
from .._printable import printable
from .files import FILE, MISSING, FoundFile

HOST_CONF = "/etc/azure/VMSnapshotPluginHost.conf"
WORKLOAD_CONF = "/etc/azure/workload.conf"

_SECTION = "pre_post"
# The ones the workload framework has code for.
_WORKLOADS = ("mysql", "mariadb", "oracle", "postgres")


def _parsed(file: FoundFile) -> Optional[configparser.ConfigParser]:
    config = configparser.ConfigParser()
    try:
        config.read_string((file.data or b"").decode("utf-8"))
    except (configparser.Error, ValueError):
        return None
    return config


def _value(config: configparser.ConfigParser, section: str, key: str) -> str:
    try:
        return config.get(section, key, fallback="").strip()
    except configparser.Error:
        return ""


def lint_host_conf(file: FoundFile, config_path: str, timeout: Optional[float], uid: int) -> List[Finding]:
    """The override of the host file that ships with the extension. Not needed by anything we deploy."""
    found: List[Finding] = []
    remove = "Remove {0}; the copy that ships with the extension is right.".format(HOST_CONF)

    def add(code: str, severity: str, message: str, remedy: str = remove, evidence: str = "") -> None:
        found.append(Finding("host." + code, severity, message, remedy, evidence or None))

    if file.kind == MISSING:
        return found
    if file.kind != FILE:
        add(
            "unreadable", ERROR, "{0} cannot be read: {1}.".format(HOST_CONF, file.reason or "it is not a regular file")
        )
        return found
    # The extension wants each of group and others to be 0 or 4.
    if (file.mode >> 3) & 7 not in (0, 4) or file.mode & 7 not in (0, 4):
        add(
            "mode",
            ERROR,
            "{0} has mode {1:04o}, so the extension runs no scripts (314) and says nothing.".format(
                HOST_CONF, file.mode
            ),
            "Remove it, or set its mode to 0600.",
        )
    if file.uid != uid:
        add(
            "owner",
            ERROR,
            "{0} is not owned by root, so the extension runs no scripts (314) and says nothing.".format(HOST_CONF),
            "Remove it, or give it to root.",
        )
    config = _parsed(file)
    if config is None:
        add("broken", ERROR, "{0} cannot be parsed, so no scripts are run (304).".format(HOST_CONF))
        return found
    try:
        plugins = int(_value(config, _SECTION, "numberOfPlugins") or "0")
        limit = int(_value(config, _SECTION, "timeoutInSeconds") or "1800")
    except ValueError:
        add("broken", ERROR, "{0} holds a value that is not a number, so no scripts are run (304).".format(HOST_CONF))
        return found
    if plugins <= 0:
        add(
            "no_plugins",
            ERROR,
            "numberOfPlugins in {0} is 0 or missing: no script is run, and Azure reports application-consistent points "
            "that are not.".format(HOST_CONF),
        )
        return found
    if plugins > 1:
        add(
            "several_plugins",
            WARNING,
            "{0} names {1} plugins; they run at the same time, and one bad configuration hides the next.".format(
                HOST_CONF, plugins
            ),
            "Keep one plugin, and put everything else into hooks.",
        )
    name = _value(config, _SECTION, "pluginName0")
    path = _value(config, _SECTION, "pluginConfigPath0")
    if name != "ScriptRunner":
        add(
            "plugin",
            ERROR,
            "{0} lets the extension load the Python module '{1}' as root instead of ScriptRunner.".format(
                HOST_CONF, printable(name, 60)
            ),
        )
    if path != config_path:
        add(
            "config_path",
            ERROR,
            "{0} sends the extension to {1}, so {2} is not read.".format(
                HOST_CONF, printable(path, 100) or "no file", config_path
            ),
        )
    if limit < 1 or (timeout is not None and limit < timeout):
        add(
            "timeout",
            ERROR,
            "timeoutInSeconds in {0} is {1}, less than the scripts may take.".format(HOST_CONF, limit),
        )
    if not found:
        add("override", INFO, "{0} overrides the copy that ships with the extension.".format(HOST_CONF))
    return found


def lint_workload_conf(file: FoundFile) -> List[Finding]:
    """With a workload named here, pre- and post-scripts are not used at all."""
    if file.kind == MISSING or file.data is None:
        return []
    config = _parsed(file)
    if config is None:
        return [
            Finding(
                "workload.broken",
                WARNING,
                "{0} cannot be parsed; the extension may stop over it (501).".format(WORKLOAD_CONF),
                "Empty or remove it.",
            )
        ]
    name = _value(config, "workload", "workload_name")
    if not name:
        return []
    evidence = "workload_name = {0}".format(printable(name, 60))
    if name.lower() in _WORKLOADS:
        return [
            Finding(
                "workload.active",
                ERROR,
                "{0} names the workload '{1}', so the extension does not use the pre- and post-scripts at all.".format(
                    WORKLOAD_CONF, printable(name, 60)
                ),
                "Empty workload_name there (keep the file: the extension puts a missing one back).",
                evidence,
            )
        ]
    return [
        Finding(
            "workload.unknown",
            WARNING,
            "{0} names the workload '{1}', which the extension does not know.".format(
                WORKLOAD_CONF, printable(name, 60)
            ),
            "Empty workload_name there.",
            evidence,
        )
    ]
