# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP006, UP035 - these tests run on the guest's Pythons too, 3.6 and newer
"""What ``vmbackup.conf`` does and what in it does nothing."""

from typing import List

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.backup_conf import parse_backup_conf


def codes(lines: str) -> List[str]:
    return [found.code for found in parse_backup_conf("[SnapshotThread]\n" + lines).findings]


def test_nothing_written_is_nothing_to_say() -> None:
    assert parse_backup_conf("") == ({}, [])


def test_sane_knobs_are_read_under_the_extensions_own_spelling() -> None:
    conf = parse_backup_conf("[SnapshotThread]\nTIMEOUT = 90\nonlylocalfilesystems: True\nseqsnapshot = 1\n")
    assert conf.values == {"timeout": "90", "onlyLocalFilesystems": "True", "seqsnapshot": "1"}
    assert conf.findings == []


@pytest.mark.parametrize("key", ["fsfreeze", "OnAppFailureDoFsFreeze", "OnAppSuccessDoFsFreeze", "async_event_logging"])
def test_a_key_without_effect_is_called_dead(key: str) -> None:
    assert codes(key + " = False\n") == ["backup_conf.dead_key"]


def test_a_key_that_nobody_reads_is_named() -> None:
    (found,) = parse_backup_conf("[SnapshotThread]\nMountToSkip = /data\n").findings
    assert (found.code, "mounttoskip" in found.message) == ("backup_conf.unknown_key", True)


def test_a_good_key_in_a_wrong_section_counts_as_unknown() -> None:
    (found,) = parse_backup_conf("[Snapshot]\ntimeout = 90\n").findings
    assert "[Snapshot]" in found.message
    assert "[SnapshotThread]" in found.remedy


def test_the_sections_for_lsblk_and_the_monitor_are_known() -> None:
    assert parse_backup_conf("[lsblkUser]\nusername = nobody\n[Monitor]\nRun = no\n").findings == []


@pytest.mark.parametrize(
    "line, code",
    [
        ("timeout = 0", "backup_conf.freeze_time_too_short"),
        ("SafeFreezeWaitInSeconds = -1", "backup_conf.freeze_time_too_short"),
        ("timeout = a minute", "backup_conf.not_a_number"),
        ("timeout = 99999999999999999999", "backup_conf.not_a_number"),
        ("seqsnapshot = yes", "backup_conf.not_a_number"),
        ("UploadStatusAndLog = true", "backup_conf.not_a_flag"),
        ("SnapshotMethod = host", "backup_conf.unknown_method"),
        ("SnapshotMethod = onlyHost", "backup_conf.method_forced"),
        ("WriteLog = False", "backup_conf.no_log"),
        ("LoggingOff = 1", "backup_conf.no_freeze_log"),
        ("MountsToSkip = /", "backup_conf.root_cannot_be_skipped"),
        ("MountsToSkip = /mnt/*", "backup_conf.mount_never_matches"),
        ("MountsToSkip = data", "backup_conf.mount_never_matches"),
        ("MountsToSkip = /scratch", "backup_conf.mounts_skipped"),
        ("timeout = 50%", "backup_conf.percent_sign"),
    ],
)
def test_each_value_that_does_something_else_than_it_seems_is_named(line: str, code: str) -> None:
    assert code in codes(line + "\n")


def test_an_empty_value_stands_for_the_default() -> None:
    assert codes("timeout =\nWriteLog =\nLoggingOff =\n") == []


@pytest.mark.parametrize("text", ["timeout = 60\n", "[SnapshotThread]\na\n", "[S]\n[S]\n", "\0\0\0", "[" * 100000])
def test_a_file_that_the_extension_ignores_is_called_broken_and_not_quoted(text: str) -> None:
    conf = parse_backup_conf(text)
    (found,) = conf.findings
    assert found.code == "backup_conf.broken"
    assert conf.values == {}
    assert "60" not in str(found)


def test_thousands_of_keys_make_no_endless_list() -> None:
    lines = "".join(f"key{number} = 1\n" for number in range(5000))
    assert len(codes(lines)) == 100
