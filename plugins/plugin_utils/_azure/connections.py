# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The connections to several tenants and clouds of one task, one for each group of subscriptions."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._errors import AppConsistentError, InvalidInput
from .._json import Json
from .arm import REST, Arm, connect
from .credentials import OF_THE_NETWORK, VARIABLES, Settings, collect


def read_credentials(given: t.Sequence[Json], environment: t.Mapping[str, str]) -> dict[str, Settings]:
    """Return the settings by subscription (lower case) that the option `credentials` gives.

    An entry stands for itself: beside what is OF_THE_NETWORK nothing is taken from the environment, or a secret of one
    tenant would be sent to another.
    """
    names = [name for field in OF_THE_NETWORK for name in VARIABLES[field]]
    shared = {name: environment[name] for name in names if environment.get(name)}
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
    """Connect and sign in with `main`, and with each of the other settings.

    One that fails, fails its own subscriptions only. Raise its error where there is no other.
    """
    async with contextlib.AsyncExitStack() as stack:
        connections: dict[Settings, Arm | AppConsistentError] = {}
        for settings in dict.fromkeys([main, *others.values()]):
            connections[settings] = await _open(stack, settings)
        elsewhere = {subscription: connections[settings] for subscription, settings in others.items()}
        arm = connections[main]
        if isinstance(arm, AppConsistentError):
            elsewhere[REST] = arm
            arm = next((connection for connection in connections.values() if isinstance(connection, Arm)), arm)
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
