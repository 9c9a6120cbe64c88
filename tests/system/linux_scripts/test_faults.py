"""What goes wrong, on real databases. After each fault the application takes writes again, and the result is true."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.linux_guest import LinuxGuest, Writer, broken_hold
from tests.system.conftest import MakeGuest

from .scripted import POST, PRE, RUN, Starter, clean, deploy, limit, log, state, until, write

# Seconds of the watchdog in these tests; what it promises, and how much more a busy machine may take.
HOLD = 3
AGAIN = HOLD + 30
POST_FAILED = "301"
PRE_FAILED = "300"


@pytest.fixture(scope="module")
def mariadb_guest(guests: MakeGuest) -> LinuxGuest:
    return guests("mariadb")


@pytest.fixture(scope="module")
def redis_guest(guests: MakeGuest) -> LinuxGuest:
    return guests("redis")


@pytest.fixture(scope="module")
def postgresql_guest(guests: MakeGuest) -> LinuxGuest:
    return guests("postgresql", server_options=("archive_mode=on", "archive_command=/bin/true"))


@pytest.fixture
def mariadb(mariadb_guest: LinuxGuest) -> Iterator[LinuxGuest]:
    clean(mariadb_guest)
    deploy(mariadb_guest, {"name": "mariadb"})
    yield mariadb_guest
    clean(mariadb_guest)


@pytest.fixture
def redis(redis_guest: LinuxGuest) -> Iterator[LinuxGuest]:
    clean(redis_guest)
    deploy(redis_guest, {"name": "redis", "socket": "/run/redis/redis-server.sock"})
    yield redis_guest
    clean(redis_guest)


@pytest.fixture
def postgresql(postgresql_guest: LinuxGuest) -> Iterator[LinuxGuest]:
    clean(postgresql_guest)
    deploy(postgresql_guest, {"name": "postgresql", "mode": "backup"})
    yield postgresql_guest
    clean(postgresql_guest)


@pytest.fixture(params=["mariadb", "postgresql", "redis"])
def guest(request: pytest.FixtureRequest) -> LinuxGuest:
    found: LinuxGuest = request.getfixturevalue(request.param)
    return found


def free_again(guest: LinuxGuest, writer: Writer) -> None:
    """Writers get on, a real write of our own goes through, and nothing of the hold is left running."""
    writer.wait_for_rows(20, AGAIN)
    probe = guest.run(["sh", "/etc/azure/appconsistent/probe.sh"], check=False)
    assert probe.returncode == 0, probe.stdout
    holders = ["pgrep", "-f", "appconsistent/watchdog.sh|^sleep [0-9]"]
    assert until(lambda: guest.run(holders, check=False).returncode == 1)


_NUMBERS = itertools.count(1)
REDIS_CLI = ("redis-cli", "-s", "/run/redis/redis-server.sock")


def snapshot(guest: LinuxGuest, **fault: object) -> dict[str, object]:
    """What Azure would be told. The extension does nothing for a task that it has had already."""
    return guest.snapshot(f"task-{next(_NUMBERS)}", **fault)


def meanwhile(path: Path, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as a file is there."""

    def wait_and_act() -> None:
        if until(path.exists, 60):
            act()

    thread = threading.Thread(target=wait_and_act, daemon=True)
    thread.start()
    return thread


def during_the_hold(guest: LinuxGuest, act: Callable[[], None]) -> dict[str, object]:
    """A snapshot; once the applications are held something happens."""
    thread = meanwhile(guest.path(RUN / "current/held_after"), act)
    final = snapshot(guest, fault="slow_snapshot", fault_seconds=1.5)
    thread.join(60)
    return final


def holder(guest: LinuxGuest, name: str = "client") -> str:
    return (guest.path(RUN) / f"current/20-{guest.engine}/session/{name}").read_text().split()[0]


def test_post_never_runs(guest: LinuxGuest) -> None:
    limit(guest, hold=HOLD)
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        assert snapshot(guest, fault="post_never_run")["code"] != "0"
        assert until(lambda: state(guest) == "broken", AGAIN)
        free_again(guest, writer)
        assert guest.run(["sh", POST], check=False).returncode == 1


@pytest.mark.parametrize(
    "step",
    [
        "id",
        "watchdog",
        "20-mariadb/session/in",
        "20-mariadb/session/keeper",
        "20-mariadb/session/connection",
        "20-mariadb/session/held",
        "held_after",
    ],
)
def test_pre_is_killed_at_any_step_of_mariadb(mariadb: LinuxGuest, step: str) -> None:
    killed_while(mariadb, step)


@pytest.mark.parametrize("step", ["20-postgresql/session/in", "20-postgresql/session/version", "held_after"])
def test_pre_is_killed_at_any_step_of_postgresql(postgresql: LinuxGuest, step: str) -> None:
    killed_while(postgresql, step)


@pytest.mark.parametrize("step", ["20-redis/run_id", "20-redis/paused", "20-redis/changes", "held_after"])
def test_pre_is_killed_at_any_step_of_redis(redis: LinuxGuest, step: str) -> None:
    killed_while(redis, step)


def killed_while(guest: LinuxGuest, step: str) -> None:
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        final = snapshot(guest, fault="kill_pre", fault_path=str(RUN / "current" / step))
        # The step may have been the last one: then pre was not killed, and the point is good.
        held = final["code"] == "0"
        assert held or final["health"] == PRE_FAILED
        if held:
            assert broken_hold(writer.rows(), final) == [] or guest.engine == "postgresql"
        free_again(guest, writer)
        # Killed before there was a state, it had not begun.
        assert state(guest) in (("released",) if held else ("broken", "released", *([""] if step == "id" else [])))


# Redis holds by itself: there is no process to kill.
@pytest.mark.parametrize("guest", ["mariadb", "postgresql"], indirect=True)
def test_the_holder_is_killed(guest: LinuxGuest) -> None:
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        final = during_the_hold(guest, lambda: _kill(guest, "client"))
        assert (final["code"], final["health"]) == ("1", POST_FAILED)
        assert "is gone" in state(guest, "reason")
        free_again(guest, writer)


def test_what_keeps_the_holder_alive_is_killed(mariadb: LinuxGuest) -> None:
    with mariadb.writer() as writer:
        writer.wait_for_rows(20)
        final = during_the_hold(mariadb, lambda: _kill(mariadb, "keeper"))
        assert (final["code"], final["health"]) == ("1", POST_FAILED)
        free_again(mariadb, writer)


def _kill(guest: LinuxGuest, name: str) -> None:
    guest.run(["kill", "-KILL", holder(guest, name)])


def test_the_holders_session_is_ended_by_the_server(mariadb: LinuxGuest) -> None:
    def kill() -> None:
        mariadb.run(["mariadb", "-e", f"KILL {holder(mariadb, 'connection')}"])

    with mariadb.writer() as writer:
        writer.wait_for_rows(20)
        final = during_the_hold(mariadb, kill)
        assert (final["code"], final["health"]) == ("1", POST_FAILED)
        free_again(mariadb, writer)


def test_somebody_ends_the_pause_early(redis: LinuxGuest) -> None:
    """What a clock that jumps ahead does to a pause, too: the server ends it, and writes go through."""
    with redis.writer() as writer:
        writer.wait_for_rows(20)
        final = during_the_hold(
            redis, lambda: _quietly(redis, ["redis-cli", "-s", "/run/redis/redis-server.sock", "CLIENT", "UNPAUSE"])
        )
        assert (final["code"], final["health"]) == ("1", POST_FAILED)
        assert "the pause ended early" in state(redis, "reason")
        free_again(redis, writer)


def test_a_dump_does_not_hide_that_the_pause_ended_early(redis: LinuxGuest) -> None:
    """It sets the server's count of changes to nought. A dump while writes wait is nothing to complain of."""

    def ask(*words: str) -> str:
        return redis.run(["redis-cli", "-s", "/run/redis/redis-server.sock", *words]).stdout

    def dump() -> None:
        ask("BGSAVE")
        assert until(lambda: "rdb_bgsave_in_progress:0" in ask("INFO", "persistence"))

    with Starter(redis) as extension:
        assert extension.run(PRE) == 0
        dump()
        assert extension.run(POST) == 0
        assert extension.run(PRE) == 0
        ask("CLIENT", "UNPAUSE")
        ask("SET", "hidden", "1")
        dump()
        assert "rdb_changes_since_last_save:0" in ask("INFO", "persistence")
        assert extension.run(POST) == 1
        assert "the pause ended early" in state(redis, "reason")


def _quietly(guest: LinuxGuest, command: list[str]) -> None:
    guest.run(command)


def test_the_server_is_restarted_during_the_hold(guest: LinuxGuest) -> None:
    def restart() -> None:
        guest.stop_server(signal.SIGKILL)
        guest.start_server()

    limit(guest, hold=40)
    with guest.writer() as writer, Starter(guest) as extension:
        writer.wait_for_rows(20)
        assert extension.run(PRE) == 0
        restart()
        assert extension.run(POST) == 1
        assert state(guest) == "broken"
        free_again(guest, writer)


def test_the_server_is_down(guest: LinuxGuest) -> None:
    guest.stop_server()
    try:
        final = snapshot(guest)
        assert (final["code"], final["health"]) == ("1", PRE_FAILED)
        assert "no server answers" in state(guest, "reason")
    finally:
        guest.start_server()


def test_the_server_goes_down_and_stays_down_during_the_hold(guest: LinuxGuest) -> None:
    with Starter(guest) as extension:
        assert extension.run(PRE) == 0
        guest.stop_server(signal.SIGKILL)
        try:
            assert extension.run(POST) == 1
            assert state(guest) == "broken"
        finally:
            guest.start_server()
    assert guest.run(["sh", "/etc/azure/appconsistent/probe.sh"], check=False).returncode == 0


def test_the_disk_is_full(guest: LinuxGuest) -> None:
    limit(guest, freeze=4, script=12, hold=30)
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        guest.run(["sh", "-c", f"cat /dev/zero >{guest.disk}/rubbish"], check=False)
        try:
            final = snapshot(guest)
        finally:
            (guest.path(guest.disk) / "rubbish").unlink()
        if guest.engine == "postgresql" and not _answers(guest):
            # It stops when it cannot write its log. It comes back as after a crash.
            guest.stop_server(signal.SIGQUIT)
            guest.start_server()
        # A dump that failed in our hold leaves Redis to the watchdog, which may be at it just now.
        ends = {"0": {"released"}, "1": {"failed", "broken"}}[str(final["code"])]
        assert until(lambda: state(guest) in ends, 60), state(guest)
        free_again(guest, writer)


def fill_to_the_last_block(guest: LinuxGuest) -> None:
    """Once is not enough: what is deleted meanwhile, and what was set aside, makes room for a small dump."""
    once = f"dd if=/dev/zero of={guest.disk}/rubbish bs=1k conv=notrunc oflag=append 2>/dev/null; sync"
    guest.run(["sh", "-c", f"{once}; {once}; {once}"], check=False)


def strict(redis: LinuxGuest) -> str:
    """Whether the server refuses writes after a dump that failed."""
    return redis.run([*REDIS_CLI, "CONFIG", "GET", "stop-writes-on-bgsave-error"]).stdout.split()[-1]


def test_the_disk_stays_full_and_redis_takes_writes_all_the_same(redis: LinuxGuest) -> None:
    limit(redis, freeze=4, script=12, hold=30)
    assert strict(redis) == "yes"
    with redis.writer() as writer:
        writer.wait_for_rows(20)
        fill_to_the_last_block(redis)
        try:
            final = snapshot(redis)
            # By its own setting the server would refuse them from the dump that failed to the next good one.
            writer.wait_for_rows(20, AGAIN)
            assert (final["code"], final["health"]) == ("1", PRE_FAILED)
            assert "the dump failed" in state(redis, "reason")
            # While the watchdog tries again the state is another for a moment.
            assert until(lambda: state(redis) == "stuck")
            assert strict(redis) == "no"
            assert "until one goes well: make room" in (redis.path(RUN) / "log").read_text()
        finally:
            (redis.path(redis.disk) / "rubbish").unlink()
        # The watchdog comes back for it.
        assert until(lambda: state(redis) == "failed", 60)
        assert strict(redis) == "yes"
        free_again(redis, writer)
    assert snapshot(redis)["code"] == "0"


def test_redis_is_left_strict_after_a_good_point_and_untouched_when_it_refuses_writes_already(
    redis: LinuxGuest,
) -> None:
    def persistence() -> str:
        return redis.run([*REDIS_CLI, "INFO", "persistence"]).stdout

    assert snapshot(redis)["code"] == "0"
    assert strict(redis) == "yes"
    fill_to_the_last_block(redis)
    try:
        redis.run([*REDIS_CLI, "BGSAVE"])
        assert until(lambda: "rdb_last_bgsave_status:err" in persistence())
        assert snapshot(redis)["code"] == "1"
        assert (state(redis), strict(redis)) == ("failed", "yes")
    finally:
        (redis.path(redis.disk) / "rubbish").unlink()
    # A dump of ours heals it.
    assert snapshot(redis)["code"] == "0"
    assert "rdb_last_bgsave_status:ok" in persistence()


def _answers(guest: LinuxGuest) -> bool:
    return guest.run(["pg_isready", "-q"], check=False).returncode == 0


def test_the_folder_in_memory_fills_up_during_the_hold(guest: LinuxGuest) -> None:
    guest.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(RUN)])
    try:
        with guest.writer() as writer, Starter(guest) as extension:
            writer.wait_for_rows(20)
            assert extension.run(PRE) == 0
            guest.run(["sh", "-c", f"cat /dev/zero >{RUN}/rubbish"], check=False)
            # Where there was no room for the proof, the point counts as no good; but everything is free.
            assert extension.run(POST) in (0, 1)
            writer.wait_for_rows(20, AGAIN)
            guest.path(RUN / "rubbish").unlink()
            free_again(guest, writer)
    finally:
        guest.run(["umount", "-l", str(RUN)])


def test_a_wrong_password(mariadb: LinuxGuest) -> None:
    mariadb.run(["mariadb", "-e", "CREATE OR REPLACE USER snapshot@localhost IDENTIFIED BY 'right'"])
    write(mariadb, Path("/etc/azure/snapshot.cnf"), "[client]\nuser=snapshot\npassword=wrong\n")
    deploy(mariadb, {"name": "mariadb", "option_file": "/etc/azure/snapshot.cnf"})
    final = snapshot(mariadb)
    assert (final["code"], final["health"]) == ("1", PRE_FAILED)
    assert "refused the account" in state(mariadb, "reason")
    # The right password without the right: another sentence.
    write(mariadb, Path("/etc/azure/snapshot.cnf"), "[client]\nuser=snapshot\npassword=right\n")
    snapshot(mariadb)
    assert "lacks a right" in state(mariadb, "reason")
    # The documented least privilege is enough.
    rights = "GRANT RELOAD ON *.* TO snapshot@localhost"
    probing = "GRANT CREATE, INSERT, DELETE ON appconsistent.* TO snapshot@localhost"
    mariadb.run(["mariadb", "-e", rights])
    probe = ["sh", "/etc/azure/appconsistent/probe.sh"]
    assert "20-mariadb 3 cannot tell" in mariadb.run(probe).stdout
    mariadb.run(["mariadb", "-e", probing])
    assert mariadb.run(probe).stdout.strip() == "20-mariadb 0"
    assert snapshot(mariadb)["code"] == "0"


def test_a_wrong_password_for_redis_and_an_account_of_its_own(redis: LinuxGuest) -> None:
    client = ["redis-cli", "-s", "/run/redis/redis-server.sock"]
    profile: dict[str, object] = {"name": "redis", "socket": "/run/redis/redis-server.sock"}
    rules = "+info +bgsave +client|pause +client|unpause +config|get +config|set +set +ping ~appconsistent:*"
    redis.run([*client, "ACL", "SETUSER", "snapshot", "on", ">right", *rules.split()])
    try:
        deploy(redis, {**profile, "user": "snapshot", "password": "wrong"})
        final = snapshot(redis)
        assert (final["code"], final["health"]) == ("1", PRE_FAILED)
        assert "refused the account" in state(redis, "reason")
        deploy(redis, {**profile, "user": "snapshot", "password": "right"})
        with redis.writer() as writer:
            assert snapshot(redis)["code"] == "0"
            free_again(redis, writer)
    finally:
        redis.run([*client, "ACL", "DELUSER", "snapshot"])


def test_an_account_without_rights_in_postgresql(postgresql: LinuxGuest) -> None:
    def sql(text: str) -> None:
        postgresql.run(["psql", "-XqAt", "-c", text], user="postgres")

    sql("CREATE ROLE mysql LOGIN")
    try:
        deploy(postgresql, {"name": "postgresql", "mode": "backup", "system_user": "mysql"})
        final = snapshot(postgresql)
        assert (final["code"], final["health"]) == ("1", PRE_FAILED)
        assert "lacks a right" in state(postgresql, "reason")
        sql("GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean) TO mysql")
        sql("GRANT EXECUTE ON FUNCTION pg_backup_stop(boolean) TO mysql")
        assert snapshot(postgresql)["code"] == "0"
        deploy(postgresql, {"name": "postgresql", "mode": "checkpoint", "system_user": "mysql"})
        assert snapshot(postgresql)["health"] == PRE_FAILED
        sql("GRANT pg_checkpoint TO mysql")
        assert snapshot(postgresql)["code"] == "0"
    finally:
        sql("DROP OWNED BY mysql; DROP ROLE mysql")


def test_two_runs_at_once(guest: LinuxGuest) -> None:
    with guest.writer() as writer, Starter(guest) as other:
        writer.wait_for_rows(20)

        def intrude() -> None:
            statuses.extend((other.run(PRE), other.run(POST)))

        statuses: list[int] = []
        final = during_the_hold(guest, intrude)
        assert statuses[0] != 0
        assert statuses[1] != 0
        assert final["code"] == "0"
        assert broken_hold(writer.rows(), final) == [] or guest.engine == "postgresql"
        free_again(guest, writer)


def test_the_watchdog_and_the_keeper_are_gone_and_the_server_ends_the_hold(mariadb: LinuxGuest) -> None:
    """The last line: an idle session that the server itself ends."""
    limit(mariadb, freeze=3, script=10, hold=4)
    with mariadb.writer() as writer:
        writer.wait_for_rows(20)
        assert mariadb.run(["sh", PRE], check=False).returncode == 0
        mariadb.run(["kill", "-KILL", state(mariadb, "watchdog").split()[0]])
        mariadb.run(["kill", "-STOP", holder(mariadb, "keeper")])
        writer.wait_for_rows(20, AGAIN)
        assert state(mariadb) == "held"
        assert mariadb.run(["sh", POST], check=False).returncode == 1
        free_again(mariadb, writer)


def test_a_long_write_keeps_the_lock_away_and_is_named(mariadb: LinuxGuest) -> None:
    limit(mariadb, freeze=4, script=12)
    blocker = "LOCK TABLES ledger.myisam WRITE; SELECT SLEEP(8);"
    with mariadb.writer(tables=("innodb", "myisam")) as writer:
        writer.wait_for_rows(20)
        thread = threading.Thread(target=lambda: mariadb.run(["mariadb", "-e", blocker], check=False))
        thread.start()
        assert until(lambda: "SLEEP" in mariadb.run(["mariadb", "-e", "SHOW PROCESSLIST"]).stdout)
        assert mariadb.run(["sh", PRE], check=False).returncode != 0
        assert "a statement kept the backup lock away" in log(mariadb)
        thread.join()
        free_again(mariadb, writer)


def test_another_backup_keeps_the_lock_away_and_is_told_from_a_statement(mariadb: LinuxGuest) -> None:
    limit(mariadb, freeze=4, script=12)
    idle = '(echo "BACKUP STAGE START;"; sleep 8) | mariadb'
    thread = threading.Thread(target=lambda: mariadb.run(["sh", "-c", idle], check=False))
    thread.start()
    # It shows as a connection that does nothing.
    assert until(lambda: mariadb.run(["mariadb", "-e", "SHOW PROCESSLIST"]).stdout.count("Sleep") >= 1)
    assert mariadb.run(["sh", PRE], check=False).returncode != 0
    assert "another backup, or locked tables, kept the backup lock away" in log(mariadb)
    thread.join()


@pytest.mark.parametrize("fault", ["daemon_killed_in_pre", "daemon_killed_while_frozen", "freeze_hangs"])
def test_the_extension_dies_or_hangs(mariadb: LinuxGuest, fault: str) -> None:
    limit(mariadb, hold=HOLD)
    # The extension thaws and gives up by itself after a minute; here sooner.
    write(mariadb, Path("/etc/azure/vmbackup.conf"), "[SnapshotThread]\ntimeout = 5\nSafeFreezeWaitInSeconds = 6\n")
    with mariadb.writer() as writer:
        writer.wait_for_rows(20)
        path = str(RUN / "current/20-mariadb/session/connection") if fault == "daemon_killed_in_pre" else None
        final = snapshot(mariadb, fault=fault, fault_path=path)
        assert final["code"] != "0"
        free_again(mariadb, writer)
        assert state(mariadb) == "broken"


def test_everything_the_scripts_write_to_stands_still(guests: MakeGuest) -> None:
    """Log and mark lie on the frozen file system, and the freeze lasts longer than the hold may."""
    guest = guests("mariadb", frozen_folders=("/var/log", "/var/lib/appconsistent"))
    deploy(guest, {"name": "mariadb"})
    limit(guest, hold=2)
    seen: list[str] = []
    with guest.writer() as writer:
        writer.wait_for_rows(20)
        watch = meanwhile(
            guest.path(RUN / "current/held_after"),
            lambda: seen.append(state(guest)) if until(lambda: state(guest) == "broken", 7) else None,
        )
        final = snapshot(guest, fault="slow_snapshot", fault_seconds=8)
        watch.join(60)
        assert seen == ["broken"]
        assert (final["code"], final["health"]) == ("1", POST_FAILED)
        free_again(guest, writer)
        limit(guest)
        assert snapshot(guest)["code"] == "0"
