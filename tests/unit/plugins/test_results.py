# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What modules return is what their RETURN says. mypy holds the code against the types; here the types are held."""

from __future__ import annotations

import re
import types
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.obstacle import ObstacleResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.drift import DriftResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.guard import GuardResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import OutcomeResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.extension_state import ExtensionResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.disk_copies import CopyResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import PointResult
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.retention import RetentionResult

Json = dict[str, t.Any]
MODULES = Path(__file__).parents[3] / "plugins" / "modules"
# Module -> where its RETURN describes a record -> the record's type, and what stands there beside it.
RECORDS: list[tuple[str, str, type, set[str]]] = [
    ("restore_points", "hosts", OutcomeResult, set()),
    ("restore_point", "restore_point", PointResult, set()),
    (
        "restore_point_info",
        "restore_points",
        PointResult,
        {"collection_id", "of_this_vm", "disks_missing", "disks", "security_type"},
    ),
    ("snapshot_extension", "snapshot_extension", ExtensionResult, set()),
    ("snapshot_extension_info", "snapshot_extension", ExtensionResult, set()),
    ("snapshot_extension_guard", "snapshot_extension_guard", GuardResult, set()),
    (
        "snapshot_extension_guard_info",
        "snapshot_extension_guard",
        GuardResult,
        {"extension_state", "removed", "not_read"},
    ),
]
KINDS = {str: "str", bool: "bool", int: "int", float: "float", list: "list", dict: "dict"}


def returned(module: str) -> Json:
    found = re.search(r'^RETURN = r"""(.*?)"""', (MODULES / f"{module}.py").read_text(), re.DOTALL | re.MULTILINE)
    assert found
    documented: Json = yaml.safe_load(found[1])
    return documented


def kind_of(hint: t.Any) -> str:
    """Ansible's name for a type; that of a union's first member, for the rest is what empty looks like."""
    if isinstance(hint, types.UnionType):
        hint = t.get_args(hint)[0]
    return "dict" if t.is_typeddict(hint) else KINDS[t.get_origin(hint) or hint]


@pytest.mark.parametrize(("module", "place", "record", "beside"), RECORDS, ids=[f"{m}.{p}" for m, p, _r, _b in RECORDS])
def test_a_record_is_documented_as_it_is_returned(module: str, place: str, record: type, beside: set[str]) -> None:
    documented: Json = returned(module)[place]["contains"]
    hints = t.get_type_hints(record)
    assert documented.keys() - beside == hints.keys()
    assert {name: documented[name]["type"] for name in hints} == {name: kind_of(hint) for name, hint in hints.items()}


def test_a_disk_in_a_point_is_documented_as_it_is_returned() -> None:
    documented = returned("restore_point_info")["restore_points"]["contains"]["disks"]["contains"]
    hints = t.get_type_hints(CopyResult)
    assert {name: said["type"] for name, said in documented.items()} == {
        name: kind_of(hint) for name, hint in hints.items()
    }


def test_records_that_a_sentence_describes_name_each_key_there() -> None:
    """Findings, drift and retention are told in words; each key stands in one of these."""
    told = {
        ObstacleResult: returned("restore_points")["hosts"]["contains"]["findings"],
        RetentionResult: returned("restore_points")["hosts"]["contains"]["retention"],
        DriftResult: returned("snapshot_extension_guards")["hosts"]["contains"]["drift"],
    }
    missing = {
        record.__name__: [key for key in t.get_type_hints(record) if f"C({key})" not in str(words["description"])]
        for record, words in told.items()
    }
    assert missing == {"ObstacleResult": [], "RetentionResult": [], "DriftResult": []}
