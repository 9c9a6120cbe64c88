# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Asks a guest for its writers, and again with growing pauses until something is so or the time is over."""

from __future__ import annotations

import typing as t

from .._windows.commands import SURVEY
from .._windows.guest import WindowsGuest
from .services import Services
from .survey import VssSurvey, read_survey

# A freeze lasts a minute at most, a backup until its data is copied. Each listing costs the guest some work of its own.
_PAUSES: t.Final = (5.0, 10.0, 15.0, 20.0, 30.0)


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
    """Wait for the writers that are in the middle of a snapshot."""
    return ask_until(
        guest,
        services,
        list_timeout,
        done=lambda survey: not survey.busy,
        seconds=seconds,
        waiting_for=lambda survey: "busy writers: " + ", ".join(writer.name for writer in survey.busy),
    )


def _growing() -> t.Iterator[float]:
    yield from _PAUSES
    while True:
        yield _PAUSES[-1]
