# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Automation Platform's count of managed nodes: extensions/audit/event_query.yml on what the modules return."""

from __future__ import annotations

import fnmatch
import typing as t

import jq  # type: ignore[import-not-found]  # a compiled module without stubs
import yaml

from tests.awx.definitions import ROOT
from tests.awx.jobs import Awx, Job

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
QUERIES: dict[str, dict[str, str]] = yaml.safe_load((ROOT / "extensions" / "audit" / "event_query.yml").read_text())


def nodes(action: str, result: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """What the platform's own callback would record for a result, as it picks the query by the module's name."""
    found = [query["query"] for name, query in QUERIES.items() if fnmatch.fnmatch(action, name)]
    return [node for query in found for node in jq.compile(query).input_value(result).all()]


def counted(job: Job) -> dict[str, set[str]]:
    """The machines that each action of a job managed."""
    found: dict[str, set[str]] = {}
    for event in job.events:
        if event["event"] in ("runner_on_ok", "runner_on_failed"):
            data = event["event_data"]
            names = {node["name"] for node in nodes(data["resolved_action"], data["res"])}
            found.setdefault(data["resolved_action"].removeprefix("appconsistent.azure."), set()).update(names)
    return found


def test_every_machine_that_a_job_worked_on_is_counted_by_its_id(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "off", **READY, "power": "deallocated"})
    both = set(awx.simulator.vm_ids)
    name = awx.playbook(
        yaml.safe_dump(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "tasks": [
                        {"appconsistent.azure.restore_points": None, "run_once": True},
                        {"appconsistent.azure.restore_point_info": None},
                        {"appconsistent.azure.restore_point": {"name": "p", "state": "absent"}},
                        {"appconsistent.azure.snapshot_readiness_info": None, "run_once": True},
                        {"appconsistent.azure.snapshot_extension_info": None},
                        {"appconsistent.azure.snapshot_extension_guard": None},
                        {"ansible.builtin.debug": {"msg": "not counted"}},
                    ],
                }
            ]
        )
    )
    job = awx.launch(name)
    assert counted(job) == {
        "restore_points": both,
        "restore_point_info": both,
        "restore_point": both,
        "snapshot_readiness_info": both,
        "snapshot_extension_info": both,
        "snapshot_extension_guard": both,
        "ansible.builtin.debug": set(),
    }


def test_a_machine_is_counted_as_azures_own_collection_counts_it() -> None:
    vm_id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/db1"
    (node,) = nodes("appconsistent.azure.restore_points", {"hosts": {"db1": {"vm_id": vm_id}, "x": {"vm_id": ""}}})
    assert node == {
        "name": vm_id,
        "canonical_facts": {"name": "db1", "id": vm_id, "node_type": "compute"},
        "facts": {"infra_type": "PublicCloud", "infra_bucket": "Compute", "device_type": "virtualmachines"},
    }


def test_results_of_another_shape_count_nothing() -> None:
    shapes: list[dict[str, t.Any]] = [
        {},
        {"msg": "failed"},
        {"vm_id": 7},
        {"vm_id": "db1"},
        {"hosts": "all"},
        {"hosts": ["a"]},
        {"snapshot_extension": {}},
        {"snapshot_extension_guard": {"extension_id": ""}},
        {"hosts": {"db1": {"vm_id": None}}},
    ]
    assert [nodes("appconsistent.azure.restore_points", shape) for shape in shapes] == [[]] * len(shapes)
