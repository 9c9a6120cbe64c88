# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The way to Azure leads through the proxy that the play's environment names, sign-in included."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import typing as t
from collections.abc import Iterator

import pytest

from tests.playbooks.conftest import Controller

TAKE: t.Any = {"name": "take", "appconsistent.azure.restore_points": {}, "run_once": True}


class Proxy:
    """Opens the tunnels that it is asked for, all of them to the simulator, and keeps the requests."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.decode("latin-1"))
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()


@pytest.fixture
def proxy(controller: Controller) -> Iterator[Proxy]:
    made = Proxy(int(controller.simulator.arm_url.rpartition(":")[2]))
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(made.serve, "127.0.0.1", 0))
    made.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


def test_a_proxy_of_the_plays_environment_is_used_and_its_password_not_told(
    controller: Controller, proxy: Proxy
) -> None:
    controller.fleet({"name": "db1", "linux_scripts": "ok"})
    there = {"https_proxy": f"http://me:hunter2@127.0.0.1:{proxy.port}", "no_proxy": ""}
    run = controller.run(controller.write_play([TAKE], environment=there), "-vvv")
    assert run.of("take").result["hosts"]["db1"]["verdict"] == "reached"
    assert proxy.asked
    assert all(line.startswith("CONNECT ") for line in proxy.asked)
    assert "hunter2" not in run.output


def test_a_play_can_put_out_the_proxy_of_the_machine(controller: Controller, proxy: Proxy) -> None:
    controller.fleet({"name": "db1", "linux_scripts": "ok"})
    controller.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.port}"
    run = controller.run(controller.write_play([TAKE], environment={"HTTPS_PROXY": ""}))
    assert run.of("take").result["hosts"]["db1"]["verdict"] == "reached"
    assert proxy.asked == []
