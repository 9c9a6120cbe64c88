"""Each server holds still between the two scripts, says when it did not, and says why it will not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .machine import Machine
from .servers import MYSQL, POSTGRESQL, REDIS, VALKEY, Server, Writer

ROUNDS = 5
# What each profile promises: whether a write is acknowledged during the hold.
STOPS = [
    pytest.param(MYSQL, {"mode": "global"}, True, id="mysql-global"),
    pytest.param(MYSQL, {}, False, id="mysql-instance"),
    pytest.param(REDIS, {}, True, id="redis"),
    pytest.param(VALKEY, {}, True, id="valkey"),
    pytest.param(POSTGRESQL, {}, False, id="postgresql-checkpoint"),
    pytest.param(POSTGRESQL, {"mode": "backup", "wal_kept_elsewhere": True}, False, id="postgresql-backup"),
]
SQL = ("mysql", "--no-defaults", "-N", "-uroot", "-S", "/tmp/server/s", "-e")


@pytest.fixture
def fresh(machine: Machine) -> Iterator[Machine]:
    machine.stop()
    machine.start()
    yield machine
    machine.execute("rm", "-rf", "/etc/azure/appconsistent.d")


@pytest.mark.parametrize(("server", "options", "stops"), STOPS)
def test_rounds_under_writes(fresh: Machine, server: Server, options: dict[str, object], stops: bool) -> None:
    server.start(fresh)
    fresh.deploy({**server.profile, **options})
    with Writer(fresh, server) as writer:
        for number in range(ROUNDS):
            before = writer.acknowledged
            while writer.acknowledged < before + 2:
                time.sleep(0.02)
            assert fresh.pre() == 0, fresh.log
            held = writer.acknowledged
            time.sleep(0.5)
            through = writer.acknowledged - held
            assert fresh.post() == 0, fresh.log
            # One that was acknowledged before may be counted after.
            assert (through <= 1) if stops else (through > 1), f"round {number}: {through} went through"


HOLDERS = [param for param in STOPS if "checkpoint" not in str(param.id)]


@pytest.mark.parametrize(("server", "options", "stops"), HOLDERS)
def test_a_server_that_was_started_anew_breaks_the_hold(
    fresh: Machine, server: Server, options: dict[str, object], stops: bool
) -> None:
    del stops
    server.start(fresh)
    fresh.deploy({**server.profile, **options})
    assert fresh.pre() == 0, fresh.log
    pid = server.pid(fresh)
    fresh.execute("kill", "-KILL", pid)
    # It keeps its files locked until it is gone.
    fresh.wait_for("sh", "-c", f"! kill -0 {pid}")
    fresh.execute("rm", "-f", "/tmp/server/pid", "/tmp/server/s", "/tmp/server/d/postmaster.pid")
    server.go(fresh)
    assert fresh.post() == 1
    assert "broken before post.sh" in fresh.log
    assert fresh.execute("sh", "-c", server.write, "sh", "7").returncode == 0


def test_mysql_is_asked_for_no_flush_behind_a_long_statement(fresh: Machine) -> None:
    MYSQL.start(fresh)
    fresh.execute(*SQL, "INSERT INTO t.a VALUES (1)")
    fresh.deploy({**MYSQL.profile, "mode": "global"})
    statement = fresh.begin(*SQL, "SELECT SLEEP(60) FROM t.a LIMIT 1")
    time.sleep(3)
    assert fresh.pre() != 0
    assert "SELECT SLEEP(60) FROM t.a LIMIT 1" in fresh.log
    # Nobody waits for the statement: readers and writers of its table go on.
    assert fresh.execute(*SQL, "SELECT COUNT(*) FROM t.a; INSERT INTO t.a VALUES (2)", timeout=5).stdout == "1\n"
    assert fresh.post() == 0
    statement.kill()


@pytest.mark.parametrize(("policy", "good"), [("refuse", False), ("global", True), ("accept", True)])
def test_mysql_with_a_table_that_has_no_log(fresh: Machine, policy: str, good: bool) -> None:
    MYSQL.start(fresh)
    fresh.execute(*SQL, "CREATE TABLE t.m (i INT) ENGINE=MyISAM")
    fresh.deploy({**MYSQL.profile, "other_engines": policy})
    assert (fresh.pre() == 0) == good
    assert good or "does not stop writes to t/m, which is not InnoDB" in fresh.log
    blocked = fresh.begin("timeout", "2", *SQL, "INSERT INTO t.m VALUES (1)").wait() == 124
    assert blocked == (policy == "global")
    assert fresh.post() == 0


REFUSALS = [
    pytest.param(MYSQL, {"user": "nobody"}, "the server refused the account", id="mysql-account"),
    pytest.param(MYSQL, {"socket": "/tmp/none"}, "no server answers", id="mysql-away"),
    pytest.param(MYSQL, {"name": "mariadb", "client": "/usr/bin/mysql"}, "use the profile mysql", id="mysql-profile"),
    pytest.param(POSTGRESQL, {"database": "none"}, "the database cannot be opened", id="postgresql-database"),
    pytest.param(POSTGRESQL, {"user": "nobody"}, "the server refused the account", id="postgresql-peer"),
    pytest.param(POSTGRESQL, {"socket": "/tmp/none"}, "no server answers", id="postgresql-away"),
    pytest.param(REDIS, {"socket": "/tmp/none"}, "no server answers", id="redis-away"),
    pytest.param(REDIS, {"user": "nobody", "password": "x"}, "the server refused the account", id="redis-account"),
    pytest.param(VALKEY, {"user": "nobody", "password": "x"}, "the server refused the account", id="valkey-account"),
]


@pytest.mark.parametrize(("server", "options", "words"), REFUSALS)
def test_each_refusal_has_its_own_cause(fresh: Machine, server: Server, options: dict[str, object], words: str) -> None:
    server.start(fresh)
    fresh.deploy({**server.profile, **options})
    assert fresh.pre() != 0
    assert words in fresh.log
    assert fresh.post() == 0
