"""Run in a guest: deploys the scripts with the core of the module. Takes parameters as JSON, gives the result so."""

from __future__ import annotations

import json
import subprocess
import sys

from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.deployment import (
    DeploymentGuest,
    Refused,
    run,
)

DEFAULTS = {
    "state": "present",
    "profiles": [],
    "timeout": 60,
    "hold_seconds": 120,
    "poll_seconds": 1,
    "continue_backup_on_failure": True,
    "fs_freeze_enabled": True,
    "log_file": "/var/log/azure/appconsistent.log",
    "force": False,
}


def run_command(command: list[str], text: str) -> tuple[int, str]:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr or done.stdout


if __name__ == "__main__":
    try:
        print(json.dumps(run({**DEFAULTS, **json.load(sys.stdin)}, DeploymentGuest(run_command), check_mode=False)))
    except Refused as refused:
        print(json.dumps({"refused": str(refused), "findings": [finding.as_dict() for finding in refused.findings]}))
