# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run of pre and post as the extension makes it, without a freeze and without a snapshot, that ends released.

The polling is that of ``ScriptRunner`` and ``PluginHost`` in Azure/azure-linux-extensions: the runner looks at the
script once in each poll interval and never ends it; the host looks just as often and always a little earlier.
Processes, clock and sleep come from a ``World``, so that a test has no need to wait.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .._finding import Finding
from .._guest import extension_codes as codes
from .._guest.plugin_check import PluginPlan, Script
from .._printable import iso
from .findings import finding
from .verdict import as_dict, crashes, snapshot_is_taken, would_report

# How long a script that went past its limit may take to end by itself before it is ended.
GRACE = 10.0

WRITTEN = "written"
CANNOT_TELL = "cannot_tell"
REFUSED = "refused"
TIMED_OUT = "timed_out"
_NOT_WRITTEN = frozenset((REFUSED, TIMED_OUT))


class Child:
    """A script that was started. A World hands these out."""

    pid: int

    def poll(self) -> Optional[int]:
        raise NotImplementedError

    def ended_at(self) -> Optional[float]:
        """When it was first seen to have ended."""
        raise NotImplementedError

    def unread(self) -> int:
        """Bytes in its pipes that nobody reads."""
        raise NotImplementedError

    def close_pipes(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """End it, politely first."""
        raise NotImplementedError


class World:
    """Clock, sleep and processes."""

    def now(self) -> float:
        raise NotImplementedError

    def wall_clock(self) -> float:
        raise NotImplementedError

    def sleep(self, seconds: float, watched: Optional[Child] = None) -> None:
        """Sleep in full, noting meanwhile when the child ends."""
        raise NotImplementedError

    def cancelled(self) -> bool:
        """Whether whoever asked for the rehearsal is gone or wants it to end."""
        raise NotImplementedError

    def start(self, argv: List[str], which: str) -> Child:
        raise NotImplementedError

    def guard(self, post: List[str]) -> None:
        """From here on somebody else runs post, should we go away."""
        raise NotImplementedError

    def all_clear(self) -> None:
        raise NotImplementedError


class ProbeResult(NamedTuple):
    """What became of one real write into one application."""

    name: str
    state: str
    said: str


class Phase(NamedTuple):
    state: str  # succeeded, failed, timed_out, not_run
    code: Optional[int]
    exit_code: Optional[int] = None
    started: Optional[float] = None  # wall clock
    begun: Optional[float] = None  # monotonic
    ended: Optional[float] = None  # monotonic, as the extension sees it
    seconds: Optional[float] = None
    own_seconds: Optional[float] = None
    unread: int = 0

    def as_dict(self) -> Dict[str, Any]:
        return {
            "state": self.state,
            "code": self.code,
            "exit_code": self.exit_code,
            "started": iso(self.started),
            "seconds": self.seconds,
            "own_seconds": self.own_seconds,
            "unread_bytes": self.unread,
        }


NOT_RUN = Phase("not_run", None)


def argv_of(script: Script) -> List[str]:
    return ["sh", script.path or "", *(script.params or [])]


class _Phases:
    def __init__(self, plan: PluginPlan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.children: Dict[str, Child] = {}

    def run(self, which: str) -> Phase:
        plan, world = self.plan, self.world
        script = plan.pre if which == "pre" else plan.post
        failed, timed_out, died = (
            (codes.PRE_FAILED, codes.PRE_TIMEOUT, codes.HOST_PRE_TIMEOUT)
            if which == "pre"
            else (codes.POST_FAILED, codes.POST_TIMEOUT, codes.HOST_POST_TIMEOUT)
        )
        if script is None or script.params is None:
            # The runner's thread dies before it starts anything, and the host waits for its whole limit.
            return Phase("failed", died)
        started, begun = world.wall_clock(), world.now()
        try:
            child = self.children[which] = world.start(argv_of(script), which)
        except OSError:
            return Phase("failed", died, None, started)
        # ScriptRunner: pollTotalCount = timeoutInSeconds / pollSleepTime, not rounded.
        polls, limit = 0, plan.timeout / plan.poll
        status = child.poll()
        while status is None and polls < limit:
            polls += 1
            world.sleep(plan.poll, child)
            status = child.poll()
        ended = world.now()
        unread = child.unread()
        if status is not None:
            # The pipes' reading ends go with the runner's thread. A script that still runs keeps them.
            child.close_pipes()
        waited = self.wait_for_host(begun, ended)
        if status is None:
            state, code = "timed_out", timed_out
        elif status == 0:
            state, code = "succeeded", codes.APPLICATION
        else:
            # With a number of retries that cannot be compared the thread dies when the script has failed.
            state, code = "failed", failed if script.retries_are_sane else died
        if not waited and code != died:
            state, code = ("timed_out" if status is None else "failed"), died
        own = child.ended_at()
        return Phase(
            state,
            code,
            status,
            started,
            begun,
            ended,
            round(world.now() - begun, 3),
            round(own - begun, 3) if own is not None else None,
            unread,
        )

    def wait_for_host(self, begun: float, ended: float) -> bool:
        """PluginHost notices at its next look. False when its own limit comes first."""
        poll = self.plan.poll
        looks = int((ended - begun) / poll) + 1
        within = looks <= int(self.plan.host_timeout / poll)
        self.world.sleep(max(0.0, begun + looks * poll - self.world.now()))
        return within


def _wait(world: World, seconds: float) -> float:
    """Stand in for freeze, snapshot and thaw. Returns how long that was."""
    begun = world.now()
    while world.now() - begun < seconds and not world.cancelled():
        world.sleep(min(0.2, seconds - (world.now() - begun)))
    return world.now() - begun


class Course:
    """One rehearsal. ``run`` always ends with everything that can be done for the release."""

    def __init__(self, plan: PluginPlan, window: float, write: Callable[[], List[ProbeResult]], world: World) -> None:
        self.plan = plan
        self.window = window
        self.write = write
        self.world = world
        self.phases = _Phases(plan, world)
        self.findings: List[Finding] = []
        self.before: List[ProbeResult] = []
        self.after: List[ProbeResult] = []
        self.pre = self.post = NOT_RUN
        self.waited = 0.0
        self.released_by: Optional[str] = None
        self.cancelled = False

    def run(self) -> Dict[str, Any]:
        self.before = self.write()
        for result in self.before:
            if result.state in _NOT_WRITTEN:
                self.findings.append(finding("rehearsal.not_writable_before", result.said, name=result.name))
        if self.world.cancelled():
            self.findings.append(finding("rehearsal.cancelled"))
        if self.findings:
            return self.result(ran=False)
        post = self.plan.post
        self.world.guard(argv_of(post) if post else [])
        try:
            self.pre = self.phases.run("pre")
            if snapshot_is_taken(self.plan, self.pre.code or 0):
                self.waited = _wait(self.world, self.window)
            if not crashes(self.plan, self.pre.code or 0):
                self.post = self.phases.run("post")
                self.released_by = "post"
            self.cancelled = self.world.cancelled()
        finally:
            self.release()
        self.world.all_clear()
        return self.result(ran=True)

    def release(self) -> None:
        """Whatever happened: leave no script running, and the application free."""
        again = self.released_by is None
        pre = self.phases.children.get("pre")
        if pre is not None and pre.poll() is None:
            # Azure would have left it to take its lock whenever it gets it.
            self.findings.append(finding("rehearsal.pre_outlived_post", pid=pre.pid))
            pre.end()
            again = True
        post = self.phases.children.get("post")
        if post is not None and post.poll() is None:
            self.world.sleep(GRACE, post)
            if post.poll() is None:
                self.findings.append(finding("rehearsal.post_hangs", pid=post.pid))
        if again:
            self.post_again()
        self.after = self.write()
        if any(result.state in _NOT_WRITTEN for result in self.after):
            self.post_again()
            self.after = self.write()

    def post_again(self) -> None:
        if self.plan.post is None:
            return
        try:
            child = self.world.start(argv_of(self.plan.post), "post")
        except OSError:
            return
        deadline = self.world.now() + max(GRACE, self.plan.timeout)
        while child.poll() is None and self.world.now() < deadline:
            self.world.sleep(0.2, child)
        child.close_pipes()
        self.released_by = "post_again"

    def released(self) -> Optional[bool]:
        """Proved by a write, disproved by one, or not known."""
        states = {result.state for result in self.after}
        if not states.isdisjoint(_NOT_WRITTEN):
            return False
        return True if states == {WRITTEN} else None

    def judge(self) -> None:
        for result in self.after:
            if result.state in _NOT_WRITTEN:
                self.findings.append(finding("rehearsal.not_released", result.said, name=result.name))
            elif result.state == CANNOT_TELL:
                self.findings.append(finding("rehearsal.probe_cannot_tell", result.said, name=result.name))
        if not self.after:
            self.findings.append(finding("rehearsal.no_probe"))
        if self.cancelled:
            self.findings.append(finding("rehearsal.cancelled"))
        for name, phase in (("pre", self.pre), ("post", self.post)):
            if phase.code not in (None, codes.APPLICATION):
                known = codes.code_entry(phase.code)
                status = "exit status {0}".format(phase.exit_code) if phase.exit_code is not None else None
                self.findings.append(finding("rehearsal.script_failed", status, known=known, name=name))
            if phase.unread > 0:
                self.findings.append(finding("rehearsal.script_writes", name=name, bytes=phase.unread))
        if crashes(self.plan, self.pre.code or 0):
            self.findings.append(finding("rehearsal.framework_would_crash"))

    def result(self, ran: bool) -> Dict[str, Any]:
        if ran:
            self.judge()
        hold = None
        if self.pre.begun is not None and self.post.ended is not None:
            hold = round(self.post.ended - self.pre.begun, 3)
        before = {result.name: result.state for result in self.before}
        return {
            "ran": ran,
            "pre": self.pre.as_dict(),
            "post": self.post.as_dict(),
            "window_seconds": round(self.waited, 3),
            "hold_seconds": hold,
            "would_report": as_dict(would_report(self.plan, self.pre.code or 0, self.post.code)) if ran else None,
            "probes": [
                {
                    "name": result.name,
                    "before": before.get(result.name),
                    "after": result.state if ran else None,
                    "said": result.said or None,
                }
                for result in (self.after if ran else self.before)
            ],
            "released": self.released() if ran else None,
            "released_by": self.released_by,
            "findings": [each.as_dict() for each in self.findings],
        }
