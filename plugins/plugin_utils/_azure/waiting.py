# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The one loop that waits for Azure: look, and as long as it is not as wanted, sleep and look again."""

from __future__ import annotations

import typing as t

from .._errors import DeadlineExceeded, NotFound
from .._json import child, text
from .answers import Answer

if t.TYPE_CHECKING:
    from .arm import Arm

# Seconds between polls where Azure names none: a restore point takes seconds to minutes, and a bucket of 15 polls a
# minute and operation (azure-docs "compute-throttling-limits") is never drawn down by these.
POLL_PAUSES = (5.0, 5.0, 10.0, 15.0, 30.0)
# The longest pause in seconds that an answer can ask for: an operation may end long before what it names is over.
LONGEST_POLL_PAUSE = 300.0
# Seconds for which what Azure has just made may be missing from its answers: they come from many servers, and one may
# not know yet what another has done.
UNSEEN = 60.0
# How operations end, in small letters. Azure's guidelines (azure-rest-api-guidelines, "Long-running operations") have
# Succeeded, Failed and Canceled; providers write the others, too.
SUCCEEDED = frozenset({"succeeded", "completed"})
ENDED_BADLY = frozenset({"failed", "canceled", "cancelled"})
T = t.TypeVar("T")


def poll_pauses() -> t.Iterator[float]:
    """Yield pauses in seconds, growing to the last one, without end."""
    yield from POLL_PAUSES
    while True:
        yield POLL_PAUSES[-1]


def end_of(polled: Answer, *, tells_status: bool) -> str:
    """Return what became of an operation, one of SUCCEEDED or ENDED_BADLY; anything else while it goes on.

    Behind a Location there need be no status: 202 until it ends, then what the request would have answered at once.
    """
    if polled.status == 202:
        return ""
    if polled.status == 204:
        return "succeeded"
    told = text(polled.body, "status") or text(child(polled.body, "properties"), "provisioningState")
    return told.lower() or ("" if tells_status else "succeeded")


async def once_parent_is_seen(arm: Arm, send: t.Callable[[], t.Awaitable[Answer]], doing: str) -> Answer:
    """Send a request about a child of what this run has just made, again while Azure does not know of the parent."""
    unseen_until = arm.clock.monotonic() + UNSEEN
    for pause in poll_pauses():
        try:
            return await send()
        except NotFound as error:
            if error.code.lower() != "parentresourcenotfound" or arm.clock.monotonic() + pause > unseen_until:
                raise
        await arm.sleep(pause, doing)
    raise AssertionError("the pauses have no end")


async def until(
    arm: Arm,
    done: t.Callable[[T], bool],
    seen: T,
    look: t.Callable[[], t.Awaitable[T]],
    doing: t.Callable[[T], str],
    *,
    within: float = float("inf"),
    patient: bool = True,
) -> T:
    """Look again until what is seen is `done`, and return it; `seen` is what was seen first.

    `doing` completes the sentence "Could not ... in the time allowed". After `within` seconds the last thing seen is
    returned as it is. At the deadline of `arm` DeadlineExceeded is raised, or, without `patient`, the same is done.
    """
    end = arm.clock.monotonic() + within
    for planned in poll_pauses():
        pause = min(planned, end - arm.clock.monotonic())
        if done(seen) or pause <= 0:
            break
        try:
            await arm.sleep(pause, doing(seen))
        except DeadlineExceeded:
            if patient:
                raise
            break
        seen = await look()
    return seen
