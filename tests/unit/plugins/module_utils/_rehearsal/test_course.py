# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP006, UP035, UP045 - these tests run on the guest's Pythons too, 3.6 and newer
"""The course of a rehearsal on a clock that nobody waits for."""

from typing import Any, Dict, List, Optional

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.plugin_check import PluginPlan, Script
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal.course import (
    Child,
    Course,
    ProbeResult,
    World,
)
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal.verdict import would_report


def plan(**changes: Any) -> PluginPlan:
    script = Script("/etc/azure/pre", ["a b", "$(id)"], True, True, "0700", "root")
    settings: Dict[str, Any] = {
        "code": 0,
        "reason": "",
        "host_path": None,
        "host_override": False,
        "host_timeout": 1800,
        "plugins": 1,
        "plugin_name": "ScriptRunner",
        "config_path": "/etc/azure/VMSnapshotScriptPluginConfig.json",
        "config_loaded": True,
        "timeout": 30,
        "poll": 1,
        "continue_on_failure": True,
        "freeze": True,
        "pre": script,
        "post": script._replace(path="/etc/azure/post", params=[]),
    }
    settings.update(changes)
    return PluginPlan(**settings)


class Actor(Child):
    """A script that takes so long, ends so, and holds or frees the application when it ends."""

    def __init__(self, world: "Stage", which: str, seconds: float, status: int, unread: int = 0) -> None:
        self.pid = 100 + len(world.started)
        self.world = world
        self.which = which
        self.ends = world.time + seconds
        self.status = status
        self.noise = unread
        self.killed = False
        self.closed = False

    def poll(self) -> Optional[int]:
        if self.killed:
            return -15
        return self.status if self.world.time >= self.ends else None

    def ended_at(self) -> Optional[float]:
        return self.ends if self.poll() is not None else None

    def unread(self) -> int:
        return self.noise

    def close_pipes(self) -> None:
        self.closed = True

    def end(self) -> None:
        self.killed = True


class Stage(World):
    """Scripts are named by what they do: seconds, exit status, bytes on their pipes."""

    def __init__(self, pre: Any = (0.1, 0), post: Any = (0.1, 0), again: Any = (0.1, 0)) -> None:
        self.time = 1000.0
        self.scripts = {"pre": [pre], "post": [post, again, again]}
        self.started: List[Actor] = []
        self.commands: List[List[str]] = []
        self.log: List[str] = []
        self.cancel_at: Optional[float] = None

    def now(self) -> float:
        return self.time

    def wall_clock(self) -> float:
        return 1773453610.0 + self.time - 1000.0

    def sleep(self, seconds: float, watched: Optional[Child] = None) -> None:  # noqa: ARG002
        assert seconds >= 0
        self.time += seconds

    def cancelled(self) -> bool:
        return self.cancel_at is not None and self.time >= self.cancel_at

    def start(self, argv: List[str], which: str) -> Child:
        self.log.append("start " + which)
        self.commands.append(argv)
        actor = Actor(self, which, *self.scripts[which].pop(0))
        self.started.append(actor)
        return actor

    def guard(self, post: List[str]) -> None:
        self.log.append("guard " + " ".join(post))

    def all_clear(self) -> None:
        self.log.append("all clear")

    def free(self) -> List[ProbeResult]:
        """An application that is held from the end of pre to the end of a post that succeeded."""
        posts = [actor for actor in self.started if actor.which == "post" and actor.poll() == 0]
        pres = [actor for actor in self.started if actor.which == "pre"]
        held = bool(pres) and not posts
        return [ProbeResult("app", "refused" if held else "written", "still held" if held else "")]


def rehearse(stage: Stage, window: float = 10.0, **changes: Any) -> Dict[str, Any]:
    return Course(plan(**changes), window, stage.free, stage).run()


def codes(result: Dict[str, Any]) -> List[str]:
    return [found["code"] for found in result["findings"]]


def test_a_good_run_is_timed_and_proved() -> None:
    stage = Stage()
    result = rehearse(stage)
    assert (result["ran"], result["released"], result["released_by"]) == (True, True, "post")
    assert result["would_report"]["consistency_reached"] == "application"
    assert (result["pre"]["seconds"], result["pre"]["own_seconds"]) == (2.0, 0.1)
    assert (result["window_seconds"], result["hold_seconds"]) == (10.0, 13.0)
    assert result["pre"]["started"] == "2026-03-14T02:00:10Z"
    assert result["probes"] == [{"name": "app", "before": "written", "after": "written", "said": None}]
    assert result["findings"] == []


def test_the_guardian_stands_before_pre_and_leaves_after_the_proof() -> None:
    stage = Stage()
    rehearse(stage)
    assert stage.log == ["guard sh /etc/azure/post", "start pre", "start post", "all clear"]


def test_parameters_are_single_arguments_and_no_shell_sees_them() -> None:
    stage = Stage()
    rehearse(stage)
    assert stage.commands == [["sh", "/etc/azure/pre", "a b", "$(id)"], ["sh", "/etc/azure/post"]]


class TestPolling:
    """Seen with the real code: a script that ends at once takes 6 s per phase with the default of 3, 2 s with 1."""

    @pytest.mark.parametrize("poll, seconds", [(1, 2.0), (3, 6.0), (5, 10.0)])
    def test_a_script_that_ends_at_once_takes_two_polls(self, poll: int, seconds: float) -> None:
        assert rehearse(Stage(), poll=poll)["pre"]["seconds"] == seconds

    def test_a_script_that_ends_before_the_first_look_takes_one(self) -> None:
        assert rehearse(Stage(pre=(0.0, 0)), poll=3)["pre"]["seconds"] == 3.0

    @pytest.mark.parametrize(
        "timeout, poll, given_up_after",
        [(30, 3, 30.0), (4, 1, 4.0), (4, 3, 6.0), (0.5, 1, 1.0), (0, 3, 0.0), (-5, 3, 0.0)],
    )
    def test_the_limit_is_counted_in_polls(self, timeout: float, poll: int, given_up_after: float) -> None:
        stage = Stage(pre=(500.0, 0))
        pre = rehearse(stage, timeout=timeout, poll=poll)["pre"]
        assert (pre["state"], pre["code"], pre["own_seconds"]) == ("timed_out", 308, None)
        assert pre["seconds"] == given_up_after + poll

    def test_the_hosts_own_limit_ends_the_wait_with_another_code(self) -> None:
        stage = Stage(pre=(500.0, 0))
        pre = rehearse(stage, timeout=10, host_timeout=10)["pre"]
        assert (pre["state"], pre["code"]) == ("timed_out", 310)


class TestScriptsThatGoWrong:
    def test_post_runs_after_a_pre_that_failed(self) -> None:
        stage = Stage(pre=(0.1, 7))
        result = rehearse(stage)
        assert (result["pre"]["state"], result["pre"]["exit_code"], result["pre"]["code"]) == ("failed", 7, 300)
        assert result["post"]["state"] == "succeeded"
        assert result["would_report"]["code"] == 1
        assert result["would_report"]["health"] == 300
        assert "rehearsal.script_failed" in codes(result)

    def test_no_snapshot_means_no_window(self) -> None:
        result = rehearse(Stage(pre=(0.1, 1)), continue_on_failure=False)
        assert (result["window_seconds"], result["would_report"]["code"]) == (0.0, 300)
        assert result["would_report"]["snapshot_taken"] is False

    def test_no_retry_is_made(self) -> None:
        stage = Stage(pre=(0.1, 1))
        rehearse(stage)
        assert [actor.which for actor in stage.started] == ["pre", "post"]

    def test_a_pre_that_outlives_post_is_ended_and_post_run_again(self) -> None:
        stage = Stage(pre=(500.0, 0))
        result = rehearse(stage, timeout=4)
        assert stage.started[0].killed
        assert [actor.which for actor in stage.started] == ["pre", "post", "post"]
        assert result["released_by"] == "post_again"
        assert result["released"] is True
        assert "rehearsal.pre_outlived_post" in codes(result)

    def test_pipes_of_a_script_that_still_runs_stay_open(self) -> None:
        stage = Stage(pre=(500.0, 0))
        rehearse(stage, timeout=4)
        assert (stage.started[0].closed, stage.started[1].closed) == (False, True)

    def test_a_post_that_hangs_is_not_ended(self) -> None:
        stage = Stage(post=(500.0, 0))
        result = rehearse(stage, timeout=4)
        assert not stage.started[1].killed
        assert (result["post"]["state"], result["post"]["code"]) == ("timed_out", 309)
        assert "rehearsal.post_hangs" in codes(result)

    def test_a_post_that_fails_to_release_is_run_again(self) -> None:
        stage = Stage(post=(0.1, 1))
        result = rehearse(stage)
        assert (result["released"], result["released_by"]) == (True, "post_again")
        assert result["would_report"]["code"] == 1

    def test_an_application_that_stays_held_is_said_to_be(self) -> None:
        stage = Stage(post=(0.1, 1), again=(0.1, 1))
        result = rehearse(stage)
        assert result["released"] is False
        assert "rehearsal.not_released" in codes(result)
        assert result["probes"][0]["said"] == "still held"

    def test_output_into_the_pipe_is_pointed_out(self) -> None:
        result = rehearse(Stage(pre=(0.1, 0, 4096)))
        assert result["pre"]["unread_bytes"] == 4096
        assert "rehearsal.script_writes" in codes(result)

    def test_a_crash_of_the_framework_leaves_post_to_the_rehearsal(self) -> None:
        stage = Stage(pre=(0.1, 1))
        result = rehearse(stage, continue_on_failure="false")
        assert result["post"]["state"] == "not_run"
        assert result["released_by"] == "post_again"
        assert (result["would_report"]["code"], result["would_report"]["consistency_reached"]) == (2, "none")
        assert "rehearsal.framework_would_crash" in codes(result)

    def test_parameters_of_a_wrong_type_kill_the_runner_before_it_starts_anything(self) -> None:
        stage = Stage()
        script = plan().pre
        assert script is not None
        result = rehearse(stage, pre=script._replace(params=None))
        assert (result["pre"]["state"], result["pre"]["code"]) == ("failed", 310)
        assert [actor.which for actor in stage.started] == ["post"]

    @pytest.mark.parametrize("status, code", [(0, 0), (1, 310)])
    def test_retries_of_a_wrong_type_matter_only_when_the_script_fails(self, status: int, code: int) -> None:
        script = plan().pre
        assert script is not None
        result = rehearse(Stage(pre=(0.1, status)), pre=script._replace(retries_are_sane=False))
        assert result["pre"]["code"] == code

    def test_a_machine_without_sh_is_a_failed_script_and_not_a_traceback(self) -> None:
        class Bare(Stage):
            def start(self, argv: List[str], which: str) -> Child:
                raise FileNotFoundError(argv[0], which)

        result = rehearse(Bare())
        assert (result["pre"]["code"], result["post"]["code"]) == (310, 311)


class TestRelease:
    def test_a_write_that_fails_before_anything_is_run_stops_the_rehearsal(self) -> None:
        stage = Stage()
        refused = [ProbeResult("app", "refused", "read only")]
        result = Course(plan(), 10.0, lambda: refused, stage).run()
        assert (result["ran"], result["released"], stage.log) == (False, None, [])
        assert codes(result) == ["rehearsal.not_writable_before"]
        assert result["probes"] == [{"name": "app", "before": "refused", "after": None, "said": "read only"}]

    def test_without_a_probe_nothing_is_claimed(self) -> None:
        result = Course(plan(), 1.0, list, Stage()).run()
        assert result["released"] is None
        assert codes(result) == ["rehearsal.no_probe"]

    def test_a_probe_that_cannot_tell_proves_nothing(self) -> None:
        unsure = [ProbeResult("a", "written", ""), ProbeResult("b", "cannot_tell", "no right")]
        result = Course(plan(), 1.0, lambda: unsure, Stage()).run()
        assert result["released"] is None
        assert codes(result) == ["rehearsal.probe_cannot_tell"]

    def test_when_the_module_is_gone_the_window_ends_and_post_runs(self) -> None:
        stage = Stage()
        stage.cancel_at = 1004.0
        result = rehearse(stage, window=300.0)
        assert result["window_seconds"] < 3.0
        assert stage.log[-2:] == ["start post", "all clear"]
        assert "rehearsal.cancelled" in codes(result)

    def test_when_the_module_is_gone_before_pre_nothing_is_run(self) -> None:
        stage = Stage()
        stage.cancel_at = 0.0
        assert rehearse(stage)["ran"] is False
        assert stage.log == []

    def test_whatever_breaks_in_the_middle_post_is_run(self) -> None:
        class Breaking(Stage):
            def cancelled(self) -> bool:
                if self.log:
                    raise RuntimeError("boom")
                return False

        stage = Breaking()
        with pytest.raises(RuntimeError):
            rehearse(stage)
        assert [actor.which for actor in stage.started] == ["pre", "post"]
        # The guardian is not sent home: it looks once more.
        assert "all clear" not in stage.log


CASES = [
    # What happened, then: code, health, snapshot, consistency. The table is what the real code did.
    ({}, 0, 0, 0, 0, True, "application"),
    ({}, 300, 0, 1, 300, True, "file_system"),
    ({}, 308, 0, 1, 308, True, "file_system"),
    ({"continue_on_failure": False}, 300, 0, 300, 300, False, "none"),
    ({"freeze": False}, 300, 0, 300, 300, False, "none"),
    ({"freeze": False}, 0, 0, 0, 0, True, "application"),
    ({}, 0, 301, 1, 301, True, "file_system"),
    ({"continue_on_failure": False}, 0, 301, 301, 301, True, "none"),
    ({"freeze": False}, 0, 309, 309, 309, True, "none"),
    ({"code": 302}, 0, None, 1, 302, True, "file_system"),
    ({"code": 306, "continue_on_failure": False}, 0, None, 306, 306, False, "none"),
    ({"code": 306, "freeze": False}, 0, None, 1, 306, True, "crash"),
    ({"code": 317, "config_loaded": False, "continue_on_failure": False}, 0, None, 1, 317, True, "file_system"),
    ({"code": 305, "config_loaded": False}, 0, None, 1, 1, True, "file_system"),
    ({"code": 316, "config_loaded": False}, 0, None, 1, 1, True, "file_system"),
    ({"code": 314, "config_loaded": False}, 0, None, 1, 1, True, "file_system"),
    ({"continue_on_failure": False}, 310, 0, 1, 310, True, "file_system"),
    ({}, 0, 311, 1, 311, True, "file_system"),
    ({"continue_on_failure": "false"}, 300, None, 2, 2, False, "none"),
    ({"continue_on_failure": "false"}, 0, 0, 0, 0, True, "application"),
    ({"continue_on_failure": None}, 0, 301, 2, 2, True, "none"),
    ({"plugins": 0}, 0, None, 0, 0, True, "file_system"),
]


@pytest.mark.parametrize("changes, pre, post, code, health, snapshot, consistency", CASES)
def test_what_the_extension_would_report(
    changes: Any, pre: int, post: Optional[int], code: int, health: int, snapshot: bool, consistency: str
) -> None:
    made = would_report(plan(**changes), pre, post)
    assert (made.code, made.health, made.snapshot, made.consistency) == (code, health, snapshot, consistency)


def test_a_run_of_half_an_hour_is_rehearsed_to_its_end() -> None:
    result = rehearse(Stage(pre=(1700.0, 0)), timeout=1800, window=600.0)
    assert result["hold_seconds"] == 2302.0
