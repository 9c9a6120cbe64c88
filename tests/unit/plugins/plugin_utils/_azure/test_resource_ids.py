# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ids and names from outside are taken or refused by name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _durations as spans
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import (
    VmId,
    check_name,
    parse_vm_id,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.names import LONGEST_NAME
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place

SUB = "00000000-0000-0000-0000-00000000000A"
ID = f"/subscriptions/{SUB}/resourceGroups/Rg/providers/Microsoft.Compute/virtualMachines/db1"


def test_an_id_is_read_whatever_its_case() -> None:
    assert parse_vm_id(ID.upper(), "db1").key == parse_vm_id(ID, "db1").key == ID.lower()


@pytest.mark.parametrize("text", ["", "db1", ID + "/extensions/x", ID.replace("Compute", "Network"), "/" + ID])
def test_what_is_no_vm_id_is_refused_with_its_owner_and_the_right_form(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"db1, option vm_id: .* is not the resource id of a virtual machine"):
        parse_vm_id(text, "db1, option vm_id")


def test_a_subscription_that_is_no_guid_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the subscription 'prod'"):
        parse_vm_id(ID.replace(SUB, "prod"), "db1")


@pytest.mark.parametrize("name", ["a/b", "a b", "", "x" * 81, "ends.", "a\nb", "../x", "-a", "é", "a(b)"])
def test_a_name_that_azure_would_refuse_is_refused_before_it_is_sent(name: str) -> None:
    with pytest.raises(InvalidInput, match="option name"):
        check_name(name, "name", 80)


def test_machines_of_one_name_in_two_groups_have_two_collections_in_a_common_group() -> None:
    one, two = VmId(SUB, "rg1", "db"), VmId(SUB, "rg2", "db")
    assert Place("points").of(one) != Place("points").of(two)
    assert Place().of(one).name == Place().of(VmId(SUB.lower(), "RG1", "db")).name


def test_the_longest_vm_name_makes_a_collection_name_that_azure_takes() -> None:
    assert len(Place().of(VmId(SUB, "rg", "v" * 80)).name) == LONGEST_NAME


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("20m", 1200), ("3H", 10800), ("2w", 1209600)])
def test_spans_are_read_with_their_units(text: str, seconds: int) -> None:
    assert spans.parse_duration(text, "max_age") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "1.5h", "-3h", "3 hours"])
def test_a_span_that_is_none_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match="option max_age"):
        spans.parse_duration(text, "max_age")
