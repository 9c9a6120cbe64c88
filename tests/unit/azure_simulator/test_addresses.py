"""Where things are: endpoints, subscriptions, paths in any spelling, api-versions, and the refusals around them."""

from __future__ import annotations

import pytest

from tests.azure_simulator import Simulator
from tests.unit.azure_simulator.raw_client import RawClient


def test_the_metadata_comes_in_its_three_forms(simulator: Simulator, raw: RawClient) -> None:
    newest = raw.exchange("GET", "/metadata/endpoints?api-version=2022-09-01").json
    listed = raw.exchange("GET", "/metadata/endpoints?api-version=2019-05-01").json
    oldest = raw.exchange("GET", "/metadata/endpoints?api-version=2015-01-01").json
    assert newest["resourceManager"] == f"{simulator.arm_url}/"
    assert newest["authentication"]["loginEndpoint"] == simulator.authority_url
    assert listed == [newest]
    assert set(oldest) == {"galleryEndpoint", "graphEndpoint", "portalEndpoint", "graphAudience", "authentication"}
    assert raw.exchange("GET", "/metadata/endpoints").status == 400


def test_an_unknown_subscription_is_not_found(raw: RawClient) -> None:
    unknown = raw.send("GET", "/subscriptions/00000000-0000-0000-0000-000000000009", version="2022-12-01")
    assert (unknown.status, unknown.code) == (404, "SubscriptionNotFound")
    malformed = raw.send("GET", "/subscriptions/mine", version="2022-12-01")
    assert (malformed.status, malformed.code) == (400, "InvalidSubscriptionId")


def test_subscriptions_and_groups_are_listed(simulator: Simulator, raw: RawClient) -> None:
    listed = raw.get("/subscriptions", version="2022-12-01")["value"]
    assert [held["subscriptionId"] for held in listed] == [simulator.subscription_id]
    groups = raw.get(f"{raw.subscription}/resourceGroups", version="2024-11-01")["value"]
    assert {held["name"] for held in groups} == {"rg-fleet", "AzureBackupRG_westeurope_1"}
    assert raw.send("HEAD", f"{raw.subscription}/resourcegroups/rg-fleet", version="2024-11-01").status == 204
    assert raw.send("HEAD", f"{raw.subscription}/resourcegroups/none", version="2024-11-01").status == 404


def test_what_is_not_there_is_named(raw: RawClient) -> None:
    group = raw.send("GET", f"{raw.subscription}/resourceGroups/none/providers/Microsoft.Compute/virtualMachines/x")
    assert (group.status, group.code) == (404, "ResourceGroupNotFound")
    vm = raw.send("GET", "virtualMachines/none")
    assert (vm.status, vm.code) == (404, "ResourceNotFound")
    assert "Microsoft.Compute/virtualMachines/none" in vm.message
    kind = raw.send("GET", "toasters/none")
    assert (kind.status, kind.code) == (404, "InvalidResourceType")
    method = raw.send("PUT", "virtualMachines/lin-web-1")
    assert (method.status, method.code) == (405, "MethodNotAllowed")


def test_the_case_of_a_path_does_not_matter(raw: RawClient) -> None:
    path = f"{raw.group}/virtualMachines/lin-web-1"
    shown = raw.get(path)
    assert raw.get(path.upper()) == shown
    assert raw.get(path.lower()) == shown


def test_doubled_slashes_and_encoded_ones_collapse(raw: RawClient) -> None:
    path = f"{raw.group}/virtualMachines/lin-web-1"
    shown = raw.get(path)
    assert raw.get(f"/{path.replace('/providers/', '//providers//')}") == shown
    assert raw.get("/" + path.replace("/", "%2F")) == shown


def test_api_versions_are_checked_per_type(raw: RawClient) -> None:
    signed_in = raw.send("GET", "virtualMachines/lin-web-1")
    assert signed_in.status == 200
    missing = raw.exchange("GET", f"{raw.group}/virtualMachines/lin-web-1", Authorization=f"Bearer {raw.token}")
    assert (missing.status, missing.code) == (400, "MissingApiVersionParameter")
    invented = raw.send("GET", "virtualMachines/lin-web-1", version="2031-01-01")
    assert (invented.status, invented.code) == (400, "InvalidApiVersionParameter")
    # Good for VMs, too old for restore points.
    assert raw.send("GET", "virtualMachines/lin-web-1", version="2019-07-01").status == 200
    too_old = raw.send("GET", "restorePointCollections/x", version="2019-07-01")
    assert (too_old.status, too_old.code) == (400, "NoRegisteredProviderFound")
    assert "2025-04-01" in too_old.message


@pytest.mark.parametrize("version", ["2021-03-01", "2023-09-01", "2024-11-01", "2026-03-01", "2026-04-01"])
def test_versions_of_the_clients_in_use_are_answered_side_by_side(raw: RawClient, version: str) -> None:
    assert raw.send("GET", "restorePointCollections", version=version).status == 200


def test_every_answer_can_be_told_to_support(raw: RawClient) -> None:
    answer = raw.send("GET", "virtualMachines/none")
    for name in ("x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id"):
        assert answer.headers[name]
    echoed = raw.exchange(
        "GET",
        "/subscriptions?api-version=2022-12-01",
        Authorization=f"Bearer {raw.token}",
        x_ms_correlation_request_id="corr-1",
        x_ms_client_request_id="mine-1",
        x_ms_return_client_request_id="true",
    )
    assert echoed.headers["x-ms-correlation-request-id"] == "corr-1"
    assert echoed.headers["x-ms-client-request-id"] == "mine-1"


def test_lists_come_in_pages(simulator: Simulator, raw: RawClient) -> None:
    simulator.reset({"rules": {"page_size": 5}, "vms": [{"name": "vm-{n}", "count": 12}]})
    names, page = [], raw.get("virtualMachines")
    while True:
        names += [held["name"] for held in page["value"]]
        if "nextLink" not in page:
            break
        assert len(page["value"]) == 5
        page = raw.follow(page["nextLink"]).json
    assert names == [f"vm-{n:02d}" for n in range(1, 13)]
    broken = raw.send("GET", "virtualMachines", **{"$skiptoken": "bm9uc2Vuc2U="})
    assert (broken.status, broken.code) == (400, "InvalidSkipToken")


def test_nothing_of_the_control_api_is_on_the_port_of_azure(raw: RawClient) -> None:
    for path in ("/vms", "/faults", "/reset", "/requests"):
        assert raw.exchange("GET", path).status == 404
        assert raw.exchange("POST", path, b"{}").status == 404
