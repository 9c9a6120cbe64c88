# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The doors to several tenants and clouds of one task, each subscription behind its own."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._errors import AppConsistentError, InvalidInput
from .._json import Json
from .arm import REST, Arm, connect
from .credentials import VARIABLES, Settings, collect


def read_credentials(given: t.Sequence[Json], environment: t.Mapping[str, str]) -> dict[str, Settings]:
    """Return the settings by subscription (lower case) that the option `credentials` gives.

    An entry stands for itself: beside the CA file nothing is taken from the environment, or a secret of one tenant
    would be sent to another.
    """
    shared = {name: environment[name] for name in VARIABLES["ca_file"] if environment.get(name)}
    found: dict[str, Settings] = {}
    for entry in given:
        settings = collect(entry, shared)
        for subscription in map(str.lower, entry["subscriptions"]):
            if subscription in found:
                raise InvalidInput(
                    f"The option credentials names the subscription {subscription} twice",
                    advice="Name each subscription in one entry only.",
                )
            found[subscription] = settings
    return found


@contextlib.asynccontextmanager
async def connect_all(main: Settings, others: t.Mapping[str, Settings]) -> t.AsyncIterator[Arm]:
    """Open and sign in at the door of `main`, and at one for each of the other settings.

    A door that stays shut fails those behind it only. Raise its error where there is no other.
    """
    async with contextlib.AsyncExitStack() as stack:
        doors: dict[Settings, Arm | AppConsistentError] = {}
        for settings in dict.fromkeys([main, *others.values()]):
            doors[settings] = await _open(stack, settings)
        elsewhere = {subscription: doors[settings] for subscription, settings in others.items()}
        arm = doors[main]
        if isinstance(arm, AppConsistentError):
            elsewhere[REST] = arm
            arm = next((door for door in doors.values() if isinstance(door, Arm)), arm)
        if isinstance(arm, AppConsistentError):
            raise arm
        yield replace(arm, elsewhere=elsewhere)


async def _open(stack: contextlib.AsyncExitStack, settings: Settings) -> Arm | AppConsistentError:
    try:
        arm = await stack.enter_async_context(connect(settings))
        await arm.sign_in()
    except AppConsistentError as error:
        return error
    return arm
