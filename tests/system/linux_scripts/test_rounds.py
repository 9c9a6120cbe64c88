"""The proof on real databases: rounds of pre, FIFREEZE, copy, thaw, post under load, and a control that fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.linux_guest import LinuxGuest
from tests.system.conftest import MakeGuest

from .rounds import Round, play, told
from .scripted import clean, deploy, hook

ROUNDS = 25


Figure = Callable[[str, object], None]


def proved(figure: Figure, name: str, rounds: list[Round]) -> None:
    figure("figure", told(name, rounds))
    assert len(rounds) == ROUNDS
    assert not [str(played) for played in rounds if not played.good]


@pytest.fixture(scope="module")
def mariadb(guests: MakeGuest) -> LinuxGuest:
    return guests("mariadb")


@pytest.fixture(scope="module")
def postgresql(guests: MakeGuest) -> LinuxGuest:
    return guests("postgresql", server_options=("archive_mode=on", "archive_command=/bin/true"))


@pytest.fixture(scope="module")
def redis(guests: MakeGuest) -> LinuxGuest:
    return guests("redis")


def test_every_copy_of_mariadb_is_good_with_crash_safe_and_other_tables(
    mariadb: LinuxGuest, record_property: Figure
) -> None:
    deploy(mariadb, {"name": "mariadb"})
    with mariadb.writer(tables=("innodb", "aria", "myisam")) as writer:
        proved(record_property, "mariadb", play(mariadb, writer, ROUNDS, stops_writes=True))


def test_a_copy_of_mariadb_without_scripts_is_damaged(mariadb: LinuxGuest) -> None:
    """The control: the same rounds, the scripts switched off. Azure says so, and the tables say so."""
    clean(mariadb)
    with mariadb.writer(tables=("innodb", "aria", "myisam")) as writer:
        rounds = play(mariadb, writer, 3, stops_writes=False)
    assert [played.final["code"] for played in rounds] == ["1"] * 3
    assert not any(played.report.checks_passed for played in rounds)


def test_scripts_that_hold_nothing_are_found_out_though_azure_believes_them(mariadb: LinuxGuest) -> None:
    clean(mariadb)
    hook(mariadb, "10-nothing")
    deploy(mariadb)
    with mariadb.writer(tables=("innodb", "aria", "myisam")) as writer:
        rounds = play(mariadb, writer, 3, stops_writes=True)
    assert [played.final["code"] for played in rounds] == ["0"] * 3
    assert all(played.through for played in rounds)
    assert not any(played.good for played in rounds)


def test_every_copy_of_postgresql_is_good_after_a_checkpoint(postgresql: LinuxGuest, record_property: Figure) -> None:
    deploy(postgresql, {"name": "postgresql"})
    with postgresql.writer() as writer:
        proved(record_property, "postgresql, checkpoint", play(postgresql, writer, ROUNDS, stops_writes=False))


def test_every_copy_of_postgresql_is_good_in_an_open_backup(postgresql: LinuxGuest, record_property: Figure) -> None:
    deploy(postgresql, {"name": "postgresql", "mode": "backup"})
    with postgresql.writer() as writer:
        proved(record_property, "postgresql, backup", play(postgresql, writer, ROUNDS, stops_writes=False))
    labels = sorted(postgresql.path("/var/lib/appconsistent/postgresql").iterdir())
    assert len(labels) == ROUNDS
    assert "START WAL LOCATION" in (labels[-1] / "backup_label").read_text()


def test_a_copy_of_postgresql_that_was_not_frozen_is_torn(postgresql: LinuxGuest) -> None:
    """The control: no scripts, and a copy that is no single instant."""
    clean(postgresql)
    with postgresql.writer(pause=0.0) as writer:
        rounds = play(postgresql, writer, 5, stops_writes=False, fault="copy_unfrozen")
    assert not all(played.report.good for played in rounds)


def test_every_copy_of_redis_is_good(redis: LinuxGuest, record_property: Figure) -> None:
    deploy(redis, {"name": "redis", "socket": "/run/redis/redis-server.sock"})
    with redis.writer() as writer:
        proved(record_property, "redis", play(redis, writer, ROUNDS, stops_writes=True))


def test_every_copy_of_redis_with_an_append_only_file_is_good(guests: MakeGuest, record_property: Figure) -> None:
    """Another way of its hook: nothing is dumped, the file is settled and not rewritten meanwhile."""
    guest = guests("redis", "redis-aof", server_options=("appendonly yes", "auto-aof-rewrite-percentage 50"))
    deploy(guest, {"name": "redis", "socket": "/run/redis/redis-server.sock"})
    with guest.writer() as writer:
        rounds = play(guest, writer, 5, stops_writes=True)
    record_property("figure", told("redis, append-only file", rounds))
    assert not [str(played) for played in rounds if not played.good]
    checks = {finding.check for played in rounds for finding in played.report.engine_check}
    assert "redis-check-aof" in checks
    said = guest.run(
        ["redis-cli", "-s", "/run/redis/redis-server.sock", "CONFIG", "GET", "auto-aof-rewrite-percentage"]
    )
    assert said.stdout.split()[-1] == "50"


def test_a_copy_of_redis_without_scripts_lacks_rows(redis: LinuxGuest) -> None:
    """The control: the same rounds, the scripts switched off."""
    clean(redis)
    with redis.writer() as writer:
        rounds = play(redis, writer, 3, stops_writes=False)
    assert all(played.report.missing for played in rounds)
