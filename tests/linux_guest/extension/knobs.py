"""/etc/azure/vmbackup.conf and workload.conf: the keys that change a run. Unreadable files are ignored silently."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

WORKLOADS = ("oracle", "mysql", "mariadb", "postgres")
_WORKLOAD_TEMPLATE = (
    "[workload]\n"
    "# Name of the database, one of: oracle, mysql, mariadb, postgres\n"
    "workload_name =\n"
    "command_path =\n"
    "credString =\n"
    "timeout = 90\n"
)


@dataclass(frozen=True)
class Knobs:
    thaw_after: float
    wait_for_freeze: float
    mounts_to_skip: tuple[str, ...]
    write_log: bool
    drop_while_frozen: bool


def _parse(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    try:
        parser.read(path)
    except (configparser.Error, UnicodeDecodeError):
        return configparser.ConfigParser()
    return parser


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def read_knobs(folder: Path) -> Knobs:
    parser = _parse(folder / "vmbackup.conf")

    def value(key: str, default: str) -> str:
        return parser.get("SnapshotThread", key, fallback=default, raw=True)

    return Knobs(
        thaw_after=_number(value("timeout", "60"), 60.0),
        wait_for_freeze=_number(value("SafeFreezeWaitInSeconds", "66"), 66.0),
        mounts_to_skip=tuple(mount.strip() for mount in value("MountsToSkip", "").split(",") if mount.strip()),
        write_log=value("WriteLog", "True") == "True",
        drop_while_frozen=value("LoggingOff", "0") == "1",
    )


@dataclass(frozen=True)
class Workload:
    """A workload.conf that takes the place of the scripts."""

    name: str
    has_credentials: bool
    # The key being there at all turns quiescing into nothing that counts as success.
    names_databases: bool


def read_workload(folder: Path) -> Workload | None:
    parser = _parse(folder / "workload.conf")
    if not parser.has_section("workload"):
        return None
    section = parser["workload"]
    name = section.get("workload_name", "", raw=True).strip()
    if name not in WORKLOADS:
        return None
    return Workload(
        name=name,
        has_credentials=bool(section.get("credString", "", raw=True) or section.get("linux_user", "", raw=True)),
        names_databases="dbnames" in section,
    )


def install_workload_template(folder: Path) -> None:
    """The extension puts its template there when there is none, and over any whose name is empty."""
    path = folder / "workload.conf"
    parser = _parse(path)
    if parser.get("workload", "workload_name", fallback="", raw=True).strip():
        return
    folder.mkdir(mode=0o755, exist_ok=True)
    path.write_text(_WORKLOAD_TEMPLATE)
    path.chmod(0o744)
