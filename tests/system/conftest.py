# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Guests for the system tests. What the machine lacks is a skip with a sentence, or a failure with REQUIRE_SYSTEM=1."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest, Pace, requirements

# A fiftieth of the extension's own sleeps, a tenth of its limits: a script's ten seconds become one.
BRISK = Pace(waits=0.02, limits=0.1)
# For scripts that keep their own limits.
PATIENT = Pace(waits=0.02, limits=1.0)

MakeGuest = Callable[..., LinuxGuest]


def need(engine: str | None = None, filesystem: str = "ext4") -> None:
    missing = requirements(engine, filesystem)
    if missing and os.environ.get("REQUIRE_SYSTEM") == "1":
        pytest.fail("\n".join(missing), pytrace=False)
    if missing:
        pytest.skip(" ".join(missing))


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fresh images, made once, also for several workers."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "templates"


@contextmanager
def _starting(templates: Path, pace: Pace) -> Iterator[MakeGuest]:
    with ExitStack() as started:

        def start(
            engine: str | None = None,
            name: str | None = None,
            *,
            filesystem: str = "ext4",
            directory: Path | None = None,
            pace: Pace = pace,
            frozen_folders: tuple[str, ...] = (),
            server_options: tuple[str, ...] = (),
        ) -> LinuxGuest:
            need(engine, filesystem)
            guest = LinuxGuest(
                name or engine or "guest",
                engine,
                filesystem,
                directory=directory,
                templates=templates,
                pace=pace,
                frozen_folders=frozen_folders,
                server_options=server_options,
            )
            started.callback(guest.stop)
            return guest.__enter__()

        yield start


@pytest.fixture
def new_guest(templates: Path) -> Iterator[MakeGuest]:
    """Starts guests; all are stopped at the end of the test."""
    with _starting(templates, BRISK) as start:
        yield start


@pytest.fixture(scope="module")
def shared_guest(templates: Path) -> Iterator[LinuxGuest]:
    """A guest without a database, for all tests of a file."""
    with _starting(templates, BRISK) as start:
        yield start(name="shared")


@pytest.fixture(scope="module")
def guests(templates: Path) -> Iterator[MakeGuest]:
    """Starts guests for our scripts; all are stopped at the end of the file."""
    with _starting(templates, PATIENT) as start:
        yield start
