# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``/etc/azure/vmbackup.conf``: the extension's knobs, and which of them do nothing.

The extension reads the file anew for each value, through configparser, and ignores a broken file in silence. Source:
``handle.py``, ``HandlerUtil.py``, ``freezesnapshotter.py``, ``mounts.py`` and ``backuplogger.py`` in
Azure/azure-linux-extensions, folder VMBackup/main.
"""

import configparser
from typing import Dict, List, NamedTuple, Optional, Tuple

from .._finding import ERROR, INFO, WARNING, Finding
from .._printable import printable

PATH = "/etc/azure/vmbackup.conf"
_SECTION = "SnapshotThread"
_METHODS = ("onlyGuest", "firstGuestThenHost", "firstHostThenGuest", "onlyHost")

# configparser knows keys in lower case only. Key -> (spelling, kind)
_KEYS: Dict[str, Tuple[str, str]] = {
    "timeout": ("timeout", "seconds"),
    "safefreezewaitinseconds": ("SafeFreezeWaitInSeconds", "seconds"),
    "mountstoskip": ("MountsToSkip", "mounts"),
    "seqsnapshot": ("seqsnapshot", "number"),
    "isanysnapshotfailed": ("isanysnapshotfailed", "text"),
    "snapshotmethod": ("SnapshotMethod", "method"),
    "onlylocalfilesystems": ("onlyLocalFilesystems", "flag"),
    "writelog": ("WriteLog", "flag"),
    "loggingoff": ("LoggingOff", "number"),
    "uploadstatusandlog": ("UploadStatusAndLog", "flag"),
    "disable_logging": ("disable_logging", "number"),
    "tempdir_tolog": ("tempdir_tolog", "number"),
    "sudo_off": ("sudo_off", "number"),
}

# Keys that people find in samples and in the documentation, and that change nothing.
_DEAD = {
    "fsfreeze": "nothing reads it; fsFreezeEnabled in VMSnapshotScriptPluginConfig.json is what counts",
    "onappfailuredofsfreeze": "it is compared with a boolean but read as text, so every value freezes",
    "onappsuccessdofsfreeze": "it is compared with a boolean but read as text, so every value freezes",
    "async_event_logging": "the extension asks for a name that ends with a space",
}
# Section -> keys that mean something there
_OTHER_SECTIONS = {"lsblkUser": ("username",), "Monitor": ("run", "location")}


class BackupConf(NamedTuple):
    """What is set, under the extension's own spelling, and what is to be said about it."""

    values: Dict[str, str]
    findings: List[Finding]


def _number(text: str) -> Optional[int]:
    try:
        return int(text) if len(text) < 12 else None
    except ValueError:
        return None


def _judge(key: str, spelling: str, kind: str, value: str) -> List[Finding]:
    where = "{0} = {1}".format(spelling, printable(value, 100))
    found: List[Finding] = []

    def add(code: str, severity: str, message: str, remedy: str) -> None:
        found.append(Finding("backup_conf." + code, severity, message, remedy, where))

    # An empty value stands for the default, whatever the key.
    if value == "":
        return found
    if kind in ("seconds", "number") and _number(value) is None:
        add(
            "not_a_number",
            WARNING,
            "{0} in {1} must be a number; the extension uses its default.".format(spelling, PATH),
            "Write a number or remove the key.",
        )
    elif kind == "seconds" and (_number(value) or 0) <= 0:
        add(
            "freeze_time_too_short",
            ERROR,
            "{0} in {1} leaves no time to freeze, so every run fails.".format(spelling, PATH),
            "Remove the key, or allow at least 60 seconds.",
        )
    elif kind == "flag" and value not in ("True", "False"):
        add(
            "not_a_flag",
            WARNING,
            "{0} in {1} counts only when it is exactly True; this is taken for False.".format(spelling, PATH),
            "Write True or False, with a capital letter.",
        )
    elif kind == "method" and value not in _METHODS:
        add(
            "unknown_method",
            WARNING,
            "SnapshotMethod in {0} is not one of {1}; firstHostThenGuest is used.".format(PATH, ", ".join(_METHODS)),
            "Remove the key: restore points choose the method themselves.",
        )
    elif kind == "method":
        add(
            "method_forced",
            INFO,
            "SnapshotMethod in {0} overrides what Azure asks for.".format(PATH),
            "Remove the key unless Microsoft's support told you to set it.",
        )
    if key == "writelog" and value != "True":
        add(
            "no_log",
            WARNING,
            "WriteLog in {0} switches the extension's log off, so nobody can tell why a run fell short.".format(PATH),
            "Remove the key or set it to True.",
        )
    if key == "loggingoff" and _number(value) == 1:
        add(
            "no_freeze_log",
            WARNING,
            "LoggingOff in {0} drops what is logged while the file systems are frozen.".format(PATH),
            "Remove the key or set it to 0.",
        )
    return found


def _judge_mounts(mounts: List[str]) -> List[Finding]:
    found = []
    for mount in mounts:
        if mount == "/":
            found.append(
                Finding(
                    "backup_conf.root_cannot_be_skipped",
                    WARNING,
                    "MountsToSkip in {0} names /, which is frozen all the same.".format(PATH),
                    "Take / out of the list.",
                )
            )
        elif not mount.startswith("/") or any(letter in mount for letter in "*?["):
            found.append(
                Finding(
                    "backup_conf.mount_never_matches",
                    WARNING,
                    "MountsToSkip in {0} takes exact mount points, no patterns; this one never matches.".format(PATH),
                    "Write each mount point in full, with commas in between.",
                    printable(mount, 100),
                )
            )
    skipped = [mount for mount in mounts if mount.startswith("/") and mount != "/"]
    if skipped:
        found.append(
            Finding(
                "backup_conf.mounts_skipped",
                INFO,
                "These mount points are not frozen, so their content is not consistent in a restore point.",
                "Make sure that no application keeps data there.",
                printable(", ".join(skipped[:20])),
            )
        )
    return found


def parse_backup_conf(text: str) -> BackupConf:
    """The knobs in the text of ``vmbackup.conf``; never raises."""
    # The extension's own class and settings, so that it is misread here in the same way as there.
    config = configparser.ConfigParser()
    try:
        config.read_string(text)
    except configparser.Error as error:
        broken = Finding(
            "backup_conf.broken",
            WARNING,
            "{0} cannot be parsed, and the extension ignores all of it in silence.".format(PATH),
            "Put it right, or remove it.",
            type(error).__name__,
        )
        return BackupConf({}, [broken])
    values: Dict[str, str] = {}
    findings: List[Finding] = []
    for section in config.sections():
        for key in config.options(section):
            name = printable(key, 60)
            try:
                value = config.get(section, key)
            except configparser.InterpolationError:
                findings.append(
                    Finding(
                        "backup_conf.percent_sign",
                        WARNING,
                        "The value of {0} in {1} holds a lone percent sign; the extension uses its default.".format(
                            name, PATH
                        ),
                        "Write %% for each percent sign.",
                    )
                )
                continue
            if section == _SECTION and key in _KEYS:
                spelling, kind = _KEYS[key]
                values[spelling] = printable(value, 200)
                findings.extend(_judge(key, spelling, kind, value))
            elif section == _SECTION and key in _DEAD:
                findings.append(
                    Finding(
                        "backup_conf.dead_key",
                        WARNING,
                        "{0} in {1} has no effect: {2}.".format(name, PATH, _DEAD[key]),
                        "Remove it.",
                        printable("{0} = {1}".format(key, value), 100),
                    )
                )
            elif key not in _OTHER_SECTIONS.get(section, ()):
                findings.append(
                    Finding(
                        "backup_conf.unknown_key",
                        WARNING,
                        "{0} in section [{1}] of {2} is not a key that the extension reads.".format(
                            name, printable(section, 60), PATH
                        ),
                        "Remove it, or check its spelling and its section: nearly all keys belong in [{0}].".format(
                            _SECTION
                        ),
                    )
                )
    mounts = [mount.strip() for mount in values.get("MountsToSkip", "").split(",") if mount.strip()]
    findings.extend(_judge_mounts(mounts[:200]))
    return BackupConf(values, findings[:100])
