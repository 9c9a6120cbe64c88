# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Ids and names from outside are taken or refused by name."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils import _durations as spans
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import (
    VmId,
    check_name,
    parse_vm_id,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points import points

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


@pytest.mark.parametrize("name", ["a/b", "a b", "", "x" * 81, "ends.", "a\nb", "../x"])
def test_a_name_that_azure_would_refuse_is_refused_before_it_is_sent(name: str) -> None:
    with pytest.raises(InvalidInput, match="option name"):
        check_name(name, "name", 80)


def test_machines_of_one_name_in_two_groups_have_two_collections_in_a_common_group() -> None:
    one, two = VmId(SUB, "rg1", "db"), VmId(SUB, "rg2", "db")
    assert points.default_collection(one, "points") != points.default_collection(two, "points")
    assert points.default_collection(one).name == points.default_collection(VmId(SUB.lower(), "RG1", "db")).name


def test_the_longest_vm_name_makes_a_collection_name_that_azure_takes() -> None:
    assert len(points.default_collection(VmId(SUB, "rg", "v" * 80)).name) == points.LONGEST_NAME


def test_a_window_is_named_by_its_start() -> None:
    now = datetime(2026, 11, 23, 14, 59, tzinfo=timezone.utc)
    assert points.window_key(now, timedelta(hours=24)) == "20261123T0000Z"
    assert points.window_key(now, timedelta(hours=1)) == "20261123T1400Z"


@pytest.mark.parametrize(
    ("name", "attempt"), [("s-k", 1), ("S-K-2", 2), ("s-k-x", 0), ("t-k", 0), ("s-k2", 0), ("xs-k", 0)]
)
def test_a_name_tells_which_attempt_it_was(name: str, attempt: int) -> None:
    assert points.attempt_of(name, "s", "k") == attempt


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("20m", 1200), ("3H", 10800), ("2w", 1209600)])
def test_spans_are_read_with_their_units(text: str, seconds: int) -> None:
    assert spans.parse(text, "max_age") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "1.5h", "-3h", "3 hours"])
def test_a_span_that_is_none_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match="option max_age"):
        spans.parse(text, "max_age")
