# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Stand-ins for the client libraries that azure.azcollection imports in one go and its inventory never calls.

They are forty packages and a gigabyte. What the inventory does use is really installed: azure-core, azure-identity,
azure-mgmt-core, the CLI's table of clouds, netaddr, the compute and resource clients.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NEVER_CALLED = ("azure.mgmt.", "azure.storage", "kiota_authentication_azure", "msgraph", "msgraph_core")


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Finder(MetaPathFinder, Loader):
    """Asked last, so only for what is not installed."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname.startswith(NEVER_CALLED) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _StandIn(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing of it is ever run."""


sys.meta_path.append(_Finder())


def _know_clouds_by_their_address() -> None:
    """Give the CLI's table of clouds the function that azure.azcollection still calls there, from where it once was.

    azure-cli-core has dropped it, so that a `cloud_environment` that is a URL ends in a traceback today.
    """
    cloud = importlib.import_module("azure.cli.core.cloud")
    once = importlib.import_module("msrestazure.azure_cloud")
    vars(cloud)["get_cloud_from_metadata_endpoint"] = once.get_cloud_from_metadata_endpoint


if importlib.util.find_spec("msrestazure") is not None:
    _know_clouds_by_their_address()
