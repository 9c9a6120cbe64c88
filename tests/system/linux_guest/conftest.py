"""Guests for these tests. What the machine lacks is a skip with a sentence, or a failure with REQUIRE_SYSTEM=1."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest, Pace, requirements

# A fiftieth of the extension's own sleeps, a tenth of its limits: a script's ten seconds become one.
BRISK = Pace(waits=0.02, limits=0.1)

MakeGuest = Callable[..., LinuxGuest]


def need(engine: str | None = None, filesystem: str = "ext4") -> None:
    missing = requirements(engine, filesystem)
    if missing and os.environ.get("REQUIRE_SYSTEM") == "1":
        pytest.fail("\n".join(missing), pytrace=False)
    if missing:
        pytest.skip(" ".join(missing))


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(scope="module")
def shared_guest(templates: Path) -> Iterator[LinuxGuest]:
    """A guest without a database, for all tests of a file."""
    need()
    with LinuxGuest("shared", templates=templates, pace=BRISK) as guest:
        yield guest


@pytest.fixture
def new_guest(templates: Path) -> Iterator[MakeGuest]:
    """Starts guests; all are stopped at the end of the test."""
    guests: list[LinuxGuest] = []

    def start(
        name: str = "guest",
        engine: str | None = None,
        filesystem: str = "ext4",
        *,
        directory: Path | None = None,
        pace: Pace = BRISK,
        frozen_folders: tuple[str, ...] = (),
        server_options: tuple[str, ...] = (),
    ) -> LinuxGuest:
        need(engine, filesystem)
        guest = LinuxGuest(
            name,
            engine,
            filesystem,
            directory=directory,
            templates=templates,
            pace=pace,
            frozen_folders=frozen_folders,
            server_options=server_options,
        )
        guests.append(guest)
        guest.__enter__()
        return guest

    yield start
    for guest in guests:
        guest.stop()
