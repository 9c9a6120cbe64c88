# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Jobs that are cancelled at any moment, jobs that run twice, and the bare containers that AWX runs them in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.awx.conftest import SPEED
from tests.awx.jobs import ROOT, Awx, Running
from tests.azure_simulator.world import Seen

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
TAKE = "awx/project/restore_points.yml"
NAMES = ["db0", "db1", "db2"]


def slow_fleet(awx: Awx) -> None:
    """Points that take Azure five (simulated) minutes, so that a kill meets them half made."""
    awx.fleet(*({"name": name, **READY, "create_seconds": 300} for name in NAMES))


def points(awx: Awx) -> list[str]:
    held = awx.simulator.call(lambda world: [name for points in world.points.values() for name in points.values()])
    return sorted(point.id.split("/")[8].rsplit("-", 1)[0] for point in held)


def wait_for(awx: Awx, running: Running, moment: Callable[[Seen], bool]) -> None:
    while not any(moment(seen) for seen in awx.simulator.requests):
        assert running.process.poll() is None, running.result().stdout
        time.sleep(0.02)


MOMENTS: dict[str, Callable[[Seen], bool]] = {
    "signing in": lambda seen: seen.path.endswith("/oauth2/v2.0/token"),
    "making a collection": lambda seen: seen.method == "PUT" and "restorepointcollections" in seen.path.lower(),
    "asking for a point": lambda seen: seen.method == "PUT" and "/restorepoints/" in seen.path.lower(),
    "waiting for a point": lambda seen: "/operations/" in seen.path.lower(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_relaunch_after_a_cancel_adopts_what_is_in_flight(awx: Awx, moment: str) -> None:
    slow_fleet(awx)
    running = awx.start(TAKE)
    wait_for(awx, running, MOMENTS[moment])
    running.kill()
    assert running.processes() == []
    again = awx.launch(TAKE)
    assert again.status == "successful", again.stdout
    assert points(awx) == NAMES


def test_a_relaunch_after_the_jobs_own_timeout_adopts_what_is_in_flight(awx: Awx) -> None:
    # How long a job takes to come to its point depends on the machine that the tests run on.
    for seconds in (5, 10, 20, 40, 80):
        awx.fleet({"name": "db1", **READY, "create_seconds": seconds * SPEED})
        job = awx.launch(TAKE, timeout=seconds)
        assert (job.status, job.rc) == ("timeout", 254), job.stdout
        if points(awx):
            break
    awx.started[-1].end_container()
    # Nothing tells AWX what came of the machines: no summary, no artifact.
    assert job.artifacts == {}
    asked = [seen.method for seen in awx.simulator.requests if "/restorepoints/" in seen.path.lower()]
    again = awx.launch(TAKE)
    assert again.status == "successful", again.stdout
    assert points(awx) == ["db1"]
    assert asked.count("PUT") == 1


def test_two_runs_at_once_make_one_point_for_each_machine(awx: Awx) -> None:
    slow_fleet(awx)
    both = [awx.start(TAKE), awx.start(TAKE)]
    jobs = [running.wait() for running in both]
    assert [job.status for job in jobs] == ["successful"] * 2, jobs[0].stdout + jobs[1].stdout
    assert points(awx) == NAMES


def test_a_job_needs_no_home_and_nothing_writable_but_ansibles_own_scratch(awx: Awx) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        reason = "a read-only root needs root and unshare"
        if os.environ.get("REQUIRE_SYSTEM"):
            pytest.fail(reason)
        pytest.skip(reason)
    awx.fleet({"name": "db1", **READY})
    scratch = awx.folder / "scratch"
    scratch.mkdir()
    # The scratch stands for the container's /tmp, and ansible-runner writes its events. The project is not writable.
    # It is reached as /mnt, because a socket's path may not be longer than 107 bytes.
    inside = (
        'kept="$AWX_PRIVATE_DATA_DIR/artifacts" && mount --bind "$SCRATCH" /mnt && mount --bind "$kept" "$kept"'
        " && mount -o remount,bind,ro /"
        ' && if touch /must-not-work 2>/dev/null; then exit 99; fi && exec "$REAL" "$@"'
    )
    wrapper = awx.folder / "container" / "ansible-playbook"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/sh\nexec unshare --mount --propagation private sh -c '{inside}' sh \"$@\"\n")
    wrapper.chmod(0o755)
    real = str(Path(sys.executable).with_name("ansible-playbook"))
    awx.environment |= {"SCRATCH": str(scratch), "REAL": real, "HOME": "/nonexistent"}
    awx.environment |= {"ANSIBLE_HOME": "/mnt", "TMPDIR": "/mnt"}
    job = awx.launch(TAKE, first_in_path=wrapper.parent)
    assert job.status == "successful", job.stdout
    assert points(awx) == ["db1"]


def test_the_job_is_the_same_through_the_pipe_that_receptor_carries(awx: Awx, tmp_path: Path) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "off", **READY, "power": "deallocated"})
    # A first run leaves the folder that AWX would have written.
    awx.launch(TAKE, check=True)
    folder = awx.started[0].folder
    shutil.rmtree(folder / "artifacts")
    runner = str(Path(sys.executable).with_name("ansible-runner"))
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    line = f"""
        "$1" transmit "$2" --playbook {TAKE} --ident job --cmdline "-u root --forks=5" |
        "$1" worker --private-data-dir "$3" | "$1" process "$2" --ident job
    """
    arguments = [runner, str(folder), str(tmp_path / "worker")]
    subprocess.run(["sh", "-c", line, "sh", *arguments], env=environment, capture_output=True, timeout=200, check=False)
    job = awx.started[0].result()
    assert (job.status, job.failed_hosts) == ("failed", ["off"])
    assert points(awx) == ["db1"]


def test_nothing_in_a_playbook_asks_for_more_than_a_container_has() -> None:
    for path in (ROOT / "playbooks").glob("*.yml"):
        text = path.read_text()
        assert "become:" not in text, path
        assert "delegate_to" not in text, path
