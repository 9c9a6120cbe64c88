# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wall clock is set by a day during a hold, for the server, its clients and the scripts, and for nobody else.

libfaketime gives them another CLOCK_REALTIME; the machine's own is left alone. What the kernel counts from the start of
the machine, which the scripts go by, is not faked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest, Writer
from tests.linux_guest.engines import ENGINES
from tests.system.conftest import MakeGuest
from tests.system.linux_scripts.scripted import POST, PRE, Starter, clean, deploy, limit, log, state, until

CLOCK = Path("/run/clock")
DAY = 86400
# Above what a freeze and a day's jump take on a loaded machine.
HOLD = 12
PROGRAMS = {"mariadb": "mariadbd", "postgresql": "postgres", "redis": "redis-server"}
PROFILES: dict[str, dict[str, object]] = {
    "mariadb": {"name": "mariadb"},
    "postgresql": {"name": "postgresql", "mode": "backup"},
    "redis": {"name": "redis", "socket": "/run/redis/redis-server.sock"},
}
NOW = {
    "mariadb": ["mariadb", "-NBe", "SELECT UNIX_TIMESTAMP()"],
    "postgresql": ["psql", "-XAtc", "SELECT extract(epoch FROM clock_timestamp())"],
    "redis": ["sh", "-c", "redis-cli -s /run/redis/redis-server.sock TIME | head -n 1"],
}


def faked() -> list[str]:
    """The environment in which the clock is what the guest's file says."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        sentence = "libfaketime is missing: install libfaketime."
        if os.environ.get("REQUIRE_SYSTEM") == "1":
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    switches = ("FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC", "FAKETIME_DISABLE_SHM")
    return [
        "env",
        # Redis's jemalloc asks for the time before libfaketime can tell it; libc's own allocator does not.
        f"LD_PRELOAD=libc_malloc_debug.so.0:{found[0]}",
        f"FAKETIME_TIMESTAMP_FILE={CLOCK}",
        *(f"{switch}=1" for switch in switches),
    ]


def set_clock(guest: LinuxGuest, seconds: int) -> None:
    """For everybody in the guest who looks there."""
    draft = guest.path(f"{CLOCK}.new")
    draft.write_text(f"{seconds:+d}\n")
    draft.chmod(0o644)
    draft.rename(guest.path(CLOCK))


def jumped(guest: LinuxGuest) -> int:
    """By how many days the server's clock is off."""
    said = guest.run(NOW[str(guest.engine)], user="postgres" if guest.engine == "postgresql" else None).stdout
    return round((float(said) - time.time()) / DAY)


@pytest.fixture(scope="module", params=["mariadb", "postgresql", "redis"])
def server(request: pytest.FixtureRequest, guests: MakeGuest) -> LinuxGuest:
    """A guest whose server lives by the clock in the file."""
    name = str(request.param)
    options = ("archive_mode=on", "archive_command=/bin/true") if name == "postgresql" else ()
    guest = guests(name, server_options=options)
    set_clock(guest, 0)
    guest.stop_server()
    program = guest.run(["sh", "-c", f"command -v {ENGINES[name].program(PROGRAMS[name])}"]).stdout.strip()
    guest.run(["mv", program, f"{program}.real"])
    wrapper = guest.path(program)
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(faked())} "$0.real" "$@"\n')
    wrapper.chmod(0o755)
    guest.start_server()
    return guest


@pytest.fixture
def guest(server: LinuxGuest) -> Iterator[LinuxGuest]:
    clean(server)
    set_clock(server, 0)
    deploy(server, PROFILES[str(server.engine)])
    limit(server)
    yield server
    clean(server)


@pytest.fixture
def extension(guest: LinuxGuest) -> Iterator[Starter]:
    with Starter(guest, " ".join([*faked(), "sh"])) as process:
        yield process


def went_through(writer: Writer, begin: float, end: float) -> list[str]:
    rows = [row for row in writer.rows() if row.acknowledged is not None]
    return [str(row) for row in rows if row.sent > begin and (row.acknowledged or 0) < end]


def stamps(guest: LinuxGuest) -> list[datetime]:
    return [datetime.fromisoformat(line.split()[0]) for line in log(guest).splitlines()]


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_set_during_the_hold_does_not_change_what_is_told(
    guest: LinuxGuest, extension: Starter, days: int
) -> None:
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        assert extension.run(PRE) == 0, log(guest)
        begin = time.monotonic()
        set_clock(guest, days * DAY)
        assert jumped(guest) == days
        if guest.engine == "redis" and days > 0:
            # Redis counts its pause by that clock: it is over. Then nothing may be called whole.
            writer.wait_for_rows(20)
            assert extension.run(POST) == 1
            assert "the pause ended early" in state(guest, "reason")
        else:
            # Whoever holds had time to notice.
            time.sleep(0.5)
            end = time.monotonic()
            assert extension.run(POST) == 0, log(guest)
            assert state(guest) == "released"
            assert went_through(writer, begin, end) == [] or guest.engine == "postgresql"
        writer.wait_for_rows(20)
    # The scripts saw it too: it is in their log, and nowhere else.
    assert abs((stamps(guest)[-1] - stamps(guest)[0]).total_seconds() - days * DAY) < 60


def test_the_watchdog_comes_in_time_though_the_clock_goes_a_day_back(guest: LinuxGuest, extension: Starter) -> None:
    """Redis alone would go on pausing for a day."""
    limit(guest, hold=HOLD)
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        assert extension.run(PRE) == 0, log(guest)
        set_clock(guest, -DAY)
        assert until(lambda: state(guest) == "broken", HOLD + 20)
        writer.wait_for_rows(20)
        assert extension.run(POST) == 1
