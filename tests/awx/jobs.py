# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Jobs run the way AWX runs them: ansible-runner on a private data folder that AWX would have written.

What AWX puts there was read in AWX's source (awx/main/tasks/jobs.py, models/inventory.py) and seen on a running AWX
24.6: the inventory as a script, survey answers and its own variables as unsafe extra variables, the credential as
environment variables, slices cut out of the inventory in order of the host names.
"""

from __future__ import annotations

import configparser
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.azure_simulator import Simulator

ROOT = Path(__file__).parents[2]
Json = dict[str, t.Any]
# Longest line of one event that AWX shows whole is 1024 bytes; a result above 700,000 bytes is dropped.
MAX_EVENT_RES = 700_000
# Seconds after which a hanging run is killed, so that the suite does not hang with it.
PATIENCE = 240


@dataclass(frozen=True)
class Inventory:
    """An inventory as AWX keeps it: hosts with their variables, and groups."""

    hosts: Mapping[str, Json]
    groups: Mapping[str, Sequence[str]]

    def slice(self, number: int, count: int) -> Inventory:
        """Return slice `number` (from 1) of `count`, as awx.main.models.inventory.Inventory.get_sliced_hosts does."""
        kept = sorted(self.hosts)[number - 1 :: count]
        return Inventory(
            {name: self.hosts[name] for name in kept},
            {group: [name for name in members if name in kept] for group, members in self.groups.items()},
        )

    def script(self) -> str:
        """Return the text of the executable file that AWX writes."""
        document: Json = {"all": {"hosts": sorted(self.hosts)}, "_meta": {"hostvars": dict(self.hosts)}}
        document |= {group: {"hosts": sorted(members)} for group, members in self.groups.items()}
        return f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(document)!r})\n"


@dataclass(frozen=True)
class Job:
    """A job that has ended."""

    id: int
    status: str
    rc: int
    stdout: str
    events: tuple[Json, ...]

    @property
    def artifacts(self) -> Json:
        """What AWX would keep as the job's artifacts: the custom statistics of the last event."""
        found: Json = {}
        for event in self.events:
            if event["event"] == "playbook_on_stats":
                found = event["event_data"]["artifact_data"]
        return found

    def summaries(self, kind: str) -> Json:
        """Return AWX's per-host counts of a kind: ok, changed, failures, dark, ..."""
        found: Json = {}
        for event in self.events:
            if event["event"] == "playbook_on_stats":
                found = event["event_data"][kind]
        return found

    @property
    def failed_hosts(self) -> list[str]:
        """The hosts that "relaunch on failed hosts" takes up: its limit."""
        return sorted({*self.summaries("failures"), *self.summaries("dark")})

    @property
    def messages(self) -> list[str]:
        """What failed tasks said."""
        return [
            str(event["event_data"]["res"].get("msg"))
            for event in self.events
            if event["event"] == "runner_on_failed" and not event["event_data"].get("ignore_errors")
        ]


class Running:
    """A job under way."""

    def __init__(self, awx: Awx, number: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.awx, self.number, self.folder, self.process = awx, number, folder, process

    def wait(self) -> Job:
        self.process.wait(PATIENCE)
        return self.result()

    def kill(self) -> None:
        """End it as AWX's cancel does: SIGKILL to everything that the job's container holds, all at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.end_container()

    def end_container(self) -> None:
        """Kill what is left over: newer ansible-core's workers outlive their parent, but not their container."""
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Every process of this job, known by the JOB_ID that AWX gives it and its private data folder."""
        marks = (f"JOB_ID={self.number}".encode(), f"AWX_PRIVATE_DATA_DIR={self.folder}".encode())
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    variables = (entry / "environ").read_bytes().split(b"\0")
                    if all(mark in variables for mark in marks):
                        found.append(int(entry.name))
        return found

    def result(self) -> Job:
        artifacts = self.folder / "artifacts" / "job"
        events = [json.loads(path.read_text()) for path in (artifacts / "job_events").glob("*.json")]
        read = {
            name: (artifacts / name).read_text() if (artifacts / name).exists() else ""
            for name in ("status", "rc", "stdout")
        }
        return Job(
            self.number,
            read["status"] or "killed",
            int(read["rc"] or -9),
            read["stdout"],
            tuple(sorted(events, key=lambda event: event["counter"])),
        )


class Awx:
    """Launches jobs on the simulated fleet with the credential that AWX's built-in Azure type would inject."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        self.jobs = itertools.count(101)
        self.started: list[Running] = []
        # The built-in type "Microsoft Azure Resource Manager" with subscription, client, secret and tenant filled in.
        self.credential: dict[str, str] = {
            "AZURE_SUBSCRIPTION_ID": simulator.subscription_id,
            "AZURE_CLIENT_ID": simulator.client_id,
            "AZURE_TENANT": simulator.tenant_id,
            "AZURE_SECRET": simulator.client_secret,
            "AZURE_CLOUD_ENVIRONMENT": simulator.arm_url,
        }
        # A custom type would bring the CA file of a private endpoint; APPCONSISTENT_CA_FILE is not barred.
        self.environment: dict[str, str] = {"APPCONSISTENT_CA_FILE": simulator.ca_file}
        self.project = folder / "project"
        shutil.copytree(ROOT / "awx", self.project / "awx")

    def fleet(self, *vms: Json, **fleet: t.Any) -> None:
        self.simulator.reset({"vms": list(vms), "rules": {"retry_after": 1}, **fleet})

    def inventory(self) -> Inventory:
        hosts = {vm_id.rsplit("/", 1)[-1]: {"azure_vm_id": vm_id} for vm_id in self.simulator.vm_ids}
        return Inventory(hosts, {})

    def playbook(self, text: str, name: str = "own.yml") -> str:
        """Put a playbook of the user's own into the project."""
        (self.project / name).write_text(text)
        return name

    def launch(self, playbook: str, **options: t.Any) -> Job:
        """Run a job to its end."""
        return self.start(playbook, **options).wait()

    def launch_sliced(self, playbook: str, slices: int, **options: t.Any) -> list[Job]:
        """Run a sliced job: AWX starts a job for each slice, side by side."""
        whole = options.pop("inventory", None) or self.inventory()
        running = [
            self.start(playbook, inventory=whole.slice(number, slices), workflow_job=100, **options)
            for number in range(1, slices + 1)
        ]
        return [job.wait() for job in running]

    def start(
        self,
        playbook: str,
        *,
        inventory: Inventory | None = None,
        limit: str = "",
        check: bool = False,
        diff: bool = False,
        verbosity: int = 0,
        timeout: int = 0,
        variables: Mapping[str, t.Any] | None = None,
        workflow_job: int = 0,
        first_in_path: Path | None = None,
    ) -> Running:
        """Launch a job. `playbook` is named as in AWX: a path in the project, or the FQCN of a collection's one.

        `timeout` is the job template's, in seconds; AWX hands it to ansible-runner, which ends the job itself.
        """
        number = next(self.jobs)
        folder = self.folder / f"awx_{number}"
        (folder / "inventory").mkdir(parents=True)
        (folder / "env").mkdir()
        (folder / "project").symlink_to(self.project)
        script = folder / "inventory" / "hosts"
        script.write_text((inventory or self.inventory()).script())
        script.chmod(0o700)
        own = _own_variables(number, workflow_job)
        (folder / "env" / "extravars").write_text(_unsafe_yaml({**own, **(variables or {})}))
        (folder / "env" / "envvars").write_text(json.dumps(self._variables(number, folder)))
        (folder / "env" / "settings").write_text(
            json.dumps({"suppress_ansible_output": True, **({"job_timeout": timeout} if timeout else {})})
        )
        line = [*(["--limit", limit] if limit else []), *(["--check"] if check else []), *(["--diff"] if diff else [])]
        line += ["-" + "v" * verbosity] if verbosity else []
        bin_folder = Path(sys.executable).parent
        command = [str(bin_folder / "ansible-runner"), "run", str(folder), "--playbook", playbook, "--ident", "job"]
        command += ["--cmdline", " ".join(["-u", "root", "--forks=5", *line])]
        process = subprocess.Popen(
            command,
            # AWX drops HOME in container groups; what the tests' own user has at home must not help either.
            env={
                "PATH": f"{first_in_path or bin_folder}:{bin_folder}:/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "HOME": str(folder),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        running = Running(self, number, folder, process)
        self.started.append(running)
        return running

    def _variables(self, number: int, folder: Path) -> dict[str, str]:
        """What a job finds in its environment, as awx.main.tasks.jobs.RunJob.build_env makes it."""
        return {
            "JOB_ID": str(number),
            "INVENTORY_ID": "2",
            "PROJECT_REVISION": "0" * 40,
            "AWX_HOST": "https://awx.example.org",
            "AWX_PRIVATE_DATA_DIR": str(folder),
            "MAX_EVENT_RES": str(MAX_EVENT_RES),
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
            "ANSIBLE_COLLECTIONS_PATH": ":".join(("/runner/requirements_collections", *self._collections())),
            **self.credential,
            **self.environment,
        }

    def _collections(self) -> list[str]:
        """Where collections are looked for: build_env puts what the project's own ansible.cfg names in front.

        In the execution environment the collection lies in /usr/share/ansible/collections.
        """
        settings = configparser.ConfigParser()
        settings.read(self.project / "ansible.cfg")
        named = settings.get("defaults", "collections_path", fallback="")
        return [*(str(self.project / path) for path in named.split(":") if path), str(ROOT / ".tree")]

    def close(self) -> None:
        """End what is left over."""
        for running in self.started:
            running.end_container()


def _own_variables(number: int, workflow_job: int) -> Json:
    facts: Json = {
        "job_id": number,
        "job_launch_type": "manual",
        "job_template_id": 7,
        "job_template_name": "the template",
        "inventory_id": 2,
        "inventory_name": "Azure VMs",
        "user_name": "admin",
        "execution_node": "node1",
        "project_revision": "0" * 40,
    }
    if workflow_job:
        facts |= {"workflow_job_id": workflow_job, "workflow_job_name": "the workflow"}
    return {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in facts.items()}


def _unsafe_yaml(variables: Json) -> str:
    """Write extra variables as awx.main.utils.safe_yaml does: no text of a user is ever a template."""
    lines = []
    for name, value in variables.items():
        mark = "!unsafe " if isinstance(value, str) else ""
        lines.append(f"{mark}{json.dumps(name)}: {mark}{json.dumps(value)}")
    return "\n".join(lines) + "\n"


def each(jobs: Sequence[Job]) -> Iterator[tuple[str, Json]]:
    """Yield the name and the value of each artifact of all jobs."""
    for job in jobs:
        yield from job.artifacts.items()
