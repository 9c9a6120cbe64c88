# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each refusal of a server gets its own cause."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.table import PROFILES
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.hold_sh import HOLD
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.session_sh import SESSION

_FAILED = 'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: '
_ACCOUNT = "the server refused the account: "
_DATABASE = "the database cannot be opened: "
# What psql 15 and runuser said when each was provoked on a PostgreSQL 15, and the words that must come first.
PROVOKED = {
    "peer": (_FAILED + 'FATAL:  Peer authentication failed for user "plain"', _ACCOUNT),
    "no password": (_FAILED + "fe_sendauth: no password supplied", _ACCOUNT),
    "wrong password": (_FAILED + 'FATAL:  password authentication failed for user "plain"', _ACCOUNT),
    "rejected": (_FAILED + 'FATAL:  pg_hba.conf rejects connection for host "[local]", user "plain"', _ACCOUNT),
    "no entry": (_FAILED + 'FATAL:  no pg_hba.conf entry for host "[local]", user "postgres"', _ACCOUNT),
    "no role": (_FAILED + 'FATAL:  role "nosuch" does not exist', _ACCOUNT),
    "no login": (_FAILED + 'FATAL:  role "nologin" is not permitted to log in', _ACCOUNT),
    "no database": (_FAILED + 'FATAL:  database "nosuch" does not exist', _DATABASE),
    "closed database": (
        _FAILED + 'FATAL:  database "noconn" is not currently accepting connections',
        _DATABASE,
    ),
    "full": (
        _FAILED + "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
        "the server has no free connection: ",
    ),
    "no server": (_FAILED + "No such file or directory", "no server answers: "),
    "closed socket": (_FAILED + "Permission denied", "the account may not use the server's socket: "),
    "no right": (
        "ERROR:  must be superuser or have privileges of pg_checkpoint to do CHECKPOINT",
        "the account lacks a right: ",
    ),
    "no system user": (
        "runuser: user nosuchuser does not exist or the user entry does not contain all the required fields",
        "the account that runs the client is not there: ",
    ),
}


@pytest.mark.parametrize(("said", "cause"), PROVOKED.values(), ids=PROVOKED)
@pytest.mark.parametrize("mode", ["checkpoint", "backup"])
def test_a_refusal_of_postgresql_gets_its_own_cause(tmp_path: Path, mode: str, said: str, cause: str) -> None:
    client = tmp_path / "psql"
    client.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(said)}\nexit 2\n")
    client.chmod(0o700)
    (tmp_path / "hold.sh").write_text(HOLD)
    # The hook reads what belongs to this folder, not what is deployed.
    (tmp_path / "session.sh").write_text(SESSION.replace('"$AC_HOME/hold.sh"', shlex.quote(f"{tmp_path}/hold.sh")))
    (tmp_path / "conf").write_text(f"mode={mode}\nclient={client}\n")
    (tmp_path / "state").mkdir()
    environment = {
        "AC_HOME": str(tmp_path),
        "AC_CONF": str(tmp_path / "conf"),
        "AC_STATE": str(tmp_path / "state"),
        "AC_SECONDS": "5",
        "AC_HOLD_LEFT": "1",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        ["sh", "-c", PROFILES["postgresql"].hook, "hook", "freeze"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(cause + said)
