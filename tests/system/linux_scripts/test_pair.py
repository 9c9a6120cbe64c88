"""The pair itself, with made-up hooks, under the guest's own shells."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest
from tests.system.conftest import MakeGuest

from .scripted import (
    CONFIG,
    DISK_LOG,
    HELD,
    POST,
    PRE,
    RUN,
    STORY,
    Starter,
    clean,
    deploy,
    hook,
    limit,
    log,
    state,
    story,
    until,
    write,
)


@pytest.fixture(scope="module")
def plain(guests: MakeGuest) -> LinuxGuest:
    return guests()


@pytest.fixture
def guest(plain: LinuxGuest) -> Iterator[LinuxGuest]:
    """A guest with two made-up hooks, and the scripts."""
    clean(plain)
    hook(plain, "10-first")
    hook(plain, "20-second")
    result = deploy(plain)
    assert result["snapshot_scripts"]["foreign_hooks"] == ["10-first", "20-second"]
    limit(plain)
    yield plain
    clean(plain)


@pytest.fixture(params=["sh", "bash --posix"])
def starter(request: pytest.FixtureRequest, guest: LinuxGuest) -> Iterator[Starter]:
    with Starter(guest, request.param) as process:
        yield process


@pytest.fixture
def extension(guest: LinuxGuest) -> Iterator[Starter]:
    with Starter(guest) as process:
        yield process


def kill_pre(guest: LinuxGuest, number: int = signal.SIGKILL) -> None:
    guest.run(["kill", f"-{number}", state(guest, "pre").split()[0]])


def test_hooks_freeze_in_order_and_thaw_in_reverse(guest: LinuxGuest, starter: Starter) -> None:
    assert starter.run(PRE) == 0
    assert state(guest) == "held"
    assert starter.run(POST) == 0
    assert story(guest) == [
        "freeze 10-first",
        "freeze 20-second",
        "status 20-second",
        "thaw 20-second",
        "status 10-first",
        "thaw 10-first",
    ]


def test_a_failed_freeze_undoes_what_was_frozen_and_itself(guest: LinuxGuest, starter: Starter) -> None:
    hook(guest, "20-second", freeze="echo no such luck; exit 3")
    hook(guest, "30-third")
    assert starter.run(PRE) != 0
    assert story(guest) == ["freeze 10-first", "freeze 20-second", "thaw 20-second", "thaw 10-first"]
    assert state(guest, "reason") == "20-second: no such luck"
    # Its failure was told by pre.sh; there is nothing left to tell.
    assert starter.run(POST) == 0
    assert len(story(guest)) == 4


def test_post_fails_when_a_hold_was_broken_and_still_releases_all(guest: LinuxGuest, starter: Starter) -> None:
    hook(guest, "20-second", status="echo the lock is gone; exit 1")
    assert starter.run(PRE) == 0
    assert starter.run(POST) == 1
    assert story(guest)[-4:] == ["status 20-second", "thaw 20-second", "status 10-first", "thaw 10-first"]
    assert "the lock is gone" in state(guest, "reason")


def test_post_fails_when_a_thaw_says_that_the_point_is_no_good(guest: LinuxGuest, extension: Starter) -> None:
    hook(guest, "10-first", thaw="echo the label is lost; exit 2")
    assert extension.run(PRE) == 0
    assert extension.run(POST) == 1
    assert state(guest) == "broken"


def test_post_is_safe_without_pre_and_may_be_repeated(guest: LinuxGuest, starter: Starter) -> None:
    assert starter.run(POST) == 0
    assert story(guest) == []
    assert starter.run(PRE) == 0
    assert [starter.run(POST), starter.run(POST), starter.run(POST)] == [0, 0, 0]
    assert story(guest).count("thaw 10-first") == 1


def test_post_repeats_that_the_hold_was_broken(guest: LinuxGuest, extension: Starter) -> None:
    hook(guest, "10-first", status="exit 1")
    assert extension.run(PRE) == 0
    assert [extension.run(POST), extension.run(POST)] == [1, 1]


def test_nothing_goes_into_the_pipe_however_much_a_hook_says(guest: LinuxGuest) -> None:
    noise = "head -c 300000 /dev/zero | tr '\\0' x; echo"
    hook(guest, "10-first", freeze=noise, status=noise, thaw=noise)
    for script in (PRE, POST):
        done = guest.run(["sh", script], timeout=30)
        assert (done.stdout, done.stderr) == ("", "")
    assert len(log(guest)) < 20_000


def test_hooks_get_a_path_and_a_home_out_of_an_empty_environment(guest: LinuxGuest) -> None:
    write_down = f"echo $HOME $PATH >>{STORY}; command -v useradd >>{STORY}"
    hook(guest, "10-first", freeze=write_down)
    guest.run(["env", "-i", "/bin/sh", PRE])
    assert "/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in story(guest)
    assert any(line.endswith("/useradd") for line in story(guest))


def test_pre_gives_up_by_itself_when_a_hook_hangs(guest: LinuxGuest, starter: Starter) -> None:
    limit(guest, freeze=1, script=8)
    hook(guest, "20-second", freeze="sleep 1000")
    assert starter.run(PRE) != 0
    assert story(guest)[-2:] == ["thaw 20-second", "thaw 10-first"]
    assert state(guest, "reason") == "20-second: no answer within 1 s"


def test_a_later_hook_gets_only_the_time_that_is_left(guest: LinuxGuest, extension: Starter) -> None:
    limit(guest, freeze=4, script=12)
    hook(guest, "10-first", freeze="sleep 1")
    hook(guest, "20-second", freeze="echo $AC_SECONDS; sleep 1000")
    assert extension.run(PRE) != 0
    assert state(guest, "reason").startswith("20-second: no answer within ")
    assert "20-second freeze: 4" not in log(guest)


def test_post_ends_a_pre_that_still_runs(guest: LinuxGuest, starter: Starter) -> None:
    hook(guest, "20-second", freeze=f"echo waits >>{STORY}; sleep 1000; echo too late >>{STORY}")
    starter.begin_script(PRE)
    assert until(lambda: "waits" in story(guest))
    assert starter.run(POST) == 1
    assert starter.wait_script() != 0
    assert story(guest)[-2:] == ["thaw 20-second", "thaw 10-first"]
    assert guest.run(["pgrep", "-f", "sleep 1000"], check=False).returncode == 1


def test_the_watchdog_releases_when_post_never_comes(guest: LinuxGuest, starter: Starter) -> None:
    limit(guest, hold=2)
    assert starter.run(PRE) == 0
    assert until(lambda: state(guest) == "broken")
    assert story(guest)[-2:] == ["thaw 20-second", "thaw 10-first"]
    assert starter.run(POST) == 1
    assert "post.sh did not come within 2 s" in log(guest)


def test_a_pre_killed_at_any_step_is_undone_by_the_watchdog(guest: LinuxGuest, extension: Starter) -> None:
    for step in ("10-first", "20-second"):
        guest.path(STORY).unlink(missing_ok=True)
        for name in ("10-first", "20-second"):
            hook(guest, name, freeze="sleep 1000" if name == step else "exit 0")
        extension.begin_script(PRE)
        assert until(lambda step=step: f"freeze {step}" in story(guest))  # type: ignore[misc]
        kill_pre(guest)
        assert extension.wait_script() == 128 + signal.SIGKILL
        assert until(lambda: state(guest) == "broken")
        assert story(guest)[-1] == "thaw 10-first"
        assert state(guest, "reason") == "pre.sh was killed before it had finished"
        assert extension.run(POST) == 1


def test_a_pre_that_is_asked_to_end_undoes_its_work(guest: LinuxGuest, extension: Starter) -> None:
    hook(guest, "20-second", freeze="sleep 1000")
    extension.begin_script(PRE)
    assert until(lambda: "freeze 20-second" in story(guest))
    kill_pre(guest, signal.SIGTERM)
    assert extension.wait_script() != 0
    assert state(guest) == "failed"
    assert story(guest)[-2:] == ["thaw 20-second", "thaw 10-first"]


def test_what_cannot_be_released_is_tried_again_and_again(guest: LinuxGuest, extension: Starter) -> None:
    hook(guest, "10-first", thaw="[ -f /run/now ] || { echo not yet; exit 1; }")
    assert extension.run(PRE) == 0
    assert extension.run(POST) == 1
    assert state(guest) == "stuck"
    assert "it cannot be released: 10-first: not yet" in log(guest)
    write(guest, RUN.parent / "now", "")
    assert until(lambda: state(guest) == "released")
    assert story(guest).count("thaw 20-second") == 1
    guest.path("/run/now").unlink()


def test_post_starts_a_new_watchdog_when_the_old_one_is_gone(guest: LinuxGuest, extension: Starter) -> None:
    hook(guest, "10-first", thaw="[ -f /run/now ] || exit 1")
    assert extension.run(PRE) == 0
    guest.run(["kill", "-KILL", state(guest, "watchdog").split()[0]])
    assert extension.run(POST) == 1
    write(guest, RUN.parent / "now", "")
    assert until(lambda: state(guest) == "released")
    guest.path("/run/now").unlink()


def test_nobody_is_taken_for_a_process_that_lives(guest: LinuxGuest) -> None:
    for words in ("", "1", "1 0", "0 none", "999999999 1"):
        done = guest.run(["sh", "-c", f". /etc/azure/appconsistent/hold.sh; alive {words}"], check=False)
        assert done.returncode == 1, words


def test_two_runs_never_mix(guest: LinuxGuest, extension: Starter) -> None:
    with Starter(guest) as other:
        assert extension.run(PRE) == 0
        assert other.run(PRE) != 0
        assert "still holds the applications" in log(guest)
        # The extension runs post after a failed pre, too: it must leave the other's hold alone.
        assert other.run(POST) == 1
        assert story(guest) == ["freeze 10-first", "freeze 20-second"]
        assert state(guest) == "held"
    assert extension.run(POST) == 0


def test_two_runs_at_the_same_instant_leave_one(guest: LinuxGuest, extension: Starter) -> None:
    with Starter(guest) as other:
        for starter in (extension, other):
            starter.begin_script(PRE)
        refused = {bool(starter.wait_script()): starter for starter in (extension, other)}
        assert set(refused) == {False, True}
        assert refused[True].run(POST) == 1
        assert story(guest) == ["freeze 10-first", "freeze 20-second"]
        assert refused[False].run(POST) == 0


def test_a_hold_whose_starter_died_is_released_by_the_next_run(guest: LinuxGuest, extension: Starter) -> None:
    with Starter(guest) as daemon:
        assert daemon.run(PRE) == 0
    assert extension.run(PRE) == 0
    assert story(guest) == [
        "freeze 10-first",
        "freeze 20-second",
        "thaw 20-second",
        "thaw 10-first",
        "freeze 10-first",
        "freeze 20-second",
    ]
    assert extension.run(POST) == 0


def test_a_full_run_folder_does_not_keep_a_hold(guest: LinuxGuest, starter: Starter) -> None:
    guest.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=200", "none", str(RUN)])
    try:
        assert starter.run(PRE) == 0
        # Neither a byte nor a name is left.
        guest.run(["sh", "-c", f"cat /dev/zero >{RUN}/rubbish; cd {RUN}; seq 300 | xargs touch"], check=False)
        assert starter.run(POST) == 0
        assert story(guest)[-4:] == ["status 20-second", "thaw 20-second", "status 10-first", "thaw 10-first"]
    finally:
        guest.run(["pkill", "-KILL", "-f", "/etc/azure/appconsistent"], check=False)
        guest.run(["umount", "-l", str(RUN)])


def test_pre_holds_nothing_when_it_cannot_write_its_state(guest: LinuxGuest, extension: Starter) -> None:
    guest.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=4", "none", str(RUN.parent)])
    try:
        assert extension.run(PRE) != 0
    finally:
        guest.run(["umount", "-l", str(RUN.parent)])
    assert "freeze 10-first" not in story(guest)


def test_pre_holds_nothing_when_the_disk_is_full(guest: LinuxGuest, extension: Starter) -> None:
    guest.path(HELD.parent).mkdir(exist_ok=True)
    guest.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(HELD.parent)])
    try:
        guest.run(["sh", "-c", f"cat /dev/zero >{HELD.parent}/rubbish"], check=False)
        assert extension.run(PRE) != 0
        assert "see whether the disk is full" in state(guest, "reason")
        assert story(guest) == []
    finally:
        guest.run(["umount", "-l", str(HELD.parent)])


def test_a_wiped_state_is_a_broken_hold(guest: LinuxGuest, extension: Starter) -> None:
    assert extension.run(PRE) == 0
    guest.run(["rm", "-rf", str(RUN)])
    assert extension.run(POST) == 1
    assert "boot 10-first" in story(guest)


def test_post_ends_in_its_time_though_a_clean_up_hangs(guest: LinuxGuest, extension: Starter) -> None:
    limit(guest, script=1)
    hook(guest, "10-first", boot="sleep 1000")
    assert extension.run(PRE) == 0
    guest.run(["rm", "-rf", str(RUN)])
    assert extension.run(POST) == 1
    # It goes on by itself.
    guest.run(["pkill", "-f", "sleep 1000"])
    assert until(lambda: "boot 20-second" in story(guest))


def test_boot_cleans_up_what_a_restored_machine_wakes_up_with(guest: LinuxGuest, extension: Starter) -> None:
    assert extension.run("/etc/azure/appconsistent/boot.sh") == 0
    assert story(guest) == []
    assert extension.run(PRE) == 0
    assert guest.path(HELD).read_text() == state(guest, "id") + "\n"
    # What is left after a restore: the disk, and nothing in memory.
    guest.run(["pkill", "-KILL", "-f", "watchdog.sh"])
    guest.run(["rm", "-rf", str(RUN)])
    assert extension.run("/etc/azure/appconsistent/boot.sh") == 0
    assert story(guest)[-2:] == ["boot 10-first", "boot 20-second"]
    assert not guest.path(HELD).exists()
    assert "was restored, while run" in guest.path(DISK_LOG).read_text()


def test_a_run_first_undoes_what_an_interrupted_hold_left_behind(guest: LinuxGuest, extension: Starter) -> None:
    """Where no unit did so at boot."""
    hook(guest, "20-second", boot="[ -f /run/ready ]")
    write(guest, HELD, "some-run\n")
    assert extension.run(PRE) != 0
    assert story(guest) == ["boot 10-first", "boot 20-second"]
    assert "left behind cannot be undone" in log(guest)
    write(guest, RUN.parent / "ready", "")
    assert extension.run(PRE) == 0
    assert story(guest)[2:] == ["boot 10-first", "boot 20-second", "freeze 10-first", "freeze 20-second"]
    assert extension.run(POST) == 0
    guest.path("/run/ready").unlink()


def test_boot_keeps_its_mark_until_all_is_cleaned_up(guest: LinuxGuest, extension: Starter) -> None:
    hook(guest, "10-first", boot="exit 1")
    write(guest, HELD, "some-run\n")
    assert extension.run("/etc/azure/appconsistent/boot.sh") == 1
    assert guest.path(HELD).exists()


@pytest.fixture(scope="module")
def freezing(guests: MakeGuest) -> LinuxGuest:
    """A guest in which folders that the scripts write to freeze with the data disk."""
    return guests(name="frozen", frozen_folders=("/var/log", str(HELD.parent)))


def test_a_hook_that_waits_for_a_frozen_file_system_does_not_keep_the_others(freezing: LinuxGuest) -> None:
    """It cannot even be killed. The watchdog leaves it behind and releases the rest, and comes back to it later."""
    guest = freezing
    hook(guest, "10-first")
    hook(guest, "20-second", thaw="echo thawed >>/var/log/second")
    deploy(guest)
    limit(guest, hold=2, thaw=1)
    released: list[bool] = []
    hold = guest.path(RUN / "current/held_after")

    def watch() -> None:
        if until(hold.exists) and until(lambda: "thaw 10-first" in story(guest)):
            released.append(not guest.path("/var/log/second").exists())

    watcher = threading.Thread(target=watch)
    watcher.start()
    final = guest.snapshot("frozen", fault="slow_snapshot", fault_seconds=12)
    watcher.join()
    assert released == [True]
    assert final["code"] == "1"
    assert until(lambda: guest.path("/var/log/second").exists())
    assert until(lambda: state(guest) == "broken")


def test_pre_ends_in_its_time_where_somebody_has_frozen_the_disk_before(freezing: LinuxGuest) -> None:
    hook(freezing, "10-first")
    deploy(freezing)
    limit(freezing, freeze=2)
    # That other snapshot is taken without scripts.
    freezing.path(CONFIG).unlink()
    freezing.path(STORY).unlink(missing_ok=True)
    done: list[str] = []
    with Starter(freezing) as extension:
        for answer in freezing.ask(run="snapshot", task_id="other", fault="slow_snapshot", fault_seconds=8):
            if answer.get("moment") == "frozen_at":
                done.append(f"{extension.run(PRE)} {state(freezing)}")
                assert "read-only or frozen" in state(freezing, "reason")
    assert done == ["1 failed"]
    assert "freeze 10-first" not in story(freezing)


def test_a_watchdog_that_is_asked_to_end_releases_first(guest: LinuxGuest, extension: Starter) -> None:
    assert extension.run(PRE) == 0
    guest.run(["kill", "-TERM", state(guest, "watchdog").split()[0]])
    assert until(lambda: state(guest) == "broken")
    assert story(guest)[-2:] == ["thaw 20-second", "thaw 10-first"]
    assert extension.run(POST) == 1
    assert state(guest, "reason") == "watchdog.sh was asked to end"


def test_the_kernel_takes_anything_before_the_watchdog_but_not_before_what_hooks_start(
    guest: LinuxGuest, extension: Starter
) -> None:
    """With a number that takes no right to set."""
    usual = guest.run(["cat", "/proc/self/oom_score_adj"]).stdout.strip()
    script = guest.path("/etc/azure/appconsistent/watchdog.sh")
    script.write_text(script.read_text().replace("' -1000 2", "' 500 2"))
    hook(guest, "10-first", thaw=f"cat /proc/self/oom_score_adj >>{STORY}")
    limit(guest, hold=3)
    assert extension.run(PRE) == 0
    watchdog = state(guest, "watchdog").split()[0]
    assert guest.run(["cat", f"/proc/{watchdog}/oom_score_adj"]).stdout.strip() == "500"
    assert until(lambda: state(guest) == "broken")
    assert story(guest)[-1] == usual != "500"


def test_what_is_called_held_stays_so_whatever_signal_comes(guest: LinuxGuest, extension: Starter) -> None:
    """The scripts find this `date` first: it sends a signal in the moment between "held" and the end of pre.sh."""
    meddler = f'#!/bin/sh\ngrep -q held {RUN}/current/state && kill -TERM "$PPID"\nexec /bin/date "$@"\n'
    write(guest, Path("/usr/local/sbin/date"), meddler, 0o755)
    try:
        assert extension.run(PRE) == 0
    finally:
        guest.path("/usr/local/sbin/date").unlink()
    assert state(guest) == "held"
    assert extension.run(POST) == 0


def test_without_a_freeze_pre_writes_out_what_lies_in_memory_once_all_are_held(
    guest: LinuxGuest, extension: Starter
) -> None:
    deploy(guest, fs_freeze_enabled=False)
    write(guest, Path("/usr/local/sbin/sync"), f'#!/bin/sh\necho "sync $*" >>{STORY}\nexec /bin/sync "$@"\n', 0o755)
    try:
        assert extension.run(PRE) == 0
        assert story(guest) == [f"sync {HELD}", "freeze 10-first", "freeze 20-second", "sync "]
        assert extension.run(POST) == 0
        write(guest, Path("/usr/local/sbin/sync"), '#!/bin/sh\n[ -n "$1" ] || exec sleep 1000\n', 0o755)
        limit(guest, freeze=3, sync="yes")
        assert extension.run(PRE) != 0
    finally:
        guest.path("/usr/local/sbin/sync").unlink()
        guest.run(["pkill", "-f", "sleep 1000"], check=False)
    assert state(guest) == "failed"
    assert "did not take in what was written" in state(guest, "reason")
    assert story(guest)[-2:] == ["thaw 20-second", "thaw 10-first"]


def test_hooks_that_others_could_have_written_are_not_run(guest: LinuxGuest, extension: Starter) -> None:
    guest.path("/etc/azure/appconsistent.d/20-second").chmod(0o722)
    assert extension.run(PRE) != 0
    assert story(guest) == []
    assert "can be written by others" in state(guest, "reason")


def test_only_names_of_hooks_are_run(guest: LinuxGuest, extension: Starter) -> None:
    for name in ("30-copy.bak", "README", "40-old~"):
        hook(guest, name)
    assert extension.run(PRE) == 0
    assert story(guest) == ["freeze 10-first", "freeze 20-second"]


def test_without_a_hook_nothing_is_called_held(guest: LinuxGuest, extension: Starter) -> None:
    for name in ("10-first", "20-second"):
        guest.path(f"/etc/azure/appconsistent.d/{name}").unlink()
    assert extension.run(PRE) != 0
    assert "no hook" in state(guest, "reason")


def test_holders_outlive_pre_in_a_session_of_their_own(guest: LinuxGuest, extension: Starter) -> None:
    assert extension.run(PRE) == 0
    pid = state(guest, "watchdog").split()[0]
    about = guest.run(["ps", "-o", "sid=,tty=", "-p", pid]).stdout.split()
    assert about == [pid, "?"]
    for number in (0, 1, 2):
        assert guest.run(["readlink", f"/proc/{pid}/fd/{number}"]).stdout.strip() == "/dev/null"
    assert extension.run(POST) == 0
    assert until(lambda: guest.run(["pgrep", "-f", "watchdog.sh"], check=False).returncode == 1)


def test_the_log_reaches_the_disk_once_and_the_mark_goes(guest: LinuxGuest, extension: Starter) -> None:
    def log() -> str:
        return guest.path(DISK_LOG).read_text() if guest.path(DISK_LOG).exists() else ""

    def told(rounds: int) -> bool:
        # The mark goes first, and nobody waits for the log.
        return not guest.path(HELD).exists() and log().count("released; the hold was whole") == rounds

    for rounds in range(1, 4):
        before = log()
        assert extension.run(PRE) == 0
        assert log() == before
        assert extension.run(POST) == 0
        assert until(functools.partial(told, rounds))


def test_probe_tells_which_application_is_not_free(guest: LinuxGuest) -> None:
    hook(guest, "20-second", probe="echo no write; exit 1")
    done = guest.run(["sh", "/etc/azure/appconsistent/probe.sh"], check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["10-first 0 ", "20-second 1 no write "]
