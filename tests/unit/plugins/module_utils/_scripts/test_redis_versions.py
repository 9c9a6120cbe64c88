# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which servers hang for good when RANDOMKEY comes in a pause, told by the hook's own shell."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.redis import REDIS


def told(shell: str, server: str, version: str) -> str:
    text = REDIS.hook[REDIS.hook.index("older() {") : REDIS.hook.index("freeze() {")]
    script = f"set -eu\n{text}\nserver=$1 version=$2\ntell_of_hang\n"
    done = subprocess.run(
        [*shell.split(), "-c", script, "sh", server, version], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
@pytest.mark.parametrize(
    ("server", "version", "mended"),
    [
        ("redis", "6.2.14", "8.0.0"),
        ("redis", "7.0.15", "8.0.0"),
        ("redis", "7.2.7", "7.2.8"),
        ("redis", "7.2.8", ""),
        ("redis", "7.2.10", ""),
        ("redis", "7.4.2", "7.4.3"),
        ("redis", "7.4.3", ""),
        ("redis", "8.0.0", ""),
        ("redis", "8.0", ""),
        ("redis", "10.1.0", ""),
        ("valkey", "7.2.8", "7.2.9"),
        ("valkey", "8.0.3", ""),
        ("valkey", "8.1.0", ""),
        ("valkey", "9.1.2", ""),
    ],
)
def test_a_server_that_can_hang_is_told_with_the_version_that_cannot(
    shell: str, server: str, version: str, mended: str
) -> None:
    said = told(shell, server, version)
    assert (f"update to {mended}\n" in said) if mended else said == ""
    assert not mended or said.startswith(f"note: {server} {version} hangs for good")
