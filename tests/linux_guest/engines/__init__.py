"""The databases that a guest can run: laid out as Debian does, asked and checked with their own programs."""

from __future__ import annotations

from .engine import DISK, Client, ClientLost, Engine, Finding
from .mariadb import MariaDB
from .postgresql import PostgreSQL
from .redis import Redis

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (MariaDB(), PostgreSQL(), Redis())}

__all__ = ["DISK", "ENGINES", "Client", "ClientLost", "Engine", "Finding"]
