"""A VM backed by a guest behind a unix socket; a stand-in answers here, line by line."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient

Answers = dict[str, list[dict[str, Any]] | None]


class _StandIn(socketserver.ThreadingUnixStreamServer):
    """Answers each run with the lines it was given; None hangs up without a word."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answers: Answers = {}
        super().__init__(str(path), _Talk)


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _StandIn)
        message = json.loads(self.rfile.readline())
        self.server.heard.append(message)
        for line in self.server.answers.get(message["run"], [{"final": True, "code": "0", "error": None}]) or []:
            self.wfile.write(json.dumps(line).encode() + b"\n")


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[_StandIn]:
    with _StandIn(tmp_path / "guest.sock") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def backed(simulator: Simulator, guest: _StandIn, raw: RawClient) -> RawClient:
    socket = {"socket": str(guest.server_address)}
    simulator.reset({"vms": [{"name": "vm", "guest": socket, "snapshot_extension": "present"}]})
    raw.make_collection("vm")
    return raw


def _until(what: Callable[[], Any]) -> Any:
    """Waits for the other side of the socket; it answers at once."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("nothing happened")


def _ended(raw: RawClient, made: Any) -> Any:
    def look() -> Any:
        operation = raw.operation_of(made)
        return operation if operation["status"] != "InProgress" else None

    raw.simulator.advance(2)
    return _until(look)


@pytest.mark.parametrize(("code", "mode"), [("0", "ApplicationConsistent"), ("1", "FileSystemConsistent")])
def test_the_guests_code_decides_what_was_reached(backed: RawClient, guest: _StandIn, code: str, mode: str) -> None:
    guest.answers["snapshot"] = [
        {"phase": "pre"},
        {"phase": "frozen"},
        {"final": True, "code": code, "health": code, "frozen_seconds": 0.4, "image": None, "error": None},
    ]
    made = backed.make_point("vm", "p1")
    assert _ended(backed, made)["status"] == "Succeeded"
    assert backed.point("vm", "p1")["consistencyMode"] == mode
    message = guest.heard[0]
    assert (message["run"], message["consistency"]) == ("snapshot", "application")
    assert message["task_id"] == backed.operation_of(made)["name"]


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("76", "VMRestorePointClientError", "no network connectivity"),
        ("85", "VMRestorePointClientError", "snapshot limit"),
        ("121", "VMRestorePointInternalError", "internal execution error"),
        ("300", "VMRestorePointInternalError", "internal execution error"),
        ("402", "VMRestorePointInternalError", "internal execution error"),
    ],
)
def test_the_guests_failure_becomes_the_documented_error(
    backed: RawClient, guest: _StandIn, code: str, error: str, words: str
) -> None:
    guest.answers["snapshot"] = [{"final": True, "code": code, "health": code, "error": "it did not work"}]
    operation = _ended(backed, backed.make_point("vm", "p1"))
    assert (operation["status"], operation["error"]["code"]) == ("Failed", error)
    assert words in operation["error"]["message"]


@pytest.mark.parametrize("lines", [None, [{"phase": "pre"}], [["no object"]]])
def test_a_guest_that_talks_nonsense_is_an_agent_that_does_not_report(
    backed: RawClient, guest: _StandIn, lines: Any
) -> None:
    guest.answers["snapshot"] = lines
    operation = _ended(backed, backed.make_point("vm", "p1"))
    assert operation["error"]["code"] == "VMAgentStatusCommunicationError"


def test_a_guest_that_is_not_there_is_an_agent_that_does_not_report(simulator: Simulator, raw: RawClient) -> None:
    guest = {"socket": "/nonexistent/guest.sock"}
    simulator.reset({"vms": [{"name": "vm", "guest": guest, "snapshot_extension": "present"}]})
    raw.make_collection("vm")
    operation = _ended(raw, raw.make_point("vm", "p1"))
    assert operation["error"]["code"] == "VMAgentStatusCommunicationError"
    said = simulator.cloud.world.guest_answers[simulator.vm_id("vm").lower()]
    assert "/nonexistent/guest.sock" in str(said.error)


def test_the_extension_is_installed_in_the_guest_first(simulator: Simulator, guest: _StandIn, raw: RawClient) -> None:
    simulator.reset({"vms": [{"name": "vm", "guest": {"socket": str(guest.server_address)}}]})
    raw.make_collection("vm")
    assert _ended(raw, raw.make_point("vm", "p1"))["status"] == "Succeeded"
    assert [message["run"] for message in guest.heard] == ["install", "snapshot"]
    assert raw.get("virtualMachines/vm/extensions/VMSnapshotLinux")["properties"]["provisioningState"] == "Succeeded"


def test_a_failed_installation_leaves_a_failed_extension(simulator: Simulator, guest: _StandIn, raw: RawClient) -> None:
    guest.answers["install"] = [{"final": True, "code": "1", "error": "no space left"}]
    simulator.reset({"vms": [{"name": "vm", "guest": {"socket": str(guest.server_address)}}]})
    raw.make_collection("vm")
    assert _ended(raw, raw.make_point("vm", "p1"))["status"] == "Failed"
    path = "virtualMachines/vm/extensions/VMSnapshotLinux"
    shown = raw.get(path, **{"$expand": "instanceView"})["properties"]
    assert shown["provisioningState"] == "Failed"
    assert shown["instanceView"]["statuses"][0]["message"] == "no space left"


def test_deleting_the_extension_takes_it_out_of_the_guest(backed: RawClient, guest: _StandIn) -> None:
    deleted = backed.send("DELETE", "virtualMachines/vm/extensions/VMSnapshotLinux")
    assert _ended(backed, deleted)["status"] == "Succeeded"
    assert [message["run"] for message in guest.heard] == ["uninstall"]
    assert backed.send("GET", "virtualMachines/vm/extensions/VMSnapshotLinux").status == 404


def test_a_crash_consistent_point_tells_the_guest_so(backed: RawClient, guest: _StandIn) -> None:
    made = backed.make_point("vm", "p1", {"properties": {"consistencyMode": "CrashConsistent"}})
    backed.simulator.advance(60)
    assert _ended(backed, made)["status"] == "Succeeded"
    assert guest.heard[0]["consistency"] == "crash"
    assert backed.point("vm", "p1")["consistencyMode"] == "CrashConsistent"


def test_the_guests_last_answer_can_be_looked_at(backed: RawClient, guest: _StandIn) -> None:
    from tests.unit.azure_simulator.test_control_api import Control

    guest.answers["snapshot"] = [{"final": True, "code": "0", "frozen_seconds": 0.4, "image": "/x.img", "error": None}]
    _ended(backed, backed.make_point("vm", "p1"))
    said = Control(backed.simulator)("GET", "/vms/vm")[1]["guest"]
    assert (said["code"], said["frozen_seconds"], said["image"]) == ("0", 0.4, "/x.img")


def test_on_a_running_clock_the_guest_is_asked_without_being_polled(guest: _StandIn) -> None:
    fleet = {"vms": [{"name": "vm", "guest": {"socket": str(guest.server_address)}, "snapshot_extension": "present"}]}
    with Simulator(fleet, speed=50) as simulator:
        with closing(RawClient(simulator)) as raw:
            raw.make_collection("vm")
            raw.make_point("vm", "p1")
        _until(lambda: guest.heard)
        _until(lambda: simulator.call(lambda world: world.guest_answers))
