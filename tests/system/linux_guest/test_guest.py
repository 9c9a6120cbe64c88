"""A guest is a machine of its own on this machine, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest, requirements
from tests.system.conftest import MakeGuest, need

PROJECT = Path(__file__).resolve().parents[3]


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)


def loop_devices_on(folder: Path) -> str:
    listed = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"], capture_output=True, text=True, check=True
    )
    return "\n".join(line for line in listed.stdout.splitlines() if str(folder) in line)


def processes_with(word: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word in (entry / "cmdline").read_text() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def over_ssh(guest: LinuxGuest, command: str) -> str:
    return subprocess.run(
        guest.ssh_command(command), capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_ssh_reaches_the_guest_as_root_with_its_own_key_and_name(shared_guest: LinuxGuest) -> None:
    assert over_ssh(shared_guest, "id -un; hostname; python3 -c 'print(1)'") == "root\nshared\n1"


def test_ssh_refuses_every_other_key(shared_guest: LinuxGuest, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    command = [str(stranger).join(word.split(str(shared_guest.ssh_key))) for word in shared_guest.ssh_command("true")]

    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr


def test_ansible_reaches_the_guest(shared_guest: LinuxGuest, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.ini"
    inventory.write_text(
        f"guest ansible_host={shared_guest.ssh_host} ansible_port={shared_guest.ssh_port} ansible_user=root "
        f"ansible_ssh_private_key_file={shared_guest.ssh_key} "
        f"ansible_ssh_common_args='-o UserKnownHostsFile={shared_guest.known_hosts}'\n"
    )
    copy = "dest=/etc/azure/told.conf content=hello mode=0600"

    subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "adhoc",
            "guest",
            "-i",
            str(inventory),
            "-m",
            "ansible.builtin.copy",
            "-a",
            copy,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )

    assert shared_guest.path("/etc/azure/told.conf").read_text() == "hello"
    assert not Path("/etc/azure/told.conf").exists()


def test_what_the_guest_writes_is_its_own(shared_guest: LinuxGuest) -> None:
    own = [
        f"{folder}/mine"
        for folder in ("/etc/azure", "/etc", "/var/lib/waagent", "/var/log/azure", "/root", "/run", "/tmp")
    ]

    shared_guest.run(["touch", *own])

    assert [name for name in own if not shared_guest.path(name).exists()] == []
    assert [name for name in own if Path(name).exists()] == []


def test_the_hosts_mounts_stay_as_they_are(new_guest: MakeGuest) -> None:
    before = Path("/proc/self/mountinfo").read_text()

    guest = new_guest()

    assert "/datadisk" in guest.run(["cat", "/proc/mounts"]).stdout
    assert Path("/proc/self/mountinfo").read_text() == before


def test_stopping_takes_processes_mounts_and_loop_device_away(new_guest: MakeGuest, tmp_path: Path) -> None:
    guest = new_guest(directory=tmp_path / "g")
    guest.run(["sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &"])
    assert loop_devices_on(tmp_path)

    guest.stop()

    assert not Path(f"/proc/{guest.pid}").exists()
    wait_until(lambda: not loop_devices_on(tmp_path), "the loop device is free")


def start_command(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], dict[str, dict[str, str]]]:
    command = [sys.executable, "-m", "tests.linux_guest", "--directory", str(folder), *arguments]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["guests"]


def end(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    status = process.wait(60)
    if process.stdout is not None:
        process.stdout.close()
    return status


def test_the_command_starts_several_guests_and_stops_them_on_sigterm(tmp_path: Path) -> None:
    need()
    names = [f"vm-{number}" for number in range(6)]

    process, guests = start_command(tmp_path, *(word for name in names for word in ("--guest", f"{name}=none")))

    assert sorted(guests) == names
    assert len({guest["port"] for guest in guests.values()}) == 6
    assert end(process, signal.SIGTERM) == 0
    assert processes_with(str(tmp_path)) == []
    wait_until(lambda: not loop_devices_on(tmp_path), "the loop devices are free")


def test_a_guest_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    need()
    process, guests = start_command(tmp_path, "--guest", "vm=none")
    spec = json.loads((tmp_path / "vm/guest.json").read_text())
    assert spec["name"] == "vm"
    assert Path(guests["vm"]["socket"]).exists()

    end(process, signal.SIGKILL)

    wait_until(lambda: not loop_devices_on(tmp_path), "the loop device is free")


def test_a_guest_dies_with_a_keeper_that_is_killed(new_guest: MakeGuest, tmp_path: Path) -> None:
    guest = new_guest(directory=tmp_path / "g")
    keeper = int(Path(f"/proc/{guest.pid}/stat").read_text().rpartition(")")[2].split()[1])

    os.kill(keeper, signal.SIGKILL)

    wait_until(lambda: not loop_devices_on(tmp_path), "the loop device is free")


def test_a_guest_killed_while_frozen_is_thawed_and_gone(tmp_path: Path) -> None:
    """Its writers sleep in the kernel and cannot be killed before the thaw; nobody inside is left to thaw."""
    need("mariadb")
    process, guests = start_command(tmp_path, "--guest", "vm=mariadb", "--writers", "3", "--quick")
    ask = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.sendall(b\'{"run": "snapshot", "task_id": "t", "fault": "slow_snapshot", "fault_seconds": 1000}\\n\');'
        "any('frozen_at' in line and print(line) for line in s.makefile())"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", ask, guests["vm"]["socket"]],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert asking.stdout is not None
    assert "frozen_at" in asking.stdout.readline()

    end(process, signal.SIGKILL)

    wait_until(lambda: not loop_devices_on(tmp_path), "the frozen file system is thawed and let go")
    asking.wait(60)
    asking.stdout.close()


def test_a_directory_serves_one_guest_at_a_time(
    new_guest: MakeGuest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.linux_guest.guest._STOP_SECONDS", 0.3)
    new_guest(directory=tmp_path / "same")

    with pytest.raises(RuntimeError, match="Another guest runs in"):
        new_guest(directory=tmp_path / "same")


def test_a_directory_can_be_used_again(new_guest: MakeGuest, tmp_path: Path) -> None:
    first = new_guest(directory=tmp_path / "same")
    first.run(["touch", "/etc/azure/old"])
    first.stop()

    second = new_guest(directory=tmp_path / "same")

    assert not second.path("/etc/azure/old").exists()


def test_folders_put_on_the_data_disk_lie_there(new_guest: MakeGuest) -> None:
    guest = new_guest(frozen_folders=("/var/log/azure",))

    guest.run(["touch", "/var/log/azure/x"])

    assert guest.run(["ls", "/datadisk/folders/var/log/azure"]).stdout == "x\n"


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_the_data_disk_is_a_file_system_of_its_own(new_guest: MakeGuest, filesystem: str) -> None:
    guest = new_guest(filesystem=filesystem)

    assert (
        guest.run(["stat", "-f", "-c", "%T", "/datadisk"])
        .stdout.strip()
        .startswith({"ext4": "ext2", "xfs": "xfs"}[filesystem])
    )


@pytest.mark.parametrize("engine", ["mariadb", "postgresql", "redis"])
def test_the_database_survives_a_stop_and_a_kill(new_guest: MakeGuest, engine: str) -> None:
    guest = new_guest(engine=engine)

    for number in (signal.SIGTERM, signal.SIGKILL):
        guest.stop_server(number)
        guest.start_server()

    with guest.writer() as writer:
        writer.wait_for_rows(20)


def test_a_writer_goes_on_after_a_restart_of_the_server(new_guest: MakeGuest) -> None:
    guest = new_guest(engine="mariadb")
    with guest.writer() as writer:
        writer.wait_for_rows(20)

        guest.stop_server(signal.SIGKILL)
        guest.start_server()

        writer.wait_for_rows(20)


def test_the_ledger_file_tells_what_the_writer_tells(new_guest: MakeGuest) -> None:
    from tests.linux_guest import ledger

    guest = new_guest(engine="redis")
    with guest.writer() as writer:
        writer.wait_for_rows(50)

    assert [row[:3] for row in ledger.read(guest.ledger)] == [row[:3] for row in writer.rows()]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    missing = requirements("mariadb")

    assert "Linux guests need root, for namespaces, loop devices and freezing a file system." in missing
    assert "The program mariadbd is missing: install mariadb-server." in missing


def test_a_machine_that_lacks_something_skips_and_fails_where_the_system_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.system.conftest.requirements", lambda *_: ["sshd is missing."])

    monkeypatch.delenv("REQUIRE_SYSTEM", raising=False)
    with pytest.raises(pytest.skip.Exception, match="sshd is missing"):
        need()
    monkeypatch.setenv("REQUIRE_SYSTEM", "1")
    with pytest.raises(pytest.fail.Exception, match="sshd is missing"):
        need()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "Bad_Name"}, "is no guest's name"),
        ({"engine": "oracle"}, "There is no engine 'oracle'"),
        ({"filesystem": "btrfs"}, "There is no file system 'btrfs'"),
    ],
)
def test_bad_options_are_told_in_a_sentence(arguments: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        LinuxGuest(**arguments)  # type: ignore[arg-type]


def test_a_directory_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    guest = LinuxGuest("vm", directory=tmp_path / ("x" * 100))

    with pytest.raises(ValueError, match="too long a path for a unix socket"):
        guest.begin()
