# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Resource ids of virtual machines and of what hangs on them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._errors import InvalidInput

_VM_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Compute/virtualMachines/(?P<name>[^/]+)/?",
    re.IGNORECASE,
)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Names that Azure accepts for collections and points, and for resource groups: azure-docs, "Naming rules and
# restrictions for Azure resources". Only a group may have letters of any alphabet, and parentheses.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_GROUP = re.compile(r"[\w.()-]{1,90}")


@dataclass(frozen=True)
class VmId:
    """The three names that make a virtual machine's resource id."""

    subscription: str
    group: str
    name: str

    @property
    def path(self) -> str:
        return f"{group_path(self.subscription, self.group)}/providers/Microsoft.Compute/virtualMachines/{self.name}"

    @property
    def key(self) -> str:
        """What to compare by: Azure does not tell upper from lower case in ids."""
        return self.path.lower()


def group_path(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def parse_vm_id(text: str, owner: str) -> VmId:
    """Return the parts of a virtual machine's resource id; `owner` says whose it is, for the error."""
    match = _VM_ID.fullmatch(text.strip())
    if not match:
        raise InvalidInput(
            f"{owner}: {text!r} is not the resource id of a virtual machine",
            advice="It has the form /subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Compute/"
            "virtualMachines/<name>; the inventory plugin azure.azcollection.azure_rm gives it as the variable id.",
        )
    if not _GUID.fullmatch(match["subscription"]):
        raise InvalidInput(
            f"{owner}: the subscription {match['subscription']!r} in the virtual machine's id is not a GUID",
            advice="Take the id from 'az vm show --query id' or from the inventory.",
        )
    return VmId(match["subscription"].lower(), match["group"], match["name"])


def check_name(text: str, option: str, longest: int) -> str:
    """Return `text` if Azure accepts it as a name of at most `longest` characters."""
    if len(text) > longest or not _NAME.fullmatch(text) or text.endswith("."):
        raise InvalidInput(
            f"The option {option} is {text!r}, which Azure does not accept as a name",
            advice=f"Use up to {longest} letters (a to z), digits, underscores, periods and hyphens, beginning with a "
            "letter, a digit or an underscore and not ending in a period.",
        )
    return text


def check_group(text: str | None) -> str:
    """Return the option collection_resource_group, empty where it is not given; 90 characters are Azure's limit."""
    if text and (not _GROUP.fullmatch(text) or text.endswith(".")):
        raise InvalidInput(
            f"The option collection_resource_group is {text!r}, which Azure does not accept as a name",
            advice="Name a resource group of this subscription.",
        )
    return text or ""


def same_id(left: str, right: str) -> bool:
    """Tell whether two resource ids name the same thing."""
    return left.rstrip("/").lower() == right.rstrip("/").lower()
