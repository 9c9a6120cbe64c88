# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP035 - these tests run on the guest's Pythons too, 3.6 and newer
"""The extension's own checks, made the same way: the cases that the real code was seen to decide."""

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest import plugin_check
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.plugin_check import PluginPlan

from tests.guest_tree import GuestTree, root_owns_everything


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: Any) -> Iterator[GuestTree]:
    root_owns_everything(monkeypatch)
    yield GuestTree(tmp_path).extension().scripts()


def plan(guest: GuestTree) -> PluginPlan:
    return plugin_check.check(str(guest.folder()), str(guest.root / "etc/azure/VMSnapshotPluginHost.conf"))


def host_file(guest: GuestTree, text: str, mode: int = 0o644) -> None:
    guest.write("etc/azure/VMSnapshotPluginHost.conf", text, mode)


def config_text(guest: GuestTree, text: Any) -> None:
    guest.write("etc/azure/VMSnapshotScriptPluginConfig.json", text)


def test_scripts_as_they_should_be_would_run(guest: GuestTree) -> None:
    made = plan(guest)
    assert (made.code, made.reason, made.scripts_run()) == (0, "", True)
    assert (made.timeout, made.poll, made.freeze, made.continue_on_failure) == (120, 1, True, True)
    assert made.host_override is False


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o200, 0o000, 0o4600])
def test_these_modes_of_the_configuration_pass(guest: GuestTree, mode: int) -> None:
    if os.geteuid() != 0 and not mode & 0o400:
        mode = 0o600  # nobody but root can read the others
    (guest.root / "etc/azure/VMSnapshotScriptPluginConfig.json").chmod(mode)
    assert plan(guest).code == 0


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o700, 0o500])
def test_these_modes_of_the_configuration_are_refused_and_the_snapshot_goes_on(guest: GuestTree, mode: int) -> None:
    guest.scripts(continueBackupOnFailure=False)
    (guest.root / "etc/azure/VMSnapshotScriptPluginConfig.json").chmod(mode)
    made = plan(guest)
    assert (made.code, made.snapshot_without_scripts(), made.freeze) == (317, True, True)


@pytest.mark.parametrize("mode", [0o700, 0o600, 0o500, 0o400, 0o000, 0o4700])
def test_these_modes_of_a_script_pass(guest: GuestTree, mode: int) -> None:
    (guest.root / "etc/azure/pre").chmod(mode)
    assert plan(guest).code == 0


@pytest.mark.parametrize("name, code", [("pre", 306), ("post", 307)])
@pytest.mark.parametrize("mode", [0o750, 0o705, 0o755, 0o640])
def test_these_modes_of_a_script_are_refused(guest: GuestTree, name: str, code: int, mode: int) -> None:
    (guest.root / "etc/azure" / name).chmod(mode)
    assert plan(guest).code == code


def test_the_first_check_that_fails_decides(guest: GuestTree) -> None:
    (guest.root / "etc/azure/pre").chmod(0o755)
    (guest.root / "etc/azure/post").unlink()
    assert plan(guest).code == 306


@pytest.mark.parametrize("key, code", [("preScriptLocation", 302), ("postScriptLocation", 303)])
@pytest.mark.parametrize("path", ["", "nowhere", "/nowhere", "/etc", "/dev/null"])
def test_what_is_no_file_is_not_found(guest: GuestTree, key: str, code: int, path: str) -> None:
    guest.scripts(**{key: path})
    assert plan(guest).code == code


def test_a_relative_path_is_looked_for_in_the_extensions_folder(guest: GuestTree) -> None:
    (guest.folder() / "pre.sh").write_text("")
    (guest.folder() / "pre.sh").chmod(0o700)
    guest.scripts(preScriptLocation="pre.sh")
    assert plan(guest).code == 0


def test_continue_on_failure_is_honoured_once_the_configuration_was_read(guest: GuestTree) -> None:
    guest.scripts(continueBackupOnFailure=False, preScriptLocation="/nowhere")
    assert plan(guest).snapshot_without_scripts() is False


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"timeoutInSeconds": "30"}, 304),
        ({"timeoutInSeconds": None}, 304),
        ({"preScriptLocation": None}, 304),
        ({"preScriptLocation": ["/x"]}, 304),
        ({"ScriptsExecutionPollTimeSeconds": "often"}, 305),
        ({"timeoutInSeconds": 0.5}, 0),
        ({"timeoutInSeconds": -1}, 0),
        ({"fsFreezeEnabled": "false"}, 0),
        ({"continueBackupOnFailure": "false"}, 0),
        ({"preScriptParams": None}, 0),
        ({"preScriptNoOfRetries": "3"}, 0),
        ({"unknown": {}}, 0),
    ],
)
def test_values_of_wrong_types_get_the_codes_that_the_extension_gives(
    guest: GuestTree, changes: Any, code: int
) -> None:
    guest.scripts(**changes)
    assert plan(guest).code == code


@pytest.mark.parametrize(
    "text, code",
    [
        ("{", 305),
        ("\ufeff{}", 305),
        ("{}", 305),
        ('{"preScriptLocation": "/x"}', 305),
        ("[]", 304),
        ("null", 304),
        ("[" * 100000, 305),
        (b"\xff\xfe", 305),
        ("x" * (1 << 20) + "x", 304),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_broken_configurations_get_the_codes_that_the_extension_gives(guest: GuestTree, text: Any, code: int) -> None:
    config_text(guest, text)
    made = plan(guest)
    assert (made.code, made.snapshot_without_scripts(), made.freeze) == (code, True, True)


def test_no_configuration_is_code_316(guest: GuestTree) -> None:
    (guest.root / "etc/azure/VMSnapshotScriptPluginConfig.json").unlink()
    assert plan(guest).code == 316


def test_what_is_left_out_has_the_extensions_defaults(guest: GuestTree) -> None:
    pre, post = str(guest.root / "etc/azure/pre"), str(guest.root / "etc/azure/post")
    config_text(guest, json.dumps({"preScriptLocation": pre, "postScriptLocation": post}))
    made = plan(guest)
    assert (made.timeout, made.poll, made.freeze, made.continue_on_failure) == (10, 3, True, True)
    assert made.pre is not None and made.pre.params == []


@pytest.mark.parametrize("poll, effective", [(1, 1), (5, 5), (0, 3), (6, 3), (-1, 3)])
def test_a_poll_time_outside_its_range_is_ignored(guest: GuestTree, poll: int, effective: int) -> None:
    guest.scripts(ScriptsExecutionPollTimeSeconds=poll)
    assert plan(guest).poll == effective


@pytest.mark.parametrize("params, listed", [("ab", ["a", "b"]), ([True, 1, None], ["True", "1", "None"]), (None, None)])
def test_parameters_become_what_the_extension_makes_of_them(guest: GuestTree, params: Any, listed: Any) -> None:
    guest.scripts(preScriptParams=params)
    made = plan(guest)
    assert made.pre is not None and made.pre.params == listed


class TestHostFile:
    @pytest.mark.parametrize("mode, code", [(0o644, 304), (0o600, 304), (0o744, 304), (0o664, 314), (0o755, 314)])
    def test_its_mode_is_judged_before_its_content(self, guest: GuestTree, mode: int, code: int) -> None:
        host_file(guest, "no ini file", mode)
        assert plan(guest).code == code

    def test_without_any_of_them_it_is_code_313(self, guest: GuestTree) -> None:
        (guest.folder() / "main/VMSnapshotPluginHost.conf").unlink()
        assert plan(guest).code == 313

    def test_its_time_limit_caps_that_of_the_scripts(self, guest: GuestTree) -> None:
        text = (guest.folder() / "main/VMSnapshotPluginHost.conf").read_text().replace("1800", "60")
        host_file(guest, text)
        assert (plan(guest).timeout, plan(guest).host_timeout, plan(guest).host_override) == (60, 60, True)

    @pytest.mark.parametrize("text", ["[pre_post]\nnumberOfPlugins = 0\n", "[pre_post]\ntimeoutInSeconds = 60\n", ""])
    def test_one_without_plugins_passes_every_check_and_runs_nothing(self, guest: GuestTree, text: str) -> None:
        host_file(guest, text)
        assert (plan(guest).code, plan(guest).scripts_run()) == (0, False)

    @pytest.mark.parametrize(
        "text",
        [
            "[pre_post]\nnumberOfPlugins = 1\n",
            "[pre_post]\nnumberOfPlugins = one\n",
            "[a]\n[a]\n",
            "root:x:0:0::/root\n",
        ],
    )
    def test_a_broken_one_is_code_304_and_is_not_quoted(self, guest: GuestTree, text: str) -> None:
        host_file(guest, text)
        assert plan(guest).code == 304
        assert "root:x" not in plan(guest).reason

    def test_a_device_behind_a_link_is_not_read(self, guest: GuestTree) -> None:
        (guest.root / "etc/azure/VMSnapshotPluginHost.conf").symlink_to("/dev/zero")
        assert plan(guest).host_override is False


def test_an_owner_that_is_not_called_root_is_refused(guest: GuestTree, monkeypatch: Any) -> None:
    monkeypatch.setattr(plugin_check, "owner_name", lambda _about: "toor")
    assert plan(guest).code == 314
