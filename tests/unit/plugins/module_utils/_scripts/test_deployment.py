# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module writes into a guest, what it leaves alone, and what it refuses to write."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts import files, layout, stuck_hold
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.deployment import (
    DeploymentGuest,
    Refused,
    run,
)

CONFIG = "etc/azure/VMSnapshotScriptPluginConfig.json"
HOOKS = "etc/azure/appconsistent.d"
MARIADB = {"name": "mariadb"}


def run_command(command: list[str], text: str) -> tuple[int, str]:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20, check=False)
    said = done.stderr or done.stdout
    if any("command -v" in word for word in command):
        # A guest of these stories has every client, whatever this machine has.
        said = "\n".join(name for name in said.split() if name not in ("mariadb", "mysql", "redis-cli", "valkey-cli"))
    return done.returncode, said


class Machine:
    """A folder that stands for a guest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "etc/systemd/system").mkdir(parents=True)
        (root / "run").mkdir()
        self.guest = DeploymentGuest(run_command, str(root), os.getuid())

    def deploy(self, *profiles: dict[str, t.Any], check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
        defaults = {
            "state": "present",
            "profiles": list(profiles) or [MARIADB],
            "timeout": 60,
            "hold_seconds": 120,
            "poll_seconds": 1,
            "continue_backup_on_failure": True,
            "fs_freeze_enabled": True,
            "log_file": "/var/log/azure/appconsistent.log",
            "force": False,
        }
        return run({**defaults, **params}, self.guest, check_mode)

    def refused(self, *profiles: dict[str, t.Any], **params: t.Any) -> str:
        before = self.tree()
        with pytest.raises(Refused) as caught:
            self.deploy(*profiles, **params)
        assert self.tree() == before
        return str(caught.value)

    def write(self, path: str, text: str, mode: int = 0o600) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Everything below the root but what is in memory on a real machine."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if not name.startswith("run"):
                data = (
                    str(path.readlink()).encode() if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
                )
                found[name] = (stat.S_IMODE(path.lstat().st_mode), data)
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_everything_gets_the_rights_that_the_extension_asks_for(machine: Machine) -> None:
    machine.deploy(MARIADB, {"name": "postgresql"})
    modes = {name: mode for name, (mode, _data) in machine.tree().items()}
    assert modes[CONFIG] == 0o600
    assert modes["etc/azure/appconsistent"] == modes[HOOKS] == 0o700
    assert modes["etc/azure/appconsistent/pre.sh"] == modes["etc/azure/appconsistent/post.sh"] == 0o700
    assert modes[f"{HOOKS}/20-mariadb"] == modes[f"{HOOKS}/20-postgresql"] == 0o700
    assert modes[f"{HOOKS}/20-mariadb.conf"] == 0o600
    assert modes["etc/systemd/system/appconsistent-boot.service"] == 0o644


def test_the_configuration_has_real_booleans_and_numbers(machine: Machine) -> None:
    machine.deploy(timeout=90, fs_freeze_enabled=False, continue_backup_on_failure=False, profiles=[{"name": "redis"}])
    text = (machine.root / CONFIG).read_bytes()
    assert not text.startswith(b"\xef\xbb\xbf")
    assert json.loads(text) == {
        "pluginName": "ScriptRunner",
        "preScriptLocation": "/etc/azure/appconsistent/pre.sh",
        "postScriptLocation": "/etc/azure/appconsistent/post.sh",
        "preScriptParams": [],
        "postScriptParams": [],
        "preScriptNoOfRetries": 0,
        "postScriptNoOfRetries": 0,
        "timeoutInSeconds": 90,
        "continueBackupOnFailure": False,
        "fsFreezeEnabled": False,
        "ScriptsExecutionPollTimeSeconds": 1,
    }


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    assert machine.deploy()["changed"] is True
    before = machine.tree()
    again = machine.deploy()
    assert (again["changed"], again["written"], again["removed"], again["diff"]) == (False, [], [], [])
    assert machine.tree() == before


def test_check_mode_writes_nothing_and_foretells_the_same(machine: Machine) -> None:
    foretold = machine.deploy(check_mode=True)
    assert set(machine.tree()) == {"etc", "etc/systemd", "etc/systemd/system"}
    done = machine.deploy()
    assert foretold == done


def test_check_mode_of_a_removal_removes_nothing(machine: Machine) -> None:
    machine.deploy()
    before = machine.tree()
    foretold = machine.deploy(state="absent", check_mode=True)
    assert machine.tree() == before
    assert machine.deploy(state="absent") == foretold


def test_what_was_changed_by_hand_is_put_back(machine: Machine) -> None:
    machine.deploy()
    before = machine.tree()
    (machine.root / "etc/azure/appconsistent/pre.sh").write_text("exit 0\n")
    (machine.root / f"{HOOKS}/20-mariadb").chmod(0o755)
    (machine.root / CONFIG).chmod(0o644)
    (machine.root / "etc/azure/appconsistent").chmod(0o755)
    result = machine.deploy()
    assert result["written"] == [
        "/etc/azure/VMSnapshotScriptPluginConfig.json",
        "/etc/azure/appconsistent",
        "/etc/azure/appconsistent.d/20-mariadb",
        "/etc/azure/appconsistent/pre.sh",
    ]
    assert machine.tree() == before


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(machine: Machine) -> None:
    machine.deploy()
    target = machine.write("somewhere", "precious")
    config = machine.root / CONFIG
    config.unlink()
    config.symlink_to(target)
    machine.deploy(force=True)
    assert not config.is_symlink()
    assert target.read_text() == "precious"


def test_the_hook_of_a_profile_that_left_the_list_goes_and_others_stay(machine: Machine) -> None:
    machine.deploy(MARIADB, {"name": "redis", "password": "geheim"})
    machine.write(f"{HOOKS}/50-mine", "#!/bin/sh\nexit 0\n", 0o700)
    result = machine.deploy()
    assert result["removed"] == ["/etc/azure/appconsistent.d/20-redis", "/etc/azure/appconsistent.d/20-redis.conf"]
    assert result["snapshot_scripts"]["foreign_hooks"] == ["50-mine"]
    assert sorted(path.name for path in (machine.root / HOOKS).iterdir()) == [
        "20-mariadb",
        "20-mariadb.conf",
        "50-mine",
    ]


def test_profiles_make_hooks_in_their_order(machine: Machine) -> None:
    service = {"name": "service", "unit": "orders.service", "order": 5}
    result = machine.deploy(
        {"name": "redis", "label": "cache"}, {"name": "redis", "label": "queue", "order": 30}, service
    )
    assert [hook["name"] for hook in result["snapshot_scripts"]["hooks"]] == [
        "05-service",
        "20-redis-cache",
        "30-redis-queue",
    ]


def test_settings_reach_the_shell_as_they_were_written(machine: Machine) -> None:
    words = ["/bin/x", "it's", '"$(id)"', "`id`", "a b", "\\", "-n", "*", "é"]
    machine.deploy({"name": "command", "freeze_command": words, "thaw_command": ["/bin/y"]})
    settings = machine.root / f"{HOOKS}/10-command.conf"
    said = subprocess.run(
        ["sh", "-c", '. "$1"; printf "%s" "$freeze_command"', "-", str(settings)], capture_output=True, check=True
    )
    assert said.stdout.decode().split("\n") == words


def test_a_secret_is_in_the_settings_and_in_nothing_that_is_shown(machine: Machine) -> None:
    redis = {"name": "redis", "password": "opensesame"}
    mongo = {"name": "mongodb", "uri": "mongodb://u:opensesame@localhost/"}
    first = machine.deploy(redis, mongo)
    assert "opensesame" in (machine.root / f"{HOOKS}/20-redis.conf").read_text()
    second = machine.deploy({**redis, "password": "opensesame2"}, mongo)
    removed = machine.deploy(state="absent")
    assert "opensesame" not in json.dumps([first, second, removed])
    assert second["changed"] is True


@pytest.mark.parametrize(
    "written",
    [
        "password='next\u0085opensesame'",
        "password='separator\u2028opensesame'",
        "password='form\x0cfeed opensesame'",
        "password='over two\nlines opensesame'",
        'password="in double\nopensesame"',
        "  password=opensesame",
        "export password='opensesame'",
        "uri=mongodb://u:opensesame@localhost/",
        "user='a' password='opensesame'",
        "user=x; password=opensesame",
        "user='a\nb' password='opensesame'",
        "password=a#opensesame",
        "# password='opensesame'",
        "password=a\\ opensesame",
        "password='a'\"opensesame\"",
        "password='never ends\nopensesame",
    ],
)
def test_a_secret_that_somebody_wrote_by_hand_is_in_no_difference(machine: Machine, written: str) -> None:
    machine.deploy({"name": "redis", "password": "x"})
    machine.write(f"{HOOKS}/20-redis.conf", f"{written}\nport='6379'\n", 0o600)
    changed = machine.deploy({"name": "redis", "password": "y"}, check_mode=True)
    assert "opensesame" not in json.dumps(changed)
    if "never ends" not in written:
        assert "port='6379'" in json.dumps(changed["diff"])


def test_what_a_foreign_configuration_hands_to_its_scripts_is_in_no_difference(machine: Machine) -> None:
    machine.deploy()
    config = json.loads((machine.root / "etc/azure/VMSnapshotScriptPluginConfig.json").read_text())
    machine.write(
        "etc/azure/VMSnapshotScriptPluginConfig.json",
        json.dumps({**config, "preScriptParams": ["-p", "opensesame"], "postScriptParams": ["opensesame"]}),
        0o600,
    )
    changed = machine.deploy(force=True, check_mode=True)
    assert changed["diff"]
    assert "opensesame" not in json.dumps(changed)


def test_the_difference_shows_what_changes(machine: Machine) -> None:
    machine.deploy()
    (shown,) = machine.deploy(continue_backup_on_failure=False, check_mode=True)["diff"]
    assert shown["before_header"] == "/etc/azure/VMSnapshotScriptPluginConfig.json"
    assert '"continueBackupOnFailure": true' in shown["before"]
    assert '"continueBackupOnFailure": false' in shown["after"]


def test_removal_takes_what_is_ours_and_nothing_else(machine: Machine) -> None:
    machine.write("etc/azure/vmbackup.conf", "[SnapshotThread]\n")
    before = set(machine.tree())
    machine.deploy()
    machine.write("var/lib/appconsistent/held", "some-run\n")
    result = machine.deploy(state="absent")
    assert result["changed"] is True
    assert set(machine.tree()) - {"var", "var/lib", "var/lib/appconsistent"} == before | {
        "etc/systemd/system/multi-user.target.wants"
    }
    assert machine.deploy(state="absent")["changed"] is False


def test_removal_leaves_the_hooks_of_others_in_their_folder(machine: Machine) -> None:
    machine.deploy()
    machine.write(f"{HOOKS}/50-mine", "#!/bin/sh\nexit 0\n", 0o700)
    machine.deploy(state="absent")
    assert [path.name for path in (machine.root / HOOKS).iterdir()] == ["50-mine"]
    assert machine.deploy(state="absent")["changed"] is False


@pytest.mark.parametrize("text", ['{"preScriptLocation": "/opt/theirs/pre.sh"}', "{broken"])
def test_the_configuration_of_others_is_neither_replaced_nor_removed(machine: Machine, text: str) -> None:
    machine.write(CONFIG, text)
    (machine.root / "etc/azure").chmod(0o755)
    assert "set force to replace it" in machine.refused()
    removal = machine.deploy(state="absent")
    assert removal["changed"] is False
    assert [finding["code"] for finding in removal["findings"]] == ["config.foreign"]
    machine.deploy(force=True)
    assert "appconsistent/pre.sh" in (machine.root / CONFIG).read_text()


def test_what_azure_looks_for_is_written_last_and_removed_first(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real_rename, real_unlink = os.rename, os.unlink

    def rename(source: str, target: str) -> None:
        order.append(target.removeprefix(str(machine.root)))
        real_rename(source, target)

    def unlink(path: str) -> None:
        order.append(path.removeprefix(str(machine.root)))
        real_unlink(path)

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "unlink", unlink)
    machine.deploy()
    config = order.index(layout.CONFIG)
    assert all(order.index(path) < config for path in layout.SHIPPED)
    order.clear()
    machine.deploy(state="absent")
    assert order[0] == layout.CONFIG


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "Remount the file system read-write"),
        (errno.ENOSPC, "Make room on that file system"),
        (errno.EACCES, "Run the task as root"),
        (errno.EPERM, "lsattr"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_with_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    machine.deploy()
    before = machine.tree()
    real = os.open

    def failing(path: t.Any, flags: int, *rest: t.Any, **names: t.Any) -> int:
        if flags & os.O_CREAT and "/etc/" in str(path):
            raise OSError(number, os.strerror(number), path)
        return real(path, flags, *rest, **names)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(Refused) as caught:
        machine.deploy(timeout=100, hold_seconds=300)
    assert os.strerror(number) in str(caught.value)
    assert advice in str(caught.value)
    assert "/etc/azure/" in str(caught.value)
    monkeypatch.undo()
    assert machine.tree() == before


def test_a_disk_that_fills_up_half_way_leaves_the_old_configuration_whole(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.deploy()
    old = (machine.root / CONFIG).read_text()
    calls: list[int] = []
    real = os.fsync

    def fsync(number: int) -> None:
        calls.append(number)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Refused):
        machine.deploy({"name": "redis"}, timeout=100, hold_seconds=300)
    monkeypatch.undo()
    assert (machine.root / CONFIG).read_text() == old
    assert not [name for name in machine.tree() if name.endswith(".new")]
    assert machine.deploy({"name": "redis"}, timeout=100, hold_seconds=300)["changed"] is True


@pytest.mark.parametrize("state", ["freezing", "held", "releasing"])
def test_scripts_are_not_changed_under_a_hold(machine: Machine, state: str) -> None:
    machine.deploy()
    machine.write("run/appconsistent/current/state", state + "\n")
    assert "holds this guest's applications right now" in machine.refused(timeout=90)
    assert "holds this guest's applications right now" in machine.refused(state="absent")
    # Nothing to change is no reason to complain.
    assert machine.deploy()["changed"] is False
    machine.write("run/appconsistent/current/state", "released\n")
    assert machine.deploy(timeout=90)["changed"] is True


def stuck(machine: Machine, monkeypatch: pytest.MonkeyPatch, *, thaws: bool) -> list[str]:
    """A hold that the old hook could not release, and a post.sh with which the hook that is there then can, or not."""
    machine.write("run/appconsistent/current/state", "stuck\n")
    machine.write("run/appconsistent/current/hooks", "20-mariadb\n")
    machine.write("run/appconsistent/current/reason", "it cannot be released: 20-mariadb: no \x1b[31mserver\n")
    tried: list[str] = []

    def command(words: list[str], text: str) -> tuple[int, str]:
        if words == ["sh", layout.POST_PATH]:
            tried.append((machine.root / HOOKS / "20-mariadb.conf").read_text())
            machine.write("run/appconsistent/current/state", "broken\n" if thaws else "stuck\n")
            return 1, ""
        return run_command(words, text)

    monkeypatch.setattr(machine, "guest", machine.guest._replace(run_command=command))
    return tried


def test_a_stuck_hold_is_released_with_the_hook_that_is_deployed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.deploy()
    tried = stuck(machine, monkeypatch, thaws=True)
    planned = machine.deploy({"name": "mariadb", "socket": "/run/x.sock"}, check_mode=True)
    assert (tried, [finding["code"] for finding in planned["findings"]]) == ([], ["hold.stuck"])
    result = machine.deploy({"name": "mariadb", "socket": "/run/x.sock"})
    assert (result["changed"], result["findings"]) == (True, [])
    assert len(tried) == 1
    assert "/run/x.sock" in tried[0]


def test_a_hold_that_stays_stuck_is_told_and_its_hook_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.deploy()
    stuck(machine, monkeypatch, thaws=False)
    result = machine.deploy({"name": "redis"})
    (finding,) = result["findings"]
    assert finding["code"] == "hold.stuck"
    assert "the hook 20-mariadb holds since the last run could not be released: it cannot be" in finding["message"]
    assert "\x1b" not in finding["message"]
    assert (machine.root / HOOKS / "20-mariadb").exists()
    stuck(machine, monkeypatch, thaws=True)
    assert machine.deploy({"name": "redis"})["changed"] is True
    assert not (machine.root / HOOKS / "20-mariadb").exists()
    assert not (machine.root / HOOKS / "20-mariadb.conf").exists()


def test_without_anything_to_write_a_stuck_hold_is_tried_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.deploy()
    tried = stuck(machine, monkeypatch, thaws=True)
    assert machine.deploy()["changed"] is True
    assert len(tried) == 1


@pytest.mark.parametrize("thaws", [True, False])
def test_scripts_of_a_stuck_hold_can_be_removed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, *, thaws: bool
) -> None:
    machine.deploy()
    tried = stuck(machine, monkeypatch, thaws=thaws)
    result = machine.deploy(state="absent")
    assert len(tried) == 1
    assert not (machine.root / "etc/azure/appconsistent.d").exists()
    assert [finding["code"] for finding in result["findings"]] == ([] if thaws else ["hold.left"])
    assert (machine.root / "run/appconsistent/current").exists() is thaws
    assert machine.deploy()["findings"] == []


def test_a_watchdog_that_does_not_come_to_an_end_is_not_disturbed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.deploy()
    stuck(machine, monkeypatch, thaws=True)
    monkeypatch.setattr(stuck_hold, "_PATIENCE", -1.0)
    with (machine.root / "run/appconsistent/release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = machine.refused(timeout=90)
    assert "which does not come to an end. Look at what its hooks wait for (20-mariadb)" in said


@pytest.mark.parametrize("settles", ["stuck", "released", "broken"])
def test_the_state_of_a_hold_that_is_being_tried_again_is_waited_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, settles: str
) -> None:
    stuck(machine, monkeypatch, thaws=False)
    machine.write("run/appconsistent/current/state", "releasing\n")
    with (machine.root / "run/appconsistent/release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def ends(_seconds: float) -> None:
            machine.write("run/appconsistent/current/state", settles + "\n")
            fcntl.flock(lock, fcntl.LOCK_UN)

        assert stuck_hold.settled_state(str(machine.root), sleep=ends) == settles


def test_a_hold_whose_release_goes_on_is_not_taken_for_a_released_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.deploy()
    stuck(machine, monkeypatch, thaws=False)
    machine.write("run/appconsistent/current/state", "releasing\n")
    assert "right now (releasing)" in machine.refused(timeout=90)


def test_scripts_are_not_changed_while_a_run_is_about_to_begin(machine: Machine) -> None:
    machine.deploy()
    with (machine.root / "run/appconsistent/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "it is starting" in machine.refused(timeout=90)


@pytest.mark.parametrize(
    ("profiles", "sentence"),
    [
        (
            [{"name": "mariabd"}],
            "profiles[0]: there is no profile 'mariabd'; choose from command, iris, mariadb, mongodb, mysql, oracle, "
            "postgresql, redis, saphana, service, valkey.",
        ),
        (
            [MARIADB, {"name": "redis", "option_file": "/x"}],
            "profiles[1]: profile redis does not use option_file; its options are: client, mode, password, port, "
            "socket, user.",
        ),
        ([{"name": "oracle"}], "profiles[0]: profile oracle needs the option oracle_home."),
        ([{"name": "mariadb", "label": "A b"}], "profiles[0]: label must hold no more than 30"),
        ([{"name": "mariadb", "order": 100}], "profiles[0]: order must be from 0 to 99, not 100."),
        ([MARIADB, MARIADB], "profiles: two entries become the hook 20-mariadb; give one of them another label"),
        (
            [{"name": "postgresql", "mode": "pause"}],
            "profiles[0]: mode of profile postgresql must be one of checkpoint, backup, not 'pause'.",
        ),
        ([{"name": "mariadb", "socket": "run/x"}], "profiles[0]: socket of profile mariadb must be an absolute path"),
        ([{"name": "mariadb", "user": "a\nb"}], "profiles[0]: user must not hold line breaks or control characters."),
        (
            [{"name": "command", "freeze_command": ["/x", ""], "thaw_command": ["/y"]}],
            "profiles[0]: freeze_command must not hold empty words.",
        ),
        (
            [{"name": "mongodb", "uri": "http://secret"}],
            "must be an address that begins with mongodb://, not '********'.",
        ),
        ([{"name": "saphana", "sid": "hdb"}], "profiles[0]: sid of profile saphana must be three capital letters"),
        ([{"name": "service", "unit": "x; id"}], "profiles[0]: unit of profile service must be the full name"),
    ],
)
def test_a_bad_profile_is_told_in_one_sentence(
    machine: Machine, profiles: list[dict[str, t.Any]], sentence: str
) -> None:
    said = machine.refused(*profiles)
    assert sentence in said
    assert "\n" not in said
    assert "http://secret" not in said


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"timeout": 10}, "timeout must be from 20 to 1800 seconds, not 10."),
        ({"timeout": 1801}, "timeout must be from 20 to 1800 seconds, not 1801."),
        ({"poll_seconds": 6}, "poll_seconds must be from 1 to 5, not 6"),
        ({"timeout": 600}, "hold_seconds must be from 435 to 3600 with a timeout of 600, not 120"),
        ({"log_file": "log"}, "log_file must be the absolute path of a file, not 'log'."),
        ({"profiles": []}, "profiles is empty and /etc/azure/appconsistent.d holds no hook of yours"),
        (
            {"profiles": [{"name": "postgresql"}], "fs_freeze_enabled": False},
            "20-postgresql relies on frozen file systems, and fsFreezeEnabled is false.",
        ),
    ],
)
def test_a_bad_number_or_combination_is_told_in_one_sentence(
    machine: Machine, params: dict[str, t.Any], sentence: str
) -> None:
    assert sentence in machine.refused(**params)


def test_a_hook_of_ones_own_is_enough(machine: Machine) -> None:
    machine.write(f"{HOOKS}/50-mine", "#!/usr/bin/env python3\n", 0o700)
    (machine.root / "etc/azure").chmod(0o755)
    (machine.root / HOOKS).chmod(0o755)
    assert machine.deploy(profiles=[])["snapshot_scripts"]["foreign_hooks"] == ["50-mine"]


Spoil = Callable[[Machine], object]


@pytest.mark.parametrize(
    ("spoil", "sentence", "remedy"),
    [
        (
            lambda machine: (machine.root / "etc/azure").mkdir(mode=0o700) or (machine.root / "etc/azure").chmod(0o777),
            "/etc/azure can be written by others than root",
            "chmod go-w /etc/azure",
        ),
        (
            lambda machine: machine.write("etc/azure/workload.conf", "[workload]\nworkload_name = oracle\n"),
            "names the workload 'oracle', so the extension does not use the pre- and post-scripts at all",
            "Empty workload_name",
        ),
        (
            lambda machine: machine.write("etc/azure/VMSnapshotPluginHost.conf", "[pre_post]\nnumberOfPlugins = 0\n"),
            "no script is run, and Azure reports application-consistent points that are not",
            "Remove /etc/azure/VMSnapshotPluginHost.conf",
        ),
        (
            lambda machine: machine.write(f"{HOOKS}/50-mine", "#!/bin/sh\nif\n", 0o700),
            "This machine's sh cannot read /etc/azure/appconsistent.d/50-mine",
            "sh -n /etc/azure/appconsistent.d/50-mine",
        ),
    ],
)
def test_nothing_is_written_into_a_guest_where_it_would_not_work(
    machine: Machine, spoil: Spoil, sentence: str, remedy: str
) -> None:
    spoil(machine)
    said = machine.refused()
    assert sentence in said
    assert remedy in said


def test_without_systemd_the_boot_unit_is_left_out_and_that_is_said(machine: Machine) -> None:
    (machine.root / "etc/systemd/system").rmdir()
    result = machine.deploy()
    assert [finding["code"] for finding in result["findings"]] == ["boot.no_systemd"]
    assert not any("systemd" in path for path in result["written"])


def test_the_boot_unit_is_one_that_systemd_understands(machine: Machine) -> None:
    machine.deploy()
    wants = machine.root / "etc/systemd/system/multi-user.target.wants/appconsistent-boot.service"
    assert wants.resolve() == machine.root / "etc/systemd/system/appconsistent-boot.service"
    assert "ConditionPathExists=/var/lib/appconsistent/held" in wants.read_text()


def test_systemd_is_told_when_the_unit_changes(machine: Machine) -> None:
    (machine.root / "run/systemd/system").mkdir(parents=True)
    told: list[list[str]] = []

    def command(argv: list[str], text: str) -> tuple[int, str]:
        told.append(argv)
        return (0, "") if argv[0] == "systemctl" else run_command(argv, text)

    machine.guest = machine.guest._replace(run_command=command)
    machine.deploy()
    machine.deploy(timeout=90)
    assert [argv for argv in told if argv[0] == "systemctl"] == [["systemctl", "daemon-reload"]]
    told.clear()
    machine.deploy(state="absent")
    assert [argv[1:] for argv in told if argv[0] == "systemctl"] == [
        ["stop", layout.UNIT_NAME],
        ["daemon-reload"],
        ["reset-failed", layout.UNIT_NAME],
    ]


@pytest.mark.parametrize(
    ("profile", "after"),
    [
        ({"name": "mariadb"}, "After=local-fs.target\nAfter=mariadb.service\nAfter=mysql.service\n\n"),
        ({"name": "mongodb"}, "After=local-fs.target\nAfter=mongod.service\n\n"),
        ({"name": "service", "unit": "orders@1.service"}, "After=local-fs.target\nAfter=orders@1.service\n\n"),
        ({"name": "command", "freeze_command": ["x"], "thaw_command": ["y"]}, "After=local-fs.target\n\n"),
    ],
)
def test_the_boot_unit_comes_after_the_applications_in_use(
    machine: Machine, profile: dict[str, t.Any], after: str
) -> None:
    machine.deploy(profile)
    assert after in (machine.root / "etc/systemd/system/appconsistent-boot.service").read_text()


def test_the_times_leave_room_to_undo_and_end_before_azure_stops_waiting() -> None:
    for timeout in range(20, 1801):
        times = layout.times_of(timeout, 120)
        assert 0 < times.freeze < times.script < timeout
        assert times.script - times.freeze >= 4


def test_looking_never_waits_and_never_reads_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(b"x" * (files.LARGEST + 1))
    assert files.look(str(tmp_path / "fifo")).kind == "other"
    assert files.look("/dev/zero").kind == "other"
    assert files.look(str(tmp_path / "loop")).kind == "unreadable"
    assert files.look(str(tmp_path / "large")).reason == "it is larger than 1 MiB"
    assert files.look(str(tmp_path / "large" / "below")).kind == "missing"
