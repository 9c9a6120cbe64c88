# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Rehearsals with real processes: what a script sees of its surroundings, and what happens when somebody is killed.

The application is a file: ``held`` is there from pre to post, and the probe fails while it is. Nothing here needs root.
No test measures time; each waits for an event that must come. GUEST_PYTHON names another Python for the module.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from tests.guest_tree import GuestTree

PATIENCE = 60.0
PRE = "printf x >>{0}/log-pre; touch {0}/held\n"
POST = "printf x >>{0}/log-post; rm -f {0}/held\n"
PROBE = "test ! -e {0}/held || {{ echo 'it is held'; exit 1; }}\n"


class Rehearsal:
    """A guest in a folder, and the module's process that rehearses in it."""

    def __init__(self, root: Path) -> None:
        self.tree = GuestTree(root).extension().scripts()
        self.root = root
        self.script("pre", PRE)
        self.script("post", POST)
        self.script("probe", PROBE)
        (root / "run").mkdir()
        self.module: subprocess.Popen[bytes] | None = None
        self.modules: list[subprocess.Popen[bytes]] = []

    def script(self, name: str, text: str) -> None:
        self.tree.write(f"etc/azure/{name}", text.format(self.root), 0o700)

    def begin(self, window: float = 0.0) -> subprocess.Popen[bytes]:
        module = subprocess.Popen(
            [
                os.environ.get("GUEST_PYTHON", sys.executable),
                "-m",
                "tests.system.rehearsal.rehearse_here",
                str(self.root),
                str(window),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ":".join([".tree", "."])},
        )
        self.modules.append(module)
        self.module = self.module or module
        return module

    def answer(self) -> dict[str, t.Any]:
        module = self.module or self.begin()
        out, err = module.communicate(timeout=PATIENCE)
        assert module.returncode == 0, err.decode()
        answer: dict[str, t.Any] = json.loads(out)
        return answer

    def wait_for(self, event: t.Callable[[], t.Any], what: str) -> t.Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = event()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"waited in vain for: {what}")

    def held(self) -> bool:
        return (self.root / "held").exists()

    def count(self, name: str) -> int:
        log = self.root / f"log-{name}"
        return len(log.read_bytes()) if log.exists() else 0

    def runner(self) -> int:
        """The child of the module that runs the scripts."""
        module = self.module
        assert module is not None
        return int(self.wait_for(lambda: children(module.pid), "the process that runs the scripts")[0])

    def guardian(self) -> int:
        runner = self.runner()
        return int(self.wait_for(lambda: guardians(runner), "the guardian")[0])


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def guardians(runner: int) -> list[int]:
    return [pid for pid in children(runner) if b"rehearsal-guardian" in command_line(pid)]


def command_line(pid: int) -> bytes:
    """Nothing for a process that has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(*pids: int) -> None:
    """All at once: none of them gets to see the others die."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def rehearsal(tmp_path: Path) -> t.Iterator[Rehearsal]:
    stage = Rehearsal(tmp_path)
    yield stage
    for module in stage.modules:
        if module.stdout is not None and not module.stdout.closed:
            module.kill()
            module.communicate()


def codes(answer: dict[str, t.Any]) -> list[str]:
    return [found["code"] for found in answer["findings"]]


def test_a_good_rehearsal_ends_released_and_proved(rehearsal: Rehearsal) -> None:
    answer = rehearsal.answer()
    assert answer["problem"] is None
    assert (answer["ran"], answer["released"], answer["released_by"]) == (True, True, "post")
    assert answer["would_report"]["consistency_reached"] == "application"
    assert answer["pre"]["own_seconds"] <= answer["pre"]["seconds"] <= answer["hold_seconds"]
    assert (rehearsal.held(), rehearsal.count("pre"), rehearsal.count("post")) == (False, 1, 1)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Rehearsal]:
    stage = Rehearsal(tmp_path_factory.mktemp("surroundings"))
    stage.tree.scripts(preScriptParams=["a b", "$(id)", "", True])
    commands = {
        "command": "tr '\\0' ' ' </proc/$$/cmdline",
        "parameters": "printf '[%s]' \"$@\"",
        "environment": "env",
        "folder": "pwd",
        "umask": "umask",
        "open": "ls -l /proc/$$/fd",
        "stat": "cat /proc/$$/stat",
    }
    # The first line asks for another interpreter, in vain.
    notes = "".join(f"({command} >{{0}}/{name})\n" for name, command in commands.items())
    stage.script("pre", "#!/bin/false\n" + notes)
    stage.script("post", POST)
    answer = stage.answer()
    assert answer["pre"]["state"] == "succeeded", answer
    yield stage


class TestSurroundings:
    """What a script sees. One rehearsal notes it all."""

    def test_sh_runs_the_script_whatever_its_first_line_says(self, stage: Rehearsal) -> None:
        assert (stage.root / "command").read_text().startswith(f"sh {stage.root}/etc/azure/pre ")

    def test_parameters_arrive_as_they_are_written(self, stage: Rehearsal) -> None:
        assert (stage.root / "parameters").read_text() == "[a b][$(id)][][True]"

    def test_there_is_no_home_and_no_user(self, stage: Rehearsal) -> None:
        names = {line.partition("=")[0] for line in (stage.root / "environment").read_text().splitlines()}
        assert not names & {"HOME", "USER", "LOGNAME", "TERM", "SSH_CONNECTION", "PYTHONPATH"}
        assert {"PATH", "LANG", "ConfigSequenceNumber", "AZURE_GUEST_AGENT_EXTENSION_VERSION"} <= names

    def test_the_folder_is_the_extensions_own_and_the_umask_is_that_of_a_service(self, stage: Rehearsal) -> None:
        assert (stage.root / "folder").read_text().strip() == str(stage.tree.folder())
        assert (stage.root / "umask").read_text() == "0022\n"

    def test_nothing_is_open_but_null_and_two_pipes(self, stage: Rehearsal) -> None:
        """An open descriptor of Ansible's connection would keep it waiting for whatever a script leaves running."""
        links = [line.split(" -> ") for line in (stage.root / "open").read_text().splitlines() if " -> " in line]
        opened = {link[0].rsplit(" ", 1)[1]: link[1] for link in links}
        others = {number: to for number, to in opened.items() if to != str(stage.root / "etc/azure/pre")}
        assert sorted(others) == ["0", "1", "2"]
        assert others["0"] == "/dev/null"
        assert others["1"].startswith("pipe:") and others["2"].startswith("pipe:")

    def test_there_is_no_terminal_and_the_session_is_not_the_modules(self, stage: Rehearsal) -> None:
        fields = (stage.root / "stat").read_text().rsplit(")", 1)[1].split()
        session, terminal = int(fields[3]), fields[4]
        assert session != os.getsid(0)
        assert terminal == "0"

    def test_the_running_agents_environment_and_umask_are_taken(self, rehearsal: Rehearsal) -> None:
        rehearsal.tree.agent()
        rehearsal.tree.write("proc/812/environ", b"PATH=/usr/bin:/bin\0INVOCATION_ID=abc\0")
        rehearsal.tree.write("proc/812/status", "Name:\tpython3\nUmask:\t0027\n")
        rehearsal.script("pre", "echo $INVOCATION_ID $PATH $(umask) >{0}/note\n")
        assert rehearsal.answer()["surroundings"]["from_agent"] is True
        assert (rehearsal.root / "note").read_text() == "abc /usr/bin:/bin 0027\n"


class TestScripts:
    def test_bash_isms_fail_as_they_do_in_azure(self, rehearsal: Rehearsal) -> None:
        if "dash" not in os.path.realpath("/bin/sh"):
            if os.environ.get("REQUIRE_SYSTEM") == "1":
                pytest.fail("sh is not dash on this machine, so this says nothing about Azure's images with dash.")
            pytest.skip("sh is not dash on this machine, so arrays work here as they would in Azure.")
        rehearsal.script("pre", "#!/bin/bash\na=(1 2)\n")
        answer = rehearsal.answer()
        assert (answer["pre"]["state"], answer["pre"]["code"]) == ("failed", 300)
        assert "code 300" in answer["problem"]

    def test_much_output_blocks_a_script_until_it_times_out(self, rehearsal: Rehearsal) -> None:
        rehearsal.tree.scripts(timeoutInSeconds=2)
        rehearsal.script("post", POST)
        rehearsal.script("pre", "head -c 300000 /dev/zero\n")
        answer = rehearsal.answer()
        assert (answer["pre"]["state"], answer["pre"]["code"], answer["pre"]["unread_bytes"]) == (
            "timed_out",
            308,
            65536,
        )
        assert {"rehearsal.script_writes", "rehearsal.pre_outlived_post"} <= set(codes(answer))

    def test_a_little_output_does_not(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", "head -c 60000 /dev/zero\n" + PRE)
        answer = rehearsal.answer()
        assert (answer["problem"], answer["pre"]["unread_bytes"]) == (None, 60000)

    def test_a_pre_that_times_out_lives_beside_post_and_is_ended_after_it(self, rehearsal: Rehearsal) -> None:
        rehearsal.tree.scripts(timeoutInSeconds=1)
        rehearsal.script("pre", "trap 'touch {0}/ended; exit 1' TERM\n" + PRE + "while :; do sleep 0.1; done\n")
        rehearsal.script("post", "[ -e {0}/ended ] || printf x >>{0}/beside\n" + POST)
        answer = rehearsal.answer()
        assert (rehearsal.root / "beside").exists()
        assert (rehearsal.root / "ended").exists()
        assert (answer["released"], answer["released_by"], rehearsal.count("post")) == (True, "post_again", 2)

    def test_what_a_pre_that_times_out_has_started_is_ended_with_it(self, rehearsal: Rehearsal) -> None:
        """A client that waits for a lock would get it when post has long released."""
        rehearsal.tree.scripts(timeoutInSeconds=1)
        rehearsal.script("post", POST)
        rehearsal.script("pre", PRE + "sh -c 'echo $$ >{0}/client; sleep 301; :'\n")
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"]) == (True, "post_again")
        assert not alive(int((rehearsal.root / "client").read_text()))

    def test_a_holder_that_kept_the_pipe_is_ended_by_its_next_write(self, rehearsal: Rehearsal) -> None:
        """As in Azure: the reading end goes with the runner's thread."""
        rehearsal.script("pre", "( trap 'touch {0}/broken-pipe' EXIT; while echo alive; do sleep 0.1; done ) &\n" + PRE)
        rehearsal.answer()
        # EXIT traps of a shell that SIGPIPE ends do not run; what counts is that nobody writes any more.
        rehearsal.wait_for(lambda: not _processes_in(rehearsal.root), "the holder's end")

    def test_a_signal_is_told_as_a_negative_status(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", PRE + "kill -KILL $$\n")
        assert rehearsal.answer()["pre"]["exit_code"] == -9

    def test_the_module_does_not_wait_for_what_a_script_leaves_running(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", PRE + "sleep 300 & echo $! >{0}/sleeper\n")
        try:
            assert rehearsal.answer()["released"] is True
        finally:
            os.kill(int((rehearsal.root / "sleeper").read_text()), signal.SIGKILL)

    def test_an_application_that_cannot_be_released_fails_the_task(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("post", "printf x >>{0}/log-post\n")
        answer = rehearsal.answer()
        assert (answer["released"], rehearsal.count("post")) == (False, 2)
        assert "may be held" in answer["problem"]
        assert "It said: it is held." in answer["problem"]
        assert answer["probes"][0]["said"] == "it is held"

    def test_an_application_that_is_held_already_is_left_alone(self, rehearsal: Rehearsal) -> None:
        (rehearsal.root / "held").touch()
        answer = rehearsal.answer()
        assert (answer["ran"], rehearsal.count("pre"), rehearsal.count("post")) == (False, 0, 0)
        assert "even before" in answer["problem"]
        assert "It said: it is held." in answer["problem"]


def _processes_in(root: Path) -> list[int]:
    """Processes whose command line names the folder, the module's aside."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes()
        except OSError:
            continue
        if str(root).encode() in text and b"rehearse_here" not in text and b"pytest" not in text:
            found.append(int(line.parent.name))
    return found


class TestKills:
    """Whoever is killed, post is run."""

    def hold(self, rehearsal: Rehearsal) -> subprocess.Popen[bytes]:
        module = rehearsal.begin(window=500.0)
        rehearsal.wait_for(rehearsal.held, "the hold")
        rehearsal.guardian()
        return module

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_the_module_is_killed_during_the_hold(self, rehearsal: Rehearsal, number: int) -> None:
        module = self.hold(rehearsal)
        runner, guardian = rehearsal.runner(), rehearsal.guardian()
        os.kill(module.pid, number)
        module.communicate(timeout=PATIENCE)
        rehearsal.wait_for(lambda: not rehearsal.held(), "the release")
        rehearsal.wait_for(lambda: not alive(runner) and not alive(guardian), "the end of runner and guardian")
        assert rehearsal.count("post") == 1

    def test_the_process_that_rehearses_is_killed_during_the_hold(self, rehearsal: Rehearsal) -> None:
        self.hold(rehearsal)
        kill(rehearsal.runner())
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"], rehearsal.count("post")) == (True, "guardian", 1)
        assert answer["would_report"] is None
        assert "status 0" in answer["problem"]

    @pytest.mark.parametrize("shell", ["dash", "bash"])
    def test_whatever_sh_is_the_guardian_ends_pre_and_releases(self, rehearsal: Rehearsal, shell: str) -> None:
        path = shutil.which(shell)
        if path is None and os.environ.get("REQUIRE_SYSTEM") == "1":
            pytest.fail(f"{shell} is missing: install it.")
        if path is None:
            pytest.skip(f"{shell} is not installed here.")
        (rehearsal.root / "bin").mkdir()
        (rehearsal.root / "bin/sh").symlink_to(path)
        rehearsal.tree.agent()
        rehearsal.tree.write("proc/812/environ", f"PATH={rehearsal.root}/bin:/usr/bin:/bin\0")
        rehearsal.script("pre", PRE + "echo $$ >{0}/pre-pid\nwhile :; do sleep 0.1; done\n")
        rehearsal.script(
            "post", "grep -q 'State:.[RSDT]' /proc/$(cat {0}/pre-pid)/status && touch {0}/too-early\n" + POST
        )
        self.hold(rehearsal)
        rehearsal.wait_for((rehearsal.root / "pre-pid").exists, "pre to have said its number")
        kill(rehearsal.runner())
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"]) == (True, "guardian")
        assert not (rehearsal.root / "too-early").exists()

    def test_the_process_that_rehearses_is_told_to_end(self, rehearsal: Rehearsal) -> None:
        self.hold(rehearsal)
        os.kill(rehearsal.runner(), signal.SIGTERM)
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"]) == (True, "post")
        assert "rehearsal.cancelled" in codes(answer)

    def test_module_and_runner_are_killed_at_once(self, rehearsal: Rehearsal) -> None:
        module = self.hold(rehearsal)
        guardian = rehearsal.guardian()
        kill(module.pid, rehearsal.runner())
        rehearsal.wait_for(lambda: not rehearsal.held(), "the release by the guardian")
        rehearsal.wait_for(lambda: not alive(guardian), "the end of the guardian")
        assert rehearsal.count("post") == 1

    def test_the_guardian_is_killed_and_nobody_notices(self, rehearsal: Rehearsal) -> None:
        self.hold(rehearsal)
        kill(rehearsal.guardian())
        os.kill(rehearsal.runner(), signal.SIGTERM)
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"], rehearsal.count("post")) == (True, "post", 1)

    def test_runner_and_guardian_are_killed_at_once(self, rehearsal: Rehearsal) -> None:
        self.hold(rehearsal)
        kill(rehearsal.runner(), rehearsal.guardian())
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"], rehearsal.count("post")) == (True, "module", 1)
        assert "without a word" in answer["problem"]

    def test_the_runner_is_killed_while_pre_runs(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", "trap 'touch {0}/ended; exit 1' TERM\n" + PRE + "while :; do sleep 0.1; done\n")
        rehearsal.script("post", "[ -e {0}/ended ] && touch {0}/in-order\n" + POST)
        self.hold(rehearsal)
        kill(rehearsal.runner())
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"]) == (True, "guardian")
        assert (rehearsal.root / "in-order").exists()

    def test_the_runner_is_killed_the_moment_that_pre_begins(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", "kill -KILL $PPID\necho $$ >{0}/pre-pid\n" + PRE + "while :; do sleep 0.1; done\n")
        answer = rehearsal.answer()
        assert (answer["released"], answer["released_by"]) == (True, "guardian")
        assert not rehearsal.held()
        assert not alive(int((rehearsal.root / "pre-pid").read_text()))

    def test_a_pre_that_does_not_listen_is_killed_before_post_runs(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", PRE + "trap '' TERM\necho $$ >{0}/pre-pid\nwhile :; do sleep 0.1; done\n")
        # Dead is dead, though nobody may have taken notice of it yet.
        rehearsal.script(
            "post", "grep -q 'State:.[RSDT]' /proc/$(cat {0}/pre-pid)/status && touch {0}/too-early\n" + POST
        )
        self.hold(rehearsal)
        rehearsal.wait_for((rehearsal.root / "pre-pid").exists, "pre to have said its number")
        kill(rehearsal.runner())
        assert rehearsal.answer()["released"] is True
        assert not (rehearsal.root / "too-early").exists()

    def test_what_pre_has_started_is_ended_before_post_runs(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("pre", "sh -c 'echo $$ >{0}/client; touch {0}/held; sleep 302; :'\n")
        rehearsal.script(
            "post", "grep -q 'State:.[RSDT]' /proc/$(cat {0}/client)/status && touch {0}/too-early\n" + POST
        )
        self.hold(rehearsal)
        kill(rehearsal.runner())
        assert rehearsal.answer()["released"] is True
        assert not (rehearsal.root / "too-early").exists()

    def test_the_runner_is_killed_while_post_runs(self, rehearsal: Rehearsal) -> None:
        """The post that runs is left to end, then post is run once more."""
        rehearsal.script("post", "printf x >>{0}/log-post; while [ -e {0}/slow ]; do sleep 0.1; done; rm -f {0}/held\n")
        (rehearsal.root / "slow").touch()
        rehearsal.begin()
        rehearsal.wait_for(lambda: rehearsal.count("post") == 1, "post to begin")
        kill(rehearsal.runner())
        (rehearsal.root / "slow").unlink()
        answer = rehearsal.answer()
        assert (answer["released"], rehearsal.count("post")) == (True, 2)

    def test_the_module_is_killed_while_pre_runs(self, rehearsal: Rehearsal) -> None:
        """Pre is left to end by itself, within its limit; then post runs without a window."""
        rehearsal.script("pre", PRE + "while [ -e {0}/slow ]; do sleep 0.1; done; touch {0}/pre-ended\n")
        rehearsal.script("post", "[ -e {0}/pre-ended ] && touch {0}/in-order\n" + POST)
        (rehearsal.root / "slow").touch()
        module = self.hold(rehearsal)
        kill(module.pid)
        (rehearsal.root / "slow").unlink()
        rehearsal.wait_for(lambda: not rehearsal.held(), "the release")
        assert (rehearsal.root / "in-order").exists()

    def test_two_rehearsals_at_once_do_not_mix(self, rehearsal: Rehearsal) -> None:
        first = self.hold(rehearsal)
        second = rehearsal.begin()
        out, _err = second.communicate(timeout=PATIENCE)
        assert "another rehearsal" in json.loads(out)["problem"]
        assert rehearsal.count("pre") == 1
        first.kill()
        first.communicate(timeout=PATIENCE)
        rehearsal.wait_for(lambda: not rehearsal.held(), "the release")

    def test_the_lock_is_kept_until_the_release_even_when_the_module_is_gone(self, rehearsal: Rehearsal) -> None:
        rehearsal.script("post", "while [ -e {0}/slow ]; do sleep 0.1; done\n" + POST)
        (rehearsal.root / "slow").touch()
        module = self.hold(rehearsal)
        kill(module.pid)
        second = rehearsal.begin()
        out, _err = second.communicate(timeout=PATIENCE)
        assert "another rehearsal" in json.loads(out)["problem"]
        (rehearsal.root / "slow").unlink()
        rehearsal.wait_for(lambda: not rehearsal.held(), "the release")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except OSError:
        return False
