# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The one place where Ansible and the Azure side meet: options in, results and failures out.

Everything on the Azure side runs inside the controller's own process, so a play on the machines themselves needs no
delegation, no local connection and no other Python.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from .._azure.arm import Arm
from .._azure.connections import connect_all, read_credentials
from .._azure.credentials import AUTH_SOURCES, Settings, collect
from .._azure.libraries import missing_sentence
from .._azure.resource_ids import VmId, parse_vm_id
from .._durations import parse
from .._errors import AppConsistentError, InvalidInput
from .._json import Json

display = Display()
# The Azure libraries log what they raise as well. Without a handler Python would print it past Ansible.
logging.getLogger("azure").addHandler(logging.NullHandler())
logging.getLogger("msal").addHandler(logging.NullHandler())

# Documented in the fragment appconsistent.azure.azure.
AZURE_SPEC: dict[str, Json] = {
    "auth_source": {"type": "str", "choices": list(AUTH_SOURCES)},
    "ca_file": {"type": "path"},
    "client_id": {"type": "str"},
    "cloud_environment": {"type": "str"},
    "federated_token_file": {"type": "path"},
    "secret": {"type": "str", "no_log": True},
    "tenant": {"type": "str", "aliases": ["tenant_id"]},
    "x509_certificate_path": {"type": "path"},
}
# Documented in the fragment appconsistent.azure.azure.FLEET.
FLEET_SPEC: dict[str, Json] = {
    "vms": {"type": "dict"},
    "progress_interval": {"type": "str", "default": "10s"},
    "quiet": {"type": "bool", "default": False},
    "credentials": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {"subscriptions": {"type": "list", "elements": "str", "required": True}, **AZURE_SPEC},
    },
}
# Documented in the fragment appconsistent.azure.azure.VM.
VM_SPEC: dict[str, Json] = {"vm_id": {"type": "str"}}
# Host variables that hold a machine's resource id, first one wins: ours, then what azure.azcollection.azure_rm gives.
ID_VARIABLES = ("azure_vm_id", "id")


class AzureAction(ActionBase):
    """Validates the options, opens the door to Azure, and words what comes back.

    A subclass states `ARGUMENT_SPEC` and writes `act`.
    """

    ARGUMENT_SPEC: t.ClassVar[dict[str, Json]] = {}
    RULES: t.ClassVar[dict[str, t.Any]] = {}

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    async def act(self, params: Json, arm: Arm, *, check: bool) -> Json:
        """Do the task and return its result."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        result: Json = super().run(tmp, task_vars)
        self.task_vars: Json = task_vars or {}
        if sentence := missing_sentence():
            raise AnsibleActionFail(sentence)
        _validation, params = self.validate_argument_spec(self.ARGUMENT_SPEC, **self.RULES)
        environment = self._environment()
        secrets: list[str] = []
        try:
            settings = collect(params, environment)
            others = read_credentials(params.get("credentials") or (), environment)
            secrets = [each.secret for each in (settings, *others.values()) if each.secret]
            result.update(asyncio.run(self._connected(params, settings, others)))
        except AppConsistentError as error:
            result.update(failed=True, msg=str(error), failure=error.details())
        if not self._task.diff:
            result.pop("diff", None)
        return _masked(result, secrets)

    async def _connected(self, params: Json, settings: Settings, others: t.Mapping[str, Settings]) -> Json:
        async with connect_all(settings, others) as arm:
            return await self.act(params, arm, check=self._task.check_mode)

    def _environment(self) -> dict[str, str]:
        """Return this process's environment with the task's own `environment` over it."""
        own: dict[str, t.Any] = {}
        self._compute_environment_string(own)
        return {**os.environ, **{str(name): str(value) for name, value in own.items()}}

    @property
    def host(self) -> str:
        return str(self.task_vars.get("inventory_hostname") or "the host")

    def vm_id(self, params: Json) -> VmId:
        """Return the machine that the task is about: the option vm_id, else the host's own variables."""
        return find_vm_id(params.get("vm_id") or "", self.task_vars, self.host)


class FleetAction(AzureAction):
    """A task that works on all machines of the batch at once; its ARGUMENT_SPEC holds FLEET_SPEC."""

    BYPASS_HOST_LOOP = True

    def warn_of_lone_host(self) -> None:
        if not self._task.run_once:
            name = self._task.action.rpartition(".")[2]
            display.warning(f"{name} works on the whole batch at once: without run_once only one host sees it.")

    def interval(self, params: Json) -> float:
        """Return the seconds between two lines of progress, 0 for none."""
        return 0.0 if params["quiet"] else parse(params["progress_interval"], "progress_interval").total_seconds()

    def show(self, params: Json, lines: t.Iterable[str]) -> None:
        if not params["quiet"]:
            # At once: Ansible sends whatever is told from the task's process to its own by itself.
            tell("\n".join(lines))


def _masked(result: Json, secrets: t.Sequence[str]) -> Json:
    """Take the secrets out; Ansible masks no_log values in the result of a module, not in that of an action."""
    # Ansible's walk through the result of a large fleet takes a hundred times as long as a look at its text.
    text = json.dumps(result, default=str)
    if not any(json.dumps(secret)[1:-1] in text for secret in secrets):
        return result
    masked: Json = remove_values(result, secrets)
    return masked


def find_vm_id(option: str, variables: t.Mapping[str, t.Any], host: str) -> VmId:
    """Return the id that the option or one of ID_VARIABLES gives for `host`; raise InvalidInput without one."""
    if option:
        return parse_vm_id(option, f"{host}, option vm_id")
    for name in ID_VARIABLES:
        value = variables.get(name)
        if isinstance(value, str) and value:
            return parse_vm_id(value, f"{host}, variable {name}")
    raise InvalidInput(
        f"{host} has no resource id of a virtual machine",
        advice=f"Set the option vm_id or the host variable {ID_VARIABLES[0]}; azure.azcollection.azure_rm sets "
        f"{ID_VARIABLES[1]} by itself.",
    )


def tell(text: str) -> None:
    """Show a line at once; on stderr, so that machine-readable output on stdout stays whole."""
    display.display(text, stderr=True)
