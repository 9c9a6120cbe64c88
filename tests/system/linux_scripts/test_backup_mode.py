"""What PostgreSQL's backup mode is for: a copy that is no single instant, restored with the label and the log."""

from __future__ import annotations

from tests.linux_guest import LinuxGuest
from tests.linux_guest.engines import ENGINES
from tests.system.conftest import MakeGuest

from .scripted import POST, PRE, Starter, deploy, until

_ARCHIVE = "/run/archive"
_COPY = "/run/restored"
_LABELS = "/var/lib/appconsistent/postgresql"


def _as_postgres(guest: LinuxGuest, *command: str) -> str:
    return guest.run(command, user="postgres").stdout.strip()


def test_volumes_copied_one_after_the_other_are_restored_with_label_and_log(guests: MakeGuest) -> None:
    guest = guests(
        "postgresql", server_options=("archive_mode=on", f"archive_command=cp %p {_ARCHIVE}/%f", "archive_timeout=1")
    )
    guest.run(["install", "-d", "-o", "postgres", "-m", "700", _ARCHIVE, _COPY, "/run/socket"])
    deploy(guest, {"name": "postgresql", "mode": "backup"}, fs_freeze_enabled=False)
    with Starter(guest) as extension, guest.writer() as writer:
        writer.wait_for_rows(300)
        assert extension.run(PRE) == 0
        before = [row for row in writer.rows() if row.acknowledged is not None]
        # The tables first, everything else later; the server writes on all the time.
        guest.run(["cp", "-a", "/datadisk/postgresql/base", _COPY], check=False)
        writer.wait_for_rows(300)
        guest.run(
            ["sh", "-c", f"cd /datadisk/postgresql && cp -a [!bp]* pg_[!w]* PG_VERSION postgresql* {_COPY}"],
            check=False,
        )
        writer.wait_for_rows(100)
        assert extension.run(POST) == 0
        label = guest.run(["sh", "-c", f"ls -d {_LABELS}/*"]).stdout.strip()
        last = _as_postgres(guest, "psql", "-XqAt", "-c", "SELECT pg_walfile_name(pg_switch_wal())")
    assert until(lambda: guest.path(f"{_ARCHIVE}/{last}").exists())

    guest.run(["install", "-d", "-o", "postgres", "-m", "700", f"{_COPY}/pg_wal"])
    guest.run(
        ["sh", "-c", f"rm -f {_COPY}/postmaster.pid; touch {_COPY}/recovery.signal; cp {label}/backup_label {_COPY}"]
    )
    guest.run(["chown", "-R", "postgres:", _COPY])
    engine = ENGINES["postgresql"]
    options = (
        f"-c listen_addresses= -c unix_socket_directories=/run/socket -c 'restore_command=cp {_ARCHIVE}/%f %p' "
        "-c archive_mode=off"
    )
    _as_postgres(
        guest, engine.program("pg_ctl"), "-D", _COPY, "-w", "-t", "60", "-l", f"{_COPY}/log", "-o", options, "start"
    )
    sql = ("psql", "-XqAt", "-h", "/run/socket", "-d", "ledger", "-c")
    assert until(lambda: _as_postgres(guest, *sql, "SELECT pg_is_in_recovery()") == "f")
    log = guest.path(f"{_COPY}/log").read_text()
    assert "consistent recovery state reached" in log
    rows = {
        tuple(map(int, line.split("|")))
        for line in _as_postgres(guest, *sql, "SELECT client, number FROM entries").splitlines()
    }
    assert [row for row in before if (row.client, row.number) not in rows] == []
    _as_postgres(
        guest, engine.program("pg_amcheck"), "-h", "/run/socket", "--all", "--install-missing", "--heapallindexed"
    )
