# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the demo plays on: real Linux guests where the machine can have them, the simulator, and an inventory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from tests.linux_guest import LinuxGuest, Pace, requirements

ROOT = Path(__file__).resolve().parents[1]
# Simulated seconds to a real one.
SPEED = 10
# Guest -> its database, which is also the name of the profile that holds it.
GUESTS = {"db-mariadb": "mariadb", "db-postgresql": "postgresql"}

Json = dict[str, t.Any]


class Azure(t.NamedTuple):
    """The simulator that runs, as its line of JSON describes it."""

    facts: Json

    @property
    def environment(self) -> dict[str, str]:
        """What an Ansible run needs to talk to it: the variables that AWX and azure.azcollection use."""
        return {
            "AZURE_CLOUD_ENVIRONMENT": self.facts["arm_url"],
            "AZURE_CLIENT_ID": self.facts["client_id"],
            "AZURE_SECRET": self.facts["client_secret"],
            "AZURE_TENANT": self.facts["tenant_id"],
            "AZURE_SUBSCRIPTION_ID": self.facts["subscription_id"],
            "APPCONSISTENT_CA_FILE": self.facts["ca_file"],
        }


def missing_for_guests() -> dict[str, list[str]]:
    """Return, for each guest that this machine cannot have, what it lacks."""
    return {name: lacks for name, engine in GUESTS.items() if (lacks := requirements(engine))}


@contextlib.contextmanager
def guests(directory: Path, names: t.Iterable[str]) -> t.Iterator[dict[str, LinuxGuest]]:
    """Start the guests side by side; a tenth of the extension's own sleeps is kept."""
    started = {
        name: LinuxGuest(name, GUESTS[name], directory=directory / name, templates=directory / "images", pace=Pace(0.1))
        for name in names
    }
    with contextlib.ExitStack() as stack:
        for guest in started.values():
            stack.callback(guest.stop)
            guest.begin()
        for guest in started.values():
            guest.wait_until_ready()
        yield started


def fleet_file(directory: Path, real: t.Mapping[str, LinuxGuest]) -> Path:
    """Write the fleet with the real guests' sockets, and with the collection that the collection will look for."""
    fleet = yaml.safe_load((ROOT / "demo" / "fleet.yml").read_text())
    for vm in fleet["vms"]:
        if vm["name"] in real:
            vm["guest"] = {"socket": str(real[vm["name"]].socket)}
        for point in vm.get("points", ()):
            point["collection"] = _collection(fleet, vm)
            point["resource_group"] = vm["resource_group"]
    path = directory / "fleet.yml"
    path.write_text(yaml.safe_dump(fleet))
    return path


def _collection(fleet: Json, vm: Json) -> str:
    """Return the name that plugins/plugin_utils/_restore_points/points.py gives to the collection of a VM."""
    subscription = fleet["subscriptions"][0]["id"]
    path = f"/subscriptions/{subscription}/resourceGroups/{vm['resource_group']}/providers/Microsoft.Compute"
    digest = hashlib.sha256(f"{path}/virtualMachines/{vm['name']}".lower().encode()).hexdigest()
    return f"{vm['name']}-{digest[:8]}"


@contextlib.contextmanager
def azure(directory: Path, fleet: Path) -> t.Iterator[Azure]:
    """Run the simulator in a process of its own."""
    command = [sys.executable, "-m", "tests.azure_simulator", "--fleet", str(fleet), "--speed", str(SPEED)]
    process = subprocess.Popen(
        [*command, "--directory", str(directory / "azure")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit("The simulator did not start.")
        yield Azure(json.loads(line))
    finally:
        process.terminate()
        process.wait(30)


def inventory(directory: Path, facts: Json, real: t.Mapping[str, LinuxGuest]) -> Path:
    """Write the inventory: every VM with its resource ID, and how to reach those that are real."""
    hosts: Json = {}
    for vm_id in facts["vm_ids"]:
        name = vm_id.rsplit("/", 1)[-1]
        hosts[name] = {"azure_vm_id": vm_id}
        if name in real:
            hosts[name] |= _reach(real[name])
    document = {
        "all": {
            "hosts": hosts,
            # The Windows VMs exist on the Azure side only, so no group names them as guests that can be reached.
            "children": {"linux": {"hosts": dict.fromkeys(real)}},
        }
    }
    path = directory / "inventory.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def _reach(guest: LinuxGuest) -> Json:
    return {
        "ansible_host": guest.ssh_host,
        "ansible_port": guest.ssh_port,
        "ansible_user": guest.user,
        "ansible_ssh_private_key_file": str(guest.ssh_key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={guest.known_hosts} -o StrictHostKeyChecking=yes",
        "linux_scripts_profiles": [{"name": guest.engine}],
    }


def play(
    inventory_file: Path, cloud: Azure, log: Path, *arguments: str, playbook: str = "demo/demo.yml"
) -> tuple[int, str]:
    """Run the demo's playbook or another one, showing what it prints; return its exit status and its output."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory_file)]
    environment = {
        **os.environ,
        **cloud.environment,
        "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "1" if sys.stdout.isatty() else "0",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [*command, str(ROOT / playbook), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    with log.open("a") as copy:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            copy.write(line)
            lines.append(line)
    return process.wait(), "".join(lines)
