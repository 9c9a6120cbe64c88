"""Guests with our scripts. What the machine lacks is a skip with a sentence, or a failure with REQUIRE_SYSTEM=1."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest, Pace, requirements

# The extension's own sleeps are cut to a fiftieth; time limits of scripts stay as they are.
BRISK = Pace(waits=0.02, limits=1.0)

MakeGuest = Callable[..., LinuxGuest]


def need(engine: str | None) -> None:
    missing = requirements(engine)
    if missing and os.environ.get("REQUIRE_SYSTEM") == "1":
        pytest.fail("\n".join(missing), pytrace=False)
    if missing:
        pytest.skip(" ".join(missing))


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(scope="module")
def guests(templates: Path) -> Iterator[MakeGuest]:
    """Starts guests; all are stopped at the end of the file."""
    started: list[LinuxGuest] = []

    def start(
        engine: str | None = None, *, frozen_folders: tuple[str, ...] = (), server_options: tuple[str, ...] = ()
    ) -> LinuxGuest:
        need(engine)
        guest = LinuxGuest(
            f"{engine or 'plain'}-{len(started)}",
            engine,
            templates=templates,
            pace=BRISK,
            frozen_folders=frozen_folders,
            server_options=server_options,
        )
        started.append(guest)
        guest.__enter__()
        return guest

    yield start
    for guest in started:
        guest.stop()
