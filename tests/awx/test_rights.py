# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The role definitions in docs/rights allow what the playbooks do, and no more than their names say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.awx.definitions import ROOT
from tests.awx.jobs import Awx
from tests.awx.test_jobs import READY, old_points
from tests.azure_simulator import resource_manager
from tests.azure_simulator.routes import ROUTES

FOLDER = ROOT / "docs" / "rights"
FILES = sorted(FOLDER.glob("*.json"))
# What `az role definition create` takes: azure-docs, role-based-access-control/role-definitions-list.
KEYS = {
    *("Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions"),
    "AssignableScopes",
}


def actions(*names: str) -> set[str]:
    return {action for name in names for action in json.loads((FOLDER / f"{name}.json").read_text())["Actions"]}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The actions that the simulated Resource Manager checks while a test runs."""
    seen: set[str] = set()
    answer = resource_manager._answer

    def watching(world: Any, call: Any, route: Any, denied: Any) -> Any:
        seen.add(route.action)
        return answer(world, call, route, denied)

    monkeypatch.setattr(resource_manager, "_answer", watching)
    yield seen


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))
def test_a_role_is_in_the_form_that_the_azure_cli_takes(path: Path) -> None:
    role = json.loads(path.read_text())
    assert set(role) == KEYS
    assert role["IsCustom"] is True
    assert len(role["Name"]) <= 128
    assert len(role["Description"]) <= 2048
    assert all(re.fullmatch(r"Microsoft\.\w+(/\w+)+/(read|write|delete|action)", action) for action in role["Actions"])
    assert len(role["Actions"]) == len(set(role["Actions"]))
    assert role["NotActions"] == role["DataActions"] == role["NotDataActions"] == []


def test_no_action_is_in_two_roles() -> None:
    every = [action for path in FILES for action in actions(path.stem)]
    assert len(every) == len(set(every))


def test_names_of_actions_are_those_that_the_simulator_checks() -> None:
    checked = {route.action.lower(): route.action for route in ROUTES.values()}
    for path in FILES:
        for action in actions(path.stem):
            assert checked.get(action.lower(), action) == action


def test_the_core_role_deletes_nothing_and_changes_no_machine() -> None:
    changing = {action for action in actions("core") if not action.endswith("/read")}
    assert changing == {
        "Microsoft.Compute/restorePointCollections/write",
        "Microsoft.Compute/restorePointCollections/restorePoints/write",
    }


def test_taking_and_verifying_need_the_core_role_only(awx: Awx, used: set[str]) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "new", "linux_scripts": "ok", "snapshot_extension": "absent"})
    for playbook in ("restore_points", "verify", "readiness"):
        awx.launch(f"awx/project/{playbook}.yml")
    assert used
    assert used - actions("core") == set()


def test_restoring_and_undoing_it_need_the_restore_role_beside_it(awx: Awx, used: set[str]) -> None:
    awx.fleet({"name": "db1", **READY, "disks": {"data": [{}]}})
    awx.launch("awx/project/restore_points.yml")
    held = awx.simulator.call(lambda world: [name for points in world.points.values() for name in points])
    used.clear()
    for playbook in ("restore", "restore_undo"):
        said = {"appconsistent_hosts": "db1", "restore_point": held[0]}
        assert awx.launch(f"awx/project/{playbook}.yml", variables=said).status == "successful"
    unseen = "Microsoft.Compute/diskEncryptionSets/read"  # Azure looks at a disk's key itself.
    assert used - actions("core") == actions("restore") - {unseen}


def test_pruning_needs_the_retention_role_beside_it(awx: Awx, used: set[str]) -> None:
    awx.fleet(old_points(awx, "5h", "3d", "9d"))
    answers = {"restore_points_schedule": "nightly", "restore_points_keep": 1}
    assert awx.launch("awx/project/prune.yml", variables=answers).status == "successful"
    assert used - actions("core") == actions("retention")


def test_preparing_and_guarding_need_the_guard_role_beside_it(awx: Awx, used: set[str]) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "new", "linux_scripts": "ok", "snapshot_extension": "absent"})
    for playbook in ("prepare", "guard"):
        assert awx.launch(f"awx/project/{playbook}.yml").status == "successful"
    assert used - actions("core", "guard") == set()
    assert "Microsoft.Authorization/locks/write" in used
