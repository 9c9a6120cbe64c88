# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Credentials as AWX injects them, and what must never come out again."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.awx import definitions
from tests.awx.jobs import Awx

READY = {"linux_scripts": "ok", "snapshot_extension": "present"}
VERIFY = "awx/project/verify.yml"
TAKE = "awx/project/restore_points.yml"


def test_the_secret_is_in_no_event_even_in_the_most_talkative_job(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    job = awx.launch(TAKE, verbosity=4)
    assert job.status == "successful", job.stdout
    everything = job.stdout + "".join(map(str, job.events))
    assert awx.simulator.client_secret not in everything
    assert "eyJ" not in everything


def test_an_expired_secret_is_said_once_with_what_to_do(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY}, {"name": "db2", **READY})
    awx.credential["AZURE_SECRET"] = "long-gone-secret"
    job = awx.launch(TAKE)
    assert job.status == "failed"
    (message,) = job.messages
    assert "Could not sign in to Azure" in message
    assert "AADSTS7000215" in message
    assert "long-gone-secret" not in job.stdout


def test_a_built_in_credential_with_nothing_but_a_subscription_gets_a_clear_sentence(awx: Awx) -> None:
    awx.fleet({"name": "db1", **READY})
    awx.credential = {
        "AZURE_SUBSCRIPTION_ID": awx.simulator.subscription_id,
        "AZURE_AD_USER": "",
        "AZURE_PASSWORD": "",
        "AZURE_CLOUD_ENVIRONMENT": awx.simulator.arm_url,
    }
    job = awx.launch(VERIFY)
    assert "No credentials for Azure were found" in job.messages[0]


def _inputs(awx: Awx) -> dict[str, dict[str, t.Any]]:
    simulator = awx.simulator
    cloud = {"subscription": simulator.subscription_id, "cloud_environment": simulator.arm_url}
    principal = {"client": simulator.client_id, "tenant": simulator.tenant_id, **cloud}
    return {
        "Azure managed identity": cloud,
        "Azure workload identity": {**principal, "token_file": simulator.federated_token_file},
        "Azure service principal with certificate": {
            **principal,
            "certificate": Path(simulator.certificate_file).read_text(),
        },
    }


TYPES = {kind["name"]: kind for kind in definitions.of("controller_credential_types")}


@pytest.mark.parametrize("name", TYPES)
def test_every_custom_credential_type_signs_in(awx: Awx, name: str, tmp_path: Path) -> None:
    awx.fleet({"name": "db1", **READY})
    awx.credential = definitions.inject(TYPES[name], _inputs(awx)[name], tmp_path)
    if name == "Azure managed identity":
        # Where azure-identity looks for the identity's endpoint; Azure's own is a fixed link-local address.
        awx.environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = awx.simulator.arm_url
    job = awx.launch(TAKE)
    assert job.status == "successful", job.stdout
    assert "PRIVATE KEY" not in job.stdout + "".join(map(str, job.events))
