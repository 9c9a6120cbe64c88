# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Machines of several tenants and clouds in one run, each over its own connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.connections import (
    connect_all,
    read_credentials,
)
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.credentials import Settings
from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._errors import CredentialError, InvalidInput
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._task.target import Target
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.azure_simulator import Simulator
from tests.fleet_run import take_all
from tests.unit.plugins.conftest import SPEED, Stage

OTHER = "00000000-0000-4000-a000-00000000000b"
VM = {"name": "db1", "linux_scripts": "ok", "snapshot_extension": "present", "create_seconds": 1}


FLEET = {"subscriptions": [{"id": OTHER, "name": "Other"}], "vms": [VM], "rules": {"retry_after": 1}}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Simulator]:
    with Simulator(FLEET, speed=SPEED) as simulator:
        yield simulator


@pytest.fixture
def other(elsewhere: Simulator) -> Stage:
    """Another cloud with its own tenant, subscription and machine."""
    elsewhere.reset(FLEET)
    return Stage(elsewhere)


def taken(azure: Stage, main: Settings, others: Mapping[str, Settings], *vm_ids: str) -> list[Outcome]:
    targets = [Target(f"host{number}", parse_vm_id(vm_id, "vm")) for number, vm_id in enumerate(vm_ids)]

    async def story() -> list[Outcome]:
        async with connect_all(main, others) as arm:
            return await take_all(arm, targets, Wish(schedule=f"s{id(targets)}"), check=False)

    del azure
    return asyncio.run(story())


def test_each_machine_is_taken_through_the_door_of_its_subscription(azure: Stage, other: Stage) -> None:
    azure.vms(VM, rules={"retry_after": 1})
    ids = (azure.simulator.vm_ids[0], other.simulator.vm_ids[0])
    outcomes = taken(azure, azure.settings(), {OTHER: other.settings()}, *ids)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REACHED, Verdict.REACHED]


def test_refused_credentials_of_one_tenant_fail_its_machines_only(azure: Stage, other: Stage) -> None:
    azure.vms(VM, rules={"retry_after": 1})
    ids = (azure.simulator.vm_ids[0], other.simulator.vm_ids[0])
    good, bad = taken(azure, azure.settings(), {OTHER: other.settings(secret="wrong-one")}, *ids)
    assert (good.verdict, bad.verdict) == (Verdict.REACHED, Verdict.FAILED)
    assert "Could not sign in to Azure" in bad.cause
    assert "wrong-one" not in f"{bad.describe()}"


def certificate(folder: Path, passphrase: str = "") -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sealed = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    path = folder / "certificate.pem"
    path.write_bytes(pem)
    return str(path)


def spoilt(kind: str, folder: Path) -> dict[str, str]:
    """Return the settings of an entry with which nobody can sign in."""
    rubbish = folder / "rubbish"
    rubbish.write_bytes(b"\xff\xfe\x00 rubbish")
    return {
        "passphrase": {"x509_certificate_path": certificate(folder, "open sesame")},
        "no certificate": {"x509_certificate_path": certificate(folder)},
        "certificate away": {"x509_certificate_path": str(folder / "away.pem")},
        "certificate is rubbish": {"x509_certificate_path": str(rubbish)},
        "token file away": {"federated_token_file": str(folder / "away")},
        "token file is a folder": {"federated_token_file": str(folder)},
        "token file is rubbish": {"federated_token_file": str(rubbish)},
        "tenant is no name": {"tenant": "no/tenant", "secret": "x"},
        "no cloud": {"cloud_environment": "https://127.0.0.1:9"},
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "passphrase",
        "no certificate",
        "certificate away",
        "certificate is rubbish",
        "token file away",
        "token file is a folder",
        "token file is rubbish",
        "tenant is no name",
        "no cloud",
    ],
)
def test_an_entry_that_cannot_be_used_fails_its_machines_only(
    azure: Stage, other: Stage, kind: str, tmp_path: Path
) -> None:
    azure.vms(VM, rules={"retry_after": 1})
    ids = (azure.simulator.vm_ids[0], other.simulator.vm_ids[0])
    entry = other.settings(**{"secret": "", **spoilt(kind, tmp_path)})
    good, bad = taken(azure, azure.settings(), {OTHER: entry}, *ids)
    assert (good.verdict, bad.verdict) == (Verdict.REACHED, Verdict.FAILED)
    assert bad.cause
    assert bad.advice


def test_a_token_file_may_end_in_a_line_break(azure: Stage, tmp_path: Path) -> None:
    azure.vms(VM, rules={"retry_after": 1})
    file = tmp_path / "token"
    file.write_text(Path(azure.simulator.federated_token_file).read_text() + "\r\n")
    settings = azure.settings(secret="", federated_token_file=str(file))
    (outcome,) = taken(azure, settings, {}, azure.simulator.vm_ids[0])
    assert outcome.verdict is Verdict.REACHED


def test_a_task_without_credentials_of_its_own_has_those_of_its_entries(azure: Stage, other: Stage) -> None:
    azure.vms(VM, rules={"retry_after": 1})
    nobody = replace(azure.settings(secret="", client_id="", tenant=""), auth_source="env")
    ids = (azure.simulator.vm_ids[0], other.simulator.vm_ids[0])
    outside, inside = taken(azure, nobody, {OTHER: other.settings()}, *ids)
    assert (outside.verdict, inside.verdict) == (Verdict.FAILED, Verdict.REACHED)
    assert "No credentials for Azure were found" in outside.cause


def test_where_every_door_stays_shut_the_task_says_so_once(azure: Stage) -> None:
    azure.vms(VM)
    with pytest.raises(CredentialError, match="Could not sign in to Azure"):
        taken(azure, azure.settings(secret="wrong"), {}, azure.simulator.vm_ids[0])


def test_an_entry_takes_nothing_but_the_network_from_the_environment() -> None:
    environment = {"AZURE_SECRET": "of-the-task", "AZURE_TENANT": "t", "SSL_CERT_FILE": "/ca.pem", "HTTPS_PROXY": "p"}
    (settings,) = read_credentials([{"subscriptions": [OTHER.upper()], "client_id": "c"}], environment).values()
    assert (settings.secret, settings.tenant, settings.ca_file, settings.client_id) == ("", "", "/ca.pem", "c")
    assert settings.proxy == "p"


def test_a_subscription_that_two_entries_name_is_refused() -> None:
    entry = {"subscriptions": [OTHER]}
    with pytest.raises(InvalidInput, match=f"names the subscription {OTHER} twice"):
        read_credentials([entry, entry], {})
