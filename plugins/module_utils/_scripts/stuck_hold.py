# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A hold that no hook could release. Only other hooks end it, so its scripts may change: no run begins meanwhile."""

import contextlib
import fcntl
import os
import shutil
import time
from typing import Callable, Iterator, List, NamedTuple, Sequence

from .._finding import WARNING, Finding
from . import layout as scripts
from .files import look
from .lint import Command

RUN = "/run/appconsistent"
STUCK = "stuck"
_RELEASING = "releasing"
_ENDED = ("released", "failed", "broken")
# Seconds to wait for a watchdog that is trying just now: it may give each hook up to 30, and goes on to the next.
_PATIENCE = 60.0
# Seconds in which a watchdog that has nothing left to do ends.
_BETWEEN_RUNS = 6.0
# What a person has to read of a hook's own words.
_SHOWN = 300


class Hold(NamedTuple):
    """What is known of a hold: its hooks that are not released, and what the first of them said."""

    hooks: List[str]
    reason: str


def read_hold(root: str) -> Hold:
    hooks = _words(root, "hooks").split()
    return Hold([hook for hook in hooks if hook.replace("-", "").replace("_", "").isalnum()], _words(root, "reason"))


@contextlib.contextmanager
def while_nobody_releases(
    root: str, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Iterator[bool]:
    """Keep the watchdog from running a hook while hooks are replaced. False: it is at it and does not end."""
    opened = os.open(root + RUN + "/release.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = now() + _PATIENCE
        free = _taken(opened)
        while not free and now() < until:
            sleep(0.2)
            free = _taken(opened)
        yield free
    finally:
        os.close(opened)


def settled_state(
    root: str, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> str:
    """The last run's state, which says `releasing` also each time a watchdog tries a stuck hold again."""
    state = _state(root)
    if state == _RELEASING:
        with while_nobody_releases(root, now, sleep):
            state = _state(root)
    return state


def taken_between_runs(
    opened: int,
    root: str,
    holding: Sequence[str],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Take the lock that a run and its watchdog hold; return "" if it is ours, else the state of whose it is.

    A watchdog whose hold has just been released still has it for a moment.
    """
    until = now() + _BETWEEN_RUNS
    while True:
        word = settled_state(root, now, sleep)
        if word in holding:
            return word
        if _taken(opened):
            word = settled_state(root, now, sleep)
            return word if word in holding else ""
        if now() >= until:
            return word or "it is starting"
        sleep(0.2)


def try_again(root: str, run_command: Command) -> bool:
    """Have post.sh release with the hooks that are there now; tell whether all is released."""
    run_command(["sh", scripts.POST_PATH], "")
    return settled_state(root) in _ENDED


def forget(root: str) -> None:
    """Drop the state of the run, with which its watchdog ends, for nothing is left that could release it."""
    shutil.rmtree(root + RUN + "/current", ignore_errors=True)


def still_held(hold: Hold) -> Finding:
    return Finding(
        "hold.stuck",
        WARNING,
        "What {0} holds since the last run could not be released: {1}".format(_named(hold), hold.reason),
        "Correct the hook or what it calls and run this again; the watchdog tries every 5 seconds for an hour as well. "
        "Or release it by hand as the guide says.",
    )


def left_held(hold: Hold) -> Finding:
    return Finding(
        "hold.left",
        WARNING,
        "What {0} holds since the last run could not be released, and its scripts are gone: {1}".format(
            _named(hold), hold.reason
        ),
        "Release it by hand as the guide says: nothing else will.",
    )


def _named(hold: Hold) -> str:
    return "the hook " + ", ".join(hold.hooks) if hold.hooks else "a hook"


def _state(root: str) -> str:
    return (look(root + RUN + "/current/state").data or b"").decode("ascii", "replace").strip()


def _words(root: str, name: str) -> str:
    """What a run noted, in one line: it can hold what a program in the guest said."""
    data = look(root + RUN + "/current/" + name).data or b""
    line = " ".join(data[:4096].decode("ascii", "replace").split())
    return "".join(letter for letter in line if letter.isprintable())[:_SHOWN] or "no reason was noted"


def _taken(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
