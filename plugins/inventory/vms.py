# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure virtual machines as hosts, with what the modules of this collection take."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vms
short_description: Azure virtual machines with the state of their snapshot extension, from Azure Resource Graph
version_added: 0.1.0
description:
  - Lists the virtual machines of any number of subscriptions with two queries (four with their addresses), a thousand
    machines to a page, instead of several requests for each machine.
  - Each host has the variable C(azure_vm_id), which the modules of this collection take by themselves, and
    C(azure_vm_name), C(azure_computer_name), C(azure_subscription_id), C(azure_resource_group), C(azure_location),
    C(azure_os), C(azure_power), C(azure_size), C(azure_tags), C(azure_zones), C(azure_snapshot_extension) (a dictionary
    of C(name), C(type), C(version), C(state)); with O(addresses) also C(azure_private_ip), C(azure_public_ip) (texts,
    empty where there is none), C(azure_private_ips) and C(azure_public_ips) (lists); and, with O(protection),
    C(azure_restore_point_collection).
  - C(ansible_host) is left to O(compose), because only you know the way to your guests. Inside your network (or a
    peered one) it is C(azure_private_ip), from outside C(azure_public_ip); Kerberos and certificates want a name, such
    as C(azure_computer_name) with your domain. Tasks that speak to Azure alone need none.
  - Each host is in a group for its operating system (C(linux), C(windows)), its power state (such as C(power_running)
    or C(power_deallocated)) and its snapshot extension (C(snapshot_extension_healthy), C(snapshot_extension_missing),
    C(snapshot_extension_failed), C(snapshot_extension_updating), C(snapshot_extension_unknown)); with O(protection)
    also in C(protected) or C(unprotected).
  - Only the list of the machines has to be read. Whatever else cannot be is told as a warning, and left out or empty.
  - The file's name has to end in C(appconsistent.yml) or C(appconsistent.yaml).
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [appconsistent.azure.vms]
  subscriptions:
    description:
      - IDs of the subscriptions to look in, or V(all) for every one that the identity may read.
      - The default is the one that E(AZURE_SUBSCRIPTION_ID) names, all if it names none.
    type: list
    elements: str
    default: []
  management_groups:
    description: Names of the management groups to look in, instead of O(subscriptions).
    type: list
    elements: str
    default: []
  resource_groups:
    description: Only machines of these resource groups.
    type: list
    elements: str
    default: []
  locations:
    description: Only machines in these regions, such as V(westeurope).
    type: list
    elements: str
    default: []
  tags:
    description:
      - Only machines with all of these tags. An empty value takes any value of the tag.
      - Resource Graph tells upper from lower case in a tag's name, not in its value.
    type: dict
    default: {}
  hostnames:
    description:
      - V(name) calls a host by its machine's name; where several have the same, all of these get a hash of the
        resource ID appended.
      - V(unique) always appends it, so that a new machine never renames an old host.
    type: str
    choices: [name, unique]
    default: name
  addresses:
    description:
      - Whether to look up the IP addresses of the machines, one more query for their network interfaces and, if any of
        these has a public address, one for those.
      - The primary address of the primary interface is C(azure_private_ip), and comes first in C(azure_private_ips).
      - Without the rights C(Microsoft.Network/networkInterfaces/read) and C(Microsoft.Network/publicIPAddresses/read),
        Resource Graph shows none, and they are empty. So is a dynamic public address of a machine that is deallocated.
    type: bool
    default: true
  protection:
    description:
      - Whether to look up which machines have a restore point collection, one more list of each subscription.
      - A collection does not say that a good point is in it. The playbook C(appconsistent.azure.verify) does.
    type: bool
    default: true
extends_documentation_fragment:
  - appconsistent.azure.azure
  - constructed
  - inventory_cache
author:
  - The appconsistent.azure authors (@appconsistent)
"""

EXAMPLES = r"""
# azure.appconsistent.yml. For everything that the identity may read, two lines are enough:
#   plugin: appconsistent.azure.vms
#   subscriptions: [all]
# This takes the machines of two subscriptions that are tagged for it, and makes groups of its own.
plugin: appconsistent.azure.vms
subscriptions:
  - 5d1f0a52-0000-4000-a000-000000000001
  - 5d1f0a52-0000-4000-a000-000000000002
tags:
  backup: ""
compose:
  ansible_host: azure_private_ip or azure_computer_name
  ansible_connection: "'winrm' if azure_os == 'windows' else 'ssh'"
keyed_groups:
  - key: azure_location
    prefix: region
  - key: azure_tags.application | default('none')
    prefix: app
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /tmp/appconsistent_inventory
cache_timeout: 600
"""

import asyncio
import os
import re
import typing as t

from ansible import template
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ..plugin_utils._azure.arm import connect
from ..plugin_utils._azure.credentials import NO_OPTIONS, VARIABLES, Settings, collect
from ..plugin_utils._azure.libraries import missing_sentence
from ..plugin_utils._errors import AppConsistentError, InvalidInput
from ..plugin_utils._failures.explain import in_words
from ..plugin_utils._inventory.vm_listing import Filter, MachineList, groups, list_machines, names
from ..plugin_utils._json import Json

if t.TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

# Not before ansible-core 2.19: until then all text was trusted.
_trust: t.Callable[[str], str] = getattr(template, "trust_as_template", str)

ALL = "all"
# Seconds for the list of the machines, whatever Azure asks to be waited for.
LONGEST = 900.0
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "appconsistent.azure.vms"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("appconsistent.yml", "appconsistent.yaml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        if sentence := missing_sentence():
            raise AnsibleParserError(sentence)
        self._read_config_data(path)
        key = self.get_cache_key(path)
        wanted_from_cache = cache and self.get_option("cache")
        machines: list[Json] | None = None
        if wanted_from_cache:
            try:
                machines = self._cache[key]
            except KeyError:
                machines = None
        if machines is None:
            try:
                listing = asyncio.run(self._list())
            except AppConsistentError as error:
                raise AnsibleParserError(in_words(error)) from error
            machines = listing.machines
            for sentence in dict.fromkeys(listing.unread):
                self.display.warning(f"The inventory lacks a part: {sentence}")
            # What lacks a part is not kept for the next ten minutes.
            if self.get_option("cache") and not listing.unread:
                self._cache[key] = machines
        self._populate(inventory, machines)

    async def _list(self) -> MachineList:
        settings = collect({name: self._text(name) for name in _SIGN_IN_OPTIONS}, os.environ)
        async with connect(settings) as arm:
            await arm.sign_in()
            return await list_machines(
                arm.until(arm.clock.monotonic() + LONGEST),
                self._filter(settings),
                with_protection=self.get_option("protection"),
                with_addresses=self.get_option("addresses"),
            )

    def _text(self, name: str) -> str:
        """Return an option's text; a file may hold a template there, to take a secret from elsewhere."""
        value = self.get_option(name)
        if isinstance(value, str) and self.templar.is_template(value):
            value = self.templar.template(value)
        return str(value or "")

    def _filter(self, settings: Settings) -> Filter:
        management_groups = tuple(self.get_option("management_groups"))
        subscriptions = tuple(self.get_option("subscriptions"))
        if management_groups and subscriptions:
            raise InvalidInput(
                "The options subscriptions and management_groups are both given",
                advice="Resource Graph looks in one of the two: leave the other out.",
            )
        if not subscriptions and not management_groups and settings.subscription_id:
            subscriptions = (settings.subscription_id,)
        if ALL in subscriptions:
            subscriptions = ()
        for subscription in subscriptions:
            if not _GUID.fullmatch(subscription):
                raise InvalidInput(
                    f"The option subscriptions names {subscription!r}, which is not a subscription's ID",
                    advice=f"Give GUIDs, as 'az account list' shows them, or {ALL}.",
                )
        return Filter(
            subscriptions=subscriptions,
            management_groups=management_groups,
            resource_groups=tuple(self.get_option("resource_groups")),
            locations=tuple(self.get_option("locations")),
            tags=tuple((str(name), str(value or "")) for name, value in self.get_option("tags").items()),
        )

    def _populate(self, inventory: InventoryData, machines: list[Json]) -> None:
        strict = self.get_option("strict")
        always_unique = self.get_option("hostnames") == "unique"
        for host, machine in zip(names(machines, always_unique=always_unique), machines, strict=True):
            inventory.add_host(host)
            variables: Json = {name: _harmless(value) for name, value in machine.items()}
            for name, value in variables.items():
                inventory.set_variable(host, name, value)
            for group in groups(machine):
                inventory.add_group(group)
                inventory.add_host(host, group=group)
            self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def _harmless(value: t.Any) -> t.Any:
    """Return `value` so that Ansible never takes it for a template: whoever may tag a machine writes some of it.

    What cannot be one is marked as trusted, where Ansible knows that: ansible-inventory (and with it AWX) shows
    untrusted text as an object.
    """
    if isinstance(value, dict):
        return {name: _harmless(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    if not isinstance(value, str):
        return value
    return wrap_var(value) if "{" in value or value.startswith("#") else _trust(value)


_SIGN_IN_OPTIONS = tuple(name for name in VARIABLES if name not in NO_OPTIONS)
