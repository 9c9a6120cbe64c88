# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rehearsals of the deployed scripts with a real database, asked for by a real Ansible over SSH."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.modules import snapshot_rehearsal

from tests.linux_guest import LinuxGuest
from tests.system.conftest import need
from tests.system.rehearsal.controller import Json, play, start, task

PATIENCE = 90.0
SCRIPTS = task("snapshot_scripts", profiles=[{"name": "mariadb"}])
HELD = "/run/appconsistent/current/state"


@pytest.fixture(scope="module")
def guest(templates: Path) -> t.Iterator[LinuxGuest]:
    """A guest with MariaDB whose scripts are deployed."""
    need("mariadb")
    with LinuxGuest("rehearsed", "mariadb", templates=templates) as guest:
        (deployed,) = play(guest, SCRIPTS)
        assert deployed["changed"] is True, deployed
        yield guest


Begin = t.Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(guest: LinuxGuest) -> t.Iterator[Begin]:
    """Start a play; at the end of the test it is over, and so is everything that it began in the guest."""
    controllers = []

    def start_play(*tasks: Json) -> subprocess.Popen[str]:
        controllers.append(start(guest, *tasks))
        return controllers[-1]

    yield start_play
    for controller in controllers:
        if controller.poll() is None:
            os.killpg(controller.pid, signal.SIGKILL)
        if controller.stdout is not None and not controller.stdout.closed:
            controller.communicate()
    deadline = time.monotonic() + PATIENCE
    while rehearsal_processes(guest):
        assert time.monotonic() < deadline, "a process of the rehearsal is left in the guest"
        time.sleep(0.05)


def state(guest: LinuxGuest) -> str:
    try:
        return guest.path(HELD).read_text().strip()
    except OSError:
        return ""


def wait_until(guest: LinuxGuest, *states: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while state(guest) not in states:
        assert time.monotonic() < deadline, f"the scripts are {state(guest)!r} and not {states}"
        time.sleep(0.02)


def takes_writes(guest: LinuxGuest) -> bool:
    return "20-mariadb 0" in guest.run(["sh", "/etc/azure/appconsistent/probe.sh"], check=False).stdout


def rehearsal_processes(guest: LinuxGuest) -> list[int]:
    """The module and the process that runs the scripts, as the host sees them. The first began first."""
    space = Path(f"/proc/{guest.pid}/ns/pid").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            ours = (folder / "ns/pid").readlink() == space
        except OSError:
            continue
        if ours and b"python" in command[0] and any(b"snapshot_rehearsal" in word for word in command):
            found.append(int(folder.name))
    return sorted(found)


def test_a_rehearsal_holds_the_database_and_proves_that_it_is_free_again(guest: LinuxGuest) -> None:
    with guest.writer(clients=2) as writer:
        writer.wait_for_rows(10)
        checked, rehearsed = play(
            guest,
            {**task("snapshot_rehearsal"), "check_mode": True},
            task("snapshot_rehearsal", window=2, probe=["/bin/true"]),
        )
        writer.wait_for_rows(10)
    moments = sorted(row.acknowledged for row in writer.rows() if row.acknowledged is not None)
    longest_silence = max(later - earlier for earlier, later in itertools.pairwise(moments))
    # Nobody was answered for the whole window.
    assert longest_silence >= 2.0
    assert checked["rehearsal"]["ran"] is False
    assert checked["rehearsal"]["commands"]["pre"] == ["sh", "/etc/azure/appconsistent/pre.sh"]
    assert "failed" not in checked
    result = rehearsed["rehearsal"]
    assert (rehearsed["changed"], result["ran"]) == (False, True), rehearsed
    assert (result["released"], result["released_by"]) == (True, "post")
    assert result["probes"] == [
        {"name": "20-mariadb", "before": "written", "after": "written", "said": None},
        {"name": "probe", "before": "written", "after": "written", "said": None},
    ]
    assert result["would_report"]["consistency_reached"] == "application"
    assert result["pre"]["own_seconds"] < result["hold_seconds"]
    assert any("held after" in line for line in result["log"])
    assert any("the hold was whole" in line for line in result["log"])
    assert result["findings"] == [] or {found["severity"] for found in result["findings"]} == {"info"}


def test_what_the_rehearsal_foretells_is_what_the_extension_then_reports(guest: LinuxGuest) -> None:
    (rehearsed,) = play(guest, task("snapshot_rehearsal", window=0))
    final = guest.snapshot("foretold")
    (seen,) = play(guest, task("guest_snapshot_info", wire_server_timeout=0))
    foretold = rehearsed["rehearsal"]["would_report"]
    run = seen["guest_snapshot"]["last_run"]
    assert foretold["code"] == int(str(final["code"])) == run["code"] == 0
    assert foretold["consistency_reached"] == run["consistency_reached"] == "application"


def test_a_database_that_is_down_fails_the_rehearsal_before_anything_is_run(guest: LinuxGuest) -> None:
    guest.stop_server()
    try:
        (rehearsed,) = play(guest, task("snapshot_rehearsal", window=0))
    finally:
        guest.start_server()
    assert rehearsed["rehearsal"]["ran"] is False
    assert "could not write even before" in rehearsed["msg"]
    assert rehearsed["rehearsal"]["findings"][0]["evidence"]


def test_a_hold_that_breaks_in_the_window_is_no_success(guest: LinuxGuest, begin: Begin) -> None:
    controller = begin(task("snapshot_rehearsal", window=15))
    wait_until(guest, "held")
    guest.stop_server(signal.SIGKILL)
    guest.start_server()
    controller.communicate(timeout=PATIENCE)
    result = _last_result(guest)
    assert result["rehearsal"]["post"]["code"] == 301
    assert result["rehearsal"]["would_report"]["consistency_reached"] == "file_system"
    assert result["rehearsal"]["released"] is True
    assert "code 301" in result["msg"]


def _last_result(guest: LinuxGuest) -> Json:
    lines = (guest.folder / "results.jsonl").read_text().splitlines()
    result: Json = json.loads(lines[-1])["result"]
    return result


def test_a_controller_that_is_killed_leaves_nothing_held(guest: LinuxGuest, begin: Begin) -> None:
    controller = begin(task("snapshot_rehearsal", window=3))
    wait_until(guest, "held")
    os.killpg(controller.pid, signal.SIGKILL)
    controller.communicate(timeout=PATIENCE)
    wait_until(guest, "released")
    assert takes_writes(guest)


def test_a_module_that_is_killed_leaves_nothing_held(guest: LinuxGuest, begin: Begin) -> None:
    controller = begin(task("snapshot_rehearsal", window=300))
    wait_until(guest, "held")
    os.kill(rehearsal_processes(guest)[0], signal.SIGKILL)
    controller.communicate(timeout=PATIENCE)
    wait_until(guest, "released")
    assert takes_writes(guest)


def test_when_all_its_pythons_are_killed_at_once_the_guest_takes_writes_again(guest: LinuxGuest, begin: Begin) -> None:
    controller = begin(task("snapshot_rehearsal", window=300))
    wait_until(guest, "held")
    processes = rehearsal_processes(guest)
    assert len(processes) >= 2
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in processes:
            os.kill(pid, number)
    controller.communicate(timeout=PATIENCE)
    # Where the scripts' own watchdog sees first that its caller is gone, it releases, and post finds the hold broken.
    wait_until(guest, "released", "broken")
    assert takes_writes(guest)


def test_when_the_process_that_rehearses_is_killed_the_task_says_who_released(guest: LinuxGuest, begin: Begin) -> None:
    controller = begin(task("snapshot_rehearsal", window=300))
    wait_until(guest, "held")
    os.kill(rehearsal_processes(guest)[-1], signal.SIGKILL)
    controller.communicate(timeout=PATIENCE)
    result = _last_result(guest)
    assert result["rehearsal"]["released_by"] == "guardian"
    assert result["rehearsal"]["released"] is True
    assert "its guardian ran the post script" in result["msg"]


def test_a_snapshot_that_comes_during_a_rehearsal_is_not_application_consistent(
    guest: LinuxGuest, begin: Begin
) -> None:
    """As the documentation warns."""
    controller = begin(task("snapshot_rehearsal", window=20))
    wait_until(guest, "held")
    final = guest.snapshot("meanwhile")
    controller.communicate(timeout=PATIENCE)
    assert (final["code"], final["health"]) == ("1", "300")
    assert takes_writes(guest)


def test_a_rehearsal_during_a_snapshot_is_refused(guest: LinuxGuest) -> None:
    answers = guest.ask(run="snapshot", task_id="slow", fault="slow_snapshot", fault_seconds=8)
    next(answer for answer in answers if answer.get("moment") == "frozen_at")
    (rehearsed,) = play(guest, task("snapshot_rehearsal", window=0))
    assert "A snapshot is being taken right now" in rehearsed["msg"]
    final = list(answers)[-1]
    assert final["code"] == "0"


def test_the_examples_of_the_documentation_run(guest: LinuxGuest) -> None:
    examples = yaml.safe_load(snapshot_rehearsal.EXAMPLES)
    for example in examples:
        example.pop("become", None)  # we are root already, and sudo may not be there
    # The client and the option file of the third are somebody else's; what it says is checked all the same.
    examples[2]["check_mode"] = True
    results = play(guest, *examples)
    assert [result.get("failed", False) for result in results] == [False] * len(examples)
