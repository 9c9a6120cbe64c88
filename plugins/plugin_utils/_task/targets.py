# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The machines that a fleet task works on: all of the play's current batch, or those that are named."""

from __future__ import annotations

import re
import reprlib
import typing as t

from .._azure.resource_ids import VmId, parse_vm_id
from .._errors import AppConsistentError, InvalidInput
from .._json import Json
from .host_variables import HostVariables
from .plans import read_plan
from .target import Target

# Host variables that hold a machine's resource id, first one wins: ours, then what azure.azcollection.azure_rm gives.
ID_VARIABLES = ("azure_vm_id", "id")
# Host variables that put a machine into an application, and into a wave of it.
APPLICATION, WAVE = "azure_application", "azure_wave"
# What int() takes beside these (other alphabets' digits, thousands of them) is a slip of the hand.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


def find_targets(
    given: t.Mapping[str, t.Any] | None, task_vars: Json
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
        variables = HostVariables(host, hostvars[host] if host in hostvars else {})  # noqa: SIM401
        try:
            vm = find_vm_id(str(given[host]) if given is not None else "", variables)
            application, wave = _place(variables)
            plan = read_plan(variables)
        except AppConsistentError as error:
            refused.append((host, _uniform(error)))
        else:
            targets.append(Target(host, vm, application=application, wave=wave, plan=plan))
    return targets, refused


def find_vm_id(option: str, variables: HostVariables) -> VmId:
    """Return the id that the option or one of ID_VARIABLES gives for a host; raise InvalidInput without one."""
    if option:
        return parse_vm_id(option, f"{variables.host}, option vm_id")
    for name in ID_VARIABLES:
        value = variables.get(name)
        if isinstance(value, str) and value:
            return parse_vm_id(value, f"{variables.host}, variable {name}")
    raise InvalidInput(
        f"{variables.host} has no resource id of a virtual machine",
        advice=f"Set the option vm_id or the host variable {ID_VARIABLES[0]}; azure.azcollection.azure_rm sets "
        f"{ID_VARIABLES[1]} by itself.",
    )


def _place(variables: HostVariables) -> tuple[str, int]:
    """Return the application and the wave that a host's variables put it in."""
    application, wave = variables.get(APPLICATION), variables.get(WAVE)
    if isinstance(application, (bool, dict, list)):
        raise InvalidInput(
            f"{variables.host}: {APPLICATION} is {reprlib.repr(application)}, which is not a name",
            advice="Give the machines of one application the same name.",
        )
    if wave is not None and (isinstance(wave, bool) or not _WHOLE_NUMBER.fullmatch(str(wave).strip())):
        raise InvalidInput(
            f"{variables.host}: {WAVE} is {reprlib.repr(wave)}, which is not a whole number",
            advice="Number the waves 1, 2, 3.",
        )
    return str(application or ""), int(wave or 0)


def _uniform(error: AppConsistentError) -> AppConsistentError:
    """Say of an instance of a uniform scale set what the bad id alone does not."""
    if "/virtualmachinescalesets/" not in error.message.lower():
        return error
    return AppConsistentError(
        f"{error.message}: it is in a scale set of uniform orchestration, which restore points do not support",
        advice="Protect such instances by other means; those of flexible orchestration have ids of virtual machines.",
    )
