# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP035 - these tests run on the guest's Pythons too, 3.6 and newer
"""What a guest tells about agent, extension and configuration, and what it says when they are broken or hostile."""

import calendar
import json
import os
import socket
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._finding import Finding

from tests.guest_tree import NAME, GuestTree, codes, evidence, log_text, root_owns_everything, status_text

STATUS = "var/lib/waagent/" + NAME + "-1.0.9216.0/status/17.status"
LOG = "var/log/azure/" + NAME + "/extension.log"


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: Any) -> Iterator[GuestTree]:
    root_owns_everything(monkeypatch)
    yield GuestTree(tmp_path)


@pytest.fixture
def healthy(guest: GuestTree) -> GuestTree:
    return guest.story("application_consistent", 17)


def test_a_machine_with_nothing_on_it_is_described_all_the_same(guest: GuestTree) -> None:
    seen = guest.look()
    assert seen["agent"]["state"] == "missing"
    assert seen["extension"]["installed"] is False
    assert seen["last_run"] is None
    assert codes(seen) == ["agent.missing", "extension.missing", "scripts.refused", "run.none"]


def test_an_empty_root_without_any_folder_is_described_all_the_same(tmp_path: Path) -> None:
    guest = GuestTree(tmp_path / "tree")
    guest.root = tmp_path / "nowhere"
    assert guest.look()["extension"]["installed"] is False


def test_a_guest_in_order_has_no_finding(healthy: GuestTree) -> None:
    assert healthy.look()["findings"] == []


def test_errors_stand_before_warnings_and_warnings_before_the_rest(healthy: GuestTree) -> None:
    healthy.lint = [Finding("a.b", "info", "", ""), Finding("a.c", "warning", "", "")]
    healthy.write("etc/waagent.conf", "Extensions.Enabled=n\n")
    severities = [found["severity"] for found in healthy.look()["findings"]]
    assert severities == ["error", "warning", "info"]


class TestAgent:
    def test_a_stopped_agent_is_an_error(self, guest: GuestTree) -> None:
        guest.agent(running=False).extension()
        assert guest.look()["agent"]["state"] == "stopped"
        assert "walinuxagent" in evidence(guest.look(), "agent.stopped")["remedy"]

    def test_an_agent_is_also_known_by_its_pid_file(self, guest: GuestTree) -> None:
        guest.agent(running=False)
        guest.process(77, ["/usr/bin/something"])
        assert guest.look()["agent"]["state"] == "stopped"
        guest.write("run/waagent.pid", "77\n")
        assert guest.look()["agent"]["state"] == "running"

    def test_the_version_that_runs_is_told_beside_the_installed_one(self, guest: GuestTree) -> None:
        guest.agent()
        guest.version_text = (
            "WALinuxAgent-2.9.1.1 running on ubuntu 22.04\nPython: 3.10.12\nGoal state agent: 2.15.0.1\n"
        )
        agent = guest.look()["agent"]
        assert (agent["version"], agent["installed_version"], agent["linux"]["pid"]) == ("2.15.0.1", "2.9.1.1", 812)

    def test_extensions_disabled_is_an_error(self, healthy: GuestTree) -> None:
        healthy.write("etc/waagent.conf", "# Enable extensions\nExtensions.Enabled=n\n")
        assert healthy.look()["agent"]["extensions_enabled"] is False
        assert "agent.extensions_disabled" in codes(healthy.look())

    def test_an_allow_list_without_the_extension_blocks_it(self, healthy: GuestTree) -> None:
        healthy.write("etc/waagent.conf", "Debug.EnableExtensionPolicy=y\n")
        rules = {"policyVersion": "0.1.0", "extensionPolicies": {"allowListedExtensionsOnly": True, "extensions": {}}}
        healthy.write("etc/waagent_policy.json", json.dumps(rules))
        assert healthy.look()["agent"]["policy"]["allows_extension"] is False
        assert NAME in evidence(healthy.look(), "agent.policy_excludes_extension")["remedy"]
        rules["extensionPolicies"] = {"allowListedExtensionsOnly": True, "extensions": {NAME: {}}}
        healthy.write("etc/waagent_policy.json", json.dumps(rules))
        assert healthy.look()["findings"] == []

    def test_a_broken_allow_list_blocks_everything(self, healthy: GuestTree) -> None:
        healthy.write("etc/waagent.conf", "Debug.EnableExtensionPolicy=y\n")
        healthy.write("etc/waagent_policy.json", "{")
        assert "agent.policy_unreadable" in codes(healthy.look())

    def test_an_allow_list_that_is_switched_off_is_not_read(self, healthy: GuestTree) -> None:
        healthy.write("etc/waagent_policy.json", "{")
        assert healthy.look()["findings"] == []

    def test_a_masked_service_is_an_error(self, healthy: GuestTree) -> None:
        (healthy.root / "etc/systemd/system").mkdir(parents=True)
        (healthy.root / "etc/systemd/system/walinuxagent.service").symlink_to("/dev/null")
        assert "agent.masked" in codes(healthy.look())

    def test_an_agent_that_is_silent_for_long_is_pointed_out(self, healthy: GuestTree) -> None:
        path = healthy.write("var/lib/waagent/history/2026-03-14T01-00-00__17/waagent_status.json", "{}")
        os.utime(str(path), (healthy.now - 60, healthy.now - 60))
        assert healthy.look()["findings"] == []
        os.utime(str(path), (healthy.now - 3600, healthy.now - 3600))
        assert "60 minutes" in evidence(healthy.look(), "agent.silent")["message"]

    def test_a_heartbeat_of_half_an_hour_ago_is_no_silence(self, healthy: GuestTree) -> None:
        line = "2026-03-14T01:00:00.000000Z INFO ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.15.0.1 is running as the "
        healthy.write("var/log/waagent.log", line + "goal state agent [DEBUG]\n")
        healthy.now = calendar.timegm((2026, 3, 14, 1, 35, 0))
        assert healthy.look()["agent"]["last_seen"] == "2026-03-14T01:00:00Z"
        assert "agent.silent" not in codes(healthy.look())
        healthy.now += 15 * 60
        assert "agent.silent" in codes(healthy.look())

    def test_closed_ports_of_the_host_service_are_named(self, healthy: GuestTree) -> None:
        healthy.ports = {"80": "timed_out", "32526": "open"}
        assert "port 80 (timed_out)" in evidence(healthy.look(), "agent.wire_server_closed")["message"]

    def test_a_host_service_that_was_not_asked_is_no_finding(self, healthy: GuestTree) -> None:
        healthy.ports = {"80": "not_probed", "32526": "not_probed"}
        assert healthy.look()["findings"] == []

    def test_an_agent_that_keeps_its_files_elsewhere_is_followed(self, guest: GuestTree) -> None:
        guest.story("application_consistent", 17)
        (guest.root / "srv").mkdir()
        (guest.root / "var/lib/waagent").rename(guest.root / "srv/agent")
        (guest.root / "var/log/azure").rename(guest.root / "srv/log")
        assert guest.look()["extension"]["installed"] is False
        guest.write("etc/waagent.conf", "Lib.Dir=/srv/agent\nExtension.LogDir=/srv/log\n")
        assert guest.look()["last_run"]["consistency_reached"] == "application"


class TestExtension:
    def test_the_highest_version_that_is_installed_counts(self, guest: GuestTree) -> None:
        guest.agent().extension("1.0.9.0").extension("1.0.10.0").extension("1.0.11.0", "NotInstalled")
        extension = guest.look()["extension"]
        assert extension["version"] == "1.0.10.0"
        assert [each["version"] for each in extension["versions"]] == ["1.0.11.0", "1.0.10.0", "1.0.9.0"]

    def test_a_folder_without_a_state_is_not_installed(self, guest: GuestTree) -> None:
        guest.agent().extension(state=None)
        assert guest.look()["extension"]["installed"] is False

    def test_a_failed_upgrade_is_an_error(self, guest: GuestTree) -> None:
        guest.agent().extension(state="FailedUpgrade").scripts()
        assert "FailedUpgrade" in evidence(guest.look(), "extension.not_enabled")["message"]

    def test_what_the_agent_says_of_a_bad_extension_is_repeated(self, healthy: GuestTree) -> None:
        noted = {"status": "NotReady", "code": 1009, "message": "enable failed"}
        healthy.write("var/lib/waagent/" + NAME + "-1.0.9216.0/config/HandlerStatus", json.dumps(noted))
        found = evidence(healthy.look(), "extension.not_ready")
        assert ("1009" in found["message"], found["evidence"]) == (True, "enable failed")

    def test_a_removal_is_dated_from_the_agents_log(self, guest: GuestTree) -> None:
        line = "2026-03-14T01:02:03.000000Z INFO ExtHandler [{}-1.0.9216.0] Target handler state: uninstall [x]\n"
        guest.agent().write("var/log/waagent.log", line.format(NAME))
        found = evidence(guest.look(), "extension.removed")
        assert "2026-03-14T01:02:03Z" in found["message"]
        assert "snapshot_extension_guard" in found["remedy"]

    def test_no_python_for_the_start_script_is_an_error(self, healthy: GuestTree) -> None:
        (healthy.root / "usr/bin/python3").unlink()
        assert "extension.no_python" in codes(healthy.look())

    def test_the_start_script_prefers_an_old_python_3(self, healthy: GuestTree) -> None:
        healthy.write("usr/bin/python3.6", "")
        healthy.write("usr/bin/python2.7", "")
        assert healthy.look()["extension"]["linux"]["python"] == "/usr/bin/python3.6"

    def test_the_very_first_run_counts_as_taken_up(self, guest: GuestTree) -> None:
        guest.agent().extension().scripts().status(status_text("application_consistent"), 0)
        assert "extension.settings_not_taken_up" not in codes(guest.look())

    def test_settings_that_nobody_took_up_are_pointed_out(self, healthy: GuestTree) -> None:
        healthy.write("var/lib/waagent/" + NAME + "-1.0.9216.0/config/18.settings", "secret")
        found = evidence(healthy.look(), "extension.settings_not_taken_up")
        assert "run 18" in found["message"]

    def test_a_status_file_that_was_not_put_into_place_is_pointed_out(self, healthy: GuestTree) -> None:
        healthy.write("var/lib/waagent/" + NAME + "-1.0.9216.0/status/tempStatusFile.status", "")
        assert "extension.status_not_written" in codes(healthy.look())
        assert healthy.look()["last_run"]["code"] == 0

    def test_host_polling_is_pointed_out(self, healthy: GuestTree) -> None:
        healthy.write("etc/systemd/system/directsnapshot.service", "")
        assert "extension.host_polling" in codes(healthy.look())

    def test_the_settings_are_never_shown(self, healthy: GuestTree) -> None:
        assert "secret" not in json.dumps(healthy.look())


class TestFreeze:
    COMMAND = ("/var/lib/waagent/x/main/safefreeze/bin/safefreeze", "60", "/datadisk", "/")

    def test_a_freeze_of_a_run_is_in_progress(self, healthy: GuestTree) -> None:
        healthy.daemon(17)
        healthy.process(5000, list(self.COMMAND))
        seen = healthy.look()
        assert seen["extension"]["linux"]["freezing"]["mounts"] == ["/", "/datadisk"]
        assert "freeze.in_progress" in codes(seen)

    def test_a_freeze_that_nobody_waits_for_is_an_error(self, healthy: GuestTree) -> None:
        healthy.process(5000, list(self.COMMAND))
        assert "/datadisk (process 5000)" in evidence(healthy.look(), "freeze.left_behind")["evidence"]

    def test_writers_that_sleep_until_a_thaw_are_seen(self, healthy: GuestTree) -> None:
        healthy.process(6000, ["dd"], state="D", stack="[<0>] percpu_rwsem_wait+0x118/0x140\n[<0>] vfs_write\n")
        healthy.process(6001, ["dd"], state="D", stack="[<0>] io_schedule\n")
        seen = healthy.look()
        assert seen["extension"]["linux"]["freezing"]["blocked_writers"] == [6000]
        assert "freeze.blocked_writers" in codes(seen)

    def test_a_lock_that_somebody_else_holds_is_named(self, healthy: GuestTree) -> None:
        path = healthy.write("etc/azure/MicrosoftRecoverySvcsSafeFreezeLock/SafeFreezeLockFile", "")
        about = path.stat()
        line = "1: POSIX  ADVISORY  WRITE 77 {:02x}:{:02x}:{} 0 EOF\n"
        healthy.write("proc/locks", line.format(os.major(about.st_dev), os.minor(about.st_dev), about.st_ino))
        assert "Process 77" in evidence(healthy.look(), "freeze.locked_by_other")["message"]

    def test_a_lock_file_that_nobody_holds_is_harmless(self, healthy: GuestTree) -> None:
        healthy.write("etc/azure/MicrosoftRecoverySvcsSafeFreezeLock/SafeFreezeLockFile", "")
        seen = healthy.look()
        assert seen["extension"]["linux"]["freezing"]["lock_file"] is True
        assert seen["findings"] == []


class TestConfiguration:
    def test_what_the_extension_would_do_is_told(self, healthy: GuestTree) -> None:
        plugin = healthy.look()["configuration"]["linux"]["plugin"]
        assert (plugin["code"], plugin["scripts_run"], plugin["timeout"], plugin["poll"]) == (0, True, 120, 1)
        assert plugin["pre"]["mode"] == "0700"

    def test_scripts_that_would_be_refused_are_named(self, healthy: GuestTree) -> None:
        (healthy.root / "etc/azure/pre").chmod(0o755)
        found = evidence(healthy.look(), "scripts.refused")
        assert "code 306" in found["message"]
        assert "mode 0755" in found["message"]

    def test_what_the_lint_finds_is_not_said_twice(self, healthy: GuestTree) -> None:
        (healthy.root / "etc/azure/pre").chmod(0o755)
        healthy.lint = [Finding("script.mode", "error", "It has mode 0755.", "chmod 0700")]
        assert codes(healthy.look()) == ["script.mode"]

    def test_no_scripts_at_all_is_a_finding(self, guest: GuestTree) -> None:
        guest.agent().extension()
        assert "code 316" in evidence(guest.look(), "scripts.refused")["message"]

    def test_a_host_file_of_ones_own_is_shown(self, healthy: GuestTree) -> None:
        healthy.write("etc/azure/VMSnapshotPluginHost.conf", "[pre_post]\nnumberOfPlugins = 0\n", 0o644)
        host = healthy.look()["configuration"]["linux"]["host"]
        assert (host["override"], host["plugins"]) == (True, 0)

    def test_the_knobs_in_force_are_shown(self, healthy: GuestTree) -> None:
        healthy.write("etc/azure/vmbackup.conf", "[SnapshotThread]\ntimeout = 90\n")
        assert healthy.look()["configuration"]["linux"]["knobs"] == {"timeout": "90"}

    def test_a_snapshot_with_neither_scripts_nor_freeze_is_foreseen(self, healthy: GuestTree) -> None:
        healthy.scripts(fsFreezeEnabled=False)
        (healthy.root / "etc/azure/post").unlink()
        assert "scripts.snapshot_with_nothing" in codes(healthy.look())

    def test_a_workload_is_shown_and_its_password_stays_where_it_is(self, healthy: GuestTree) -> None:
        healthy.write("etc/azure/workload.conf", "[workload]\nworkload_name = mysql\ncredString = --password=hunter2\n")
        seen = healthy.look()
        assert seen["configuration"]["linux"]["workload"]["name"] == "mysql"
        assert "hunter2" not in json.dumps(seen)

    def test_an_empty_workload_name_is_as_it_should_be(self, healthy: GuestTree) -> None:
        healthy.write("etc/azure/workload.conf", "[workload]\nworkload_name =\n")
        assert healthy.look()["findings"] == []

    def test_parameters_of_scripts_are_counted_not_shown(self, healthy: GuestTree) -> None:
        healthy.scripts(preScriptParams=["hunter2"])
        seen = healthy.look()
        assert seen["configuration"]["linux"]["plugin"]["pre"]["params"] == 1
        assert "hunter2" not in json.dumps(seen)


class TestHostility:
    def test_a_status_file_that_is_a_link_is_not_followed(self, healthy: GuestTree) -> None:
        secret = healthy.write("etc/shadow", status_text("post_failed"))
        (healthy.root / STATUS).unlink()
        (healthy.root / STATUS).symlink_to(secret)
        seen = healthy.look()
        assert "symbolic link" in evidence(seen, "run.status_unreadable")["message"]
        assert seen["last_run"]["code"] == 0
        assert seen["last_run"]["sources"]["status"] is None

    def test_a_status_folder_that_is_a_link_is_not_followed(self, healthy: GuestTree) -> None:
        folder = healthy.folder() / "status"
        folder.rename(healthy.root / "elsewhere")
        folder.symlink_to(healthy.root / "elsewhere")
        assert healthy.look()["last_run"]["sources"]["status"] is None

    def test_a_handler_folder_that_is_a_link_is_not_followed(self, healthy: GuestTree) -> None:
        healthy.folder().rename(healthy.root / "elsewhere")
        healthy.folder().symlink_to(healthy.root / "elsewhere")
        assert healthy.look()["extension"]["versions"] == []

    def test_a_log_that_is_a_link_is_not_followed(self, healthy: GuestTree) -> None:
        (healthy.root / LOG).rename(healthy.root / "elsewhere")
        (healthy.root / LOG).symlink_to(healthy.root / "elsewhere")
        seen = healthy.look()
        assert "symbolic link" in evidence(seen, "run.log_unreadable")["message"]
        assert seen["last_run"]["code"] == 0

    def test_a_log_folder_that_is_a_link_is_not_followed(self, healthy: GuestTree) -> None:
        folder = (healthy.root / LOG).parent
        folder.rename(healthy.root / "elsewhere")
        folder.symlink_to(healthy.root / "elsewhere")
        assert "run.log_unreadable" in codes(healthy.look())

    @pytest.mark.parametrize("path", [LOG, STATUS, "etc/azure/vmbackup.conf", "etc/azure/workload.conf"])
    def test_a_pipe_where_a_file_should_be_keeps_nobody_waiting(self, healthy: GuestTree, path: str) -> None:
        target = healthy.root / path
        if target.exists():
            target.unlink()
        os.mkfifo(str(target))
        assert "not a regular file" in json.dumps(healthy.look()["findings"])

    @pytest.mark.parametrize("path", [LOG, STATUS])
    def test_a_socket_or_a_folder_where_a_file_should_be_is_refused(self, healthy: GuestTree, path: str) -> None:
        target = healthy.root / path
        target.unlink()
        target.mkdir()
        assert healthy.look()["last_run"] is not None
        target.rmdir()
        here = Path.cwd()
        os.chdir(str(target.parent))  # the path of a socket must be short
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(target.name)
                assert healthy.look()["last_run"] is not None
        finally:
            os.chdir(here)

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"\0" * 5000,
            bytes(range(256)) * 20,
            b"[" * 200000,
            b'{"a":' * 100000,
            b"[" + b"9" * 500000 + b"]",
            b"[1e999999]",
            b"NaN",
            b"null",
            b"[]",
            b"[null]",
            b'[{"status": []}]',
            b'[{"status": {"code": [], "substatus": {}, "formattedMessage": 3}}]',
            b'[{"status": {"code": "zero", "substatus": [{"name": "[[[["}]}}]',
            b'"' + b"a" * 900000 + b'"',
            b"\xef\xbb\xbf[]",
            b"\xff\xfe[\0]\0",
        ],
        ids=lambda text: repr(text[:12]),
    )
    def test_a_status_file_full_of_anything_is_a_finding_or_nothing(self, healthy: GuestTree, text: bytes) -> None:
        healthy.status(text, 17)
        assert healthy.look()["last_run"]["pre"]["state"] == "succeeded"

    def test_a_status_whose_numbers_are_absurd_shows_none_of_them(self, healthy: GuestTree) -> None:
        changed = json.loads(status_text("application_consistent").decode())
        changed[0]["timestampUTC"] = "/Date(999999999999999)/"
        changed[0]["status"]["code"] = 10**30
        healthy.status(json.dumps(changed).encode(), 17)
        run = healthy.look()["last_run"]
        assert run["code_name"] == "unknown"

    @pytest.mark.parametrize(
        "noise",
        [
            b"\0" * 100000,
            bytes(range(256)) * 400,
            b"x" * 1000000,
            b"\n" * 300000,
            b"2026-03-14 02:00:99.000000 [a-1.0]starting enable\n" * 50,
            b"9999-99-99 99:99:99 [a-1.0]starting enable\n0000/00/00 00:00:00 [a-1.0]starting enable\n",
            b"2026-03-14 02:00:07 [a-1.0]Plugin:" + b" timeout:" * 50000 + b"\n",
            b"2026-03-14 02:00:07 [a-1.0]Prescript for " + b"Prescript for " * 50000 + b"\n",
        ],
        ids=lambda noise: repr(noise[:12]),
    )
    def test_noise_before_a_run_does_not_hide_it(self, healthy: GuestTree, noise: bytes) -> None:
        healthy.log(noise + b"\n" + log_text("application_consistent"))
        assert healthy.look()["last_run"]["freeze_seconds"] == 3.314

    def test_a_log_of_marks_without_end_is_cut_and_said_to_be(self, healthy: GuestTree) -> None:
        flood = b"2026-03-14 02:00:12 [a-1.0]Running prescript for x\n" * 20000
        healthy.log(log_text("killed_in_pre") + flood)
        assert healthy.look()["last_run"]["sources"]["log_complete"] is False

    def test_escape_sequences_do_not_reach_a_terminal(self, healthy: GuestTree) -> None:
        evil = b"\x1b]0;owned\x07\x1b[2J\x1b[31m/data\x9b5m\xe2\x80\xae\x07"
        log = log_text("freeze_refused").replace(b"FIFREEZE: /datadisk", b"FIFREEZE: " + evil)
        healthy.story("freeze_refused", 19).log(log)
        shown = json.dumps(healthy.look(), ensure_ascii=False)
        assert "/data" in shown
        assert not any(letter in shown for letter in ("\x1b", "\x07", "\x9b", "\u202e", "owned"))

    def test_signed_addresses_lose_their_signature(self, healthy: GuestTree) -> None:
        changed = json.loads(status_text("freeze_refused").decode())
        message = {"messageStr": "PUT https://md.blob.core.windows.net/vhd?sv=1&sig=c2VjcmV0 failed"}
        changed[0]["status"]["formattedMessage"]["message"] = json.dumps(message)
        healthy.story("freeze_refused", 19).status(json.dumps(changed).encode(), 19)
        shown = json.dumps(healthy.look())
        assert "vhd?... failed" in shown
        assert "c2VjcmV0" not in shown

    def test_thousands_of_versions_and_files_are_no_trouble(self, healthy: GuestTree) -> None:
        for number in range(300):
            (healthy.root / "var/lib/waagent" / f"{NAME}-1.0.{number}.0").mkdir()
            healthy.write("var/lib/waagent/" + NAME + f"-1.0.9216.0/status/{number}_status", "")
        seen = healthy.look()
        assert seen["extension"]["version"] == "1.0.9216.0"
        assert len(seen["extension"]["versions"]) == 20

    def test_a_name_made_of_digits_without_end_is_no_sequence(self, healthy: GuestTree) -> None:
        healthy.write("var/lib/waagent/" + NAME + "-1.0.9216.0/status/" + "9" * 200 + ".status", "")
        assert healthy.look()["last_run"]["sequence"] == 17
