"""A bare HTTPS client: what it sends is exactly what the test wrote."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.azure_simulator import Simulator

COMPUTE_VERSION = "2025-04-01"
DISK_VERSION = "2026-03-02"


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


class RawClient:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.subscription = f"/subscriptions/{simulator.subscription_id}"
        self.group = f"{self.subscription}/resourceGroups/rg-fleet/providers/Microsoft.Compute"
        self.token = ""
        self._host = urlsplit(simulator.arm_url).netloc
        self._context = ssl.create_default_context(cafile=simulator.ca_file)
        self._connection: http.client.HTTPSConnection | None = None

    def exchange(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request as it is; a connection that the server broke is not tried again."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._connection.request(method, target, body, named)
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def sign_in(self, secret: str | None = None, client_id: str | None = None, **form: str) -> Answer:
        fields = {
            "grant_type": "client_credentials",
            "client_id": client_id or self.simulator.client_id,
            "client_secret": secret or self.simulator.client_secret,
            "scope": f"{self.simulator.arm_url}/.default",
            **form,
        }
        return self.exchange(
            "POST",
            f"/{self.simulator.tenant_id}/oauth2/v2.0/token",
            urlencode({name: value for name, value in fields.items() if value}).encode(),
            Content_Type="application/x-www-form-urlencoded",
        )

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        version: str = COMPUTE_VERSION,
        *,
        if_match: str | None = None,
        **query: str,
    ) -> Answer:
        """A signed-in request; `path` may be short (from the resource group's providers on)."""
        if not self.token:
            self.token = self.sign_in().json["access_token"]
        full = path if path.startswith("/") else f"{self.group}/{path}"
        target = f"{full}?{urlencode({'api-version': version, **query}, safe='$()')}"
        content = None if body is None else json.dumps(body).encode()
        headers = {} if if_match is None else {"If_Match": if_match}
        return self.exchange(
            method, target, content, Authorization=f"Bearer {self.token}", Content_Type="application/json", **headers
        )

    def follow(self, url: str) -> Answer:
        """GET of a whole URL, every byte of it."""
        parts = urlsplit(url)
        return self.exchange("GET", f"{parts.path}?{parts.query}", Authorization=f"Bearer {self.token}")

    def get(self, path: str, version: str = COMPUTE_VERSION, **query: str) -> Any:
        answer = self.send("GET", path, None, version, **query)
        assert answer.status == 200, answer
        return answer.json

    def make_collection(self, vm: str, name: str | None = None, **properties: Any) -> Answer:
        location = next(held.location for held in self.simulator.cloud.world.vms.values() if held.name == vm)
        return self.send(
            "PUT",
            f"restorePointCollections/{name or f'{vm}-points'}",
            {"location": location, "properties": {"source": {"id": self.simulator.vm_id(vm)}, **properties}},
        )

    def make_point(self, vm: str, name: str, body: Any = None, collection: str | None = None) -> Answer:
        """Asks for an application-consistent point unless the body says otherwise."""
        path = f"restorePointCollections/{collection or f'{vm}-points'}/restorePoints/{name}"
        return self.send("PUT", path, {} if body is None else body)

    def point(self, vm: str, name: str, **query: str) -> Any:
        return self.get(f"restorePointCollections/{vm}-points/restorePoints/{name}", **query)["properties"]

    def made_point(self, vm: str, name: str, body: Any = None) -> Any:
        """Collection, point, and a minute of waiting: the properties of what came out."""
        if f"{self.group}/restorePointCollections/{vm}-points".lower() not in self.simulator.cloud.world.collections:
            assert self.make_collection(vm).status == 201
        created = self.make_point(vm, name, body)
        assert created.status == 201, created
        self.simulator.advance(60)
        return self.point(vm, name)

    def operation_of(self, answer: Answer) -> Any:
        """The state of the long-running operation that an answer started."""
        return self.follow(answer.headers["Azure-AsyncOperation"]).json
