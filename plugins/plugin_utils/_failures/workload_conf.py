# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Codes of the Linux extension's "enhanced" framework, which is on as soon as workload.conf names a workload.

Read in Azure/azure-linux-extensions, VMBackup/main. The scripts of this collection are not run while it is on.
"""

from __future__ import annotations

from .entry import Entry, Example, Retry, Seen


def _workload(number: int, name: str, key: str, cause: str, remedy: str, retry: Retry = Retry.FIX_FIRST) -> Entry:
    return Entry(
        key=key,
        cause=cause,
        remedy=remedy,
        retry=retry,
        docs="Database consistent snapshots using enhanced pre-post script framework",
        seen=(Seen.GUEST, Seen.EXTENSION),
        example=Example(str(number), f"Workload Patch failed with warning message: StatusCode.{name},", os="linux"),
        codes=(str(number), *([name] if name else [])),
        os="linux",
    )


WORKLOAD: tuple[Entry, ...] = (
    _workload(
        500,
        "FailedWorkloadPreError",
        "workload_pre_failed",
        "Azure's own workload framework could not prepare the database.",
        "Clear workload_name in /etc/azure/workload.conf to use the scripts of this collection, or read extension.log.",
    ),
    _workload(
        501,
        "FailedWorkloadConfParsingError",
        "workload_config_broken",
        "/etc/azure/workload.conf cannot be read.",
        "Clear workload_name in /etc/azure/workload.conf to use the scripts of this collection, or correct the file.",
    ),
    _workload(
        502,
        "FailedWorkloadInvalidRole",
        "workload_role",
        "The role in /etc/azure/workload.conf is not one that the framework knows, or not allowed to be frozen.",
        "Correct role and enforceSlaveOnly in /etc/azure/workload.conf.",
    ),
    _workload(
        503,
        "FailedWorkloadInvalidWorkloadName",
        "workload_name",
        "The workload_name in /etc/azure/workload.conf is not one that the framework knows.",
        "Clear it to use the scripts of this collection, or name oracle, mysql, mariadb or postgres.",
    ),
    _workload(
        504,
        "FailedWorkloadPostError",
        "workload_post_failed",
        "Azure's own workload framework could not release the database.",
        "Check at once that the database takes writes again (read_only off), then read extension.log.",
    ),
    _workload(
        505,
        "FailedWorkloadAuthorizationMissing",
        "workload_no_credentials",
        "/etc/azure/workload.conf has neither linux_user nor credString.",
        "Set linux_user or credString in /etc/azure/workload.conf.",
    ),
    _workload(
        506,
        "FailedWorkloadConnectionError",
        "workload_no_connection",
        "The framework could not connect to the database.",
        "Check that the database runs, and credString and command_path in /etc/azure/workload.conf.",
    ),
    _workload(
        507,
        "FailedWorkloadIPCDirectoryMissing",
        "workload_no_ipc_folder",
        "The ipc_folder of /etc/azure/workload.conf does not exist.",
        "Create the folder with rights for the database, or correct ipc_folder.",
    ),
    _workload(
        508,
        "FailedWorkloadDatabaseNotOpen",
        "workload_database_state",
        "The database is not open, or its state changed during the run.",
        "Open the database, then run again.",
    ),
    _workload(
        509,
        "FailedWorkloadQuiescingError",
        "workload_quiesce_failed",
        "The database could not be brought to rest, mostly because of long queries or of a missing right.",
        "Look for long-running queries and for the rights of the framework's user (on MySQL also FILE and sudo).",
    ),
    _workload(
        510,
        "FailedWorkloadQuiescingTimeout",
        "workload_quiesce_short",
        "The database did not stay at rest until the snapshot was done.",
        "Raise timeout in /etc/azure/workload.conf.",
    ),
    _workload(
        511,
        "FailedWorkloadDatabaseInNoArchiveLog",
        "workload_no_archive_log",
        "The Oracle database runs in NOARCHIVELOG mode, in which it cannot be backed up while open.",
        "Switch the database to ARCHIVELOG mode.",
    ),
    _workload(
        512,
        "",
        "workload_log_mode_changed",
        "The log mode of the database was changed during the run.",
        "Run again when nobody is changing the database.",
        Retry.LATER,
    ),
)
