"""What can go wrong around a freeze: each time the file system is free again, and the answer says what happened."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest
from tests.system.conftest import MakeGuest
from tests.system.linux_guest.guest_scripts import AZURE, STORY_POST, STORY_PRE, deploy, story, write

# The freeze binary thaws by itself after this many seconds, a tenth of them here.
SHORT_FREEZE = "[SnapshotThread]\ntimeout = 10\n"


def write_to_disk(guest: LinuxGuest) -> None:
    """Ends only when the data file system is not frozen."""
    guest.run(["sh", "-c", "date >/datadisk/after && sync -f /datadisk"])


def test_post_never_runs_when_the_extension_dies_after_the_thaw(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)

    final = shared_guest.snapshot("no-post", fault="post_never_run")

    assert (final["code"], final["post_started"], story(shared_guest)) == ("4", None, ["pre"])
    assert Path(str(final["image"])).exists()
    assert "died" in str(final["error"])
    write_to_disk(shared_guest)


def test_an_extension_killed_while_frozen_is_thawed_at_the_limit(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    write(shared_guest, AZURE / "vmbackup.conf", SHORT_FREEZE)

    final = shared_guest.snapshot("dies-frozen", fault="daemon_killed_while_frozen")

    assert (final["code"], story(shared_guest)) == ("4", ["pre"])
    write_to_disk(shared_guest)
    shared_guest.snapshot("after-death")


def test_an_extension_killed_in_pre_leaves_pre_alone(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest, pre="touch /run/in-pre; while ! [ -e /run/go ]; do sleep 0.02; done; echo pre >>/run/story\n")
    shared_guest.run(["rm", "-f", "/run/in-pre", "/run/go"])

    final = shared_guest.snapshot("dies-in-pre", fault="daemon_killed_in_pre", fault_path="/run/in-pre")
    assert (final["code"], final["image"], story(shared_guest)) == ("4", None, [])

    shared_guest.run(["sh", "-c", "touch /run/go; while ! grep -q pre /run/story; do sleep 0.05; done"])


@pytest.mark.parametrize(("which", "health"), [("pre", "300"), ("post", "301")])
def test_a_script_can_be_killed_at_a_step(shared_guest: LinuxGuest, which: str, health: str) -> None:
    stops = "touch /run/at-step; sleep 1000\n"
    shared_guest.run(["rm", "-f", "/run/at-step"])
    scripts = {"pre": STORY_PRE, "post": STORY_POST, which: stops}
    deploy(shared_guest, pre=scripts["pre"], post=scripts["post"])

    final = shared_guest.snapshot(f"kill-{which}", fault=f"kill_{which}", fault_path="/run/at-step")

    assert (final["code"], final["health"]) == ("1", health)


def test_a_snapshot_longer_than_the_limit_is_thawed_and_not_believed(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    write(shared_guest, AZURE / "vmbackup.conf", SHORT_FREEZE)

    final = shared_guest.snapshot("slow", fault="slow_snapshot", fault_seconds=1.5)

    assert (final["code"], final["image"], story(shared_guest)) == ("2", None, ["pre", "post"])
    write_to_disk(shared_guest)


@pytest.mark.parametrize(("fault", "code"), [("snapshot_error", "76"), ("freeze_busy", "121")])
def test_post_runs_after_a_snapshot_that_failed(shared_guest: LinuxGuest, fault: str, code: str) -> None:
    deploy(shared_guest)

    final = shared_guest.snapshot(f"fails-{code}", fault=fault)

    assert (final["code"], final["image"], story(shared_guest)) == (code, None, ["pre", "post"])
    write_to_disk(shared_guest)


def test_somebody_elses_freeze_is_refused_by_the_kernel_and_left_alone(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.run(["fsfreeze", "--freeze", "/datadisk"])
    try:
        final = shared_guest.snapshot("really-busy")
    finally:
        shared_guest.run(["fsfreeze", "--unfreeze", "/datadisk"])

    assert (final["code"], final["image"]) == ("121", None)
    write_to_disk(shared_guest)


def test_a_command_that_is_too_old_runs_nothing(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)

    final = shared_guest.snapshot("late", fault="too_late")

    assert (final["code"], final["image"], story(shared_guest)) == ("402", None, [])


def test_of_two_runs_at_once_one_is_refused_the_freeze(new_guest: MakeGuest) -> None:
    guest = new_guest()
    deploy(guest)
    frozen = threading.Event()
    finals: dict[str, dict[str, object]] = {}

    def first() -> None:
        for answer in guest.ask(run="snapshot", task_id="first", fault="slow_snapshot", fault_seconds=2.0):
            if answer.get("moment") == "frozen_at":
                frozen.set()
            finals["first"] = answer

    thread = threading.Thread(target=first)
    thread.start()
    assert frozen.wait(60)
    finals["second"] = guest.snapshot("second")
    thread.join(60)

    assert {name: final["code"] for name, final in finals.items()} == {"first": "0", "second": "121"}
    assert sorted(story(guest)) == ["post", "post", "pre", "pre"]
