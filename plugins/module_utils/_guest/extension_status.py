# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The extension's report on one run, ``status/N.status``.

``status.status`` says "success" for every ended run on VMs that Resource Manager made, and ``snapshotConsistency`` says
"none" for nearly all of them. ``status.code`` is the truth, and the report that is wrapped as text into
``substatus[0].name`` tells why. Source: ``HandlerUtil.py`` and ``Status.py`` in Azure/azure-linux-extensions.
"""

import calendar
import re
import time
from typing import Any, Dict, List, NamedTuple, Optional

from .._hostile_json import BadJson, first_mapping, int_of, mapping, parse, text_of
from .._printable import printable
from .extension_codes import HEALTH_STATES

# SnapshotConsistencyType.crashConsistent, the one value of snapshotConsistency that is ever set rightly.
_CRASH_CONSISTENT = 3
_DATE = re.compile(r"/Date\((\d{1,15})\)/")
# Telemetry that helps to judge a run. The rest holds nothing for an operator, or blob addresses.
_TELEMETRY = (
    "extErrorCode",
    "extensionVersion",
    "guestAgentVersion",
    "hostStatusCodeDoSnapshot",
    "hostStatusCodePreSnapshot",
    "isPrePostEnabled",
    "pythonVersion",
    "snapshotCreator",
)


class RunStatus(NamedTuple):
    code: Optional[int]
    message: Optional[str]
    reported: Optional[float]  # seconds since 1970
    task: Optional[str]
    health: Optional[int]
    health_state: Optional[str]
    crash_consistent: bool
    disks: List[bool]  # one per disk: was its snapshot taken
    telemetry: Dict[str, str]


def _when(text: Optional[str]) -> Optional[float]:
    if text is None:
        return None
    date = _DATE.search(text[:100])
    if date:
        return int(date.group(1)) / 1000.0
    try:
        return float(calendar.timegm(time.strptime(text[:40], "%Y-%m-%dT%H:%M:%SZ")))
    except (ValueError, OverflowError):
        return None


def _short(value: Any, longest: int = 200) -> Optional[str]:
    text = text_of(value)
    return printable(text, longest) if text is not None else None


def _inner_report(status: Dict[str, Any]) -> Dict[str, Any]:
    """The full report, which is JSON written as text into the name of the first substatus."""
    text = text_of(first_mapping(status.get("substatus")).get("name"))
    if text is None:
        return {}
    try:
        return mapping(first_mapping(parse(text.encode("utf-8", "replace"))).get("status"))
    except BadJson:
        return {}


def _message(status: Dict[str, Any]) -> Dict[str, Any]:
    text = text_of(mapping(status.get("formattedMessage")).get("message"))
    if text is None:
        return {}
    try:
        return mapping(parse(text.encode("utf-8", "replace")))
    except BadJson:
        # The first status of a run, and old versions, write plain text there.
        return {"messageStr": text}


def parse_status(data: bytes) -> RunStatus:
    """The report in a status file, or BadJson. What is missing from it is None."""
    outer = first_mapping(parse(data))
    status = mapping(outer.get("status"))
    if not status:
        raise BadJson("it holds no status")
    inner = _inner_report(status)
    message = _message(status)
    health = mapping(inner.get("vmHealthInfo"))
    state = int_of(health.get("vmHealthState"))
    disks = inner.get("snapshotInfo")
    telemetry = {}
    pairs = inner.get("telemetryData")
    for pair in pairs[:200] if isinstance(pairs, list) else []:
        key, value = mapping(pair).get("Key"), mapping(pair).get("Value")
        if key in _TELEMETRY and isinstance(value, (str, int, float)):
            telemetry[str(key)] = printable(str(value), 100)
    return RunStatus(
        code=int_of(status.get("code")),
        message=_short(message.get("messageStr")),
        reported=_when(text_of(outer.get("timestampUTC"))),
        task=_short(status.get("taskId"), 100),
        health=int_of(health.get("vmHealthStatusCode")),
        health_state=HEALTH_STATES.get(state) if state is not None else None,
        crash_consistent=int_of(message.get("snapshotConsistency")) == _CRASH_CONSISTENT,
        disks=[mapping(disk).get("isSuccessful") is True for disk in (disks[:100] if isinstance(disks, list) else [])],
        telemetry=telemetry,
    )
