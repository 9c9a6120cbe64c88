# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The scripts deployed on Linux guests: controller CPU per host and wall time, beside the same with built-in tasks.

The guests are real ones on loopback, reached over SSH. What runs in a guest is not counted, only the controller and its
ssh clients; the wall time holds both.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.table import hooks_of
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts import layout

from tests.linux_guest import LinuxGuest, requirements

from .measure import ROOT, Result, Sample, median, run

GUESTS = 8
FORKS = 8
ANSIBLE = str(Path(sys.executable).with_name("ansible-playbook"))
PROFILES: list[t.Mapping[str, t.Any]] = [{"name": "mariadb"}]
PARAMS: dict[str, t.Any] = {
    "timeout": 60,
    "hold_seconds": 120,
    "poll_seconds": 1,
    "continue_backup_on_failure": True,
    "fs_freeze_enabled": True,
    "log_file": "/var/log/azure/appconsistent.log",
}
Task = dict[str, t.Any]
OURS: Task = {"appconsistent.azure.snapshot_scripts": {"profiles": PROFILES}}
GONE: Task = {"appconsistent.azure.snapshot_scripts": {"state": "absent"}}

START = "bare start"
FIRST = "snapshot_scripts, first deployment"
AGAIN = "snapshot_scripts, nothing to change"
BUILT_IN_FIRST = "built-in tasks, first deployment"
BUILT_IN_AGAIN = "built-in tasks, nothing to change"


def built_in(folder: Path) -> list[Task]:
    """The same files and rights, and the checks that a careful author would add, in as few tasks as can be."""
    files = []
    for number, wanted in enumerate(layout.wanted_files(PARAMS, hooks_of(PROFILES))):
        source = folder / f"file-{number}"
        source.write_text(wanted.text)
        files.append({"src": str(source), "dest": wanted.path, "mode": f"{wanted.mode:04o}"})
    scripts = [file for file in files if file["mode"] == "0700" or file["dest"].endswith(".sh")]
    others = [file for file in files if file not in scripts]
    copy = {"src": "{{ item.src }}", "dest": "{{ item.dest }}", "mode": "{{ item.mode }}", "owner": "root"}
    unit = "/etc/systemd/system/multi-user.target.wants/appconsistent-boot.service"
    return [
        {"ansible.builtin.stat": {"path": "/etc/azure"}, "register": "azure"},
        {"ansible.builtin.assert": {"that": "not azure.stat.exists or azure.stat.mode == '0755'", "quiet": True}},
        {
            "ansible.builtin.command": {"cmd": "grep -E '^workload_name *= *[a-z]' /etc/azure/workload.conf"},
            "register": "workload",
            "changed_when": False,
            "failed_when": "workload.rc == 0",
        },
        {
            "ansible.builtin.file": {"path": "{{ item }}", "state": "directory", "mode": "0700", "owner": "root"},
            "loop": [layout.SCRIPTS, layout.HOOKS],
        },
        {"ansible.builtin.copy": {**copy, "validate": "sh -n %s"}, "loop": scripts},
        {"ansible.builtin.copy": copy, "loop": others},
        {
            "ansible.builtin.file": {
                "src": "../appconsistent-boot.service",
                "dest": unit,
                "state": "link",
                "force": True,
            }
        },
    ]


@contextlib.contextmanager
def stage(count: int) -> t.Iterator[Path]:
    """Guests that run, and a folder with their inventory."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        guests = [LinuxGuest(f"guest-{number}", templates=folder / "templates") for number in range(count)]
        hosts = {}
        for guest in guests:
            stack.enter_context(guest)
            # Where systemd looks for units that are wanted; a machine without systemd may lack it.
            guest.run(["mkdir", "-p", "/etc/systemd/system/multi-user.target.wants"])
            hosts[guest.name] = {
                "ansible_host": guest.ssh_host,
                "ansible_port": guest.ssh_port,
                "ansible_user": guest.user,
                "ansible_ssh_private_key_file": str(guest.ssh_key),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={guest.known_hosts} -o StrictHostKeyChecking=yes",
                "ansible_python_interpreter": sys.executable,
            }
        (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        yield folder


def playbook(folder: Path, tasks: t.Sequence[Task]) -> list[str]:
    """The command that runs the tasks on all guests."""
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]))
    return [ANSIBLE, "-f", str(FORKS), "-i", str(folder / "inventory.json"), str(path)]


def measure(runs: int, say: t.Callable[[str], None]) -> dict[str, Result]:
    """All ways in turn, so that what else the machine does falls on all of them; the first round is not counted."""
    # As fast as Ansible goes over SSH, for both: connections kept, no copying of modules.
    settings = str(ROOT / "tests" / "ansible.cfg")
    environment = {"ANSIBLE_CONFIG": settings, "ANSIBLE_PIPELINING": "1", "LC_ALL": "C.UTF-8"}
    samples: dict[str, list[Sample]] = {}
    with stage(GUESTS) as folder:
        ways = {
            START: [{"ansible.builtin.debug": {"msg": ""}, "run_once": True}],
            FIRST: [OURS],
            AGAIN: [OURS],
            BUILT_IN_FIRST: built_in(folder),
            BUILT_IN_AGAIN: built_in(folder),
        }
        for number in range(runs + 1):
            say(f"round {number} of {runs}, of about a minute and a half")
            for name, tasks in ways.items():
                if name in (FIRST, BUILT_IN_FIRST):
                    run(playbook(folder, [GONE]), environment)
                samples.setdefault(name, []).append(run(playbook(folder, tasks), environment))
    results = {name: median(name, taken[1:]) for name, taken in samples.items()}
    for name, result in results.items():
        say(f"{name}: {result.cpu:.2f} CPU s, {result.wall:.1f} s for {GUESTS} Linux guests")
    return results


def section(runs: int, say: t.Callable[[str], None]) -> list[str]:
    """The part of docs/benchmarks.md."""
    missing = requirements()
    if missing:
        return ["Not measured: " + " ".join(missing)]
    results = measure(runs, say)
    start = results[START]
    rows = [
        f"{GUESTS} guests, {FORKS} forks, kept connections and pipelining for both. CPU per host is above the bare",
        f"start of ansible-playbook ({start.cpu:.2f} CPU s). The ratio is to snapshot_scripts in the same situation.",
        "",
        "| way | ms CPU per host | ratio | wall s | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, beside in ((FIRST, FIRST), (BUILT_IN_FIRST, FIRST), (AGAIN, AGAIN), (BUILT_IN_AGAIN, AGAIN)):
        each, other = (1000 * (results[way].cpu - start.cpu) / GUESTS for way in (name, beside))
        rows.append(
            f"| {name} | {each:.0f} | {each / other:.2f} | {results[name].wall:.1f} "
            f"| {results[name].wall / results[beside].wall:.2f} |"
        )
    return rows


if __name__ == "__main__":
    print("\n".join(section(int(sys.argv[1]) if len(sys.argv) > 1 else 5, print)))
