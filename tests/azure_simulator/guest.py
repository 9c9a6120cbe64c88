"""Speaks to a real Linux guest behind a unix socket: one JSON line out, JSON lines in until the final one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from .records import GuestAnswer

LINE_BYTES = 1 << 20


async def ask(socket: str, message: Mapping[str, Any], seconds: float) -> GuestAnswer:
    """The guest's last word. One that cannot be reached, or talks nonsense, gives an answer without a code."""
    task_id, run = str(message.get("task_id", "")), str(message.get("run", ""))
    try:
        async with asyncio.timeout(seconds):
            final = await _talk(socket, message)
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        return GuestAnswer(task_id, run, None, f"guest at {socket}: {type(error).__name__}: {error}"[:500])
    code = final.get("code")
    error_text = final.get("error")
    return GuestAnswer(
        task_id,
        run,
        None if code is None else str(code),
        None if error_text is None else str(error_text)[:500],
        final,
    )


async def _talk(socket: str, message: Mapping[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(socket, limit=LINE_BYTES)
    try:
        writer.write(json.dumps(dict(message)).encode() + b"\n")
        await writer.drain()
        while True:
            line = await reader.readline()
            if not line:
                raise ValueError("the guest closed the connection without a final answer")
            said = json.loads(line)
            if not isinstance(said, dict):
                raise ValueError("the guest sent a line that is no JSON object")
            if said.get("final") is True:
                return said
    finally:
        writer.close()
