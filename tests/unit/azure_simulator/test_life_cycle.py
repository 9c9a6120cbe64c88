"""Starting, failing to start, resetting and stopping inside a test process."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient


def _threads() -> int:
    return sum(thread.name == "azure-simulator" for thread in threading.enumerate())


def test_a_taken_port_is_an_error_that_leaves_nothing_behind() -> None:
    before = _threads()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), Simulator(port=taken.getsockname()[1]):
            pass
    assert _threads() == before


def test_after_the_end_nothing_answers_and_the_folder_is_gone() -> None:
    with Simulator() as simulator:
        folder = Path(simulator.ca_file).parent
        port = int(simulator.arm_url.rsplit(":", 1)[1])
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    with pytest.raises(RuntimeError, match="not running"):
        simulator.advance(1)


def test_a_running_clock_cannot_be_advanced() -> None:
    with Simulator() as simulator, pytest.raises(ValueError, match="manual clock"):
        simulator.advance(1)


def test_writes_are_told_from_reads_so_that_check_mode_can_be_proved(simulator: Simulator, raw: RawClient) -> None:
    raw.get("virtualMachines/lin-web-1")
    body = {"query": "resources | take 1"}
    raw.send("POST", "/providers/Microsoft.ResourceGraph/resources", body, version="2021-03-01")
    assert simulator.writes == []
    raw.make_collection("lin-web-1")
    assert [(seen.method, seen.status) for seen in simulator.writes] == [("PUT", 201)]


def test_a_reset_keeps_tokens_and_addresses_and_nothing_else(simulator: Simulator, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    simulator.add_fault("error")
    url = simulator.arm_url
    simulator.reset()
    assert (simulator.arm_url, simulator.requests) == (url, [])
    assert raw.send("GET", "restorePointCollections/lin-web-1-points").status == 404


def test_speed_shortens_every_wait_that_a_client_is_told() -> None:
    fleet = {"limits": "off", "rules": {"retry_after": 30}, "vms": [{"name": "vm", "linux_scripts": "ok"}]}
    with Simulator(fleet, speed=1000) as simulator, closing(RawClient(simulator)) as raw:
        raw.make_collection("vm")
        made = raw.make_point("vm", "p1")
        assert made.headers["Retry-After"] == "1"
        while raw.operation_of(made)["status"] == "InProgress":
            pass
        assert raw.point("vm", "p1")["consistencyMode"] == "ApplicationConsistent"


def test_two_simulators_do_not_know_each_other() -> None:
    with Simulator() as one, Simulator() as other:
        with closing(RawClient(one)) as client:
            token = client.sign_in().json["access_token"]
        with closing(RawClient(other)) as stranger:
            answer = stranger.exchange("GET", "/subscriptions?api-version=2022-12-01", Authorization=f"Bearer {token}")
            assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
