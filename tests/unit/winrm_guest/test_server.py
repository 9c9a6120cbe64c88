# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The loopback guest is WinRM enough for pywinrm, a client that we did not write."""

from __future__ import annotations

import base64
import typing as t

import pytest
import winrm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._windows.commands import READER, SURVEY, WMI_SECONDS
from winrm.exceptions import InvalidCredentialsError, WinRMError
from winrm.protocol import Protocol

from tests.winrm_guest.machine import Machine, machine
from tests.winrm_guest.server import PASSWORD, USER, WinRMServer

POWERSHELL = "powershell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "


@pytest.fixture(autouse=True)
def no_proxy_and_no_other_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def guest() -> Machine:
    return machine()


@pytest.fixture
def server(guest: Machine) -> t.Iterator[WinRMServer]:
    with WinRMServer([guest]) as running:
        yield running
        assert guest.trouble == []


def session(server: WinRMServer, password: str = PASSWORD, name: str = "win1") -> winrm.Session:
    made = winrm.Session("http://127.0.0.1", auth=(USER, password))
    # A session of its own making always asks for the path /wsman.
    endpoint = f"http://127.0.0.1:{server.port}/wsman/{name}"
    made.protocol = Protocol(endpoint, transport="basic", username=USER, password=password)
    return made


def encoded(script: str) -> str:
    return POWERSHELL + base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def test_a_plain_command_prints_what_vssadmin_prints(server: WinRMServer) -> None:
    answer = session(server).run_cmd("vssadmin list writers")
    assert answer.status_code == 0
    assert b"Writer name: 'System Writer'\r\n   Writer Id: {e8132975-" in answer.std_out


def test_no_shell_is_left_over(server: WinRMServer) -> None:
    for _round in range(3):
        session(server).run_cmd("vssadmin list writers")
    assert server.endpoints["win1"].shells == {}


def test_a_wrong_password_is_refused(server: WinRMServer) -> None:
    with pytest.raises(InvalidCredentialsError):
        session(server, "wrong").run_cmd("vssadmin list writers")


def test_a_text_that_nobody_has_read_fails_as_in_powershell(server: WinRMServer, guest: Machine) -> None:
    answer = session(server).run_cmd(encoded("Get-Process"))
    assert answer.status_code == 1
    assert b"CLIXML" in answer.std_err
    assert guest.unknown == ["Get-Process"]
    guest.unknown.clear()


def test_a_command_line_longer_than_cmd_takes_is_refused(server: WinRMServer) -> None:
    answer = session(server).run_cmd(encoded(SURVEY.script({"list_timeout": 180})))
    assert answer.status_code == 1
    assert b"too long" in answer.std_err


def test_one_of_our_texts_is_run_through_standard_input_in_parts(server: WinRMServer, guest: Machine) -> None:
    protocol = session(server).protocol
    shell = protocol.open_shell()
    command = protocol.run_command(shell, encoded(READER), console_mode_stdin=False)
    script = (SURVEY.script({"list_timeout": 180}) + "\n").encode("ascii")
    protocol.send_command_input(shell, command, script[:1000])
    protocol.send_command_input(shell, command, script[1000:], end=True)
    out, _err, code = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    assert code == 0
    assert out.startswith(b"##appconsistent begin\r\n")
    assert guest.received == [("survey", {"list_timeout": 180, "wmi_timeout": WMI_SECONDS})]


def test_one_changed_letter_in_a_text_is_noticed(server: WinRMServer, guest: Machine) -> None:
    protocol = session(server).protocol
    shell = protocol.open_shell()
    command = protocol.run_command(shell, encoded(READER), console_mode_stdin=False)
    script = SURVEY.script({"list_timeout": 180}).replace("list writers", "list Writers")
    protocol.send_command_input(shell, command, script.encode("ascii"), end=True)
    _out, _err, code = protocol.get_command_output(shell, command)
    assert code == 1
    assert guest.received == []
    assert len(guest.unknown) == 1


def test_long_output_comes_in_parts_and_whole(server: WinRMServer, guest: Machine) -> None:
    guest.listing = "huge"
    answer = session(server).run_cmd("vssadmin list writers")
    assert len(answer.std_out) > 10_000_000


def test_a_client_that_is_told_to_ask_again_asks_again(server: WinRMServer, guest: Machine) -> None:
    guest.silent_receives = 3
    assert session(server).run_cmd("vssadmin list writers").status_code == 0


def test_a_shell_that_is_gone_is_a_fault_with_a_reason(server: WinRMServer) -> None:
    with pytest.raises(WinRMError, match="The shell was not found"):
        session(server).protocol.close_shell("GONE")


def test_many_guests_share_a_server_and_nothing_else() -> None:
    guests = [machine(f"win{number}", language=code) for number, code in enumerate(("en", "de", "ja"))]
    with WinRMServer(guests) as server:
        for guest in guests:
            assert session(server, name=guest.name).run_cmd("vssadmin list writers").status_code == 0
    assert [len(guest.received) for guest in guests] == [1, 1, 1]
