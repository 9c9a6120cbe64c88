# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The extension's log, ``extension.log``, as the marks of its last run.

Three kinds of stamps are mixed in it. Python 3 writes ``2026-03-14 02:00:07.412233 [name-1.0]text`` in UTC, Python 2
writes ``2026/03/14 02:00:07 [name-1.0]text`` in local time. What is logged while file systems are frozen is kept in
memory and written later in one piece, with ``2026/03/14 02:00:13.241020  Info  text``, so the file is not in time
order. The freeze program's own lines carry a third stamp inside the text. Source: ``backuplogger.py``,
``HandlerUtil.py`` and ``fsfreezer.py`` in Azure/azure-linux-extensions, folder VMBackup/main.
"""

import re
import time
from datetime import datetime, timedelta
from typing import Callable, Iterator, List, NamedTuple, Optional, Set

# A line that is longer says nothing that is looked for here, but its beginning may.
LONGEST_LINE = 2048
# A run leaves about a hundred marks. Whoever fills the log with them is not believed without end.
MOST_MARKS = 5000

_PLAIN = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d{1,6})? \[[\w.]{1,100}-[\d.]{1,20}\] *(.*)")
_PYTHON_2 = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[[\w.]{1,100}-[\d.]{1,20}\] *(.*)")
_FROZEN = re.compile(r"(\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d)(\.\d{1,6})?  (?:Info|Warning|Error)  (.*)")
_NESTED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?=\S)")

# What is looked for, in the order of a run. Each pattern is matched at the beginning of a message. ``{}`` begins the
# one group whose text is kept. The spelling mistakes are the extension's.
_MARKS = (
    ("sequence", r"sequence number (?:from environment variable|based on config file-names) is {}\d{1,9})$"),
    ("enable", r"starting enable$"),
    ("same", r"the sequence number are same, so skip|TaskId is same as last"),
    ("task", r"taskId: {}[\w-]{1,100})$"),
    ("daemon", r"starting daemon initially"),
    ("too_late", r"CRP timeout limit has reached"),
    ("workload", r"workload backup enabled for workload: {}.{1,100})"),
    ("checks", r"Loading script modules now"),
    ("refusal", r"{}(?:Plugin host|Plugin Config|Prescript|Postscript|The owner of the ).*(?:does not|but +not ).*)"),
    ("config", r"Plugin:{}[^ ]{0,100} timeout:.*)"),
    ("checked", r"Validate Scripts output: errorCode - {}\d{1,4}) "),
    ("scripts_on", r"App Consistent Consistent Backup Enabled"),
    ("scripts_off", r"Triggering File System Consistent Backup because of error code ?{}.*)"),
    ("pre", r"Running prescript for "),
    ("pre_succeeded", r"Prescript for .* successfully executed"),
    ("pre_failed", r"Prescript for .* failed with error code: {}-?\d{1,9})"),
    ("pre_timed_out", r"Prescript for .* timed out"),
    ("pre_finished", r"Finished prescript execution from PluginHost side"),
    ("by", r"Taking Snapshot through {}Host|Guest)"),
    ("freeze", r"T:S freeze, timeout value"),
    ("freeze_skipped", r"skip freeze is : True"),
    ("accepting", r"proceeded for accepting signals"),
    ("block", r"=+ Logs during Freeze Start =+$"),
    ("freeze_began", r"\*+ 1\. "),
    ("freezing", r"Freezing: {}/.*)"),
    ("frozen", r"\*+ 4\. Freeze Completed"),
    ("freeze_error", r"Failed to FIFREEZE: {}.*)"),
    ("freeze_failed", r"freeze failed for some mount"),
    ("freeze_timed_out", r"freeze timed-out"),
    ("snapshot_by", r"\*+ 5\. Snaphotting \({}Host|Guest)"),
    ("disk", r"From Host- IsSuccessful: ?{}True|False)"),
    ("thaw_late", r"\*+ 7\. Error - Binary Process Already Completed|Failed to receive timely Thaw"),
    ("thaw_sent", r"\*+ 7\. Sending Thaw Signal"),
    ("child_ended", r"\*+ 9\. Binary Process completed"),
    ("thawing", r"Thawing: {}/.*)"),
    ("throttled", r"Retrying when snapshot failed with SnapshotRateExceeded"),
    ("snapshot_result", r"doFreezeSnapshot : run_result - {}\d{1,4}) "),
    ("post", r"Running postscript for "),
    ("post_succeeded", r"Postscript for .* successfully executed"),
    ("post_failed", r"Postscript for .* failed with error code: {}-?\d{1,9})"),
    ("post_timed_out", r"Postscript for .* timed out"),
    ("post_finished", r"Finished postscript execution from PluginHost side"),
    ("crashed", r"{}Failed to enable the extension with error: .*)"),
    ("status_unwritten", r"Failed to log status in extension\D{0,60}{}\d{1,4})"),
    ("final", r"Enable,(?:success|error|warning|transitioning),{}(?!4,)\d{1,4}),.*,(?:True|False)$"),
)
_ANY_MARK = re.compile("|".join("(?P<{0}>{1})".format(n, p.replace("{}", "(?P<of_" + n + ">")) for n, p in _MARKS))
_KEEPS_TEXT = frozenset(name for name, pattern in _MARKS if "{}" in pattern)


class Mark(NamedTuple):
    name: str
    when: Optional[float]  # seconds since 1970
    text: str


class LoggedRun(NamedTuple):
    """The marks of one run, in time order."""

    marks: List[Mark]
    python_2: bool
    complete: bool  # the run's beginning was found, and nothing was left out

    def first(self, *names: str) -> Optional[Mark]:
        return next((mark for mark in self.marks if mark.name in names), None)

    def last(self, *names: str) -> Optional[Mark]:
        return next((mark for mark in reversed(self.marks) if mark.name in names), None)

    def texts(self, name: str) -> List[str]:
        return [mark.text for mark in self.marks if mark.name == name]

    def has(self, *names: str) -> bool:
        return self.first(*names) is not None


class _Entry(NamedTuple):
    name: str
    when: Optional[float]
    text: str
    in_block: bool
    python_2: bool


class _Stretch:
    """What stands between two beginnings of ``enable`` in the file."""

    def __init__(self, begun: bool) -> None:
        self.begun = begun
        self.entries: List[_Entry] = []
        self.names: Set[str] = set()
        self.cut = False

    def add(self, entry: _Entry) -> None:
        self.names.add(entry.name)
        if len(self.entries) < MOST_MARKS:
            self.entries.append(entry)
        else:
            self.cut = True

    def is_run(self) -> bool:
        return self.begun or not self.names.isdisjoint(("daemon", "checks", "pre", "accepting", "post", "final"))


def local_to_utc(moment: datetime) -> float:
    """A local time of this guest as seconds since 1970."""
    return time.mktime(moment.timetuple())


def _utc_seconds(day: str, fraction: Optional[str]) -> Optional[float]:
    try:
        moment = datetime.strptime(day.replace("/", "-"), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the stamp has no zone
    except ValueError:
        return None
    return (moment - datetime(1970, 1, 1)) / timedelta(seconds=1) + float(fraction or 0)  # noqa: DTZ001


def _local_seconds(day: str, to_utc: Callable[[datetime], float]) -> Optional[float]:
    try:
        return to_utc(datetime.strptime(day, "%Y/%m/%d %H:%M:%S"))  # noqa: DTZ007 - to_utc knows the zone
    except (ValueError, OverflowError):
        return None


def _entry(line: bytes, to_utc: Callable[[datetime], float]) -> Optional[_Entry]:
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    in_block = python_2 = False
    stamped = _PLAIN.match(text)
    if stamped is None:
        stamped = _FROZEN.match(text)
        in_block = stamped is not None
    if stamped is None:
        stamped = _PYTHON_2.match(text)
        python_2 = stamped is not None
    if stamped is None:
        return None
    message = stamped.group(stamped.lastindex or 0)
    nested = _NESTED.match(message)
    mark = _ANY_MARK.match((message[nested.end() :] if nested else message).rstrip())
    if mark is None or mark.lastgroup is None:
        return None
    name = mark.lastgroup
    when = _local_seconds(stamped.group(1), to_utc) if python_2 else _utc_seconds(stamped.group(1), stamped.group(2))
    return _Entry(name, when, mark.group("of_" + name) if name in _KEEPS_TEXT else "", in_block, python_2)


def _last_stretch(entries: Iterator[_Entry]) -> _Stretch:
    """Cut the log at each ``starting enable``; a visit that did nothing is laid back into the run that it came upon."""
    previous: Optional[_Stretch] = None
    current = _Stretch(begun=False)
    sequence: Optional[_Entry] = None
    for entry in entries:
        if entry.name == "sequence":
            # It stands just before "starting enable" and again just before "starting daemon".
            sequence = entry
            continue
        if entry.name == "same":
            # The agent calls enable again whenever the agent or the machine starts.
            current, previous = previous or _Stretch(begun=False), None
            continue
        if entry.name == "enable" or (entry.name == "daemon" and "daemon" in current.names):
            previous, current = (current if current.is_run() else previous), _Stretch(begun=True)
        if entry.name in ("enable", "daemon") and sequence is not None:
            current.add(sequence)
            sequence = None
        current.add(entry)
    return current if current.is_run() or previous is None else previous


def _in_time_order(stretch: _Stretch) -> LoggedRun:
    shift = 0.0
    accepting = next((entry.when for entry in stretch.entries if entry.name == "accepting"), None)
    block = [entry.when for entry in stretch.entries if entry.in_block and entry.when is not None]
    if accepting is not None and block:
        # The block begins within seconds of "accepting signals". Where it seems to begin hours away, its clock is
        # in another time zone: zones differ by quarters of an hour.
        shift = round((accepting - min(block)) / 900.0) * 900.0
    marks: List[Mark] = []
    clock: Optional[float] = None
    for entry in stretch.entries:
        if entry.when is not None:
            clock = entry.when + shift if entry.in_block else entry.when
        marks.append(Mark(entry.name, clock, entry.text))
    # Stable, so what carries the same stamp keeps the order of the file.
    marks.sort(key=lambda mark: mark.when or 0.0)
    return LoggedRun(marks, any(entry.python_2 for entry in stretch.entries), stretch.begun and not stretch.cut)


def lines_of(data: bytes) -> Iterator[bytes]:
    """The lines, one at a time, each cut to what can matter."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start : min(end, start + LONGEST_LINE)]
        start = end + 1


def last_run(data: bytes, to_utc: Callable[[datetime], float] = local_to_utc) -> Optional[LoggedRun]:
    """The last run that a piece of the log tells of, or None. Nothing but the marks of two runs is kept."""
    parsed = (_entry(line, to_utc) for line in lines_of(data))
    stretch = _last_stretch(entry for entry in parsed if entry is not None)
    return _in_time_order(stretch) if stretch.is_run() else None
