"""What may be asked of a guest's agent, one JSON line per request."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

RUNS = ("install", "snapshot", "uninstall")
CONSISTENCIES = ("application", "crash")
# What can be made to go wrong, and how. `fault_seconds` and `fault_path` say when, where that makes sense.
FAULTS = {
    "copy_unfrozen": "a torn copy: nothing is frozen, and fault_seconds pass between its two halves",
    "daemon_killed_in_pre": "the extension is killed while pre runs, after fault_seconds or once fault_path exists",
    "daemon_killed_while_frozen": "the extension is killed between freeze and thaw; the thaw comes at the limit",
    "freeze_busy": "somebody else has frozen the file system: FIFREEZE is refused (121)",
    "freeze_hangs": "the freeze never ends: the extension is stuck, post is never run, the status stays at 4",
    "host_error": "the host's snapshot service fails (556, the status stays at 4)",
    "kill_post": "post is killed after fault_seconds or once fault_path exists",
    "kill_pre": "pre is killed after fault_seconds or once fault_path exists",
    "post_never_run": "the extension is killed after the thaw, before post",
    "slow_snapshot": "the snapshot takes fault_seconds more, while frozen",
    "snapshot_error": "the snapshot fails (76)",
    "snapshot_rate": "the snapshot is throttled (173, the status stays at 4)",
    "too_late": "the command is older than 140 minutes (402)",
}
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_KEYS = frozenset({"run", "task_id", "consistency", "fault", "fault_seconds", "fault_path"})


@dataclass(frozen=True)
class Request:
    run: str
    task_id: str = ""
    consistency: str = "application"
    fault: str | None = None
    fault_seconds: float = 0.0
    fault_path: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def parse(line: bytes) -> Request:
    """Raises ValueError with a sentence for the caller."""
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ValueError(f"The request is no JSON: {error}") from error
    if not isinstance(values, dict) or values.get("run") not in RUNS:
        raise ValueError(f"The request must be an object with run one of {', '.join(RUNS)}.")
    unknown = set(values) - _KEYS
    if unknown:
        raise ValueError(f"The request has unknown keys: {', '.join(sorted(unknown))}.")
    request = Request(**values)
    if request.run == "snapshot" and not (isinstance(request.task_id, str) and _TASK_ID.fullmatch(request.task_id)):
        raise ValueError("A snapshot needs a task_id of letters, digits, - and _, at most 64.")
    if request.consistency not in CONSISTENCIES:
        raise ValueError(f"consistency must be one of {', '.join(CONSISTENCIES)}.")
    if request.fault is not None and request.fault not in FAULTS:
        raise ValueError(f"There is no fault {request.fault!r}; there are {', '.join(FAULTS)}.")
    if not isinstance(request.fault_seconds, int | float) or request.fault_seconds < 0:
        raise ValueError("fault_seconds must be a number, 0 or more.")
    if request.fault_path is not None and not isinstance(request.fault_path, str):
        raise ValueError("fault_path must be a path.")
    return request
