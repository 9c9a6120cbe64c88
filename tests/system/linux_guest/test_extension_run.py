"""How a run goes: what scripts see, in which order things happen, and what is left to read afterwards."""

from __future__ import annotations

import json
import re
import socket
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest
from tests.system.conftest import BRISK, MakeGuest
from tests.system.linux_guest.guest_scripts import AZURE, PRE, STORY_PRE, config, deploy, story, write

HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
HANDLER_FOLDER = Path(f"/var/lib/waagent/{HANDLER}-1.0.9236.0")
LOG_FOLDER = Path("/var/log/azure") / HANDLER
PLAIN = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) \[([\w.]+)-([\d.]+)\](.*)$")
KEPT = re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6})  (Info|Warning|Error)  (.*?) ?$")
FINAL = re.compile(r"^Enable,(success|error|transitioning|warning),(\d+),(.*),(True|False)$")
ORDER = (
    "pre_started",
    "pre_ended",
    "freeze_called_at",
    "frozen_at",
    "copied_at",
    "thaw_called_at",
    "thawed_at",
    "post_started",
    "post_ended",
)


def number(value: object) -> float:
    assert isinstance(value, float)
    return value


def log_of_run(guest: LinuxGuest, task: str) -> list[str]:
    """The lines of one run, by its task id."""
    lines = guest.path(LOG_FOLDER / "extension.log").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line.endswith(f"taskId: {task}")) - 3
    rest = [place for place in range(first + 4, len(lines)) if "try_parse_context" in lines[place]]
    return lines[first : rest[0] if rest else None]


def messages(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        plain, kept = PLAIN.match(line), KEPT.match(line)
        found.append(plain.group(4) if plain else kept.group(3) if kept else line)
    return found


def status(guest: LinuxGuest) -> dict[str, object]:
    files = [path for path in guest.path(HANDLER_FOLDER / "status").glob("*.status") if path.stem.isdigit()]
    newest = max(files, key=lambda path: int(path.stem))
    found: dict[str, object] = json.loads(newest.read_text())[0]["status"]
    return found


def report(guest: LinuxGuest) -> dict[str, object]:
    """The full report, which is text inside the status."""
    substatus = status(guest)["substatus"]
    assert isinstance(substatus, list)
    found: dict[str, object] = json.loads(substatus[0]["name"])["status"]
    return found


def test_a_good_run_goes_pre_freeze_copy_thaw_post(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)

    final = shared_guest.snapshot("order")

    moments = [number(final[moment]) for moment in ORDER]
    assert moments == sorted(moments)
    assert (final["code"], final["health"], final["error"]) == ("0", "0", None)
    assert story(shared_guest) == ["pre", "post"]
    assert Path(str(final["image"])).stat().st_size == 512 << 20
    assert final["hold_seconds"] == pytest.approx(number(final["post_started"]) - number(final["pre_ended"]), abs=0.01)


def test_nothing_can_be_written_while_frozen(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    loop = "while :; do date +%s.%N >/datadisk/now; cat /datadisk/now >>/run/written; done"
    start = f": >/run/written; ({loop}) </dev/null >/dev/null 2>&1 & echo $! >/run/pid"
    shared_guest.run(["sh", "-c", start])
    try:
        final = shared_guest.snapshot("frozen", fault="slow_snapshot", fault_seconds=0.5)
    finally:
        shared_guest.run(["sh", "-c", "kill $(cat /run/pid)"])

    times = [float(line) for line in shared_guest.path("/run/written").read_text().split()]
    frozen, thawed = number(final["frozen_at"]), number(final["thaw_called_at"])
    assert any(when < frozen for when in times)
    # The one whose date was read before its write was stopped.
    assert len([when for when in times if frozen < when < thawed]) <= 1


def test_scripts_see_the_agents_folder_and_environment_without_a_home(shared_guest: LinuxGuest) -> None:
    seen = "env | sed 's/=.*//' | sort >/run/names; pwd >/run/place; readlink /proc/$$/fd/0 >/run/input\n"
    deploy(shared_guest, pre=seen)

    shared_guest.snapshot("environment")

    names = set(shared_guest.path("/run/names").read_text().split())
    assert names == {
        "AZURE_GUEST_AGENT_EXTENSION_PATH",
        "AZURE_GUEST_AGENT_EXTENSION_VERSION",
        "AZURE_GUEST_AGENT_WIRE_PROTOCOL_ADDRESS",
        "ConfigSequenceNumber",
        "LANG",
        "PATH",
        "PWD",
    }
    assert shared_guest.path("/run/place").read_text().strip() == str(HANDLER_FOLDER)
    assert shared_guest.path("/run/input").read_text().strip() == "/dev/null"


def test_a_pre_that_timed_out_lives_on_and_ends_after_post(shared_guest: LinuxGuest) -> None:
    waits = "while ! [ -e /run/go ]; do sleep 0.02; done\n"
    shared_guest.run(["rm", "-f", "/run/go"])
    deploy(shared_guest, pre=waits + STORY_PRE, keys=config(timeoutInSeconds=4))

    final = shared_guest.snapshot("lives-on")
    shared_guest.run(["sh", "-c", "touch /run/go; while ! grep -q pre /run/story; do sleep 0.05; done"])

    assert final["health"] == "308"
    assert story(shared_guest) == ["post", "pre"]


def test_a_background_child_that_keeps_the_pipe_dies_when_it_writes(shared_guest: LinuxGuest) -> None:
    shared_guest.run(["rm", "-f", "/run/go", "/run/kept-pipe", "/run/own-output"])
    waits = "while ! [ -e /run/go ]; do sleep 0.02; done"
    deploy(
        shared_guest,
        pre=(
            f"({waits}; echo hello; echo hello; touch /run/kept-pipe) &\n"
            f"({waits}; echo hello; sleep 0.5; touch /run/own-output) >/dev/null 2>&1 &\n"
        ),
    )

    shared_guest.snapshot("pipe")
    shared_guest.run(["sh", "-c", "touch /run/go; while ! [ -e /run/own-output ]; do sleep 0.05; done"])

    assert not shared_guest.path("/run/kept-pipe").exists()


def test_a_script_costs_its_poll_interval_even_when_it_ends_at_once(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest, keys=config(ScriptsExecutionPollTimeSeconds=5))

    final = shared_guest.snapshot("poll")

    assert number(final["freeze_called_at"]) - number(final["pre_started"]) >= 5 * BRISK.waits
    assert any(line.endswith("pollTime - 5") for line in log_of_run(shared_guest, "poll"))


def test_the_log_of_a_good_run_holds_its_block_out_of_order(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)

    shared_guest.snapshot("log-good")

    lines = log_of_run(shared_guest, "log-good")
    told = messages(lines)
    wanted = [
        "starting enable",
        "Enable,success,4,Transitioning state in extension,False",
        "starting daemon initially",
        "Loading script modules now...",
        "App Consistent Consistent Backup Enabled",
        "Running prescript for ScriptRunner module...",
        "Prescript for ScriptRunner successfully executed.",
        "Finished prescript execution from PluginHost side. Continue Backup: True",
        "Taking Snapshot through Host",
        "T:S freeze, timeout value 60",
        "proceeded for accepting signals",
        "================== Logs during Freeze Start ==============",
        "****** 4. Freeze Completed (Signal=1 received)",
        "****** 5. Snaphotting (Host) Started",
        "****** 7. Sending Thaw Signal to Binary",
        "================== Logs during Freeze End ==============",
        "T:S thaw result ",
        "Starting postscript for all modules.",
        "Postscript for ScriptRunner successfully executed.",
        "Enable Succeeded with App Consistent Snapshot",
        "Enable,success,0,Enable Succeeded with App Consistent Snapshot,False",
    ]
    assert [line for line in told if line in wanted] == wanted
    block = [KEPT.match(line) for line in lines]
    assert any(block)
    start = lines[told.index(wanted[11])]
    first = next(match for match in block if match)
    stamp = PLAIN.match(start)
    assert stamp
    # Written after the freeze, about things that happened before.
    assert datetime.fromisoformat(stamp.group(1)) > datetime.strptime(first.group(1), "%Y/%m/%d %H:%M:%S.%f")  # noqa: DTZ007
    assert all(PLAIN.match(line) or KEPT.match(line) or line in {wanted[15], ""} for line in lines)


def test_the_log_of_a_failed_freeze_ends_with_a_block_that_has_no_end(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)

    final = shared_guest.snapshot("log-busy", fault="freeze_busy")

    told = messages(log_of_run(shared_guest, "log-busy"))
    ending = told.index("Enable,error,121,,False")
    assert told[ending + 1] == "================== Logs during Freeze Start =============="
    assert "================== Logs during Freeze End ==============" not in told
    assert any(
        "Failed to FIFREEZE: /datadisk with error message: Device or resource busy" in line for line in told[ending:]
    )
    assert "Postscript for ScriptRunner successfully executed." in told[ending:]
    assert (final["code"], final["image"], story(shared_guest)) == ("121", None, ["pre", "post"])


def test_the_log_of_a_hang_ends_where_it_hung(new_guest: MakeGuest) -> None:
    guest = new_guest()
    deploy(guest)
    write(guest, AZURE / "vmbackup.conf", "[SnapshotThread]\nSafeFreezeWaitInSeconds = 5\n")

    final = guest.snapshot("log-hang", fault="freeze_hangs")

    assert messages(log_of_run(guest, "log-hang"))[-1] == "proceeded for accepting signals"
    assert (final["code"], story(guest), status(guest)["code"]) == ("4", ["pre"], "4")


@pytest.mark.parametrize(("knob", "lines"), [("WriteLog = no", 0), ("LoggingOff = 1", 1)])
def test_vmbackup_conf_can_switch_logging_off(new_guest: MakeGuest, knob: str, lines: int) -> None:
    guest = new_guest()
    deploy(guest)
    write(guest, AZURE / "vmbackup.conf", f"[SnapshotThread]\n{knob}\n")

    guest.snapshot("quiet")

    log = guest.path(LOG_FOLDER / "extension.log")
    assert len(log.read_text().splitlines() if log.exists() else []) >= lines
    assert not log.exists() or not any(KEPT.match(line) for line in log.read_text().splitlines())


def test_a_mount_to_skip_is_not_frozen(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    write(shared_guest, AZURE / "vmbackup.conf", "[SnapshotThread]\nMountsToSkip = /mnt/other, /datadisk\n")

    for answer in shared_guest.ask(run="snapshot", task_id="skip", fault="slow_snapshot", fault_seconds=1.0):
        if answer.get("moment") == "frozen_at":
            shared_guest.run(["touch", "/datadisk/while-frozen"])
            written = time.monotonic()

    monotonic = answer["monotonic"]
    assert isinstance(monotonic, dict)
    assert written < monotonic["thaw_called_at"]


def test_the_outer_status_always_says_success(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest, pre="exit 1\n", keys=config(continueBackupOnFailure=False))

    shared_guest.snapshot("status-failed")

    outer, inner = status(shared_guest), report(shared_guest)
    assert (outer["status"], outer["code"], outer["taskId"]) == ("success", "300", "status-failed")
    assert (inner["status"], inner["code"]) == ("error", "300")
    assert inner["vmHealthInfo"] == {"vmHealthState": 128, "vmHealthStatusCode": 300}


def test_a_script_warning_shows_only_in_the_health_code(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest, pre="exit 1\n")

    shared_guest.snapshot("status-warning")

    assert (status(shared_guest)["code"], report(shared_guest)["status"]) == ("1", "success")
    assert report(shared_guest)["vmHealthInfo"] == {"vmHealthState": 128, "vmHealthStatusCode": 300}


@pytest.mark.parametrize(("fault", "code"), [("host_error", "556"), ("snapshot_rate", "173")])
def test_two_codes_are_never_reported_and_leave_the_status_at_running(
    shared_guest: LinuxGuest, fault: str, code: str
) -> None:
    deploy(shared_guest)

    final = shared_guest.snapshot(f"unreported-{code}", fault=fault)

    assert (final["code"], final["image"], status(shared_guest)["code"]) == (code, None, "4")
    assert not any(FINAL.match(line) for line in messages(log_of_run(shared_guest, f"unreported-{code}"))[8:])
    assert story(shared_guest) == ["pre", "post"]


def test_settings_and_status_are_numbered_and_old_ones_renamed(new_guest: MakeGuest) -> None:
    guest = new_guest()
    deploy(guest)

    guest.snapshot("first")
    guest.snapshot("second")

    found = sorted(
        path.name for folder in ("config", "status") for path in guest.path(HANDLER_FOLDER / folder).iterdir()
    )
    assert found == ["0_settings", "0_status", "1.settings", "1.status", "HandlerState", "HandlerStatus"]
    assert guest.path(HANDLER_FOLDER / "mrseq").read_text() == "1"
    settings = json.loads(guest.path(HANDLER_FOLDER / "config/1.settings").read_text())
    handler_settings = settings["runtimeSettings"][0]["handlerSettings"]
    assert handler_settings["publicSettings"]["taskId"] == "second"
    assert set(handler_settings) == {"publicSettings"}


def test_the_same_task_is_not_run_twice(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.snapshot("once")

    final = shared_guest.snapshot("once")

    assert final["code"] == "3"
    assert story(shared_guest) == ["pre", "post"]


def test_install_makes_what_the_agent_makes_and_uninstall_leaves_the_configuration(new_guest: MakeGuest) -> None:
    guest = new_guest()
    deploy(guest)

    assert [answer.get("code") for answer in guest.ask(run="install")] == ["0"]

    assert guest.path(HANDLER_FOLDER / "config/HandlerState").read_text() == "Enabled"
    environment = json.loads(guest.path(HANDLER_FOLDER / "HandlerEnvironment.json").read_text())[0][
        "handlerEnvironment"
    ]
    assert environment["logFolder"] == str(LOG_FOLDER)
    assert guest.path(AZURE / "workload.conf").stat().st_mode & 0o777 == 0o744

    list(guest.ask(run="uninstall"))

    assert not guest.path(HANDLER_FOLDER).exists()
    assert guest.path(PRE).exists()
    assert "Remove extension handler directory" in guest.path("/var/log/waagent.log").read_text()


def test_a_snapshot_installs_the_extension_where_it_is_missing(new_guest: MakeGuest) -> None:
    guest = new_guest()

    answers = list(guest.ask(run="snapshot", task_id="t"))

    assert answers[0] == {"progress": "installed"}
    assert (answers[-1]["code"], answers[-1]["health"]) == ("1", "1")


def test_a_crash_consistent_point_touches_nothing_in_the_guest(new_guest: MakeGuest) -> None:
    guest = new_guest()
    deploy(guest)

    final = guest.snapshot("crash", consistency="crash")

    assert Path(str(final["image"])).exists()
    assert story(guest) == []
    assert not guest.path(HANDLER_FOLDER).exists()
    assert not guest.path(LOG_FOLDER).exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nonsense", "The request is no JSON"),
        ("[]", "must be an object with run one of"),
        ('{"run": "snapshot"}', "needs a task_id"),
        ('{"run": "snapshot", "task_id": "../../etc/passwd"}', "needs a task_id"),
        ('{"run": "snapshot", "task_id": "t", "consistency": "perfect"}', "consistency must be one of"),
        ('{"run": "snapshot", "task_id": "t", "fault": "meteor"}', "There is no fault 'meteor'"),
        ('{"run": "snapshot", "task_id": "t", "colour": 1}', "unknown keys: colour"),
    ],
)
def test_a_bad_request_is_answered_with_a_sentence(shared_guest: LinuxGuest, line: str, sentence: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(shared_guest.socket))
        connection.sendall(line.encode() + b"\n")
        answer = json.loads(connection.makefile().readline())

    assert answer["final"] and sentence in answer["error"]


def test_the_answer_lies_beside_the_copy(shared_guest: LinuxGuest) -> None:
    final = shared_guest.snapshot("beside")

    assert json.loads((shared_guest.copies / "beside.json").read_text()) == final
