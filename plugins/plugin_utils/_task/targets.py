# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The machines that a fleet task works on: all of the play's current batch, or those that are named."""

from __future__ import annotations

import typing as t

from .._errors import AppConsistentError, InvalidInput
from .._json import Json
from .action import find_vm_id
from .target import Target

# From a host's variables and name to the application and the wave that it belongs to.
Place = t.Callable[[t.Mapping[str, t.Any], str], tuple[str, int]]


def find_targets(
    given: t.Mapping[str, t.Any] | None, task_vars: Json, place: Place = lambda _variables, _host: ("", 0)
) -> tuple[list[Target], list[tuple[str, AppConsistentError]]]:
    """Return the machines, and the error of each host whose id or place cannot be used."""
    hosts = list(given) if given is not None else list(task_vars.get("ansible_play_batch") or ())
    if not hosts:
        raise InvalidInput("There is no VM to work on", advice="Check the play's hosts, its limit and option vms.")
    hostvars = task_vars.get("hostvars") or {}
    targets: list[Target] = []
    refused: list[tuple[str, AppConsistentError]] = []
    for host in map(str, hosts):
        # Ansible's own mapping of all hosts: its get() does not answer for an unknown one in every version.
        variables = hostvars[host] if host in hostvars else {}  # noqa: SIM401
        try:
            vm = find_vm_id(str(given[host]) if given is not None else "", variables, host)
            application, wave = place(variables, host)
        except AppConsistentError as error:
            refused.append((host, error))
        else:
            targets.append(Target(host, vm, application=application, wave=wave))
    return targets, refused
