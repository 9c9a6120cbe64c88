"""One simulator for all tests of this folder, reset before each; its answers are checked against the API shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.locks import ManagementLockClient

from tests.azure_simulator import Simulator
from tests.azure_simulator.exchange import Incoming
from tests.azure_simulator.resource_manager import Reply
from tests.unit.azure_simulator.raw_client import RawClient
from tests.unit.azure_simulator.schema_check import SHAPES, SchemaCheck


class Recorder:
    """Notes each answer of Resource Manager that went out whole."""

    def __init__(self, simulator: Simulator) -> None:
        self.answers: list[tuple[str, str, int, bytes]] = []
        self.last: Reply | None = None
        handle = simulator.cloud.handle

        def recording(incoming: Incoming) -> Reply:
            reply = self.last = handle(incoming)
            path = incoming.raw_path.partition("?")[0]
            if path.startswith(("/subscriptions", "/providers", "/%2F", "//")) and reply.wire == "send":
                self.answers.append((incoming.method, path, reply.response.status, reply.response.body))
            return reply

        simulator.cloud.handle = recording  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    with Simulator(manual=True) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def recorder(shared_simulator: Simulator) -> Recorder:
    return Recorder(shared_simulator)


@pytest.fixture(scope="session")
def schema_check() -> SchemaCheck:
    return SchemaCheck()


@pytest.fixture
def unpublished_form() -> None:
    """For a test about an answer that Azure is documented to give although no published shape allows it."""


@pytest.fixture
def simulator(
    shared_simulator: Simulator, recorder: Recorder, schema_check: SchemaCheck, request: pytest.FixtureRequest
) -> Iterator[Simulator]:
    shared_simulator.reset()
    recorder.answers.clear()
    yield shared_simulator
    if SHAPES.is_dir() and "unpublished_form" not in request.fixturenames:
        for answer in recorder.answers:
            schema_check.check(*answer)


@pytest.fixture
def raw(simulator: Simulator) -> Iterator[RawClient]:
    client = RawClient(simulator)
    yield client
    client.close()


@pytest.fixture(scope="session")
def credential(shared_simulator: Simulator) -> Iterator[ClientSecretCredential]:
    found = ClientSecretCredential(
        shared_simulator.tenant_id,
        shared_simulator.client_id,
        shared_simulator.client_secret,
        authority=shared_simulator.authority_url,
        disable_instance_discovery=True,
        connection_verify=shared_simulator.ca_file,
    )
    with found:
        yield found


@pytest.fixture
def compute(simulator: Simulator, credential: ClientSecretCredential) -> Iterator[ComputeManagementClient]:
    with ComputeManagementClient(
        credential,
        simulator.subscription_id,
        base_url=simulator.arm_url,
        credential_scopes=[f"{simulator.arm_url}/.default"],
        connection_verify=simulator.ca_file,
        # Slow enough for a test to advance the clock between two polls.
        polling_interval=0.02,
    ) as client:
        yield client


@pytest.fixture
def locks(simulator: Simulator, credential: ClientSecretCredential) -> Iterator[ManagementLockClient]:
    with ManagementLockClient(
        credential,
        simulator.subscription_id,
        base_url=simulator.arm_url,
        credential_scopes=[f"{simulator.arm_url}/.default"],
        connection_verify=simulator.ca_file,
    ) as client:
        yield client
