# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Asks a guest for its writers, and again with growing pauses until something is so or the time is over."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._clock import BlockingClock
from .._windows.commands import SURVEY
from .._windows.guest import WindowsGuest
from .services import Services
from .survey import VssSurvey, read_survey

# A freeze lasts a minute at most, a backup until its data is copied. Each listing costs the guest some work of its own.
_PAUSES: t.Final = (5.0, 10.0, 15.0, 20.0, 30.0)
# VSS takes its own freeze back after 60 seconds (IVssBackupComponents::DoSnapshotSet), and with it these states; half
# as much again for a slow machine.
_FREEZE_SECONDS: t.Final = 90.0
_FREEZING: t.Final = frozenset({2, 3})


def ask(guest: WindowsGuest, services: Services, list_timeout: int) -> VssSurvey:
    """Ask once."""
    return read_survey(guest.run(SURVEY, seconds=float(list_timeout), list_timeout=list_timeout), services)


def ask_until(
    guest: WindowsGuest,
    services: Services,
    list_timeout: int,
    *,
    done: t.Callable[[VssSurvey], bool],
    seconds: float,
    waiting_for: t.Callable[[VssSurvey], str],
    first: VssSurvey | None = None,
) -> VssSurvey:
    """Ask until `done`, for at most `seconds`, and return what was seen last."""
    begun = guest.clock.monotonic()
    survey = first or ask(guest, services, list_timeout)
    for pause in _growing():
        left = seconds - (guest.clock.monotonic() - begun)
        if done(survey) or left <= 0:
            return survey
        guest.tell(f"waiting for {waiting_for(survey)}, {left:.0f} s left")
        guest.clock.sleep(min(pause, left))
        survey = ask(guest, services, list_timeout)
    return survey


def until_idle(guest: WindowsGuest, services: Services, list_timeout: int, seconds: float) -> VssSurvey:
    """Wait for the writers that are in the middle of a snapshot, and tell those that wait for nobody."""
    sessions = _Sessions(guest.clock)

    def idle(survey: VssSurvey) -> bool:
        return len(sessions.look(survey)) == len(survey.busy)

    survey = ask_until(
        guest,
        services,
        list_timeout,
        done=idle,
        seconds=seconds,
        waiting_for=lambda survey: "busy writers: " + ", ".join(writer.name for writer in survey.busy),
    )
    return replace(survey, abandoned=sessions.look(survey))


class _Sessions:
    """Tells a backup that is running from one that its program has left.

    A program that makes a backup keeps the service VSS running until it is done; without one, VSS ends by itself after
    some minutes (event 8224). So writers that were at work when VSS did not run, and are still in the same state at the
    next look, belong to nobody. Asking starts VSS, so only the first look can tell.
    """

    def __init__(self, clock: BlockingClock) -> None:
        self._clock = clock
        self._since: dict[tuple[str, int], float] = {}
        self._nobody: bool | None = None

    def look(self, survey: VssSurvey) -> frozenset[str]:
        """Take a look, and return the instances that are known to wait for nobody by now."""
        now = self._clock.monotonic()
        if self._nobody is None:
            vss = survey.services.get("VSS")
            self._nobody = vss is not None and vss.status == "Stopped"
        at_work = {(writer.listed.instance_id, writer.listed.state) for writer in survey.busy}
        self._since = {key: self._since.get(key, now) for key in at_work}
        return frozenset(
            instance
            for (instance, state), since in self._since.items()
            if (self._nobody and now > since) or (state in _FREEZING and now - since >= _FREEZE_SECONDS)
        )


def _growing() -> t.Iterator[float]:
    yield from _PAUSES
    while True:
        yield _PAUSES[-1]
