"""What a client can learn about a VM before it asks for a restore point."""

from __future__ import annotations

from typing import Any

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient


def _codes(statuses: list[dict[str, Any]]) -> list[str]:
    return [status["code"] for status in statuses]


def test_the_instance_view_comes_only_when_asked_for(raw: RawClient) -> None:
    assert "instanceView" not in raw.get("virtualMachines/lin-web-1")["properties"]
    expanded = raw.get("virtualMachines/lin-web-1", **{"$expand": "instanceView"})["properties"]["instanceView"]
    assert expanded == raw.get("virtualMachines/lin-web-1/instanceView")
    refused = raw.send("GET", "virtualMachines/lin-web-1", **{"$expand": "everything"})
    assert (refused.status, refused.code) == (400, "InvalidParameter")


def test_power_and_agent_show_in_the_instance_view(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset(
        {
            "vms": [
                {"name": "running", "snapshot_extension": "present"},
                {"name": "silent", "agent": "not_ready"},
                {"name": "stopped", "power": "stopped"},
                {"name": "deallocated", "power": "deallocated"},
            ]
        }
    )
    views = {name: raw.get(f"virtualMachines/{name}/instanceView") for name in ("running", "silent", "stopped")}
    gone = raw.get("virtualMachines/deallocated/instanceView")
    assert _codes(views["running"]["statuses"]) == ["ProvisioningState/succeeded", "PowerState/running"]
    assert _codes(views["stopped"]["statuses"])[1] == "PowerState/stopped"
    assert _codes(gone["statuses"])[1] == "PowerState/deallocated"
    assert views["running"]["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    assert views["running"]["vmAgent"]["extensionHandlers"][0]["type"] == (
        "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
    )
    assert views["silent"]["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"
    assert views["stopped"]["vmAgent"]["statuses"][0]["code"] == "ProvisioningState/Unavailable"
    assert "vmAgent" not in gone


def test_a_vm_shows_its_extensions_as_resources(raw: RawClient) -> None:
    shown = raw.get("virtualMachines/lin-badext-1")["resources"]
    states = {held["properties"]["type"]: held["properties"]["provisioningState"] for held in shown}
    assert states == {"CustomScript": "Failed", "VMSnapshotLinux": "Succeeded"}
    assert "resources" not in raw.get("virtualMachines/win-app-2")


def test_lists_name_the_extensions_and_tell_nothing_else_of_them(raw: RawClient) -> None:
    listed = {held["name"]: held for held in raw.get("virtualMachines")["value"]}
    assert [set(held) for held in listed["lin-badext-1"]["resources"]] == [{"id"}, {"id"}]


def test_disks_show_what_decides_about_restore_points(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset(
        {
            "vms": [
                {
                    "name": "vm",
                    "security_type": "TrustedLaunch",
                    "zones": ["2"],
                    "tags": {"app": "shop"},
                    "disks": {
                        "os": {"ephemeral": True},
                        "data": [
                            {"sku": "UltraSSD_LRS", "caching": "None"},
                            {"write_accelerator": True},
                            {"shared": True, "name": "shared-1"},
                        ],
                    },
                }
            ]
        }
    )
    vm = raw.get("virtualMachines/vm")
    storage = vm["properties"]["storageProfile"]
    assert storage["osDisk"]["diffDiskSettings"]["option"] == "Local"
    assert storage["dataDisks"][0]["managedDisk"]["storageAccountType"] == "UltraSSD_LRS"
    assert storage["dataDisks"][1]["writeAcceleratorEnabled"] is True
    assert vm["properties"]["securityProfile"]["securityType"] == "TrustedLaunch"
    assert (vm["zones"], vm["tags"]) == (["2"], {"app": "shop"})
    # That a disk is shared is not in the VM's model: only the disk itself tells.
    assert raw.get("disks/shared-1", version="2026-03-02")["properties"]["maxShares"] == 2
    assert raw.send("GET", "disks/vm_OsDisk_1", version="2026-03-02").status == 404


def test_lists_can_carry_the_run_time_status(raw: RawClient) -> None:
    plain = raw.get("virtualMachines")["value"]
    assert all("instanceView" not in held["properties"] for held in plain)
    listed = raw.get(f"{raw.subscription}/providers/Microsoft.Compute/virtualMachines", statusOnly="true")["value"]
    power = {held["name"]: held["properties"]["instanceView"]["statuses"][1]["code"] for held in listed}
    assert power["lin-stopped-1"] == "PowerState/deallocated"
    assert power["lin-web-1"] == "PowerState/running"


def test_vms_are_listed_by_region(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"vms": [{"name": "here"}, {"name": "there", "location": "eastus"}]})
    path = f"{raw.subscription}/providers/Microsoft.Compute/locations/eastus/virtualMachines"
    assert [held["name"] for held in raw.get(path)["value"]] == ["there"]
