"""The control API: where tests and the demo change the world behind Azure's back."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient


class Control:
    def __init__(self, simulator: Simulator) -> None:
        self._host = urlsplit(simulator.control_url).netloc

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._host, timeout=10)
        content = None if body is None else json.dumps(body)
        named = {"Content-Type": "application/json", **headers}
        connection.request(method, path, content, named)
        response = connection.getresponse()
        answered = json.loads(response.read())
        connection.close()
        return response.status, answered


@pytest.fixture
def control(simulator: Simulator) -> Control:
    return Control(simulator)


def test_a_vm_can_be_stopped_and_started(control: Control, raw: RawClient) -> None:
    assert control("PATCH", "/vms/lin-web-1", {"power": "deallocated"})[0] == 200
    view = raw.get("virtualMachines/lin-web-1/instanceView")
    assert view["statuses"][1]["code"] == "PowerState/deallocated"
    assert control("GET", "/vms/lin-web-1")[1]["power"] == "deallocated"


def test_writers_that_are_repaired_show_after_the_fallback(control: Control, raw: RawClient) -> None:
    raw.made_point("win-vss-1", "p1")
    assert control("GET", "/vms/win-vss-1")[1]["vss_fallbacks_left"] == 3
    assert control("PATCH", "/vms/win-vss-1", {"vss": "ok"})[1]["vss"] == "ok"
    raw.simulator.advance(600)
    assert raw.made_point("win-vss-1", "p2")["consistencyMode"] == "FileSystemConsistent"


def test_an_extension_can_vanish_fail_and_come_back(control: Control, raw: RawClient) -> None:
    path = "virtualMachines/lin-web-1/extensions/VMSnapshotLinux"
    control("PATCH", "/vms/lin-web-1", {"extensions": {"VMSnapshotLinux": "Absent"}})
    assert raw.send("GET", path).status == 404
    control("PATCH", "/vms/lin-web-1", {"extensions": {"VMSnapshotLinux": "Failed"}})
    assert raw.get(path)["properties"]["provisioningState"] == "Failed"


def test_a_vm_can_be_added_and_removed(control: Control, raw: RawClient) -> None:
    status, made = control("PUT", "/vms/late-1", {"os": "windows", "snapshot_extension": "present"})
    assert (status, made["extensions"]) == (200, {"VMSnapshot": "Succeeded"})
    assert raw.made_point("late-1", "p1")["consistencyMode"] == "ApplicationConsistent"
    assert control("DELETE", "/vms/late-1")[0] == 200
    assert raw.send("GET", "virtualMachines/late-1").status == 404
    # The points of a VM that is gone are still there.
    assert raw.point("late-1", "p1")["provisioningState"] == "Succeeded"


def test_a_point_can_vanish(control: Control, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    listed = control("GET", "/points/lin-web-1")[1]["points"]
    assert [held["consistency"] for held in listed] == ["ApplicationConsistent"]
    assert control("DELETE", f"/points{listed[0]['id']}")[0] == 200
    assert raw.send("GET", "restorePointCollections/lin-web-1-points/restorePoints/p1").status == 404
    assert control("DELETE", f"/points{listed[0]['id']}")[0] == 404


def test_faults_are_switched_on_seen_and_off(control: Control, raw: RawClient) -> None:
    status, fault = control("POST", "/faults", {"kind": "error", "vm": "lin-web-1", "status": 502})
    assert status == 200
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 502
    assert control("GET", "/faults")[1]["faults"][0]["hits"] == 1
    assert control("DELETE", f"/faults/{fault['id']}")[1] == {"faults": []}
    assert raw.send("GET", "virtualMachines/lin-web-1").status == 200
    assert control("DELETE", "/faults/99")[0] == 404


def test_requests_are_counted_without_their_secrets(control: Control, raw: RawClient) -> None:
    control("DELETE", "/requests")
    raw.make_collection("lin-web-1")
    made = raw.make_point("lin-web-1", "p1")
    raw.follow(made.headers["Azure-AsyncOperation"])
    seen = control("GET", "/requests")[1]
    assert seen["counts"]["PUT 201"] == 2
    poll = seen["requests"][-1]
    assert (poll["method"], poll["status"], poll["principal"]) == ("GET", 200, raw.simulator.client_id)
    secret = made.headers["Azure-AsyncOperation"].partition("&c=")[2]
    assert secret[:40] not in json.dumps(seen)
    assert raw.simulator.client_secret not in json.dumps(seen)


def test_time_moves_through_the_control_api(control: Control, raw: RawClient) -> None:
    raw.make_collection("lin-web-1")
    raw.make_point("lin-web-1", "p1")
    assert control("GET", "/vms/lin-web-1")[1]["creating"] is True
    assert control("POST", "/advance", {"seconds": 60})[0] == 200
    assert raw.point("lin-web-1", "p1")["provisioningState"] == "Succeeded"
    assert control("GET", "/operations")[1]["operations"][0]["status"] == "Succeeded"
    assert control("GET", "/locks")[1] == {"locks": []}


def test_a_reset_puts_everything_back(control: Control, raw: RawClient) -> None:
    raw.made_point("lin-web-1", "p1")
    assert control("POST", "/reset")[1] == {"vms": 12}
    assert raw.send("GET", "restorePointCollections/lin-web-1-points").status == 404
    assert control("POST", "/reset", {"vms": [{"name": "only"}]})[1] == {"vms": 1}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/vms/none", None, 404, "no VM 'none'"),
        ("GET", "/nowhere", None, 404, "no GET /nowhere"),
        ("PATCH", "/vms/lin-web-1", {"power": "purple"}, 400, "must be one of running"),
        ("PATCH", "/vms/lin-web-1", {"name": "x"}, 400, "cannot be changed"),
        ("PATCH", "/vms/lin-web-1", {"extensions": {"VMSnapshotLinux": "Odd"}}, 400, "state must be one of"),
        ("PATCH", "/vms/lin-web-1", {"extensions": {"Other": "Failed"}}, 404, "has no extension 'Other'"),
        ("PUT", "/vms/new", {"os": "beos"}, 400, "must be one of linux, windows"),
        ("POST", "/faults", {"kind": "odd"}, 400, "is not known"),
        ("POST", "/advance", {"seconds": "long"}, 400, "must be a number"),
        ("POST", "/advance", {"seconds": -1}, 400, "only goes forward"),
        ("POST", "/reset", [], 400, "must be a JSON object"),
    ],
)
def test_mistakes_get_one_clear_sentence(
    control: Control, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answered = control(method, path, body)
    assert answered[0] == status
    assert words in answered[1]["error"]


def test_web_pages_are_kept_out(control: Control) -> None:
    assert control("POST", "/reset", {}, Origin="https://evil.example")[0] == 403
    assert control("POST", "/reset", {"vms": []}, **{"Content-Type": "text/plain"})[0] == 415
