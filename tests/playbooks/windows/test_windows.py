# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The Windows half as a user runs it: ansible-playbook, the winrm connection of ansible-core, pywinrm, and a guest."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.winrm_guest.machine import Machine, machine
from tests.winrm_guest.playbook import ROOT, Json, Run, environment, play

TIMED_OUT: Json = {"System Writer": {"state": 9, "error": "timed_out"}}
LEFT_ERROR: Json = {"SqlServerWriter": {"error": "retryable"}}
ROLE = "appconsistent.azure.windows_vss"


def task(name: str, **options: t.Any) -> Json:
    return {"name": name, f"appconsistent.azure.{name}": options}


def test_guests_in_six_languages_are_read_alike(tmp_path: Path) -> None:
    sick = {**TIMED_OUT, **LEFT_ERROR}
    guests = [
        machine(code, language=code, console=console, writers=sick)
        for code, console in (
            ("en", "utf-8"),
            ("de", "oem"),
            ("fr", "utf-8"),
            ("es", "oem"),
            ("ja", "oem"),
            ("nl", "utf-8"),
        )
    ]
    run = play(tmp_path, guests, [task("vss_writers_info")])
    assert run.status == 0
    told = {
        guest.name: [(writer["id"], writer["state"], writer["health"]) for writer in result["vss_writers"]]
        for guest in guests
        if (result := run.of("vss_writers_info", guest.name))
    }
    assert all(writers == told["en"] for writers in told.values())
    assert sorted(health for _id, _state, health in told["en"] if health != "healthy") == ["failed", "last_error"]
    assert all([name for name, _arguments in guest.received] == ["survey"] for guest in guests)


def test_a_repair_in_check_mode_then_for_real_then_again(tmp_path: Path) -> None:
    guest = machine(writers={**TIMED_OUT, "WMI Writer": {"state": 7, "error": "retryable"}})
    tasks = [task("vss_writers")]

    plan = play(tmp_path, [guest], tasks, "--check", "--diff")
    assert (plan.status, guest.changes) == (0, 0)
    assert [(step["service"], step["outcome"]) for step in plan.of("vss_writers")["restarts"]] == [
        ("CryptSvc", "planned"),
        ("Winmgmt", "planned"),
    ]
    assert "-System Writer: failed\n+System Writer: healthy" in plan.output

    done = play(tmp_path, [guest], tasks)
    result = done.of("vss_writers")
    assert (done.status, result["changed"], result["verdict"]) == (0, True, "ok")
    assert result["application_consistent_from_attempt"] == 4
    assert guest.restarted == ["CryptSvc", "Winmgmt", "CcmExec", "iphlpsvc"]
    assert "[win1] vss_writers: restarting Winmgmt for WMI Writer, and with it iphlpsvc, CcmExec" in done.output

    again = play(tmp_path, [guest], tasks)
    assert (again.status, again.of("vss_writers")["changed"]) == (0, False)


def test_what_a_tool_must_not_touch_fails_the_host_with_what_a_person_should_do(tmp_path: Path) -> None:
    guest = machine(
        services={"NTDS": {"start": 2}},
        writers={
            "NTDS": {
                "id": "b2014c9e-8711-4c5c-a5a9-3cf384484757",
                "instance": "1bddd48e-0000-4000-8000-0000000000f1",
                "service": "NTDS",
                "state": 11,
                "error": "non_retryable",
            }
        },
    )
    run = play(tmp_path, [guest], [task("vss_writers")])
    result = run.of("vss_writers")
    assert (run.status, result["outcome"], result["reboot_required"]) == (2, "failed", True)
    assert "see that another one serves the domain" in result["msg"]
    assert guest.changes == 0


def test_settings_are_set_once_and_contradictions_are_refused(tmp_path: Path) -> None:
    guest = machine()
    copy = [task("windows_snapshot_settings", use_vss_copy_backup=True)]
    first = play(tmp_path, [guest], copy, "--diff").of("windows_snapshot_settings")
    assert first["changed"] is True
    assert guest.registry[r"SOFTWARE\Microsoft\BcdrAgent"] == {"USEVSSCOPYBACKUP": ("String", "TRUE")}
    assert play(tmp_path, [guest], copy).of("windows_snapshot_settings")["changed"] is False

    refused = play(tmp_path, [guest], [task("windows_snapshot_settings", use_vss_full_backup=True)])
    assert (refused.status, refused.of("windows_snapshot_settings")["outcome"]) == (2, "failed")
    assert "use_vss_copy_backup and use_vss_full_backup would both be set" in refused.output
    assert guest.changes == 1


def test_windows_and_linux_guests_answer_the_same_question_in_one_play(tmp_path: Path) -> None:
    run = play(
        tmp_path,
        [machine(facts={"time": None})],
        [task("guest_snapshot_info", wire_server_timeout=0)],
        variables={"lin1": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
    )
    assert run.status == 0
    windows = run.of("guest_snapshot_info", "win1")["guest_snapshot"]
    linux = run.of("guest_snapshot_info", "lin1")["guest_snapshot"]
    assert (windows["os"], linux["os"]) == ("windows", "linux")
    assert windows.keys() == linux.keys()
    for part in ("agent", "extension"):
        assert windows[part].keys() - {"windows"} == linux[part].keys() - {"linux"}


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Machine]]:
    """The role on a fleet, each host with what it has and what its inventory says of it."""
    settings: dict[str, tuple[Json, Json]] = {
        "well": ({}, {}),
        "sick": ({"writers": TIMED_OUT}, {}),
        "mended": ({"writers": TIMED_OUT}, {"windows_vss_repair": True}),
        "well_mended": ({}, {"windows_vss_repair": True}),
        "stopped": ({"services": {"SQLWriter": {"status": "Stopped"}}}, {}),
        "set": ({}, {"windows_vss_snapshot_without_threads": True}),
        "warned": ({"writers": LEFT_ERROR}, {}),
        "refused": ({"writers": LEFT_ERROR}, {"windows_vss_fail_on": "warning"}),
        "unseen": ({"language_mode": "ConstrainedLanguage"}, {"windows_vss_fail_on": "never"}),
    }
    guests = {name: machine(name, facts={"time": None}, **told) for name, (told, _variables) in settings.items()}
    folder = tmp_path_factory.mktemp("roles")
    path = folder / "role.yml"
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": [ROLE]}]))
    variables = {name: dict(said) for name, (_told, said) in settings.items()}
    return play(folder, list(guests.values()), path, variables=variables), guests


def test_check_mode_fails_the_hosts_that_the_real_run_fails_and_tells_every_remedy(tmp_path: Path) -> None:
    both = {**TIMED_OUT, "Task Scheduler Writer": {"state": 9, "error": "timed_out", "recovers": "never"}}
    path = tmp_path / "role.yml"
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": [ROLE]}]))
    guests = [machine("mended", writers=TIMED_OUT, facts={"time": None}), machine("left", writers=both)]
    wanted = {"windows_vss_repair": True, "windows_vss_check_guest": False}
    variables: Json = {"mended": wanted, "left": wanted}
    verdict = TestTheRole.VERDICT
    for arguments in (("--check",), ()):
        run = play(tmp_path, guests, path, *arguments, variables=variables)
        assert run.hosts("failed", verdict) == {"left"}
    assert [guest.restarted for guest in guests] == [["CryptSvc"], ["CryptSvc"]]
    several = {"SqlServerWriter": {"state": 9}, "WMI Writer": {"state": 8, "error": "timed_out"}}
    told = play(tmp_path, [machine("win1", writers=several)], path).of(verdict)["msg"]
    assert "which restarts SQLWriter." in told
    assert "which restarts Winmgmt." in told


def test_anybody_can_try_the_role_on_guests_started_by_one_command(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.json"
    bad = ("writer_timed_out", "backup_left_alone", "writers_service_stopped")
    stories = {"healthy": "ok", **dict.fromkeys(bad, "error")}
    command = [sys.executable, "-m", "tests.winrm_guest", "--inventory", str(inventory)]
    command += [word for story in stories for word in ("--story", story)]
    with_tree = {**os.environ, "PYTHONPATH": f"{ROOT / '.tree'}:{ROOT}"}
    playbook = tmp_path / "check.yml"
    check = {"name": "check", "appconsistent.azure.vss_writers_info": {"busy_timeout": 10}, "register": "found"}
    show = {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} is {{ found.verdict }}"}}
    playbook.write_text(yaml.safe_dump([{"hosts": "windows", "gather_facts": False, "tasks": [check, show]}]))
    with subprocess.Popen(command, cwd=ROOT, env=with_tree, stdout=subprocess.PIPE, text=True) as guests:
        try:
            assert guests.stdout is not None
            assert guests.stdout.readline() == "4 guests\n"
            program = str(Path(sys.executable).with_name("ansible-playbook"))
            done = subprocess.run(
                [program, "-i", str(inventory), str(playbook)],
                env=environment(tmp_path),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            guests.terminate()
    assert done.returncode == 0, done.stdout
    for story, verdict in stories.items():
        assert f"{story} is {verdict}" in done.stdout


class TestTheRole:
    """Check, repair if asked, settings, verdict per host."""

    VERDICT = "Fail where an application-consistent restore point cannot be expected"

    def test_only_hosts_that_are_not_as_wanted_fail_and_say_why(self, roles: tuple[Run, dict[str, Machine]]) -> None:
        run, guests = roles
        assert run.hosts("failed", self.VERDICT) == {"sick", "stopped", "refused", "unseen"}
        assert run.hosts("ok", self.VERDICT) == guests.keys() - {"sick", "stopped", "refused", "unseen"}
        assert "The service SQLWriter does not run although MSSQLSERVER does" in run.of(self.VERDICT, "stopped")["msg"]
        assert "System Writer failed (VSS_WS_FAILED_AT_FREEZE, Timed out)." in run.of(self.VERDICT, "sick")["msg"]

    def test_nothing_is_changed_but_what_was_asked_for(self, roles: tuple[Run, dict[str, Machine]]) -> None:
        _run, guests = roles
        assert {name for name, guest in guests.items() if guest.changes} == {"mended", "set"}
        assert {name: guest.restarted for name, guest in guests.items() if guest.restarted} == {"mended": ["CryptSvc"]}

    def test_settings_are_left_alone_unless_they_are_given(self, roles: tuple[Run, dict[str, Machine]]) -> None:
        _run, guests = roles
        assert [name for name, _arguments in guests["well"].received] == ["survey", "snapshot"]
        assert guests["set"].changes == 1

    def test_a_host_that_is_green_in_spite_of_a_warning_says_it(self, roles: tuple[Run, dict[str, Machine]]) -> None:
        run, _guests = roles
        assert "SqlServerWriter is stable, but the last snapshot left an error" in run.output

    def test_a_warning_fails_only_where_the_user_wants_it(self, roles: tuple[Run, dict[str, Machine]]) -> None:
        run, _guests = roles
        assert run.of(self.VERDICT, "warned")["outcome"] == "ok"
        assert run.of(self.VERDICT, "refused")["outcome"] == "failed"

    def test_a_check_that_could_not_be_made_fails_whatever_is_tolerated(
        self, roles: tuple[Run, dict[str, Machine]]
    ) -> None:
        run, _guests = roles
        assert "runs in ConstrainedLanguage mode" in run.of(self.VERDICT, "unseen")["msg"]


BAD_ANSWERS: dict[str, tuple[Json, str]] = {
    "ten_megabytes": ({"faults": [["survey", "flood"]]}, "answered survey with 10485760 characters"),
    "rubbish": ({"faults": [["survey", "rubbish"]]}, "gave no answer to survey"),
    "cut": ({"faults": [["survey", "cut"]]}, "was cut short after"),
    "error": ({"faults": [["survey", "script_error"]]}, "survey failed on error: System.UnauthorizedAccessException"),
    "constrained": ({"language_mode": "ConstrainedLanguage"}, "runs in ConstrainedLanguage mode"),
}


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One task on guests that all have something of their own wrong with them."""
    guests = [machine(name, **changes) for name, (changes, _words) in BAD_ANSWERS.items()]
    guests += [
        machine("breaks_once", faults=[["survey", "drop_before"]]),
        machine("breaks_twice", faults=[["survey", "drop_before"]] * 2),
        machine("slow", silent_receives=3),
        machine("locked"),
    ]
    variables = {"locked": {"ansible_password": "wrong"}, "lin1": {"ansible_connection": "local"}}
    folder = tmp_path_factory.mktemp("misbehaving")
    return play(folder, guests, [task("vss_writers_info")], variables=variables)


class TestAGuestThatMisbehaves:
    """A clear sentence and no traceback; `play` sees to the latter."""

    @pytest.mark.parametrize("name", BAD_ANSWERS)
    def test_an_answer_that_is_none(self, misbehaving: Run, name: str) -> None:
        result = misbehaving.of("vss_writers_info", name)
        assert result["outcome"] == "failed"
        assert BAD_ANSWERS[name][1] in result["msg"]

    def test_a_connection_that_breaks_once_is_made_again(self, misbehaving: Run) -> None:
        assert misbehaving.of("vss_writers_info", "breaks_once")["verdict"] == "ok"

    def test_a_connection_that_breaks_twice_makes_the_host_unreachable(self, misbehaving: Run) -> None:
        result = misbehaving.of("vss_writers_info", "breaks_twice")
        assert result["outcome"] == "unreachable"
        assert "The connection to breaks_twice broke" in result["msg"]

    def test_a_guest_that_takes_long_is_waited_for(self, misbehaving: Run) -> None:
        assert misbehaving.of("vss_writers_info", "slow")["verdict"] == "ok"

    def test_a_wrong_password_is_ansibles_own_word_for_it(self, misbehaving: Run) -> None:
        result = misbehaving.of("vss_writers_info", "locked")
        assert result["outcome"] == "unreachable"
        assert "credentials were rejected" in result["msg"]

    def test_a_host_that_is_not_windows_is_told_so(self, misbehaving: Run) -> None:
        result = misbehaving.of("vss_writers_info", "lin1")
        assert result["outcome"] == "failed"
        assert "works on Windows guests only, and lin1 is reached by local" in result["msg"]
