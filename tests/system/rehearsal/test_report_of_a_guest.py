# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is read in a guest equals what the extension's stand-in reported there.

The stand-in keeps the moments of a run by itself, apart from the status file and the log that it writes.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import typing as t

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.modules import guest_snapshot_info

from tests.linux_guest import LinuxGuest
from tests.pythons import VERSIONS, need_python
from tests.system.conftest import MakeGuest
from tests.system.linux_guest.guest_scripts import config, deploy
from tests.system.rehearsal.controller import GUEST_PYTHON, ROOT, Json, play, task

_LOOK = """
import json, os, sys, time
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.guest import Guest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.snapshot import gather
guest = Guest("/", os.geteuid(), time.time() + float(sys.argv[1]), lambda program: "", lambda: {})
print(json.dumps(gather(guest)["guest_snapshot"]))
"""


def look(guest: LinuxGuest, later: float = 0.0, user: str | None = None) -> Json:
    """What the module's core sees in the guest, so many seconds from now."""
    environment = [f"PYTHONPATH={ROOT}/.tree", "PYTHONDONTWRITEBYTECODE=1"]
    done = guest.run(["env", *environment, GUEST_PYTHON, "-c", _LOOK, str(later)], user=user)
    seen: Json = json.loads(done.stdout)
    return seen


def codes(seen: Json) -> list[str]:
    return [found["code"] for found in seen["findings"]]


def test_a_good_run_is_told_with_the_times_that_the_extension_kept(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    final = t.cast(Json, shared_guest.snapshot("good"))
    run = look(shared_guest)["last_run"]
    assert (run["task"], run["code"], run["health"]) == ("good", int(final["code"]), int(final["health"]))
    assert (run["consistency_reached"], run["sources"]["agree"]) == ("application", True)
    assert run["freeze"] == {"state": "done", "mounts": [str(shared_guest.disk)], "error": None}
    # One record is a log's stamps, the other a list of moments: they lie within the writing of a line of each other.
    assert run["freeze_seconds"] == pytest.approx(final["frozen_seconds"], abs=1.0)
    assert run["hold_seconds"] == pytest.approx(final["post_ended"] - final["pre_started"], abs=1.0)
    assert run["hold_seconds"] > run["freeze_seconds"] > 0
    assert run["pre"]["started"] in _seconds_around(final["pre_started"])
    assert run["post"]["started"] in _seconds_around(final["post_started"])


def _seconds_around(moment: float) -> list[str]:
    return [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment + offset)) for offset in (-1, 0, 1)]


@pytest.mark.parametrize(
    "fault, freeze, snapshot",
    [
        ("freeze_busy", "failed", "failed"),
        ("host_error", "done", "failed"),
        ("snapshot_rate", "done", "failed"),
        ("snapshot_error", "done", "failed"),
        ("too_late", "not_done", "not_taken"),
    ],
)
def test_a_run_that_fails_is_told_with_the_code_that_the_extension_gave(
    shared_guest: LinuxGuest, fault: str, freeze: str, snapshot: str
) -> None:
    deploy(shared_guest)
    final = shared_guest.snapshot("fault-" + fault.replace("_", "-"), fault=fault)
    seen = look(shared_guest)
    run = seen["last_run"]
    assert (run["state"], run["code"]) == ("finished", int(str(final["code"])))
    assert (run["consistency_reached"], run["freeze"]["state"], run["snapshot"]["state"]) == ("none", freeze, snapshot)
    assert "run.failed" in codes(seen)


@pytest.mark.parametrize(
    "scripts, keys, pre, post",
    [
        ({"pre": "exit 7\n"}, {}, "failed", "succeeded"),
        ({"pre": "exit 7\n"}, {"continueBackupOnFailure": False}, "failed", "succeeded"),
        ({"pre": "sleep 30\n"}, {"timeoutInSeconds": 2}, "timed_out", "succeeded"),
        ({"post": "exit 3\n"}, {}, "succeeded", "failed"),
        ({"post": "exit 3\n"}, {"continueBackupOnFailure": False}, "succeeded", "failed"),
        ({}, {"preScriptLocation": "/nowhere"}, "refused", "refused"),
        ({}, {"timeoutInSeconds": "2"}, "refused", "refused"),
        ({"pre": "exit 1\n"}, {"continueBackupOnFailure": "false"}, "failed", "not_run"),
    ],
)
def test_what_became_of_the_scripts_is_told(
    shared_guest: LinuxGuest, scripts: dict[str, str], keys: Json, pre: str, post: str
) -> None:
    deploy(shared_guest, keys=config(**keys), **t.cast(t.Any, scripts))
    final = shared_guest.snapshot(f"scripts-{time.monotonic_ns()}")
    run = look(shared_guest)["last_run"]
    assert (run["code"], run["health"]) == (int(str(final["code"])), int(str(final["health"])))
    assert (run["pre"]["state"], run["post"]["state"]) == (pre, post)
    if pre == "failed":
        assert run["pre"]["exit_code"] == int(scripts["pre"].split()[1])


def test_the_prediction_of_the_checks_is_what_the_extension_then_does(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.path("/etc/azure/post.sh").chmod(0o755)
    predicted = look(shared_guest)["configuration"]["linux"]["plugin"]["code"]
    final = shared_guest.snapshot("predicted")
    assert predicted == int(str(final["health"])) == 307


@pytest.mark.parametrize("fault", ["post_never_run", "daemon_killed_while_frozen"])
def test_a_run_whose_process_was_killed_is_lost_and_the_hold_is_pointed_out(new_guest: MakeGuest, fault: str) -> None:
    # Of its own: what is frozen then stays so for a while.
    guest = new_guest(name="killed")
    deploy(guest)
    guest.snapshot("killed", fault=fault)
    seen = look(guest)
    assert (seen["last_run"]["state"], seen["last_run"]["consistency_reached"]) == ("lost", None)
    assert {"run.lost", "run.post_never_ran"} <= set(codes(seen))


def test_a_freeze_that_hangs_is_seen_from_outside_while_it_lasts(new_guest: MakeGuest) -> None:
    guest = new_guest(name="hangs")
    deploy(guest)
    log = guest.path("/var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log")
    run = threading.Thread(target=lambda: list(guest.ask(run="snapshot", task_id="hangs", fault="freeze_hangs")))
    run.start()
    deadline = time.monotonic() + 60
    while not (log.exists() and b"proceeded for accepting signals" in log.read_bytes()):
        assert time.monotonic() < deadline, "the freeze did not begin"
        time.sleep(0.02)
    seen = look(guest)
    assert seen["extension"]["running"] is True
    assert seen["last_run"]["state"] == "running"
    later = look(guest, later=600.0)
    assert (later["last_run"]["state"], later["last_run"]["freeze"]["state"]) == ("stuck", "hung")
    assert {"run.stuck", "run.freeze_hung"} <= set(codes(later))
    guest.stop()
    run.join(60)


def test_a_writer_that_sleeps_on_a_frozen_file_system_is_seen_without_touching_it(shared_guest: LinuxGuest) -> None:
    if subprocess.run(["which", "fsfreeze"], capture_output=True, check=False).returncode:
        pytest.fail("fsfreeze is missing: install util-linux.")
    disk = str(shared_guest.disk)
    shared_guest.run(["fsfreeze", "--freeze", disk])
    try:
        writer = subprocess.Popen(shared_guest.command(["touch", f"{disk}/late"]))
        seen: list[int] = []
        deadline = time.monotonic() + 30
        while not seen and time.monotonic() < deadline:
            seen = look(shared_guest)["extension"]["linux"]["freezing"]["blocked_writers"]
        assert seen, "no blocked writer was seen"
        assert "freeze.blocked_writers" in codes(look(shared_guest))
    finally:
        shared_guest.run(["fsfreeze", "--unfreeze", disk])
    writer.wait(30)
    assert "freeze.blocked_writers" not in codes(look(shared_guest))


def test_the_module_says_it_over_ssh(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.snapshot("over-ssh")
    wanted = task("guest_snapshot_info", wire_server_timeout=0)
    told, checked = play(shared_guest, wanted, {**wanted, "check_mode": True})
    seen = told["guest_snapshot"]
    assert (told["changed"], checked["guest_snapshot"]["last_run"]) == (False, seen["last_run"])
    assert (seen["last_run"]["task"], seen["last_run"]["consistency_reached"]) == ("over-ssh", "application")
    assert seen["agent"]["state"] == "running"
    assert seen["agent"]["wire_server"] == {"80": "not_probed", "32526": "not_probed"}


def test_without_root_it_says_so_and_shows_what_it_can(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.snapshot("nobody")
    seen = look(shared_guest, user="daemon")
    assert seen["findings"][0]["code"] == "guest.not_root"
    assert seen["extension"]["installed"] is False


def test_the_examples_of_the_documentation_run(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.snapshot("examples")
    examples = yaml.safe_load(guest_snapshot_info.EXAMPLES)
    for example in examples:
        example.pop("become", None)  # we are root already, and sudo may not be there
    results = play(shared_guest, *examples)
    assert [result.get("failed", False) for result in results] == [False] * len(examples)


def test_an_uninstalled_extension_is_dated(new_guest: MakeGuest) -> None:
    guest = new_guest(name="removed")
    deploy(guest)
    guest.snapshot("first")
    list(guest.ask(run="uninstall"))
    seen = look(guest)
    assert seen["extension"]["installed"] is False
    assert {"extension.missing", "extension.removed"} <= set(codes(seen))
    assert seen["last_run"]["task"] == "first"


def test_every_python_that_a_guest_may_have_says_the_same(shared_guest: LinuxGuest) -> None:
    """From 3.6 to 3.13. They look into the guest from outside."""
    deploy(shared_guest)
    shared_guest.snapshot("pythons")
    pythons = [need_python(version) for version in VERSIONS]
    program = _LOOK.replace('"/"', f'"/proc/{shared_guest.pid}/root"')
    answers = {}
    for python in pythons:
        environment = {"PYTHONPATH": f"{ROOT}/.tree", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([python, "-c", program, "0"], env=environment, capture_output=True, check=False)
        assert done.returncode == 0, f"{python}: {done.stderr.decode()}"
        answers[done.stdout] = python
    assert len(answers) == 1, sorted(answers.values())
    (answer,) = answers
    assert json.loads(answer)["last_run"]["task"] == "pythons"
