# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probes are run as root, so they must be trusted, bounded, and must not keep anybody waiting."""

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal import probe

PATIENCE = 60.0
AT_ONCE = 0.3


def sh(text: str, seconds: float = PATIENCE) -> Any:
    return tuple(probe.command(["/bin/sh", "-c", text], seconds))


@pytest.mark.parametrize(
    "text, state, said",
    [
        ("exit 0", "written", ""),
        ("echo noise; echo done", "written", "done"),
        ("echo 'no right to write'; exit 3", "cannot_tell", "no right to write"),
        ("echo read only >&2; exit 1", "refused", "read only"),
        ("exit 7", "refused", "exit status 7"),
        ("kill -9 $$", "refused", "exit status -9"),
        ("printf '\\033[31mred\\n'; exit 1", "refused", "red"),
    ],
)
def test_what_a_probe_says_is_told(text: str, state: str, said: str) -> None:
    assert sh(text) == ("probe", state, said)


def test_a_write_that_is_not_answered_is_given_up_and_ended() -> None:
    assert sh("echo waiting; exec sleep 600", AT_ONCE) == ("probe", "timed_out", "waiting")


def test_output_without_end_is_read_in_little_memory() -> None:
    assert sh("exec yes", AT_ONCE)[1] == "timed_out"


def test_a_child_that_keeps_the_pipe_open_is_not_waited_for() -> None:
    assert sh("sleep 5 & echo written") == ("probe", "written", "written")


def test_a_program_that_does_not_exist_is_a_refusal_in_words() -> None:
    assert probe.command(["/nowhere/x"], PATIENCE) == ("probe", "refused", "/nowhere/x: No such file or directory")


def test_no_shell_sees_the_arguments() -> None:
    assert probe.command(["/bin/echo", "$(id)", "a;b"], PATIENCE).said == "$(id) a;b"


def test_a_probe_finds_a_plain_environment() -> None:
    assert sh('echo "$HOME $LC_ALL $(pwd) ${SSH_CONNECTION:-none}"')[2] == "/root C / none"


class TestDeployed:
    @pytest.fixture
    def script(self, tmp_path: Path, monkeypatch: Any) -> Path:
        if os.geteuid() != 0:
            monkeypatch.setattr(probe, "is_trusted", lambda path: Path(path).exists())
        path = tmp_path / "probe.sh"
        path.write_text(
            "echo '20-mariadb 0 '; echo '30-redis 3 no right'; echo '40-own 1 read only'; echo noise; exit 1\n"
        )
        path.chmod(0o700)
        return path

    def test_each_hook_is_a_result(self, script: Path) -> None:
        assert [tuple(result) for result in probe.deployed(PATIENCE, str(script))] == [
            ("20-mariadb", "written", ""),
            ("30-redis", "cannot_tell", "no right"),
            ("40-own", "refused", "read only"),
        ]

    def test_nothing_deployed_is_no_result(self, tmp_path: Path) -> None:
        assert probe.deployed(PATIENCE, str(tmp_path / "probe.sh")) == []

    def test_hooks_that_hang_are_a_result_too(self, script: Path) -> None:
        script.write_text("echo '20-mariadb 0 '; exec sleep 600\n")
        assert [tuple(result) for result in probe.deployed(AT_ONCE, str(script))] == [
            ("20-mariadb", "written", ""),
            ("probe.sh", "timed_out", "no answer within 0.3 s"),
        ]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that root alone may write")
    @pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
    def test_a_script_that_others_may_write_is_not_run(self, script: Path, mode: int) -> None:
        script.chmod(mode)
        assert probe.deployed(PATIENCE, str(script)) == []

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "probe.sh").symlink_to("/bin/true")
        assert not probe.is_trusted(str(tmp_path / "probe.sh"))
