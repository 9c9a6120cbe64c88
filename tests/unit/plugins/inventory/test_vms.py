# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The inventory plugin: few queries, true groups, and nothing from Azure taken for a template."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.arm import Arm
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import AzureError, InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._inventory import resource_graph, vm_listing
from ansible_collections.appconsistent.azure.plugins.plugin_utils._inventory.vm_listing import (
    Filter,
    MachineList,
    list_machines,
)
from azure.identity import ClientSecretCredential
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest

from tests.azure_simulator import throttling
from tests.azure_simulator.settings import Window
from tests.unit.plugins.conftest import Stage

ROOT = Path(__file__).parents[4]
READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
Json = dict[str, t.Any]


def listed(azure: Stage, wanted: Filter | None = None, *, with_addresses: bool = False) -> dict[str, Json]:
    async def story(arm: Arm) -> MachineList:
        # The clock runs a hundred times as fast as a busy machine answers.
        return await list_machines(
            arm, wanted or Filter(), with_protection=False, with_addresses=with_addresses, patience=1e6
        )

    listing = azure.run(story)
    assert listing.unread == []
    return {machine["azure_vm_name"]: machine for machine in listing.machines}


def requests(azure: Stage, part: str) -> int:
    return sum(part.lower() in seen.path.lower() for seen in azure.simulator.requests)


class Shell:
    """Runs the real ansible-inventory and ansible-playbook on a source file."""

    def __init__(self, azure: Stage, folder: Path) -> None:
        self.azure, self.folder = azure, folder
        simulator = azure.simulator
        self.environment = {
            "AZURE_CLOUD_ENVIRONMENT": simulator.arm_url,
            "AZURE_CLIENT_ID": simulator.client_id,
            "AZURE_SECRET": simulator.client_secret,
            "AZURE_TENANT": simulator.tenant_id,
            "AZURE_SUBSCRIPTION_ID": simulator.subscription_id,
            "APPCONSISTENT_CA_FILE": simulator.ca_file,
        }

    def run(self, command: str, *arguments: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
        source = self.folder / "azure.appconsistent.yml"
        source.write_text(yaml.safe_dump({"plugin": "appconsistent.azure.vms", **options}))
        done = subprocess.run(
            [Path(sys.executable).with_name(command), "-i", source, *arguments],
            cwd=self.folder,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
                "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
                "ANSIBLE_LOCALHOST_WARNING": "False",
                **self.environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def list(self, **options: t.Any) -> Json:
        done = self.run("ansible-inventory", "--list", **options)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture
def shell(azure: Stage, tmp_path: Path) -> Shell:
    return Shell(azure, tmp_path)


def test_hosts_have_what_the_modules_take_and_are_grouped(azure: Stage, shell: Shell) -> None:
    azure.vms(
        {"name": "db1", **READY, "tags": {"app": "shop"}, "zones": ["1"], "public_ip": "20.50.1.7"},
        {"name": "db2", "linux_scripts": "ok", "snapshot_extension": "absent", "power": "deallocated"},
        {
            "name": "win1",
            "os": "windows",
            "snapshot_extension": "present",
            "points": [{"collection": "c", "name": "p", "age": "3h", "resource_group": "rg-fleet"}],
        },
    )
    found = shell.list(
        keyed_groups=[{"key": "azure_tags.app", "prefix": "app"}],
        compose={"ansible_host": "azure_private_ip or azure_computer_name"},
        groups={"idle": "azure_power != 'running'"},
    )
    members = {name: sorted(group["hosts"]) for name, group in found.items() if "hosts" in group}
    assert members == {
        "linux": ["db1", "db2"],
        "windows": ["win1"],
        "power_running": ["db1", "win1"],
        "power_deallocated": ["db2"],
        "snapshot_extension_healthy": ["db1", "win1"],
        "snapshot_extension_missing": ["db2"],
        "protected": ["win1"],
        "unprotected": ["db1", "db2"],
        "app_shop": ["db1"],
        "idle": ["db2"],
    }
    variables = found["_meta"]["hostvars"]["db1"]
    assert variables["azure_vm_id"] == azure.simulator.vm_id("db1")
    assert variables["azure_computer_name"] == "db1"
    assert (variables["ansible_host"], variables["azure_public_ip"]) == ("10.0.0.4", "20.50.1.7")
    assert (variables["azure_location"], variables["azure_zones"]) == ("westeurope", ["1"])
    assert variables["azure_snapshot_extension"]["type"] == "VMSnapshotLinux"


def test_a_playbook_runs_on_the_hosts_as_they_are(azure: Stage, shell: Shell) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "off", **READY, "power": "deallocated"})
    done = shell.run(
        "ansible-playbook", "appconsistent.azure.restore_points", "-e", "appconsistent_hosts=power_running"
    )
    assert done.returncode == 0, done.stdout
    assert "1 of 1 VMs have what was asked for." in done.stderr + done.stdout


def test_a_template_in_a_tag_stays_text(azure: Stage, shell: Shell) -> None:
    azure.vms({"name": "db1", **READY, "tags": {"evil": "{{ 6 * 7 }}"}})
    playbook = shell.folder / "show.yml"
    tasks = [{"ansible.builtin.debug": {"msg": "evil={{ azure_tags.evil }} taken={{ taken }}"}}]
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = shell.run("ansible-playbook", str(playbook), compose={"taken": "azure_tags.evil"})
    assert "evil={{ 6 * 7 }} taken={{ 6 * 7 }}" in done.stdout, done.stdout + done.stderr


def test_thousands_of_machines_take_one_query_for_a_thousand(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 2500, **READY})
    found = listed(azure)
    assert len(found) == 2500
    assert {machine["azure_snapshot_extension"]["state"] for machine in found.values()} == {"healthy"}
    assert requests(azure, "Microsoft.ResourceGraph") == 6
    assert requests(azure, "virtualMachines") == 0


def test_addresses_take_one_query_more_and_a_second_one_only_if_there_are_public_ones(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY}, {"name": "db2", **READY, "private_ip": "10.7.0.9"})
    private = listed(azure, with_addresses=True)
    assert {name: machine["azure_private_ips"] for name, machine in private.items()} == {
        "db1": ["10.0.0.4"],
        "db2": ["10.7.0.9"],
    }
    assert requests(azure, "Microsoft.ResourceGraph") == 3
    azure.vms(
        {"name": "db1", **READY, "public_ip": "20.50.1.7"},
        # Its dynamic address is gone until it is started again.
        {"name": "off", **READY, "public_ip": "20.50.1.8", "power": "deallocated"},
    )
    public = listed(azure, with_addresses=True)
    assert {name: (machine["azure_public_ip"], machine["azure_public_ips"]) for name, machine in public.items()} == {
        "db1": ("20.50.1.7", ["20.50.1.7"]),
        "off": ("", []),
    }
    assert requests(azure, "Microsoft.ResourceGraph") == 4
    assert "azure_private_ip" not in listed(azure)["db1"]


def interface(machine: str, *configurations: Json, primary: bool | None = None) -> Json:
    return {"machine": machine, "primary": primary, "configurations": [{"properties": c} for c in configurations]}


def test_the_primary_address_of_the_primary_interface_comes_first() -> None:
    public = {"publicIPAddress": {"id": "/P/One"}}
    found = vm_listing.addresses(
        [
            interface("/VM/a", {"privateIPAddress": "10.1.0.4", "primary": True, **public}, primary=False),
            interface(
                "/vm/A",
                {"privateIPAddress": "10.0.0.5", "primary": False},
                {"privateIPAddress": "10.0.0.4", "primary": True},
                {"privateIPAddress": "fd00::4", "primary": False, "publicIPAddress": {"id": "/p/not-shown-to-us"}},
                primary=True,
            ),
            interface("/vm/b", {"privateIPAddress": "10.0.0.6"}),
            interface("/vm/c", {}),
        ],
        {"/p/one": "20.50.1.7"},
    )
    assert found["/vm/a"] == {
        "azure_private_ip": "10.0.0.4",
        "azure_private_ips": ["10.0.0.4", "10.0.0.5", "fd00::4", "10.1.0.4"],
        "azure_public_ip": "20.50.1.7",
        "azure_public_ips": ["20.50.1.7"],
    }
    assert found["/vm/b"]["azure_private_ip"] == "10.0.0.6"
    assert found["/vm/c"] == vm_listing.addresses_of([])


@pytest.fixture
def narrow_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three queries a minute, and pages of ten, so that a small fleet meets the limit."""
    monkeypatch.setattr(throttling, "GRAPH_QUERIES", Window(3, 60))
    monkeypatch.setattr(resource_graph, "LARGEST_PAGE", 10)


def statuses(azure: Stage) -> list[int]:
    return [seen.status for seen in azure.simulator.requests if "ResourceGraph" in seen.path]


@pytest.mark.usefixtures("narrow_quota")
def test_the_quota_is_kept_without_a_single_refusal(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 30, **READY})
    assert len(listed(azure)) == 30
    assert statuses(azure) == [200] * 6


@pytest.mark.usefixtures("narrow_quota")
def test_a_refused_query_is_sent_again_when_azure_says_so(azure: Stage) -> None:
    azure.vms({"name": "db1", **READY})
    for _ in range(3):
        azure.run(lambda arm: resource_graph.rows(arm, "resources | project id", doing="use up the quota"))
    # Others of the same identity have used up the quota, which this run cannot know.
    assert list(listed(azure)) == ["db1"]
    assert statuses(azure).count(429) == 1


def test_filters_work_on_the_side_of_azure(azure: Stage) -> None:
    azure.vms(
        {"name": "a", **READY, "tags": {"backup": "yes", "app": "shop"}},
        {"name": "b", **READY, "tags": {"backup": "no"}, "location": "northeurope"},
        {"name": "c", **READY, "resource_group": "rg-other"},
    )
    assert list(listed(azure, Filter(tags=(("backup", "YES"),)))) == ["a"]
    assert list(listed(azure, Filter(tags=(("backup", ""),)))) == ["a", "b"]
    assert list(listed(azure, Filter(tags=(("backup", ""), ("app", "shop"))))) == ["a"]
    assert list(listed(azure, Filter(locations=("NorthEurope",)))) == ["b"]
    assert list(listed(azure, Filter(resource_groups=("rg-other",)))) == ["c"]


def test_a_filter_cannot_break_out_of_its_string(azure: Stage) -> None:
    azure.vms({"name": "a", **READY})
    hostile = "x') or isnotempty(id) //"
    assert listed(azure, Filter(resource_groups=(hostile,))) == {}
    assert listed(azure, Filter(tags=(("backup", "\\' or isnotempty(id) //"),))) == {}
    with pytest.raises(InvalidInput, match="control character"):
        listed(azure, Filter(locations=("west\neurope",)))


def test_a_cut_answer_is_an_error_and_not_a_shorter_fleet(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 1200, **READY})
    with pytest.raises(AzureError, match="gave 1000 of 1200 rows and no way to ask for the rest"):
        azure.run(
            lambda arm: resource_graph.rows(
                arm, "resources | where type endswith 'machines' | project name", doing="ask"
            )
        )


@pytest.mark.parametrize(
    ("state", "named"), [("Succeeded", "healthy"), ("Failed", "failed"), ("Updating", "updating"), ("", "updating")]
)
def test_the_extension_is_called_healthy_only_when_azure_says_so(state: str, named: str) -> None:
    assert vm_listing.extension_state({"state": state}) == named


def test_a_name_that_several_machines_have_gets_a_hash(azure: Stage, shell: Shell) -> None:
    azure.vms({"name": "web", **READY}, {"name": "WEB", **READY, "resource_group": "rg-b"}, {"name": "db", **READY})
    hosts = sorted(shell.list(protection=False)["_meta"]["hostvars"])
    assert len(hosts) == 3
    assert [name.partition("_")[0] for name in hosts] == ["WEB", "db", "web"]
    assert [name for name in hosts if "_" not in name] == ["db"]
    assert all("_" in name for name in shell.list(hostnames="unique")["_meta"]["hostvars"])


def test_the_cache_saves_every_request(azure: Stage, shell: Shell) -> None:
    azure.vms({"name": "db1", **READY})
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(shell.folder / "cache")}
    first = shell.list(**cache)
    sent = len(azure.simulator.requests)
    assert shell.list(**cache) == first
    assert len(azure.simulator.requests) == sent
    done = shell.run("ansible-playbook", "appconsistent.azure.verify", "--list-hosts", "--flush-cache", **cache)
    assert done.returncode == 0
    assert len(azure.simulator.requests) > sent


def test_a_secret_can_be_a_template(azure: Stage, shell: Shell) -> None:
    azure.vms({"name": "db1", **READY})
    shell.environment["SECRET_FROM_ELSEWHERE"] = shell.environment.pop("AZURE_SECRET")
    assert shell.list(secret="{{ lookup('ansible.builtin.env', 'SECRET_FROM_ELSEWHERE') }}")["linux"]["hosts"] == [
        "db1"
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"subscriptions": ["production"]}, "The option subscriptions names 'production', which is not"),
        (
            {"subscriptions": ["5d1f0a52-0000-4000-a000-000000000001"], "management_groups": ["mg"]},
            "The options subscriptions and management_groups are both given",
        ),
        ({"secret": "wrong-secret-text"}, "Could not sign in to Azure"),
        ({"cloud_environment": "AzureMoon"}, "which is not a known cloud"),
    ],
)
def test_bad_input_gets_one_clear_sentence(azure: Stage, shell: Shell, options: Json, sentence: str) -> None:
    azure.vms({"name": "db1", **READY})
    done = shell.run("ansible-inventory", "--list", **options)
    assert done.returncode != 0
    assert sentence in " ".join(done.stderr.split())


def test_the_queries_are_what_the_sdk_would_send_too(azure: Stage) -> None:
    azure.vms({"name": "vm{n}", "count": 12, **READY, "public_ip": "20.50.1.7"})
    simulator = azure.simulator
    credential = ClientSecretCredential(
        simulator.tenant_id,
        simulator.client_id,
        simulator.client_secret,
        authority=simulator.authority_url,
        disable_instance_discovery=True,
        connection_verify=simulator.ca_file,
    )
    client = ResourceGraphClient(
        credential,
        base_url=simulator.arm_url,
        credential_scopes=[f"{simulator.arm_url}/.default"],
        connection_verify=simulator.ca_file,
    )
    with credential, client:
        answers = [
            t.cast("list[Json]", client.resources(QueryRequest(query=query)).data)
            for query in (
                vm_listing.machines_query(Filter()),
                vm_listing.extensions_query(),
                vm_listing.interfaces_query(),
                vm_listing.public_addresses_query(),
            )
        ]
    assert sorted(row["name"] for row in answers[0]) == sorted(listed(azure))
    assert {row["extensionType"] for row in answers[1]} == {"VMSnapshotLinux"}
    assert [len(answer) for answer in answers] == [12] * 4


OPTIONAL: dict[str, Json] = {
    "extensions": {"skip": 1},
    "interfaces": {"skip": 2},
    "public addresses": {"skip": 3},
    "collections": {"action": "*/restorePointCollections/read"},
}


@pytest.mark.parametrize("what", OPTIONAL)
@pytest.mark.parametrize("how", [{"status": 403, "code": "AuthorizationFailed"}, {"status": 502, "times": 9}], ids=str)
def test_a_part_that_cannot_be_read_costs_that_part_only(azure: Stage, what: str, how: Json) -> None:
    azure.vms({"name": "db1", **READY, "public_ip": "20.50.1.7"})
    place = OPTIONAL[what]
    if "skip" in place:
        place = {**place, "action": "Microsoft.ResourceGraph/*"}
    azure.simulator.add_fault("error", message="no", **{"times": 1, **how, **place})
    listing = azure.run(
        lambda arm: list_machines(arm, Filter(), with_protection=True, with_addresses=True, patience=1e6)
    )
    (machine,) = listing.machines
    assert len(listing.unread) >= 1
    known = {
        "extensions": machine["azure_snapshot_extension"]["state"] == "healthy",
        "interfaces": machine["azure_private_ip"] != "",
        "public addresses": machine["azure_public_ip"] != "",
        "collections": "azure_restore_point_collection" in machine,
    }
    assert not known[what]
    assert known["collections"] or what == "collections"
    assert machine["azure_os"] == "linux"


@pytest.mark.parametrize("status", [429, 503])
def test_an_optional_list_that_azure_puts_off_for_hours_is_not_waited_for(azure: Stage, status: int) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault(
        "error",
        action="*/restorePointCollections/read",
        times=9,
        status=status,
        code="Busy",
        message="later",
        retry_after=7200,
    )
    listing = azure.run(lambda arm: list_machines(arm, Filter(), with_protection=True, with_addresses=True))
    assert len(listing.machines) == len(listing.unread) == 1


def test_the_inventory_says_what_it_lacks_and_does_not_keep_it(azure: Stage, shell: Shell) -> None:
    azure.vms({"name": "db1", **READY})
    azure.simulator.add_fault(
        "error", action="*/restorePointCollections/read", times=1, status=403, code="No", message="-"
    )
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(shell.folder / "c")}
    done = shell.run("ansible-inventory", "--list", **cache)
    assert done.returncode == 0
    assert "The inventory lacks a part: Could not list the restore point collections" in " ".join(done.stderr.split())
    groups = set(json.loads(done.stdout))
    assert "linux" in groups
    assert not {"protected", "unprotected"} & groups
    assert "unprotected" in shell.list(**cache)
