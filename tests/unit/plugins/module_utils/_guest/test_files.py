# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP022, UP032 - these tests run on the guest's Pythons too, 3.6 and newer
"""Reading below a folder without leaving it, and in bounded memory."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest import files
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.files import list_names, read_head, read_tail

from tests.guest_tree import log_text

HALF_A_GIGABYTE = 500 * 1024 * 1024


def test_head_and_tail_say_whether_they_are_all_there_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_head(str(tmp_path), "file", 4)[:2] == ("found", b"0123")
    assert read_tail(str(tmp_path), "file", 4)[:2] == ("found", b"6789")
    assert read_tail(str(tmp_path), "file", 4).whole is False
    assert read_tail(str(tmp_path), "file", 10).whole is True


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a//b", "a/./b", "sec\0ret"])
def test_a_path_that_is_not_plain_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("")
    (tmp_path / "below/a").mkdir(parents=True)
    assert read_head(str(tmp_path / "below"), path, 10).state == "refused"


def test_a_link_to_a_file_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert read_head(str(tmp_path), "link", 10) == ("refused", b"", 0, None, True, "it is a symbolic link")


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    assert read_head(str(tmp_path), "link/passwd", 10).state == "refused"
    assert list_names(str(tmp_path), "link").state == "refused"


def test_the_folder_itself_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("x")
    (tmp_path / "here").symlink_to(tmp_path / "there")
    assert read_head(str(tmp_path / "here"), "file", 10).data == b"x"


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert read_head(str(tmp_path), "file", 10).state == "missing"
    assert read_head(str(tmp_path / "nowhere"), "a/b/c", 10).state == "missing"
    assert list_names(str(tmp_path / "nowhere")).state == "missing"


def test_no_more_names_are_read_than_were_asked_for(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).write_text("")
    assert len(list_names(str(tmp_path), limit=5).names) == 5


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("a/b/file", "a/b", "link", "a/../x", "nowhere", "a/b/file/x"):
        read_head(str(tmp_path), path, 10)
        list_names(str(tmp_path), path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_half_a_gigabyte_of_log_is_read_from_its_end_in_little_memory(tmp_path: Path) -> None:
    """A process that may not take more than 64 MiB on top of Python itself finds the last run in a sparse file."""
    folder = tmp_path / "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
    folder.mkdir(parents=True)
    with (folder / "extension.log").open("wb") as log:
        log.seek(HALF_A_GIGABYTE)
        log.write(b"\n" + log_text("application_consistent"))
    assert _look_within(tmp_path, 64 * 1024 * 1024) == "application 3.314"


def test_half_a_gigabyte_without_a_run_and_without_a_line_ends_in_little_memory(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
    folder.mkdir(parents=True)
    with (folder / "extension.log").open("wb") as log:
        log.truncate(HALF_A_GIGABYTE)
    assert _look_within(tmp_path, 64 * 1024 * 1024) == "nothing"


def _look_within(root: Path, memory: int) -> str:
    program = (
        "import resource, sys\n"
        "from ansible_collections.appconsistent.azure.plugins.module_utils._guest import guest, snapshot\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + {0}, used + {0}))\n"
        "guest = guest.Guest(sys.argv[1], 0, 2e9, lambda _p: '', lambda: {{}})\n"
        "run = snapshot.gather(guest)['guest_snapshot']['last_run']\n"
        "print(run['consistency_reached'], run['freeze_seconds']) if run else print('nothing')\n"
    ).format(memory)
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_the_limit_of_that_proof_is_a_limit(tmp_path: Path) -> None:
    """The same process dies when it reads the whole file: so the limit is real."""
    with (tmp_path / "file").open("wb") as log:
        log.truncate(HALF_A_GIGABYTE)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 1024 * 1024, hard))
    try:
        with pytest.raises(MemoryError):
            files.read_head(str(tmp_path), "file", HALF_A_GIGABYTE)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
