# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: PTH103, PTH108, PTH116, PTH118, PTH123 - this runs on the guest's Pythons, 3.6 and newer
"""The core of the module from the first deployment to the removal, on whatever Python it is started with.

Takes the folder that stands for the guest. Prints one JSON object: what each step returned, and the files in between.
"""

import json
import os
import subprocess
import sys

from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.deployment import (
    DeploymentGuest,
    Refused,
    run,
)
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.lint import examine

ROOT = sys.argv[1]
PARAMS = {
    "state": "present",
    "timeout": 60,
    "hold_seconds": 120,
    "poll_seconds": 1,
    "continue_backup_on_failure": True,
    "fs_freeze_enabled": True,
    "log_file": "/var/log/azure/appconsistent.log",
    "force": False,
}
PROFILES = [
    {"name": "command", "freeze_command": ["/bin/x", "it's", "$(id)"], "thaw_command": ["/bin/y"]},
    {"name": "iris", "instance": "IRIS"},
    {"name": "mariadb"},
    {"name": "mongodb", "mode": "lock"},
    {"name": "mysql"},
    {"name": "oracle", "sid": "ORCL", "oracle_home": "/opt/oracle"},
    {"name": "postgresql"},
    {"name": "redis", "password": "geheim", "port": 6379},
    {"name": "saphana", "sid": "HDB"},
    {"name": "service", "unit": "orders.service"},
]


def run_command(argv, text):  # type: ignore[no-untyped-def]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.communicate(text.encode())[0].decode()
    return process.returncode, said


def step(profiles, check_mode=False, **changes):  # type: ignore[no-untyped-def]
    params = dict(PARAMS, profiles=profiles, **changes)
    try:
        return run(params, DeploymentGuest(run_command, ROOT, os.getuid()), check_mode)
    except Refused as refused:
        return {"refused": str(refused), "findings": [finding.as_dict() for finding in refused.findings]}


def tree():  # type: ignore[no-untyped-def]
    found = {}
    for folder, _folders, names in os.walk(ROOT):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as source:
                found[path[len(ROOT) :]] = (oct(os.stat(path).st_mode & 0o7777), source.read())
    return found


for created in ("etc/systemd/system", "run"):
    os.makedirs(os.path.join(ROOT, created))
story = [step(PROFILES, check_mode=True), step(PROFILES), tree(), step(PROFILES)]
with open(os.path.join(ROOT, "etc/azure/workload.conf"), "w", encoding="utf-8") as conf:
    conf.write("[workload]\nworkload_name = oracle\n")
story += [step(PROFILES[:1], timeout=90), [f.as_dict() for f in examine(run_command, ROOT, os.getuid())]]
os.unlink(conf.name)
story += [step(PROFILES[:1], timeout=90), step([{"name": "redis", "unit": "x"}]), step([], state="absent"), tree()]
json.dump(story, sys.stdout, sort_keys=True)
