# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What stands in the way of a restore point."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.machine import (
    Disk,
    Extension,
    Handler,
    Machine,
    machine_from_json,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import VmId
from ansible_collections.appconsistent.azure.plugins.plugin_utils._readiness.machine import obstacles
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import Consistency

VM = VmId("00000000-0000-0000-0000-000000000001", "rg", "db1")
HEALTHY = Machine(VM, "westeurope", "linux", "Succeeded", "running", True, "2.15.0", "", (), ())
APPLICATION = Consistency.ApplicationConsistent
CRASH = Consistency.CrashConsistent


def extension(name: str, state: str, publisher: str = "Contoso", kind: str = "Monitor") -> Extension:
    return Extension(f"/x/{name}", name, publisher, kind, "1.0", state, "exit 52")


def disk(kind: str = "Premium_LRS", *, ephemeral: bool = False, accelerated: bool = False) -> Disk:
    return Disk("/disks/d1", "d1", kind, ephemeral, accelerated)


def codes(machine: Machine, wanted: Consistency = APPLICATION, exclude: tuple[str, ...] = ()) -> list[str]:
    return [finding.code for finding in obstacles(machine, wanted, exclude) if finding.blocks]


def test_a_healthy_machine_has_no_findings() -> None:
    assert obstacles(HEALTHY, APPLICATION) == ()


def test_a_machine_without_the_snapshot_extension_is_ready_because_azure_installs_it() -> None:
    assert HEALTHY.snapshot_extension is None
    assert codes(HEALTHY) == []


def test_a_stopped_machine_can_only_be_crash_consistent() -> None:
    stopped = replace(HEALTHY, power="deallocated", agent_ready=False)
    assert codes(stopped) == ["vm_not_running"]
    assert codes(stopped, CRASH) == []


def test_a_silent_agent_is_in_the_way() -> None:
    silent = replace(HEALTHY, agent_ready=False, agent_message="Not Ready")
    (finding,) = obstacles(silent, APPLICATION)
    assert finding.code == "agent_not_ready"
    assert "(Not Ready)" in finding.message


def test_a_failed_extension_of_somebody_else_is_in_the_way_and_named_with_what_it_said() -> None:
    broken = replace(HEALTHY, extensions=(extension("monitor", "Failed"),))
    (finding,) = obstacles(broken, APPLICATION)
    assert finding.code == "foreign_extension_failed"
    assert "monitor (Contoso.Monitor) is Failed: exit 52" in finding.message
    assert "Repair or remove the extension monitor" in finding.remedy


def test_our_own_failed_extension_has_a_remedy_of_its_own() -> None:
    own = extension("VMSnapshotLinux", "Failed", "Microsoft.Azure.RecoveryServices", "VMSnapshotLinux")
    assert codes(replace(HEALTHY, extensions=(own,))) == ["snapshot_extension_failed"]


@pytest.mark.parametrize("state", ["Creating", "Updating", "Deleting", "Transitioning"])
def test_an_extension_that_azure_works_on_has_to_be_waited_for(state: str) -> None:
    assert codes(replace(HEALTHY, extensions=(extension("x", state),))) == ["extension_in_transition"]


def test_an_ephemeral_os_disk_cannot_be_captured_at_all() -> None:
    machine = replace(HEALTHY, disks=(disk(ephemeral=True),))
    assert codes(machine) == codes(machine, CRASH) == ["ephemeral_os_disk"]


@pytest.mark.parametrize("unfit", [disk("UltraSSD_LRS"), disk("PremiumV2_LRS"), disk(accelerated=True)])
def test_disks_that_crash_consistency_does_not_take_can_be_excluded(unfit: Disk) -> None:
    machine = replace(HEALTHY, disks=(unfit,))
    assert codes(machine) == []
    assert codes(machine, CRASH) == ["disk_not_for_crash_consistent"]
    assert codes(machine, CRASH, ("/DISKS/D1",)) == []


def test_a_machine_that_azure_describes_with_nonsense_is_not_called_ready() -> None:
    machine = machine_from_json(VM, {"properties": [], "resources": {"a": 1}, "location": 7})
    assert codes(machine) == ["vm_not_running"]


SNAPSHOT = extension("VMSnapshotLinux", "Succeeded", "Microsoft.Azure.RecoveryServices", "VMSnapshotLinux")
HANDLER = Handler("Microsoft.Azure.RecoveryServices.VMSnapshotLinux", "1.0.9236.0", True, "")


@pytest.mark.parametrize(
    ("handlers", "found"),
    [
        ((HANDLER,), []),
        (None, []),
        ((), ["snapshot_handler_missing"]),
        ((replace(HANDLER, ready=False),), ["snapshot_handler_not_ready"]),
    ],
)
def test_a_handler_that_is_gone_in_the_guest_is_told_from_a_healthy_extension(
    handlers: tuple[Handler, ...] | None, found: list[str]
) -> None:
    machine = replace(HEALTHY, extensions=(SNAPSHOT,), handlers=handlers)
    assert [finding.code for finding in obstacles(machine, APPLICATION)] == found


def test_an_extension_that_only_looks_like_ours_is_named() -> None:
    alike = extension("VMSnapshotLinux", "Succeeded", "Contoso", "VMSnapshotLinux")
    (finding,) = obstacles(replace(HEALTHY, extensions=(alike,)), APPLICATION)
    assert (finding.code, finding.blocks) == ("unknown_publisher", False)
    assert "Contoso.VMSnapshotLinux" in finding.message


def test_a_disk_that_is_no_managed_disk_cannot_be_captured() -> None:
    unmanaged = Disk("", "blob", "", ephemeral=False, write_accelerator=False)
    assert codes(replace(HEALTHY, disks=(unmanaged,))) == ["unmanaged_disk"]
