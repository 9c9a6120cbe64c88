# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where the points of a machine are kept: one collection per machine, its name, its group, its tags."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, field

from .._azure.resource_ids import VmId, check_group, check_name
from .._errors import InvalidInput
from .._json import Json
from .names import LONGEST_NAME
from .points import CollectionId

# The hash keeps two machines of one name apart when both keep their points in one group.
DEFAULT_NAME = "{vm}-{hash}"
_PART = re.compile(r"\{(vm|group|hash)\}")
# azure-docs, "Use tags to organize your Azure resources": limits of tags.
_MOST_TAGS, _LONGEST_TAG, _LONGEST_VALUE = 50, 512, 256
_NOT_IN_TAGS = re.compile(r"[<>%&\\?/\x00-\x1f]")


@dataclass(frozen=True)
class Place:
    """`name` is a template of {vm}, {group} and {hash}; an empty `group` is the machine's own."""

    group: str = ""
    name: str = DEFAULT_NAME
    tags: t.Mapping[str, str] = field(default_factory=dict)

    def of(self, vm: VmId) -> CollectionId:
        """Return where the points of `vm` are kept; raise InvalidInput where the name is none that Azure takes."""
        parts = {"group": vm.group, "hash": hashlib.sha256(vm.key.encode()).hexdigest()[:8]}
        rest = _PART.sub(lambda part: parts.get(part[1], ""), self.name)
        parts["vm"] = vm.name[: max(1, LONGEST_NAME - len(rest))]
        name = _PART.sub(lambda part: parts[part[1]], self.name)
        return CollectionId(vm.subscription, self.group or vm.group, check_name(name, "collection_name", LONGEST_NAME))


def read_place(params: Json) -> Place:
    """Return where the options say that points are kept; raise InvalidInput that names the option."""
    name = params.get("collection_name") or DEFAULT_NAME
    if "{" in _PART.sub("", name):
        raise InvalidInput(
            f"The option collection_name is {name!r}, which has a part that is not known",
            advice="Use {vm}, {group} and {hash} for what differs from machine to machine.",
        )
    tags = {str(tag): str(value) for tag, value in (params.get("collection_tags") or {}).items()}
    bad = [tag for tag, value in tags.items() if not _is_tag(tag, value)]
    if bad or len(tags) > _MOST_TAGS:
        what = f"holds {bad[0]!r}, which Azure does not accept" if bad else f"holds more than {_MOST_TAGS} tags"
        raise InvalidInput(
            f"The option collection_tags {what}",
            advice=f"A tag's name has up to {_LONGEST_TAG} characters and none of <>%&\\?/, its value up to "
            f"{_LONGEST_VALUE}.",
        )
    return Place(check_group(params.get("collection_resource_group")), name, tags)


def _is_tag(tag: str, value: str) -> bool:
    return 0 < len(tag) <= _LONGEST_TAG and len(value) <= _LONGEST_VALUE and not _NOT_IN_TAGS.search(tag)
