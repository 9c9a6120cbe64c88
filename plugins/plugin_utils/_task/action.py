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
from urllib.parse import quote, quote_plus

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from .._azure.arm import Arm
from .._azure.connections import connect_all, read_credentials
from .._azure.credentials import AUTH_SOURCES, Settings, collect
from .._azure.libraries import missing_sentence
from .._azure.resource_ids import VmId
from .._errors import AppConsistentError, shown
from .._failures.explain import in_words, next_step_after
from .._json import Json
from .host_variables import HostVariables
from .plans import OF_ONE_MACHINE, read_plan
from .targets import find_vm_id
from .termination import leave_if_orphaned

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
# Documented in the fragment appconsistent.azure.azure.VM.
VM_SPEC: dict[str, Json] = {"vm_id": {"type": "str"}}


class AzureAction(ActionBase):
    """Validates the options, opens the connection to Azure, and words what comes back.

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
        parent = os.getppid()
        try:
            return self._run(tmp, task_vars)
        finally:
            leave_if_orphaned(parent)

    def _run(self, tmp: str | None, task_vars: Json | None) -> Json:
        result: Json = super().run(tmp, task_vars)
        self.task_vars: Json = task_vars or {}
        if sentence := missing_sentence():
            raise AnsibleActionFail(sentence)
        params = self._validated()
        environment = self._environment()
        secrets: list[str] = []
        try:
            params |= self._planned()
            settings = collect(params, environment)
            others = read_credentials(params.get("credentials") or (), environment)
            secrets = [each.secret for each in (settings, *others.values()) if each.secret]
            result.update(asyncio.run(self._connected(params, settings, others)))
        except AppConsistentError as error:
            failure = {**error.details(), "advice": next_step_after(error)}
            result.update(failed=True, msg=in_words(error), failure=failure)
        if not self._task.diff:
            result.pop("diff", None)
        return _masked(result, secrets)

    def _validated(self) -> Json:
        """Return the options as their specification has them; Ansible repeats what is none of an option's choices."""
        given = self._task.args
        entries = [given, *(entry for entry in given.get("credentials") or () if isinstance(entry, dict))]
        repeated = [str(entry.get("auth_source") or "") for entry in entries]
        try:
            _validation, params = self.validate_argument_spec(self.ARGUMENT_SPEC, **self.RULES)
        except AnsibleActionFail as error:
            message = str(error)
        else:
            return dict(params)
        for value in filter(None, repeated):
            message = message.replace(value, shown(value).strip("'"))
        # Outside of the handler: ansible-core 2.16 prints the traceback of what is being handled, secret and all.
        raise AnsibleActionFail(message)

    def _planned(self) -> Json:
        """Return what the plan of a task's one machine says of its points and the task itself does not."""
        if "vm_id" not in self.ARGUMENT_SPEC:
            return {}
        plan = read_plan(HostVariables(self.host, self.task_vars))
        unsaid = [name for name in OF_ONE_MACHINE if name in self.ARGUMENT_SPEC and name not in self._task.args]
        return {name: plan[name] for name in unsaid if name in plan}

    async def _connected(self, params: Json, settings: Settings, others: t.Mapping[str, Settings]) -> Json:
        async with connect_all(settings, others) as arm:
            result = await self.act(params, arm, check=self._task.check_mode)
            for sentence in dict.fromkeys(told for each in arm.connections() if (told := each.time.told())):
                display.warning(f"{sentence}. Ages are reckoned by Azure's clock.")
            for sentence in dict.fromkeys(told for each in arm.connections() for told in each.versions.told()):
                display.warning(f"{sentence}.")
            return result

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
        return find_vm_id(params.get("vm_id") or "", HostVariables(self.host, self.task_vars))


def _masked(result: Json, secrets: t.Sequence[str]) -> Json:
    """Take the secrets out; Ansible masks no_log values in the result of a module, not in that of an action."""
    # Ansible's walk through the result of a large fleet takes a hundred times as long as a look at its text.
    text = json.dumps(result, default=str)
    found = [form for secret in secrets for form in _forms(secret) if json.dumps(form)[1:-1] in text]
    if not found:
        return result
    # The longest first: what stands in another form can hold a shorter one.
    masked: Json = remove_values(result, sorted(found, key=len, reverse=True))
    return masked


def _forms(secret: str) -> set[str]:
    """Return what a secret can look like in a message: as it is, as JSON or Python quote it, and in a URL."""
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    }


def tell(text: str) -> None:
    """Show a line at once; on stderr, so that machine-readable output on stdout stays whole."""
    display.display(text, stderr=True)
