# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The shipped rulebook in a real ansible-rulebook, with recorded events; it needs Java.

Only what cannot be here is swapped: the Service Bus for a generic source, and where a test says so the action.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.azure_simulator import Simulator

ROOT = Path(__file__).parents[2]
RULEBOOK = ROOT / "extensions" / "eda" / "rulebooks" / "snapshot_extension.yml"
EVENTS = sorted((ROOT / "tests" / "eda" / "events").glob("*.json"))
Json = dict[str, t.Any]


def _program() -> str:
    beside = Path(sys.executable).with_name("ansible-rulebook")
    return str(beside) if beside.exists() else shutil.which("ansible-rulebook") or ""


def _why_not() -> str:
    if not _program():
        return "ansible-rulebook is not installed (pip install ansible-rulebook)"
    if not shutil.which("java"):
        return "ansible-rulebook needs Java 17"
    return ""


@pytest.fixture
def rulebook_program() -> str:
    if why := _why_not():
        if os.environ.get("REQUIRE_SYSTEM"):
            pytest.fail(why)
        pytest.skip(why)
    return _program()


def _rulebook(events: list[Json], *, shown: bool) -> list[Json]:
    """The shipped rulebook with the events as its source, and where `shown` with actions that only tell."""
    (book,) = yaml.safe_load(RULEBOOK.read_text())
    book["sources"] = [{"ansible.eda.generic": {"payload": [{"body": event} for event in events], "shutdown_after": 2}}]
    if shown:
        for rule in book["rules"]:
            message = f"FIRED {rule['name']}: {{{{ event.body.id }}}} {{{{ event.body.data.resourceUri }}}}"
            rule["action"] = {"debug": {"msg": message}}
    return [book]


def _run(program: str, folder: Path, book: list[Json], environment: dict[str, str], inventory: Json) -> str:
    (folder / "rulebook.yml").write_text(yaml.safe_dump(book))
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    done = subprocess.run(
        [program, "--rulebook", "rulebook.yml", "-i", "inventory.yml"],
        cwd=folder,
        env={
            "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            **({"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def test_each_recorded_event_fires_its_rule_once_however_often_it_is_told_and_no_other(
    rulebook_program: str, tmp_path: Path
) -> None:
    recorded = {path.stem: json.loads(path.read_text()) for path in EVENTS}
    # Each event is about a machine of its own, so that the throttle joins none of them but the last ones.
    events = []
    for name, case in recorded.items():
        text = json.dumps(case["event"]).replace("virtualMachines/db1", f"virtualMachines/{name}")
        events.append({**json.loads(text), "id": name})
    removal = next(event for event in events if event["id"] == "extension_removed_cloud_events")
    events += [{**removal, "id": f"again-{number}"} for number in range(2)]
    output = _run(rulebook_program, tmp_path, _rulebook(events, shown=True), {}, {"all": {"hosts": {"db1": {}}}})
    fired = {
        line.partition("FIRED ")[2].partition(": ")[2].split()[0]: line.partition("FIRED ")[2].partition(": ")[0]
        for line in output.splitlines()
        if "FIRED " in line
    }
    assert fired == {name: case["expected"] for name, case in recorded.items() if case["expected"]}


def test_a_removal_is_healed_by_the_shipped_playbook(rulebook_program: str, tmp_path: Path) -> None:
    ready = {"linux_scripts": "ok", "snapshot_extension": "present"}
    case = json.loads((ROOT / "tests" / "eda" / "events" / "extension_removed_event_grid.json").read_text())
    with Simulator({"vms": [{"name": "db1", **ready}, {"name": "other", **ready}]}, speed=100) as simulator:
        simulator.call(lambda world: world.extensions[simulator_key(world, "db1")].clear())
        event = json.loads(json.dumps(case["event"]))
        event["data"]["resourceUri"] = f"{simulator.vm_id('db1')}/extensions/VMSnapshotLinux".upper()
        book = _rulebook([event], shown=False)
        (rules,) = [source["rules"] for source in book]
        for rule in rules:
            rule["action"]["run_playbook"]["name"] = str(ROOT / "playbooks" / "guard.yml")
            rule["action"]["run_playbook"]["extra_vars"]["guard_grace"] = "0s"
        environment = {
            "AZURE_CLOUD_ENVIRONMENT": simulator.arm_url,
            "AZURE_CLIENT_ID": simulator.client_id,
            "AZURE_SECRET": simulator.client_secret,
            "AZURE_TENANT": simulator.tenant_id,
            "SSL_CERT_FILE": simulator.ca_file,
            "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".tree"),
        }
        hosts = {
            "web-frontend": {"azure_vm_id": simulator.vm_id("db1")},
            "b": {"azure_vm_id": simulator.vm_id("other")},
        }
        output = _run(rulebook_program, tmp_path, book, environment, {"all": {"hosts": hosts}})
        states = simulator.call(
            lambda world: [extension.state for extension in world.extensions[simulator_key(world, "db1")].values()]
        )
        locks = simulator.call(lambda world: [scope.split("/")[8] for scope in world.locks])
    assert states == ["Succeeded"], output
    assert locks == ["db1"], output


def simulator_key(world: t.Any, name: str) -> str:
    return next(str(key) for key in world.vms if key.endswith(f"/{name}"))


def test_the_rulebook_names_what_exists() -> None:
    (book,) = yaml.safe_load(RULEBOOK.read_text())
    for rule in book["rules"]:
        name = rule["action"]["run_playbook"]["name"]
        assert (ROOT / "playbooks" / f"{name.rpartition('.')[2]}.yml").exists()
