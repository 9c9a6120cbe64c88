"""`python -m tests.azure_simulator`: runs in the foreground, prints one JSON line when ready."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

from . import fleet_file
from .clock import Clock, ManualClock
from .cloud import Cloud
from .faults import FaultError
from .server import Server
from .strict_reader import FleetError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.azure_simulator", description=__doc__)
    parser.add_argument("--fleet", type=Path, help="fleet file (YAML); without one: a mixed fleet of 12 VMs")
    parser.add_argument("--port", type=int, default=0, help="port of Resource Manager on 127.0.0.1 (0: any free one)")
    parser.add_argument("--control-port", type=int, default=0, help="port of the control API (0: any free one)")
    parser.add_argument("--directory", type=Path, help="where certificates are kept (default: a temporary folder)")
    clock = parser.add_mutually_exclusive_group()
    clock.add_argument("--speed", type=float, default=1.0, help="simulated seconds per real second")
    clock.add_argument("--manual-clock", action="store_true", help="time moves only through the control API")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace, directory: Path) -> None:
    clock = ManualClock() if arguments.manual_clock else Clock(arguments.speed)
    cloud = Cloud(fleet_file.load(arguments.fleet), clock, directory)
    server = Server(cloud, arguments.port, arguments.control_port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    facts = {
        "arm_url": server.arm_url,
        "authority_url": server.arm_url,
        "ca_file": str(cloud.files.ca_file),
        "tenant_id": cloud.fleet.tenant_id,
        "client_id": cloud.main.client_id,
        "client_secret": cloud.client_secret,
        "subscription_id": cloud.fleet.subscriptions[0][0],
        "vm_ids": [vm.id for vm in cloud.world.vms.values()],
        "control_url": server.control_url,
        "certificate_file": str(cloud.certificate_file),
        "federated_token_file": str(cloud.federated_token_file),
    }
    print(json.dumps(facts), flush=True)
    await stop.wait()
    await server.stop()


def main() -> int:
    arguments = _arguments()
    try:
        if arguments.directory is not None:
            directory = arguments.directory.resolve()
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            asyncio.run(_serve(arguments, directory))
        else:
            with tempfile.TemporaryDirectory(prefix="azure-simulator-") as folder:
                asyncio.run(_serve(arguments, Path(folder)))
    except (FleetError, FaultError, OSError, ValueError) as error:
        print(f"The simulator did not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
