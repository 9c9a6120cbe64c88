# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: UP006, UP035 - these tests run on the guest's Pythons too, 3.6 and newer
"""What speaks against a rehearsal, what is told without running anything, and when the task fails."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._guest.extension_environment import AgentEnvironment
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal.course import ProbeResult, World
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal.preparation import (
    RehearsalGuest,
    RehearsalResult,
    rehearse,
)
from ansible_collections.appconsistent.azure.plugins.module_utils._rehearsal.processes import CourseOutcome

from tests.guest_tree import GuestTree, root_owns_everything

OPTIONS: Dict[str, Any] = {
    "window": 1.0,
    "probe": [],
    "probe_timeout": 5.0,
    "minimum_consistency": "ApplicationConsistent",
}


class Stage:
    """A guest in a folder; what the processes of a rehearsal would have said is written beforehand."""

    def __init__(self, root: Path) -> None:
        self.tree = GuestTree(root).agent().extension().scripts()
        (root / "run").mkdir()
        self.uid = 0
        self.outcome = CourseOutcome(None, None)
        self.conducted: List[AgentEnvironment] = []
        self.probes: List[ProbeResult] = []

    def conduct(
        self, _work: Callable[[World], Dict[str, Any]], around: AgentEnvironment, _kept: List[int]
    ) -> CourseOutcome:
        self.conducted.append(around)
        return self.outcome

    def rehearse(self, check_mode: bool = False, **options: Any) -> RehearsalResult:
        root = str(self.tree.root)
        guest = RehearsalGuest(
            root, self.uid, self.conduct, lambda _seconds: self.probes, (self.tree.root / "run").stat().st_uid
        )
        return rehearse(dict(OPTIONS, **options), guest, check_mode)

    def went(self, consistency: str = "application", released: Any = True, **changes: Any) -> None:
        """What the process that rehearses reports."""
        result = {
            "ran": True,
            "pre": {},
            "post": {},
            "window_seconds": 1.0,
            "hold_seconds": 3.0,
            "would_report": {"code": 0, "consistency_reached": consistency},
            "probes": [],
            "released": released,
            "released_by": "post",
            "findings": [],
        }
        result.update(changes)
        self.outcome = CourseOutcome(result, None)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: Any) -> Iterator[Stage]:
    root_owns_everything(monkeypatch)
    yield Stage(tmp_path)


def codes(answer: RehearsalResult) -> List[str]:
    return [found["code"] for found in answer.rehearsal["findings"]]


def failed(code: str) -> Dict[str, Any]:
    return {"code": code, "severity": "error", "message": "It failed.", "remedy": "Mend it.", "evidence": None}


def test_check_mode_tells_what_would_be_run_and_runs_nothing(stage: Stage) -> None:
    answer = stage.rehearse(check_mode=True, probe=["/bin/false"])
    told = answer.rehearsal
    assert (answer.problem, told["ran"], stage.conducted) == (None, False, [])
    assert told["commands"]["pre"] == ["sh", str(stage.tree.root / "etc/azure/pre")]
    assert (told["settings"]["timeout"], told["settings"]["poll"]) == (120, 1)
    assert told["surroundings"]["folder"] == str(stage.tree.folder())
    assert told["pre"]["state"] == "not_run"


def test_both_modes_return_the_same_keys(stage: Stage) -> None:
    stage.went()
    assert set(stage.rehearse().rehearsal) == set(stage.rehearse(check_mode=True).rehearsal)


def test_parameters_are_counted_and_not_shown(stage: Stage) -> None:
    stage.tree.scripts(preScriptParams=["hunter2", "x"])
    answer = stage.rehearse(check_mode=True)
    assert answer.rehearsal["commands"]["pre"][2:] == ["********", "********"]
    assert "hunter2" not in json.dumps(answer.rehearsal)


class TestRefusals:
    def refused(self, stage: Stage, code: str) -> str:
        """Refused with this finding, in both modes, and nothing was run."""
        for check_mode in (True, False):
            answer = stage.rehearse(check_mode=check_mode)
            assert codes(answer)[0] == code
            assert (answer.rehearsal["ran"], stage.conducted) == (False, [])
        return answer.problem or ""

    def test_without_root(self, stage: Stage) -> None:
        stage.uid = 1000
        assert "become: true" in self.refused(stage, "rehearsal.not_root")

    def test_scripts_that_the_extension_would_not_run(self, stage: Stage) -> None:
        (stage.tree.root / "etc/azure/pre").chmod(0o755)
        assert "code 306" in self.refused(stage, "rehearsal.refused")

    def test_what_the_refusal_leads_to_is_told(self, stage: Stage) -> None:
        stage.tree.scripts(fsFreezeEnabled=False)
        (stage.tree.root / "etc/azure/pre").chmod(0o755)
        report = stage.rehearse().rehearsal["would_report"]
        assert (report["code"], report["consistency_reached"], report["snapshot_taken"]) == (1, "crash", True)

    def test_a_workload_that_switches_the_scripts_off(self, stage: Stage) -> None:
        stage.tree.write("etc/azure/workload.conf", "[workload]\nworkload_name = oracle\n")
        assert "oracle" in self.refused(stage, "rehearsal.workload_active")

    def test_a_host_file_that_fakes_success(self, stage: Stage) -> None:
        stage.tree.write("etc/azure/VMSnapshotPluginHost.conf", "[pre_post]\nnumberOfPlugins = 0\n", 0o644)
        self.refused(stage, "rehearsal.no_plugin")
        assert stage.rehearse().rehearsal["would_report"]["consistency_reached"] == "file_system"

    def test_plugins_that_are_not_the_extensions_own(self, stage: Stage) -> None:
        text = (stage.tree.folder() / "main/VMSnapshotPluginHost.conf").read_text()
        host = "etc/azure/VMSnapshotPluginHost.conf"
        stage.tree.write(host, text.replace("ScriptRunner", "Other"), 0o644)
        self.refused(stage, "rehearsal.other_plugins")

    def test_a_snapshot_that_is_being_taken(self, stage: Stage) -> None:
        stage.tree.daemon(17)
        assert "4711" in self.refused(stage, "rehearsal.snapshot_runs")

    def test_a_folder_for_the_lock_that_is_not_there(self, stage: Stage) -> None:
        (stage.tree.root / "run").rmdir()
        guest = RehearsalGuest(
            str(stage.tree.root), 0, stage.conduct, lambda _seconds: [], stage.tree.root.stat().st_uid
        )
        answer = rehearse(OPTIONS, guest, False)
        assert "No such file" in (answer.problem or "")
        assert stage.conducted == []


def test_without_the_extension_its_shipped_host_file_is_assumed(tmp_path: Path, monkeypatch: Any) -> None:
    root_owns_everything(monkeypatch)
    stage = Stage(tmp_path)
    (stage.tree.folder() / "config/HandlerState").write_text("NotInstalled")
    answer = stage.rehearse(check_mode=True)
    assert answer.problem is None
    assert codes(answer)[0] == "rehearsal.no_extension"
    assert answer.rehearsal["surroundings"]["folder"] == "/"


class TestVerdicts:
    @pytest.mark.parametrize(
        "reached, minimum, fails",
        [
            ("application", "ApplicationConsistent", False),
            ("file_system", "ApplicationConsistent", True),
            ("file_system", "FileSystemConsistent", False),
            ("crash", "FileSystemConsistent", True),
            ("crash", "CrashConsistent", False),
            ("none", "CrashConsistent", True),
        ],
    )
    def test_less_than_was_asked_for_fails_the_task(
        self, stage: Stage, reached: str, minimum: str, fails: bool
    ) -> None:
        stage.went(reached)
        assert (stage.rehearse(minimum_consistency=minimum).problem is not None) is fails

    def test_a_failure_says_what_is_wrong_and_what_to_do(self, stage: Stage) -> None:
        stage.went("file_system", findings=[failed("rehearsal.script_failed")])
        assert stage.rehearse().problem == "It failed. Mend it."

    def test_an_application_that_is_not_free_fails_the_task_whatever_was_reached(self, stage: Stage) -> None:
        stage.went(released=False, findings=[failed("rehearsal.not_released")])
        assert stage.rehearse(minimum_consistency="CrashConsistent").problem == "It failed. Mend it."

    def test_no_proof_is_no_failure(self, stage: Stage) -> None:
        stage.went(released=None)
        assert stage.rehearse().problem is None

    def test_a_killed_process_is_told_with_what_its_guardian_did(self, stage: Stage) -> None:
        stage.outcome = CourseOutcome(None, 0)
        stage.probes = [ProbeResult("20-db", "written", "")]
        answer = stage.rehearse()
        assert codes(answer) == ["rehearsal.runner_killed", "rehearsal.no_agent"]
        assert (answer.rehearsal["released"], answer.rehearsal["released_by"]) == (True, "guardian")
        assert "status 0" in (answer.problem or "")

    def test_a_killed_guardian_leaves_post_to_the_module(self, stage: Stage) -> None:
        stage.tree.write("etc/azure/post", "touch {}/released\n".format(stage.tree.root), 0o700)  # noqa: UP032
        stage.outcome = CourseOutcome(None, None, "MemoryError: ")
        stage.probes = [ProbeResult("20-db", "refused", "still held")]
        answer = stage.rehearse()
        assert (stage.tree.root / "released").exists()
        assert (answer.rehearsal["released"], answer.rehearsal["released_by"]) == (False, "module")
        assert "20-db" in (answer.problem or "")


def test_the_scripts_own_words_are_returned_and_cleaned(stage: Stage) -> None:
    stage.tree.write("run/appconsistent/log", "2026-03-14T02:00:10Z pre \x1b[31mheld\n" * 200)
    stage.went()
    log = stage.rehearse().rehearsal["log"]
    assert len(log) == 60
    assert log[0] == "2026-03-14T02:00:10Z pre held"


class TestSurroundings:
    def test_the_running_agent_is_asked(self, stage: Stage) -> None:
        stage.tree.write("proc/812/environ", b"PATH=/opt/bin\0https_proxy=http://u:hunter2@proxy\0nonsense\0=x\0")
        stage.tree.write("proc/812/status", "Name:\tpython3\nUmask:\t0077\n")
        stage.went()
        answer = stage.rehearse()
        (around,) = stage.conducted
        assert (around.environment["PATH"], around.umask, around.from_agent) == ("/opt/bin", 0o077, True)
        assert around.environment["AZURE_GUEST_AGENT_EXTENSION_VERSION"] == "1.0.9216.0"
        assert "https_proxy" in answer.rehearsal["surroundings"]["environment"]
        assert "hunter2" not in json.dumps(answer.rehearsal)

    def test_without_an_agent_it_is_what_its_service_has(self, stage: Stage) -> None:
        stage.went()
        answer = stage.rehearse()
        (around,) = stage.conducted
        assert (around.umask, around.from_agent, "HOME" in around.environment) == (0o022, False, False)
        assert "rehearsal.no_agent" in codes(answer)
