"""Throw-away script configs: what a test puts into a guest's /etc/azure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.linux_guest import LinuxGuest

AZURE = Path("/etc/azure")
CONFIG = AZURE / "VMSnapshotScriptPluginConfig.json"
PRE = AZURE / "pre.sh"
POST = AZURE / "post.sh"
# What the scripts tell: a line each time one is run.
STORY = Path("/run/story")

STORY_PRE = "echo pre >>/run/story\n"
STORY_POST = "echo post >>/run/story\n"


def config(**changes: object) -> dict[str, object]:
    """A good config; a change to the string "absent" takes the key out."""
    keys: dict[str, object] = {
        "pluginName": "ScriptRunner",
        "preScriptLocation": str(PRE),
        "postScriptLocation": str(POST),
        "preScriptParams": [],
        "postScriptParams": [],
        "preScriptNoOfRetries": 0,
        "postScriptNoOfRetries": 0,
        "timeoutInSeconds": 10,
        "continueBackupOnFailure": True,
        "fsFreezeEnabled": True,
        "ScriptsExecutionPollTimeSeconds": 1,
        **changes,
    }
    return {key: value for key, value in keys.items() if value != "absent"}


def write(guest: LinuxGuest, path: Path, text: str | bytes, mode: int = 0o600) -> None:
    target = guest.path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode() if isinstance(text, str) else text)
    target.chmod(mode)


def deploy(
    guest: LinuxGuest,
    *,
    pre: str = STORY_PRE,
    post: str = STORY_POST,
    keys: dict[str, object] | None = None,
    config_text: str | bytes | None = None,
) -> None:
    """An /etc/azure with nothing in it but this pair and its config."""
    shutil.rmtree(guest.path(AZURE))
    guest.path(AZURE).mkdir(mode=0o755)
    guest.path(STORY).unlink(missing_ok=True)
    write(guest, PRE, pre, 0o700)
    write(guest, POST, post, 0o700)
    write(guest, CONFIG, config_text if config_text is not None else json.dumps(keys if keys is not None else config()))


def story(guest: LinuxGuest) -> list[str]:
    path = guest.path(STORY)
    return path.read_text().split() if path.exists() else []
