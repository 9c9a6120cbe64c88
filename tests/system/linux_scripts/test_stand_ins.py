"""Hooks for products that cannot be installed here, against stand-ins that speak their documented answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.linux_guest import LinuxGuest
from tests.system.conftest import MakeGuest

from . import stand_ins
from .scripted import HELD, POST, PRE, RUN, Starter, clean, deploy, limit, state, until, write

_PROGRAMS = {"sqlplus": "/run/oracle/bin/sqlplus", "hdbsql": "/run/hana/hdbsql"}
# A product as it is when all is well, and the profile that holds it.
_PRODUCTS: dict[str, tuple[str, dict[str, Any], dict[str, object]]] = {
    "mongodb": ("mongosh", {"locks": 0, "flushes": 0}, {"name": "mongodb", "mode": "lock"}),
    "oracle": (
        "sqlplus",
        {
            "status": "OPEN",
            "log_mode": "ARCHIVELOG",
            "role": "PRIMARY",
            "active": 0,
            "started": "20261101",
            "archived": 0,
        },
        {"name": "oracle", "sid": "ORCL", "oracle_home": "/run/oracle", "system_user": "root"},
    ),
    "saphana": (
        "hdbsql",
        {"catalog": {}},
        {"name": "saphana", "sid": "HDB", "client": "/run/hana/hdbsql", "system_user": "root"},
    ),
    "iris": ("iris", {"suspended": False}, {"name": "iris", "instance": "IRIS", "system_user": "root"}),
    "mysql": ("mysql", {"version": "8.0.36", "locks": [], "run": ""}, {"name": "mysql", "mode": "global"}),
    "service": (
        "systemctl",
        {"LoadState": "loaded", "ActiveState": "active", "FreezerState": "running", "InvocationID": "a1"},
        {"name": "service", "unit": "orders.service"},
    ),
}


class Product:
    def __init__(self, guest: LinuxGuest, name: str, **profile: object) -> None:
        self.guest = guest
        self.client, healthy, wanted = _PRODUCTS[name]
        clean(guest)
        folder = guest.path(stand_ins.FOLDER)
        folder.mkdir(exist_ok=True)
        program = _PROGRAMS.get(self.client, f"/usr/local/bin/{self.client}")
        source = Path(stand_ins.__file__).read_text()
        write(guest, Path(program), f"#!{sys.executable}\n{source}", 0o755)
        self._state = guest.path(stand_ins.FOLDER / f"{self.client}.json")
        self.set(**healthy)
        self.deployed = deploy(guest, {**wanted, **profile})

    def set(self, **values: object) -> None:
        known = json.loads(self._state.read_text()) if self._state.exists() else {}
        self._state.write_text(json.dumps({**known, **values}))

    def __getitem__(self, key: str) -> Any:
        return json.loads(self._state.read_text())[key]

    @property
    def reason(self) -> str:
        return state(self.guest, "reason")


@pytest.fixture(scope="module")
def plain(guests: MakeGuest) -> LinuxGuest:
    return guests()


@pytest.fixture(autouse=True)
def cleaned(plain: LinuxGuest) -> Iterator[None]:
    yield
    clean(plain)
    for client in stand_ins.CLIENTS:
        plain.path(f"/usr/local/bin/{client}").unlink(missing_ok=True)
        plain.path(stand_ins.FOLDER / f"{client}.json").unlink(missing_ok=True)


@pytest.fixture
def extension(plain: LinuxGuest) -> Iterator[Starter]:
    with Starter(plain) as process:
        yield process


def probe(guest: LinuxGuest) -> tuple[int, str]:
    done = guest.run(["sh", "/etc/azure/appconsistent/probe.sh"], check=False)
    return done.returncode, done.stdout


def test_mongodb_is_locked_and_unlocked(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mongodb")
    assert extension.run(PRE) == 0
    assert product["locks"] == 1
    assert probe(plain)[0] == 1
    assert extension.run(POST) == 0
    assert product["locks"] == 0
    assert probe(plain)[0] == 0


def test_mongodb_that_somebody_unlocked_is_a_broken_hold(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mongodb")
    assert extension.run(PRE) == 0
    product.set(locks=0)
    assert extension.run(POST) == 1
    assert "not locked any more" in product.reason


def test_mongodb_that_another_tool_holds_keeps_its_lock(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mongodb")
    product.set(locks=1)
    assert extension.run(PRE) != 0
    assert "somebody else has locked the server already" in product.reason
    assert extension.run(POST) == 0
    assert product["locks"] == 1


def test_mongodb_with_frozen_file_systems_is_only_flushed(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mongodb", mode="flush")
    assert extension.run(PRE) == 0
    assert (product["flushes"], product["locks"]) == (1, 0)
    assert extension.run(POST) == 0


def test_the_watchdog_unlocks_mongodb_whose_lock_outlives_its_client(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mongodb")
    limit(plain, hold=2)
    assert extension.run(PRE) == 0
    assert until(lambda: bool(product["locks"] == 0))
    assert extension.run(POST) == 1


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("mongodb", "MongoServerError: Authentication failed.", "refused the account"),
        ("mongodb", "MongoServerError: not authorized on admin to execute command", "lacks a right"),
        ("oracle", "ORA-01017: invalid username/password; logon denied", "refused the account"),
        ("saphana", "* 10: authentication failed SQLSTATE: 28000", "refused the account"),
        ("saphana", "* 258: insufficient privilege: Not authorized SQLSTATE: HY000", "lacks a right"),
        ("iris", "Access Denied", "was not frozen: exit status 3, Access Denied"),
        (
            "mysql",
            "ERROR 1227 (42000): Access denied; you need (at least one of) the BACKUP_ADMIN privilege",
            "lacks a right",
        ),
        ("service", "Failed to freeze unit: Unit does not support freezing", "was not paused"),
    ],
)
def test_a_refusal_is_told_in_a_sentence(
    plain: LinuxGuest, extension: Starter, name: str, error: str, sentence: str
) -> None:
    product = Product(plain, name)
    product.set(error=error)
    assert extension.run(PRE) != 0
    product.set(error="")
    assert sentence in product.reason


def test_oracle_goes_into_backup_mode_and_out_of_it(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "oracle")
    assert extension.run(PRE) == 0
    assert (product["active"], product["archived"]) == (7, 1)
    assert extension.run(POST) == 0
    assert (product["active"], product["archived"]) == (0, 2)
    assert probe(plain)[0] == 0


def test_oracle_that_was_started_anew_is_a_broken_hold(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "oracle")
    assert extension.run(PRE) == 0
    product.set(started="20261123", active=0)
    assert extension.run(POST) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"log_mode": "NOARCHIVELOG"}, "NOARCHIVELOG"),
        ({"status": "MOUNTED"}, "not open"),
        ({"active": 3}, "in backup mode already"),
        ({"status": "DOWN"}, "no instance ORCL runs"),
    ],
)
def test_oracle_says_why_it_cannot_be_held(
    plain: LinuxGuest, extension: Starter, changes: dict[str, object], sentence: str
) -> None:
    product = Product(plain, "oracle")
    product.set(**changes)
    assert extension.run(PRE) != 0
    assert sentence in product.reason
    assert product["active"] == changes.get("active", 0)


def test_an_oracle_standby_takes_no_part(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "oracle")
    product.set(role="PHYSICAL_STANDBY")
    assert [extension.run(PRE), extension.run(POST)] == [0, 0]
    assert product["active"] == 0


def test_an_oracle_database_restored_in_backup_mode_is_opened_at_boot(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "oracle")
    product.set(active=7, status="MOUNTED")
    write(plain, HELD, "a-run\n")
    assert extension.run("/etc/azure/appconsistent/boot.sh") == 0
    assert (product["active"], product["status"]) == (0, "OPEN")


def test_hana_prepares_a_snapshot_and_closes_it_as_successful(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "saphana")
    assert extension.run(PRE) == 0
    assert [entry["state"] for entry in product["catalog"].values()] == ["prepared"]
    assert extension.run(POST) == 0
    assert [entry["state"] for entry in product["catalog"].values()] == ["successful"]


def test_hanas_snapshot_is_closed_as_unsuccessful_when_the_hold_failed(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "saphana")
    limit(plain, hold=2)
    assert extension.run(PRE) == 0
    assert until(lambda: [entry["state"] for entry in product["catalog"].values()] == ["failed"])
    assert extension.run(POST) == 1


def test_hanas_snapshot_of_another_tool_is_left_alone(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "saphana")
    other = {"1": {"state": "prepared", "comment": "somebody's"}}
    product.set(catalog=other)
    assert extension.run(PRE) != 0
    assert "must be closed first" in product.reason
    assert product["catalog"] == other


def test_a_hana_snapshot_restored_as_prepared_is_closed_at_boot(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "saphana")
    product.set(catalog={"1": {"state": "prepared", "comment": "appconsistent a-run"}})
    write(plain, HELD, "a-run\n")
    assert extension.run("/etc/azure/appconsistent/boot.sh") == 0
    assert product["catalog"]["1"]["state"] == "failed"


def test_iris_status_5_means_frozen_and_the_server_has_its_own_limit(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "iris")
    assert extension.run(PRE) == 0
    words = product["arguments"].split(",")
    assert len(words) == 10
    assert 100 < int(words[9]) < 130
    assert probe(plain)[0] == 1
    assert extension.run(POST) == 0
    assert not product["suspended"]


def test_iris_that_resumed_by_itself_is_a_broken_hold(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "iris")
    assert extension.run(PRE) == 0
    product.set(suspended=False)
    assert extension.run(POST) == 1
    assert "not suspended any more" in product.reason


def test_caches_client_is_called_without_the_word_session(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "iris", client="/run/cache/csession", server_limit=False)
    program = '#!/bin/sh\nexec /usr/local/bin/iris "$@"\n'
    write(plain, Path("/run/cache/csession"), program, 0o755)
    assert extension.run(PRE) == 0
    assert product["arguments"] == ""
    assert extension.run(POST) == 0


def test_mysql_is_held_by_its_own_lock(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mysql")
    assert extension.run(PRE) == 0
    assert product["locks"] == ["LOCK INSTANCE FOR BACKUP", "FLUSH TABLES WITH READ LOCK"]
    assert probe(plain)[0] == 1
    assert extension.run(POST) == 0
    assert product["locks"] == []


def test_mysql_takes_the_small_lock_unless_told_otherwise(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mysql", mode="instance")
    assert extension.run(PRE) == 0
    assert product["locks"] == ["LOCK INSTANCE FOR BACKUP"]
    assert extension.run(POST) == 0


def test_mysql_asks_for_no_flush_while_a_long_statement_runs(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mysql")
    product.set(taken=[])
    deploy(plain, {"name": "mysql", "mode": "global"}, timeout=12)
    product.set(statement="17, 90 s, SELECT * FROM orders")
    assert extension.run(PRE) != 0
    assert "connection 17, 90 s, SELECT * FROM orders" in product.reason
    assert product["taken"] == ["LOCK INSTANCE FOR BACKUP"]
    assert product["locks"] == []


@pytest.mark.parametrize(
    ("version", "error_at", "words"),
    [
        ("8.0.36", "LOCK", "a statement kept the backup lock away: connection 17, 3 s, ALTER TABLE t"),
        ("8.0.36", "FLUSH", "a statement that came last kept its tables"),
    ],
)
def test_a_lock_that_is_kept_away_names_who_keeps_it(
    plain: LinuxGuest, extension: Starter, version: str, error_at: str, words: str
) -> None:
    product = Product(plain, "mysql")
    statement = {"statement": "17, 3 s, ALTER TABLE t"} if error_at == "LOCK" else {}
    error = "ERROR 1205 (HY000) at line 1: Lock wait timeout exceeded; try restarting transaction"
    product.set(version=version, error=error, error_at=error_at, **statement)
    assert extension.run(PRE) != 0
    assert words in product.reason
    assert product["locks"] == []


@pytest.mark.parametrize(
    ("policy", "good", "locks"),
    [
        ("refuse", False, []),
        ("accept", True, ["LOCK INSTANCE FOR BACKUP"]),
        ("global", True, ["LOCK INSTANCE FOR BACKUP", "FLUSH TABLES WITH READ LOCK"]),
    ],
)
@pytest.mark.parametrize("seen", ["file", "table"])
def test_a_table_without_a_log_is_refused_held_or_accepted(
    plain: LinuxGuest, extension: Starter, policy: str, good: bool, locks: list[str], seen: str
) -> None:
    product = Product(plain, "mysql", mode="instance", other_engines=policy)
    if seen == "file":
        write(plain, Path("/run/data/shop/orders.MYI"), "", 0o600)
        write(plain, Path("/run/data/mysql/general_log.CSV"), "", 0o600)
        product.set(data="/run/data/")
    else:
        product.set(data="/nowhere", table="shop/orders")
    assert (extension.run(PRE) == 0) == good
    assert product["locks"] == locks
    assert good or "does not stop writes to shop/orders" in product.reason
    # Where nothing is held there is nothing to break.
    assert extension.run(POST) == 0


def test_the_profile_must_fit_the_server(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "mysql")
    product.set(version="5.7.44")
    assert extension.run(PRE) != 0
    assert "it came with 8.0" in product.reason
    product.set(version="10.11.6-MariaDB")
    assert extension.run(PRE) != 0
    assert "use the profile mariadb" in product.reason


@pytest.mark.parametrize(("mode", "held"), [("pause", ("active", "frozen")), ("stop", ("inactive", "running"))])
def test_a_service_is_paused_or_stopped(
    plain: LinuxGuest, extension: Starter, mode: str, held: tuple[str, str]
) -> None:
    product = Product(plain, "service", mode=mode)
    assert extension.run(PRE) == 0
    assert (product["ActiveState"], product["FreezerState"]) == held
    assert extension.run(POST) == 0
    assert (product["ActiveState"], product["FreezerState"]) == ("active", "running")


@pytest.mark.parametrize("mode", ["pause", "stop"])
def test_a_service_that_was_started_meanwhile_is_a_broken_hold(
    plain: LinuxGuest, extension: Starter, mode: str
) -> None:
    product = Product(plain, "service", mode=mode)
    assert extension.run(PRE) == 0
    product.set(ActiveState="active", InvocationID="b2", FreezerState="running")
    assert extension.run(POST) == 1


def test_a_service_that_does_not_run_is_not_started_by_us(plain: LinuxGuest, extension: Starter) -> None:
    product = Product(plain, "service", mode="stop")
    product.set(ActiveState="inactive")
    assert [extension.run(PRE), extension.run(POST)] == [0, 0]
    assert product["ActiveState"] == "inactive"


def test_a_command_that_hangs_is_ended_and_undone(plain: LinuxGuest, extension: Starter) -> None:
    clean(plain)
    undone = RUN.parent / "undone"
    deploy(
        plain,
        {"name": "command", "freeze_command": ["sleep", "1000"], "thaw_command": ["touch", str(undone)]},
    )
    limit(plain, freeze=1, script=10)
    assert extension.run(PRE) != 0
    assert state(plain) == "failed"
    plain.path(undone).unlink()


def test_commands_are_run_word_by_word_and_may_leave_a_daemon_behind(plain: LinuxGuest, extension: Starter) -> None:
    clean(plain)
    told = RUN.parent / "told"
    write(
        plain,
        Path("/run/ctl"),
        f'#!/bin/sh\nprintf "<%s>" "$@" >>{told}; echo >>{told}\n'
        "case $1 in resume) while :; do echo chatter; sleep 0.01; done & ;; esac\n",
        0o755,
    )
    deploy(
        plain,
        {
            "name": "command",
            "label": "ledger",
            "freeze_command": ["/run/ctl", "quiesce", "two words", "$(id)", "*"],
            "status_command": ["/run/ctl", "status"],
            "thaw_command": ["/run/ctl", "resume"],
        },
    )
    assert extension.run(PRE) == 0
    assert extension.run(POST) == 0
    assert plain.path(told).read_text().splitlines() == ["<quiesce><two words><$(id)><*>", "<status>", "<resume>"]
    # The daemon that was started goes on: nobody closed its output, and nothing fills up.
    assert plain.run(["pgrep", "-f", "/run/ctl resume"]).returncode == 0
    plain.run(["pkill", "-KILL", "-f", "/run/ctl resume"])
    plain.path(told).unlink()
