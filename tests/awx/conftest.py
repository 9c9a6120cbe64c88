# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An AWX without AWX, and a pretend Azure behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.awx.jobs import Awx
from tests.azure_simulator import Simulator

# Simulated seconds to a real one.
SPEED = 100.0


@pytest.fixture(scope="session")
def _simulator() -> Iterator[Simulator]:
    with Simulator({"vms": []}, speed=SPEED) as simulator:
        yield simulator


@pytest.fixture
def awx(_simulator: Simulator, tmp_path: Path) -> Iterator[Awx]:
    _simulator.clear_faults()
    awx = Awx(_simulator, tmp_path)
    yield awx
    awx.close()
