# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The note of a break-glass: short enough for a tag, and read without trusting who wrote it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import AppConsistentError
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension import guard_lift
from ansible_collections.appconsistent.azure.plugins.plugin_utils._extension.guard_lift import Lift
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.targets import find_targets

UNTIL = datetime(2026, 11, 23, 6, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize("lock", ["appconsistent-guard", ""])
def test_a_note_is_read_back_as_it_was_written(lock: str) -> None:
    lift = Lift(UNTIL, "change 4711, two words", lock)
    assert guard_lift._lift(lift.tag) == lift


def test_a_long_reason_is_cut_to_what_a_tag_holds() -> None:
    tag = Lift(UNTIL, "x" * 1000, "appconsistent-guard").tag
    assert len(tag) == 256
    read = guard_lift._lift(tag)
    assert read is not None
    assert read.until == UNTIL


@pytest.mark.parametrize("tag", [None, "", "soon", "9999999999 lock reason", "-", "2026-99-99T00:00:00Z a b"])
def test_what_is_no_note_lifts_nothing(tag: str | None) -> None:
    assert guard_lift._lift(tag) is None


def test_a_lift_holds_until_its_end() -> None:
    lift = Lift(UNTIL, "r", "")
    assert lift.holds(UNTIL - timedelta(seconds=1))
    assert not lift.holds(UNTIL)


def test_an_instance_of_a_uniform_scale_set_is_refused_with_the_reason() -> None:
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.Compute"
    uniform = f"{group}/virtualMachineScaleSets/web/virtualMachines/3"
    targets, ((_host, error),) = find_targets({"web3": uniform, "db1": f"{group}/virtualMachines/db1"}, {})
    assert [target.host for target in targets] == ["db1"]
    assert "uniform orchestration, which restore points do not support" in error.message


def test_no_machine_at_all_is_an_error_and_not_a_green_run() -> None:
    with pytest.raises(AppConsistentError, match="no VM to work on"):
        find_targets(None, {"ansible_play_batch": []})
