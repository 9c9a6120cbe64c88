"""`python -m tests.azure_simulator` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@contextmanager
def _running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.azure_simulator", *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly(number: signal.Signals) -> None:
    with _running("--speed", "20") as (process, facts):
        wanted = "arm_url authority_url ca_file tenant_id client_id client_secret subscription_id vm_ids control_url"
        assert set(wanted.split()) <= set(facts)
        assert len(facts["vm_ids"]) == 12
        context = ssl.create_default_context(cafile=facts["ca_file"])
        with urllib.request.urlopen(
            f"{facts['arm_url']}/metadata/endpoints?api-version=2022-09-01", context=context, timeout=10
        ) as answer:
            assert json.load(answer)["resourceManager"] == f"{facts['arm_url']}/"
        folder = Path(facts["ca_file"]).parent
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert (process.returncode, rest, errors) == (0, "", "")
        assert not folder.exists()


def test_keys_are_for_their_owner_only_and_stay_in_a_given_folder(tmp_path: Path) -> None:
    folder = tmp_path / "simulator"
    with _running("--directory", str(folder)) as (process, facts):
        assert facts["ca_file"] == str(folder / "ca.pem")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        process.terminate()
        process.communicate(timeout=10)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private = {name: mode for name, mode in modes.items() if name != "ca.pem"}
    assert set(private) == {"server.pem", "client-certificate.pem", "federated-token"}
    assert set(private.values()) == {0o600}


def test_a_bad_fleet_file_gets_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yml"
    fleet.write_text("vms: [{name: vm, os: beos}]")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.azure_simulator", "--fleet", str(fleet)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "The simulator did not start: fleet.yml.vms[0].os must be one of linux, windows, not 'beos'.\n"
    )
