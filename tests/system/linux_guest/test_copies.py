"""Copies of real databases under load, with throw-away scripts: good ones are found good, and bad ones bad.

The scripts here only show what the guest and the proof can do; the product's own are tested elsewhere.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.linux_guest import CopyReport, LinuxGuest, Window, broken_hold, prove, verify_copy
from tests.linux_guest.writer import Writer
from tests.system.conftest import MakeGuest, need
from tests.system.linux_guest.guest_scripts import config, deploy

# That copies can be whole; how often they are is counted with the scripts that are delivered.
ROUNDS = 2
# Seconds in the middle of a copy in which writes go on: enough of them also where all processors are busy.
UNFROZEN = 2.0
ALL_TABLES = ("innodb", "aria", "myisam")
# A session that stays open in the background holds the server; post ends it.
MARIADB_PRE = """\
exec >/run/pre.log 2>&1
rm -f /run/release /run/held
statements() {
    echo "BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT; SELECT 'held';"
    while ! [ -e /run/release ]; do sleep 0.02; done
}
(statements | mariadb --no-defaults --batch --unbuffered --socket=/run/mysqld/mysqld.sock) \\
    </dev/null >/run/held 2>&1 &
while ! grep -q held /run/held; do sleep 0.02; done
"""
MARIADB_POST = "touch /run/release\n"
# The published mistake: the lock ends with the client, before the script does.
MARIADB_ONE_SHOT = "mariadb --no-defaults -e 'FLUSH TABLES WITH READ LOCK' >/dev/null 2>&1\n"
POSTGRESQL_PRE = "setpriv --reuid=postgres --regid=postgres --init-groups psql -qXc CHECKPOINT >/dev/null 2>&1\n"
REDIS = "redis-cli -s /run/redis/redis-server.sock"
REDIS_PRE = f"{{ {REDIS} CLIENT PAUSE 60000 WRITE; {REDIS} BGSAVE; }} >/dev/null\n" + (
    f"while {REDIS} INFO persistence | grep -q rdb_bgsave_in_progress:1; do sleep 0.02; done\n"
)
REDIS_POST = f"{REDIS} CLIENT UNPAUSE >/dev/null\n"


def under_load(guest: LinuxGuest, writer: Writer, task: str, **request: object) -> dict[str, object]:
    """A snapshot with rows written before and after it."""
    writer.wait_for_rows(100)
    final = guest.snapshot(task, **request)
    writer.wait_for_rows(100)
    return final


def look(guest: LinuxGuest, writer: Writer, final: dict[str, object], *, stops_writes: bool) -> CopyReport:
    window = Window.of(final, stops_writes=stops_writes)
    return verify_copy(str(guest.engine), Path(str(final["image"])), writer.rows(), window, filesystem=guest.filesystem)


@pytest.fixture(scope="module")
def mariadb(templates: Path) -> Iterator[LinuxGuest]:
    from tests.system.conftest import BRISK

    need("mariadb")
    # The limits of scripts are real here: a hold takes the time that it takes.
    with LinuxGuest("mariadb", "mariadb", templates=templates, pace=BRISK._replace(limits=1.0)) as guest:
        yield guest


def test_held_mariadb_copies_are_whole_with_every_kind_of_table(mariadb: LinuxGuest) -> None:
    deploy(mariadb, pre=MARIADB_PRE, post=MARIADB_POST)
    with mariadb.writer(tables=ALL_TABLES) as writer:
        for number in range(ROUNDS):
            final = under_load(mariadb, writer, f"held-{number}")

            assert (final["code"], final["health"]) == ("0", "0")
            assert broken_hold(writer.rows(), final) == []
            report = look(mariadb, writer, final, stops_writes=True)
            assert report.good and report.rows, str(report)


def test_a_copy_without_scripts_leaves_myisam_open_and_is_found_out(mariadb: LinuxGuest) -> None:
    deploy(mariadb, keys={})
    with mariadb.writer(tables=ALL_TABLES) as writer:
        final = under_load(mariadb, writer, "scriptless")

    assert (final["code"], final["health"]) == ("1", "1")
    report = look(mariadb, writer, final, stops_writes=False)
    assert not report.checks_passed
    assert "ledger.myisam" in str(report)


def test_a_one_shot_lock_is_called_consistent_and_found_out(mariadb: LinuxGuest) -> None:
    """The extension believes the script. The writers know better."""
    deploy(mariadb, pre=MARIADB_ONE_SHOT, post="exit 0\n")
    with mariadb.writer(tables=ALL_TABLES) as writer:
        final = under_load(mariadb, writer, "one-shot")

    assert final["code"] == "0"
    assert broken_hold(writer.rows(), final) != []
    assert not look(mariadb, writer, final, stops_writes=True).good


def test_a_copy_made_while_writes_go_on_is_found_torn(mariadb: LinuxGuest) -> None:
    deploy(mariadb, keys={})
    with mariadb.writer(tables=ALL_TABLES) as writer:
        final = under_load(mariadb, writer, "unfrozen", fault="copy_unfrozen", fault_seconds=UNFROZEN)

    assert not look(mariadb, writer, final, stops_writes=False).good


def test_an_old_copy_is_found_to_lack_rows(mariadb: LinuxGuest) -> None:
    """Held against a later run's window: what was written in between is missed."""
    deploy(mariadb, pre=MARIADB_PRE, post=MARIADB_POST)
    with mariadb.writer() as writer:
        old = under_load(mariadb, writer, "old")
        new = under_load(mariadb, writer, "new")

    old_with_new_window = {**old, "monotonic": new["monotonic"]}
    report = look(mariadb, writer, old_with_new_window, stops_writes=True)
    assert report.checks_passed
    assert len(report.missing) >= 100


def test_a_damaged_copy_is_found_out(mariadb: LinuxGuest) -> None:
    deploy(mariadb, pre=MARIADB_PRE, post=MARIADB_POST)
    with mariadb.writer() as writer:
        final = under_load(mariadb, writer, "damaged")
    row = b"00000007" * 15
    with Path(str(final["image"])).open("r+b") as image, mmap.mmap(image.fileno(), 0) as disk:
        place = disk.find(row)
        while place != -1:
            disk[place : place + 1] = b"x"
            place = disk.find(row, place)

    report = look(mariadb, writer, final, stops_writes=True)
    assert not report.checks_passed, str(report)


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_frozen_postgresql_copies_are_whole(new_guest: MakeGuest, filesystem: str) -> None:
    guest = new_guest(engine="postgresql", filesystem=filesystem)
    deploy(guest, pre=POSTGRESQL_PRE, post="exit 0\n", keys=config(timeoutInSeconds=600))
    with guest.writer() as writer:
        for number in range(ROUNDS):
            final = under_load(guest, writer, f"checkpoint-{number}")

            assert final["code"] == "0"
            report = look(guest, writer, final, stops_writes=False)
            assert report.good and report.rows, str(report)


def test_an_unfrozen_postgresql_copy_is_found_out(new_guest: MakeGuest) -> None:
    guest = new_guest(engine="postgresql")
    with guest.writer() as writer:
        final = under_load(guest, writer, "unfrozen", fault="copy_unfrozen", fault_seconds=UNFROZEN)

    report = look(guest, writer, final, stops_writes=False)
    assert not report.good


def test_held_redis_copies_are_whole(new_guest: MakeGuest) -> None:
    guest = new_guest(engine="redis")
    deploy(guest, pre=REDIS_PRE, post=REDIS_POST, keys=config(timeoutInSeconds=600))
    with guest.writer() as writer:
        for number in range(ROUNDS):
            final = under_load(guest, writer, f"saved-{number}")

            assert final["code"] == "0"
            assert broken_hold(writer.rows(), final) == []
            report = look(guest, writer, final, stops_writes=True)
            assert report.good and report.rows, str(report)


def test_an_append_only_redis_keeps_what_it_acknowledged(new_guest: MakeGuest) -> None:
    guest = new_guest(engine="redis", server_options=("appendonly yes", "appendfsync always"))
    with guest.writer() as writer:
        final = under_load(guest, writer, "append-only")

    report = look(guest, writer, final, stops_writes=False)
    assert report.good, str(report)
    assert any(finding.check == "redis-check-aof" for finding in report.engine_check)


def test_a_redis_copy_without_scripts_lacks_rows(new_guest: MakeGuest) -> None:
    guest = new_guest(engine="redis")
    with guest.writer() as writer:
        final = under_load(guest, writer, "scriptless")

    report = look(guest, writer, final, stops_writes=False)
    assert report.checks_passed
    assert report.missing


def test_a_copy_can_be_proved_later_from_what_lies_on_disk(
    new_guest: MakeGuest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest = new_guest(engine="mariadb", directory=tmp_path / "g")
    with guest.writer() as writer:
        under_load(guest, writer, "later")
    guest.stop()

    assert prove.main(["--guest", str(tmp_path / "g"), "--task", "later"]) == 0
    assert '"good": true' in capsys.readouterr().out
