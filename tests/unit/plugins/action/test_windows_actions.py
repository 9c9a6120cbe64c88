# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The Windows actions between Ansible and the guest: options, connections, check mode, errors and time limits."""

from __future__ import annotations

import base64
import importlib
import signal
import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible_collections.appconsistent.azure.plugins.plugin_utils._clock import BlockingClock
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows import action as subject
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import READ_VALUES, READER
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.guest import (
    ConnectionLost,
    GuestTimedOut,
    Output,
)

from tests.winrm_guest import console
from tests.winrm_guest.machine import Machine, machine

NAMES = (
    "guest_snapshot_info",
    "vss_writers",
    "vss_writers_info",
    "windows_self_check",
    "windows_snapshot_settings",
)
Json = dict[str, t.Any]


class Connection:
    """As much of a connection plugin as an action touches, with a guest behind it."""

    become = None
    allow_executable = False

    def __init__(self, guest: Machine, transport: str = "winrm", *, windows: bool = True) -> None:
        self.guest = guest
        self.transport = transport
        self._shell = SimpleNamespace(_IS_WINDOWS=windows, SHELL_FAMILY="cmd" if windows else "sh", tmpdir="")
        self.commands: list[tuple[str, bytes | None]] = []
        self.resets = 0
        self.raises: list[BaseException] = []

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        assert not sudoable
        self.commands.append((cmd, in_data))
        if self.raises:
            raise self.raises.pop(0)
        output = console.run(self.guest, cmd, in_data or b"")
        if output.drop:
            raise ConnectionResetError(104, "Connection reset by peer")
        return output.code, output.out, output.err

    def reset(self) -> None:
        self.resets += 1

    def get_option(self, _name: str, **_more: t.Any) -> None:
        return None


def action(name: str, connection: Connection, *, check: bool = False, **options: t.Any) -> ActionBase:
    task = Task()
    task.action = f"appconsistent.azure.{name}"
    task.args = options
    task.check_mode = check
    task.async_val = 0
    module = importlib.import_module(f"ansible_collections.appconsistent.azure.plugins.action.{name}")
    made: t.Any = module.ActionModule(task, connection, PlayContext(), DataLoader(), None, None)
    # As the loader of plugins does.
    made._load_name = name
    return t.cast(ActionBase, made)


def run(name: str, connection: Connection, *, check: bool = False, **options: t.Any) -> Json:
    result: Json = action(name, connection, check=check, **options).run(None, {"inventory_hostname": "win1"})
    return result


@pytest.mark.parametrize("name", NAMES)
def test_every_action_works_on_a_good_guest_and_changes_nothing(name: str) -> None:
    connection = Connection(machine())
    result = run(name, connection)
    assert not result.get("failed"), result
    assert result["changed"] is False
    assert (connection.guest.changes, connection.guest.unknown) == (0, [])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vss_writers", {}),
        ("windows_snapshot_settings", {"snapshot_without_threads": True}),
    ],
)
def test_check_mode_sends_nothing_that_changes_and_says_what_would_change(name: str, options: Json) -> None:
    guest = machine(writers={"System Writer": {"state": 9, "error": "timed_out"}})
    result = run(name, Connection(guest), check=True, **options)
    assert result["changed"] is True
    assert result["diff"]["before"] != result["diff"]["after"]
    assert guest.changes == 0
    predicted = result["diff"]
    done = run(name, Connection(guest), **options)
    assert (done["changed"], done["diff"]) == (True, predicted)
    assert run(name, Connection(guest), **options)["changed"] is False


@pytest.mark.parametrize("name", NAMES)
def test_no_option_is_a_secret_so_that_nothing_has_to_be_masked(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.appconsistent.azure.plugins.action.{name}")
    assert not any(spec.get("no_log") for spec in module.ActionModule.ARGUMENT_SPEC.values())


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused_by_name(name: str) -> None:
    connection = Connection(machine())
    with pytest.raises(AnsibleError, match="sevice"):
        run(name, connection, sevice="x")
    assert connection.commands == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "guest_snapshot_info"])
def test_a_host_that_is_not_windows_is_told_apart_before_anything_is_sent(name: str) -> None:
    connection = Connection(machine(), "ssh", windows=False)
    with pytest.raises(
        AnsibleError, match=f"{name} works on Windows guests only, and win1 is reached by ssh with a sh"
    ):
        run(name, connection)
    assert connection.commands == []


def test_a_linux_guest_is_handed_over_to_the_module_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made = action("guest_snapshot_info", Connection(machine(), "ssh", windows=False), wire_server_timeout=0)
    asked: list[Json] = []

    def execute_module(**arguments: t.Any) -> Json:
        asked.append(arguments)
        return {"changed": False, "guest_snapshot": {"os": "linux"}}

    monkeypatch.setattr(made, "_execute_module", execute_module)
    result = made.run(None, {"inventory_hostname": "lin1"})
    assert result["guest_snapshot"] == {"os": "linux"}
    [arguments] = asked
    assert arguments["module_name"] == "appconsistent.azure.guest_snapshot_info"
    assert arguments["module_args"] == {"wire_server_timeout": 0}


def test_a_half_written_report_of_the_agent_is_asked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(subject.WindowsAction, "CLOCK", BlockingClock(sleep=slept.append))
    report = r"C:\WindowsAzure\Logs\AggregateStatus\aggregatestatus.json"
    guest = machine(files={report: '{"aggregateStatus": {'})
    made = action("guest_snapshot_info", Connection(guest))
    result = made.run(None, {"inventory_hostname": "win1"})
    assert [name for name, _arguments in guest.received] == ["snapshot", "snapshot"]
    assert slept == [2]
    assert "agent.status_unreadable" in [finding["code"] for finding in result["guest_snapshot"]["findings"]]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("vss_writers_info", {"list_timeout": 1}, "list_timeout must be from 10 to 3600 seconds, not 1."),
        ("vss_writers", {"settle_timeout": -1}, "settle_timeout must be from 0 to 3600 seconds, not -1."),
        ("vss_writers", {"allow_outage": ["NTDS"]}, "allow_outage: the service NTDS must not be restarted by a tool."),
        ("vss_writers", {"allow_outage": ["SQL*"]}, "'SQL*' cannot be the name of a Windows service."),
        ("guest_snapshot_info", {"wire_server_timeout": 99}, "wire_server_timeout must be from 0 to 60 seconds"),
        (
            "windows_snapshot_settings",
            {"use_vss_copy_backup": True, "use_vss_full_backup": True},
            "use_vss_copy_backup and use_vss_full_backup would both be set",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_one_sentence_with_its_name(name: str, options: Json, sentence: str) -> None:
    guest = machine()
    result = run(name, Connection(guest), **options)
    assert result["failed"] is True
    assert sentence in result["msg"]
    assert guest.changes == 0


def test_a_guest_that_misbehaves_is_a_failed_task_with_a_sentence_and_its_parts() -> None:
    result = run("vss_writers_info", Connection(machine(faults=[["survey", "cut"]])))
    assert result["failed"] is True
    assert result["msg"].startswith("The answer of win1 to survey was cut short")
    assert result["failure"]["kind"] == "AnswerUnusable"


def test_values_that_cannot_be_written_are_named_and_the_others_are_written() -> None:
    guest = machine(guarded_keys=[r"SOFTWARE\Microsoft\BcdrAgent"])
    options = {"use_vss_copy_backup": True, "strong_crypto": True}
    result = run("windows_snapshot_settings", Connection(guest), **options)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["msg"].startswith(
        "On win1, 1 of 5 registry value(s) could not be set: HKLM\\SOFTWARE\\Microsoft\\BcdrAgent\\USEVSSCOPYBACKUP"
        " (UnauthorizedAccessException: Zugriff verweigert)."
    )
    assert result["windows_snapshot_settings"]["strong_crypto"] is True


class TestTheWayThere:
    """One text, whatever the connection."""

    def test_winrm_gets_the_bare_text_or_the_reader(self) -> None:
        connection = Connection(machine())
        run("windows_snapshot_settings", connection)
        run("vss_writers_info", connection)
        (first, first_input), (second, second_input) = connection.commands
        assert first.startswith("$ErrorActionPreference") and first_input is None
        assert second == READER and second_input is not None

    def test_psrp_gets_every_text_bare(self) -> None:
        connection = Connection(machine(), "psrp")
        run("vss_writers_info", connection)
        [(command, stdin)] = connection.commands
        assert command.startswith("$ErrorActionPreference") and stdin is None

    @pytest.mark.parametrize(
        ("version", "encoded"), [("2.16.3", False), ("2.17.0", False), ("2.18.0", True), ("2.21.5", True)]
    )
    def test_ssh_gets_it_encoded_once_by_whoever_does_it(
        self, version: str, encoded: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subject, "ansible_version", version)
        connection = Connection(machine(), "ssh")
        run("vss_writers_info", connection)
        [(command, stdin)] = connection.commands
        assert stdin is not None
        if encoded:
            prefix, _space, word = command.rpartition(" ")
            assert prefix == "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand"
            assert base64.b64decode(word).decode("utf-16-le") == READER
        else:
            assert command == READER

    def test_every_way_gives_the_same_result(self) -> None:
        results = [run("vss_writers_info", Connection(machine(), way)) for way in ("winrm", "psrp", "ssh")]
        assert results[0] == results[1] == results[2]


class TestAConnectionThatBreaks:
    """pywinrm lets errors of many libraries through, and none of them is a traceback for a user."""

    def transport(self, connection: Connection) -> subject.AnsibleTransport:
        made = t.cast("subject.WindowsAction", action("vss_writers_info", connection))
        return subject.AnsibleTransport(made, "win1", encode=False)

    def test_a_host_that_cannot_be_reached_at_all_is_left_to_ansible_and_not_asked_twice(self) -> None:
        connection = Connection(machine())
        connection.raises = [AnsibleConnectionFailure("the specified credentials were rejected by the server")]
        with pytest.raises(AnsibleConnectionFailure, match="credentials were rejected"):
            run("vss_writers_info", connection)
        assert (len(connection.commands), connection.resets) == (1, 0)

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionResetError(104, "Connection reset by peer"),
            AssertionError("RelatesTo"),
            ValueError("not XML"),
            KeyError("Stream"),
            AnsibleError("winrm send_input failed"),
        ],
    )
    def test_any_error_on_the_way_is_a_lost_connection_in_one_sentence(self, error: Exception) -> None:
        connection = Connection(machine())
        connection.raises = [error]
        with pytest.raises(ConnectionLost, match="The connection to win1 broke: "):
            self.transport(connection).execute("x", None, 5.0)

    @pytest.mark.parametrize("error", [TypeError("unexpected keyword"), ImportError("No module named 'winrm'")])
    def test_a_broken_plugin_is_told_once_and_is_not_an_unreachable_guest(self, error: Exception) -> None:
        connection = Connection(machine())
        connection.raises = [error]
        result = run("vss_writers_info", connection)
        assert result["msg"].count(str(error)) == 1
        assert "The connection plugin of win1 failed" in result["msg"]
        assert (len(connection.commands), connection.resets) == (1, 0)

    def test_reading_goes_on_after_one_break(self) -> None:
        connection = Connection(machine())
        connection.raises = [ConnectionResetError(104, "Connection reset by peer")]
        assert run("vss_writers_info", connection)["verdict"] == "ok"
        assert connection.resets == 1

    def test_two_breaks_make_the_host_unreachable(self) -> None:
        connection = Connection(machine())
        connection.raises = [ConnectionResetError(104, "reset"), ConnectionResetError(104, "reset")]
        with pytest.raises(AnsibleConnectionFailure, match="The connection to win1 broke"):
            run("vss_writers_info", connection)


class TestTimeLimits:
    """The action's own alarm, which rings in the process that waits."""

    def test_a_guest_that_does_not_answer_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = Connection(machine())

        def hang(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
            # What the alarm does to a process that waits for a socket.
            signal.raise_signal(signal.SIGALRM)
            raise AssertionError("the alarm did not ring")

        monkeypatch.setattr(connection, "exec_command", hang)
        made = t.cast("subject.WindowsAction", action("vss_writers_info", connection))
        with pytest.raises(GuestTimedOut, match="win1 did not answer within 300 seconds"):
            subject.AnsibleTransport(made, "win1", encode=False).execute("x", None, 300.0)
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0

    def test_the_alarm_is_set_while_waiting_and_off_afterwards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = Connection(machine())
        seen: list[float] = []

        def answer(*_arguments: t.Any, **_more: t.Any) -> tuple[int, bytes, bytes]:
            seen.append(signal.getitimer(signal.ITIMER_REAL)[0])
            return 0, b"", b""

        monkeypatch.setattr(connection, "exec_command", answer)
        made = t.cast("subject.WindowsAction", action("vss_writers_info", connection))
        output = subject.AnsibleTransport(made, "win1", encode=False).execute("x", None, 300.0)
        assert output == Output(0, "", "")
        assert 0 < seen[0] <= 300
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0

    def test_the_tasks_own_timeout_goes_first(self) -> None:
        before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 1000)
        try:
            connection = Connection(machine())
            assert run("vss_writers_info", connection)["verdict"] == "ok"
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
            assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_the_names_here_are_all_there_are() -> None:
    found = {
        name
        for name in NAMES
        if issubclass(
            importlib.import_module(f"ansible_collections.appconsistent.azure.plugins.action.{name}").ActionModule,
            subject.WindowsAction,
        )
    }
    assert found == set(NAMES)
    assert READ_VALUES.changes is False
