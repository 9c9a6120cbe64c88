"""Long-running operations: signed URLs, their state, and what time does to them."""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .errors import ArmError
from .exchange import Call, Response
from .records import Operation

if TYPE_CHECKING:
    from .world import World

# A finished operation can be asked for this long (simulated seconds); then it is forgotten, as in Azure.
KEPT_SECONDS = 24 * 3600
# The Disk provider keeps its operations under a path of its own.
DISK_KINDS = frozenset({"begin_get_access", "end_get_access", "disk_create", "disk_delete", "disk_update"})
# .NET counts 100 ns steps from the year 1.
UNIX_EPOCH_TICKS = 621355968000000000


class Agenda:
    """What is due when. Costs nothing while nothing is due, so that it can be looked at on every request."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0

    def add(self, at: float, event: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, event))

    def run(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            at, _, event = heapq.heappop(self._due)
            event(at)

    @property
    def next(self) -> float | None:
        return self._due[0][0] if self._due else None


class Signer:
    """Makes the 2.9 KB of `p,t,c,s,h` that Azure hangs on an operation's URL, and knows them again."""

    def __init__(self, seed: int) -> None:
        noise = random.Random(f"signer {seed}")
        self._key = noise.randbytes(32)
        self._certificate = "MII" + _base64(noise.randbytes(1690))

    def query(self, operation: str, api_version: str, ticks: int, monitor: bool) -> str:
        part = hashlib.sha256(f"p {operation}".encode()).hexdigest()
        plain = f"p={part[:8]}-{part[8:12]}-{part[12:16]}-{part[16:20]}-{part[20:32]}"
        plain += f"{'&monitor=true' if monitor else ''}&api-version={api_version}&t={ticks}&c={self._certificate}"
        keyed = hmac.new(self._key, f"{operation}?{plain}".encode(), "sha512").digest()
        return f"{plain}&s={_base64(keyed * 4)}&h={_base64(hashlib.sha256(keyed).digest())}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def start(world: World, call: Call, kind: str, location: str, monitor_status: int = 200) -> Operation:
    """A new operation on the resource the call addresses."""
    now = world.clock.now()
    operation = Operation(
        id=world.guid(),
        kind=kind,
        target=call.target.key,
        subscription=call.target.subscription,
        location=location,
        api_version=call.api_version,
        ticks=UNIX_EPOCH_TICKS + int(world.clock.wall(now).timestamp() * 10_000_000),
        started=now,
        monitor_status=monitor_status,
    )
    world.operations[operation.id] = operation
    return operation


def headers(world: World, call: Call, operation: Operation, with_location: bool) -> tuple[tuple[str, str], ...]:
    """Deletes and POSTs carry a Location too; a create was recorded without one."""
    base = (
        f"{call.incoming.base_url}/subscriptions/{operation.subscription}/providers/Microsoft.Compute/locations/"
        f"{operation.location}/{'DiskOperations' if operation.kind in DISK_KINDS else 'operations'}/{operation.id}?"
    )
    signed = [
        ("Azure-AsyncOperation", base + signature(world, operation, monitor=False)),
        ("Azure-AsyncNotification", "Enabled"),
    ]
    if with_location:
        signed.append(("Location", base + signature(world, operation, monitor=True)))
    if world.settings.rules.retry_after is not None:
        signed.append(("Retry-After", str(world.clock.client_seconds(world.settings.rules.retry_after))))
    return tuple(signed)


def result_headers(world: World, call: Call, operation: Operation) -> tuple[tuple[str, str], ...]:
    """Resource Manager's own operations (groups) have a Location and nothing else."""
    url = f"{call.incoming.base_url}/subscriptions/{operation.subscription}/operationresults/{operation.id}?"
    return (
        ("Location", url + signature(world, operation, monitor=True)),
        ("Retry-After", str(world.clock.client_seconds(world.settings.rules.retry_after or 15))),
    )


def signature(world: World, operation: Operation, monitor: bool) -> str:
    return world.signer.query(operation.id, operation.api_version, operation.ticks, monitor)


def finish(
    world: World,
    operation_id: str,
    at: float,
    status: str = "Succeeded",
    error: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
) -> None:
    operation = world.operations[operation_id]
    world.operations[operation_id] = replace(operation, status=status, ended=at, error=error, output=output)
    world.agenda.add(at + KEPT_SECONDS, lambda _: world.forget_operation(operation_id))


def run(
    world: World,
    operation: Operation,
    seconds: float,
    vm_name: str | None,
    done: Callable[[float], Mapping[str, Any] | None],
    failed: Callable[[float], None] | None = None,
) -> None:
    """Lets the operation end after its time: as it should, or as a fault says."""
    ending = world.faults.operation_ending(operation.kind, vm_name)
    if ending is not None and ending.status == "InProgress":
        return

    def end(at: float) -> None:
        if ending is None or ending.error is None:
            finish(world, operation.id, at, ending.status if ending else "Succeeded", output=done(at))
        else:
            if failed is not None:
                failed(at)
            finish(world, operation.id, at, ending.status, ending.error)

    world.agenda.add(operation.started + seconds, end)


def _found(world: World, call: Call, monitor: bool) -> Operation:
    operation = world.operations.get(call.target.name.lower())
    if operation is None:
        raise ArmError(404, "NotFound", f"The operation '{call.target.name}' was not found.")
    if call.incoming.raw_path.partition("?")[2] != signature(world, operation, monitor):
        raise ArmError(403, "InvalidAsyncOperationSignature", "The signature of the operation URL does not match it.")
    return operation


def get_result(world: World, call: Call) -> Response:
    """202 with the same headers until it is done."""
    operation = _found(world, call, monitor=True)
    if operation.ended is None:
        return Response(202, headers=result_headers(world, call, operation))
    return _outcome(operation)


def get(world: World, call: Call) -> Response:
    """The state of an operation (Azure-AsyncOperation), or its outcome (Location, `monitor=true`)."""
    monitor = call.query.get("monitor") == "true"
    operation = _found(world, call, monitor)
    if monitor:
        return _outcome(operation)
    lines = [f'  "startTime": "{world.clock.stamp(operation.started)}"']
    if operation.ended is not None:
        lines.append(f'  "endTime": "{world.clock.stamp(operation.ended)}"')
    lines.append(f'  "status": "{operation.status}"')
    if operation.error is not None:
        lines.append(f'  "error": {json.dumps(dict(operation.error))}')
    if operation.output is not None:
        lines.append(f'  "properties": {json.dumps({"output": dict(operation.output)})}')
    lines.append(f'  "name": "{operation.id}"')
    return Response(200, ("{\r\n" + ",\r\n".join(lines) + "\r\n}").encode())


def _outcome(operation: Operation) -> Response:
    if operation.ended is None:
        return Response(202)
    if operation.error is not None:
        return Response(409, json.dumps({"error": dict(operation.error)}).encode())
    if operation.output is not None:
        return Response(200, json.dumps(dict(operation.output)).encode())
    return Response(operation.monitor_status)
