"""One tree for all; a server is started anew for each test file that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from . import tree
from .machine import Machine


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    if not os.environ.get("REAL_SERVERS"):
        pytest.skip("builds a Debian sid tree, three minutes the first time: make real-servers")
    lacking = tree.missing()
    assert not lacking, " ".join(lacking)
    found = Machine(tree.build())
    found.start()
    try:
        yield found
    finally:
        found.stop()
