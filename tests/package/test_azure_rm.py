# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The fleet comes out of azure.azcollection's own inventory, as it is published, and gets its points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
import venv
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.awx.fetch_collections import AZURE, fetch
from tests.azure_simulator import Simulator
from tests.playbooks.conftest import ROOT, SPEED, Controller

# What the collection asks for beside itself, as far as its inventory calls it (tests/package/azure_rm).
PINS = ROOT / "tests" / "data" / "azcollection" / "requirements-3.21.0.txt"
CALLED = ("azure-cli-core", "azure-core", "azure-identity", "azure-mgmt-compute", "azure-mgmt-resource=", "netaddr")
FLEET: tuple[dict[str, t.Any], ...] = (
    {"name": "db1", "linux_scripts": "ok", "tags": {"env": "prod"}, "public_ip": "20.0.0.7"},
    {"name": "sql1", "os": "windows"},
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what azure_rm imports and calls, and the collection beside it."""
    if not os.environ.get("REQUIRE_SYSTEM"):
        pytest.skip("installs from the package index for a minute: REQUIRE_SYSTEM=1 runs it")
    folder = tmp_path_factory.mktemp("azure_rm")
    venv.create(folder, with_pip=True)
    found = folder / "bin" / "python"
    wanted = [line for line in PINS.read_text().splitlines() if line.startswith(CALLED)]
    assert len(wanted) == len(CALLED)
    pip = (str(found), "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    core = f"ansible-core=={version('ansible-core')}"
    command = [*pip, core, "-r", str(ROOT / "requirements.txt"), "msrestazure", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    fetch(folder / "collections", AZURE)
    return found


@pytest.fixture
def controller(python: Path, tmp_path: Path) -> t.Iterator[Controller]:
    with Simulator({"vms": list(FLEET), "rules": {"retry_after": 1}}, speed=SPEED) as simulator:
        found = Controller(simulator, tmp_path)
        found.python = python
        found.environment |= {
            "AZURE_SUBSCRIPTION_ID": simulator.subscription_id,
            "AZURE_DISABLE_INSTANCE_DISCOVERY": "true",
            "REQUESTS_CA_BUNDLE": simulator.ca_file,
            "PYTHONPATH": str(Path(__file__).parent / "azure_rm"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_COLLECTIONS_PATH": f"{python.parents[1] / 'collections'}:{ROOT / '.tree'}",
        }
        yield found


def _plain(read: dict[str, t.Any]) -> t.Any:
    """Values from outside are marked in the listing, so that nobody takes them for templates."""
    return read.get("__ansible_unsafe", read)


def listed(controller: Controller, inventory: Path) -> dict[str, t.Any]:
    _, settings = controller.prepare("")
    program = str(controller.python.with_name("ansible-inventory"))
    done = subprocess.run(
        [program, "-i", str(inventory), "--list"], **settings, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, t.Any] = json.loads(done.stdout, object_hook=_plain)["_meta"]["hostvars"]
    return found


@pytest.mark.parametrize("batch", [True, False])
def test_azure_rm_finds_the_fleet_in_batches_and_one_by_one(controller: Controller, batch: bool) -> None:
    inventory = controller.folder / "fleet.azure_rm.yml"
    inventory.write_text(
        yaml.safe_dump({"plugin": "azure.azcollection.azure_rm", "plain_host_names": True, "batch_fetch": batch})
    )
    hosts = listed(controller, inventory)
    assert set(hosts) == {"db1", "sql1"}
    db1 = hosts["db1"]
    assert db1["id"] == controller.simulator.vm_id("db1")
    assert (db1["powerstate"], db1["tags"], db1["ansible_host"]) == ("running", {"env": "prod"}, "20.0.0.7")
    assert hosts["sql1"]["os_disk"]["operating_system_type"] == "windows"
    posted = [seen for seen in controller.simulator.requests if seen.path == "/batch"]
    assert bool(posted) == batch


def test_a_fleet_out_of_azure_rm_gets_its_points(controller: Controller) -> None:
    inventory = controller.folder / "fleet.azure_rm.yml"
    inventory.write_text(yaml.safe_dump({"plugin": "azure.azcollection.azure_rm", "plain_host_names": True}))
    take: t.Any = {"name": "take", "appconsistent.azure.restore_points": {}, "run_once": True}
    command, settings = controller.prepare(controller.write_play([take]))
    command[command.index("-i") + 1] = str(inventory)
    done = subprocess.run(command, **settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = [json.loads(line)["result"] for line in controller.results.read_text().splitlines()]
    assert {name: host["verdict"] for name, host in result["hosts"].items()} == {"db1": "reached", "sql1": "reached"}


def test_the_stand_ins_are_asked_for_nothing_but_what_is_missing() -> None:
    """The environment's own packages come first, and another package that is missing stays missing."""
    script = "import azure.core, azure.mgmt.dns; print(azure.core.__version__, azure.mgmt.dns.DnsManagementClient)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "azure_rm")}
    said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.startswith(version("azure-core"))
    missing = [sys.executable, "-c", "import azure.nothing"]
    assert b"No module named" in subprocess.run(missing, env=environment, capture_output=True, check=False).stderr
