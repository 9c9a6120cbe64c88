"""One pre or post script: `sh PATH PARAMS`, polled, never read from, never killed.

Values come from the JSON as they are. Their wrong types do here what they do in the extension, by the same
operations: a string that is compared with a number raises, a list item becomes text, letters of a string become
arguments.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import codes
from .pace import Pace
from .run_record import Moment


@dataclass(frozen=True)
class Outcome:
    code: int
    # What the JSON said when the script failed, of whatever type; True otherwise.
    go_on: Any


@dataclass(frozen=True)
class Phase:
    """What differs between pre and post."""

    # As in "Prescript for ..." and in "Running prescript for ...".
    title: str
    failed: int
    timed_out: int
    host_timed_out: int


PRE = Phase("Prescript", codes.PRE_FAILED, codes.PRE_TIMEOUT, codes.HOST_PRE_TIMEOUT)
POST = Phase("Postscript", codes.POST_FAILED, codes.POST_TIMEOUT, codes.HOST_POST_TIMEOUT)


@dataclass(frozen=True)
class Script:
    """How one script is to be run. The fields of type Any are the JSON's own values."""

    phase: Phase
    module: Any
    location: Any
    params: Any
    retries: Any
    timeout: Any
    poll: int
    go_on: Any


def run(
    script: Script,
    *,
    environment: dict[str, str],
    pace: Pace,
    log: Callable[..., None],
    started: Callable[[subprocess.Popen[bytes], Moment], None],
) -> Outcome:
    """Run a script as the extension's runner thread does. An exception here is the death of that thread."""
    arguments = ["sh", str(script.location)]
    for param in script.params:
        arguments.append(str(param))
    title = script.phase.title
    log(f"Running {title.lower()} for {script.module} module...")
    # Read before, since the script is at work before this thread has its next turn.
    moment = Moment.now()
    process = subprocess.Popen(
        arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    started(process, moment)
    polls_allowed = pace.polls(script.timeout, script.poll)
    timed_out = False
    polls = 0
    tries = 0
    try:
        while True:
            while process.poll() is None:
                if polls >= polls_allowed:
                    log(f"{title} for {script.module} timed out.", "Error")
                    timed_out = True
                    break
                polls += 1
                time.sleep(pace.wait(script.poll))
            if process.returncode == 0 or timed_out or tries >= script.retries:
                break
            # Counted and logged, and that is all: the script is not started again.
            log(f"{title} for {script.module} failed. Retrying...")
            tries += 1
    finally:
        # Nobody holds the reading ends any longer; a background child that still writes gets SIGPIPE.
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if timed_out:
        return Outcome(script.phase.timed_out, script.go_on)
    if process.returncode != 0:
        log(f"{title} for {script.module} failed with error code: {process.returncode} .", "Error")
        return Outcome(script.phase.failed, script.go_on)
    log(f"{title} for {script.module} successfully executed.")
    return Outcome(codes.SUCCESS_APPLICATION_CONSISTENT, True)
