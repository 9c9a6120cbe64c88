# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The policies that hold at a resource group, alone or in initiatives, and what they keep from being made."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from .._azure.arm import Arm
from .._azure.machine import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES
from .._azure.resource_ids import same_id
from .._json import Json, child, children, text
from .policy import EXEMPTION_API, EXTENSION_TYPE, POLICY_API, Assignment, assignment_of, expiry_of

COLLECTION_TYPE = "Microsoft.Compute/restorePointCollections"


@dataclass(frozen=True)
class AssignedPolicy:
    """One policy definition in force: assigned by itself, or as the member `reference` of an initiative.

    `parameters` are the values given to the definition, None for one that is only known to Azure. It does not hold at
    the scopes of `outside`, in lower case.
    """

    assignment: Assignment
    definition_id: str
    parameters: Json
    outside: tuple[str, ...]
    reference: str = ""
    initiative: str = ""
    definition: Json | None = None

    def holds_at(self, path: str) -> bool:
        key = path.lower()
        return not any(key == scope or key.startswith(f"{scope}/") for scope in self.outside)

    @property
    def title(self) -> str:
        own = text(self.definition or {}, "displayName")
        if self.initiative:
            return f"{own or self.reference!r} of the initiative {self.initiative!r}"
        return repr(self.assignment.title or own or self.assignment.name)


@dataclass(frozen=True)
class HeldExemption:
    """An exemption that has not expired. Without `references` it is from the whole assignment."""

    scope: str
    assignment_id: str
    references: tuple[str, ...]

    def ends(self, policy: AssignedPolicy) -> bool:
        named = not self.references or policy.reference.lower() in self.references
        return named and same_id(self.assignment_id, policy.assignment.id)


async def assignments_at(arm: Arm, scope: str) -> list[Assignment]:
    """Return the assignments that hold at a scope, those from above included."""
    items = await arm.pages(
        f"{scope}/providers/Microsoft.Authorization/policyAssignments",
        POLICY_API,
        doing=f"read the policy assignments of {scope}",
        query={"$filter": "atScope()"},
    )
    return [assignment_of(item) for item in items]


async def exemptions_of(arm: Arm, scope: str) -> list[HeldExemption]:
    """Return the exemptions in force at a scope, those above it and those of what it holds.

    One that resource selectors narrow counts as whole: Azure refuses by itself what it does not cover.
    """
    items = await arm.pages(
        f"{scope}/providers/Microsoft.Authorization/policyExemptions",
        EXEMPTION_API,
        doing=f"read the policy exemptions of {scope}",
    )
    return [held for item in items if (held := _exemption(item, arm.time.now())) is not None]


def _exemption(item: Json, now: datetime) -> HeldExemption | None:
    properties = child(item, "properties")
    until = expiry_of(properties)
    if until is not None and until <= now:
        return None
    named = properties.get("policyDefinitionReferenceIds")
    return HeldExemption(
        scope=text(item, "id").lower().partition("/providers/microsoft.authorization/")[0],
        assignment_id=text(properties, "policyAssignmentId"),
        references=tuple(str(name).lower() for name in named) if isinstance(named, list) else (),
    )


def assigned_policies(assignment: Assignment, assigned: Json) -> list[AssignedPolicy]:
    """Return what an assignment puts into force: one policy, or every member of an initiative.

    `assigned` are the properties of the definition or policy set definition that it names.
    """
    given = _given(assigned, {name: _of_value(value) for name, value in assignment.parameters.items()})
    alone = AssignedPolicy(assignment, assignment.definition_id, given, assignment.not_scopes)
    if "/policysetdefinitions/" not in assignment.definition_id.lower():
        return [alone]
    return [
        replace(
            alone,
            definition_id=text(member, "policyDefinitionId"),
            parameters={name: _value(_of_value(value), given) for name, value in child(member, "parameters").items()},
            reference=text(member, "policyDefinitionReferenceId"),
            initiative=assignment.title or text(assigned, "displayName") or assignment.name,
        )
        for member in children(assigned, "policyDefinitions")
    ]


@dataclass(frozen=True)
class Resource:
    """What is to be made, as far as conditions can ask: `fields` by name, None for one whose value is not known.

    `tags` is None where they are not known. A type without tags and location is not `indexed`: definitions whose mode
    is Indexed, the default, do not look at it (azure-docs, governance/policy/concepts, "Policy definition structure:
    basics", resource manager modes).
    """

    fields: t.Mapping[str, str | None]
    tags: t.Mapping[str, str] | None = None
    indexed: bool = True

    def value(self, name: str) -> str | None:
        """Return a field's value in small letters, empty where it has none, None where it is not known."""
        tag = _TAG.fullmatch(name)
        if tag is None:
            held = self.fields.get(name.lower())
        elif self.tags is None:
            held = None
        else:
            held = {key.lower(): value for key, value in self.tags.items()}.get(tag[1].lower(), "")
        return None if held is None else held.lower()


def extension_of(os: str) -> Resource:
    """Return the snapshot extension as Azure would install it; whether it gets tags then is not documented."""
    kind = SNAPSHOT_TYPES.get(os, "")
    fields = {
        "type": EXTENSION_TYPE,
        "name": kind,
        f"{EXTENSION_TYPE}/publisher".lower(): SNAPSHOT_PUBLISHER,
        f"{EXTENSION_TYPE}/type".lower(): kind,
    }
    return Resource(fields)


def collection_resource(name: str | None, location: str | None, tags: t.Mapping[str, str]) -> Resource:
    """Return a restore point collection as it would be made; None for what is not known of it yet."""
    return Resource({"type": COLLECTION_TYPE, "name": name, "location": location}, tags)


POINT = Resource({"type": f"{COLLECTION_TYPE}/restorePoints", "name": None, "location": ""}, {}, indexed=False)


def keeps_out(policy: AssignedPolicy, resource: Resource) -> bool | None:
    """Tell whether a policy forbids that a resource is made; None when that cannot be told."""
    if not resource.indexed and text(policy.definition or {}, "mode").lower() in ("", "indexed"):
        return False
    rule = child(policy.definition or {}, "policyRule")
    given = _given(policy.definition or {}, policy.parameters)
    said = child(rule, "then").get("effect")
    effect = None if policy.assignment.overridden else _value(said, given)
    if said is None or (effect is not None and str(effect).lower() != "deny"):
        return False
    holds = _holds(child(rule, "if"), resource, given)
    certain = effect is not None and not policy.assignment.selective
    return holds if certain or holds is False else None


# A value that is a template expression; two brackets at its start stand for a text that begins with one
# (azure-docs, governance/policy/concepts, "Policy definition structure: policy rule", policy functions).
_EXPRESSION = re.compile(r"\[(?!\[).*\]", re.DOTALL)
# The way in which the built-in policies "Require a tag on resources" and others name a tag.
_CONCAT = re.compile(r"\[\s*concat\(\s*(.*?)\s*\)\s*\]", re.IGNORECASE | re.DOTALL)
_ARGUMENT = re.compile(r"'[^']*'|\w+\(\s*'[^']*'\s*\)")
_TAG = re.compile(r"tags(?:\.|\['?)(.+?)(?:'?\])?", re.IGNORECASE)
_PARAMETER = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_TESTS: dict[str, t.Callable[[str, t.Any], bool]] = {
    "equals": lambda held, wanted: held == _lower(wanted),
    "notequals": lambda held, wanted: held != _lower(wanted),
    "in": lambda held, wanted: held in [_lower(item) for item in wanted],
    "notin": lambda held, wanted: held not in [_lower(item) for item in wanted],
    "like": lambda held, wanted: fnmatchcase(held, _lower(wanted)),
    "notlike": lambda held, wanted: not fnmatchcase(held, _lower(wanted)),
    "contains": lambda held, wanted: _lower(wanted) in held,
    "notcontains": lambda held, wanted: _lower(wanted) not in held,
    "exists": lambda held, wanted: (held != "") is (_lower(wanted) == "true"),
}


def _holds(condition: t.Any, resource: Resource, given: Json) -> bool | None:
    """Evaluate a condition with three values: what asks about anything that is not known is None, unknown."""
    if not isinstance(condition, dict):
        return None
    words = {str(word).lower(): value for word, value in condition.items()}
    for gate, deciding in (("allof", False), ("anyof", True)):
        if isinstance(words.get(gate), list):
            parts = [_holds(part, resource, given) for part in words[gate]]
            if deciding in parts:
                return deciding
            return None if None in parts else not deciding
    if "not" in words:
        inner = _holds(words["not"], resource, given)
        return None if inner is None else not inner
    held = resource.value(str(_value(words.get("field"), given) or ""))
    if held is None:
        return None
    for word, value in words.items():
        wanted = _value(value, given)
        if word in _TESTS and (
            isinstance(wanted, list) if word in ("in", "notin") else isinstance(wanted, (str, bool))
        ):
            return _TESTS[word](held, wanted)
    return None


def _lower(value: t.Any) -> str:
    return str(value).lower()


def _given(definition: Json, values: Json) -> Json:
    """The parameters of a definition: the values given to it over its defaults."""
    specs = child(definition, "parameters")
    return {**{name: spec.get("defaultValue") for name, spec in specs.items() if isinstance(spec, dict)}, **values}


def _of_value(holder: t.Any) -> t.Any:
    return holder.get("value") if isinstance(holder, dict) else None


def _value(value: t.Any, given: Json) -> t.Any:
    """Return a value with its parameters filled in, None when an expression needs more than that."""
    if isinstance(value, list):
        items = [_value(item, given) for item in value]
        return None if None in items else items
    if not isinstance(value, str) or not _EXPRESSION.fullmatch(value):
        return value[1:] if isinstance(value, str) and value.startswith("[[") else value
    if concat := _CONCAT.fullmatch(value):
        parts = [
            _value(f"[{part}]", given) if part.endswith(")") else part.strip("'")
            for part in _ARGUMENT.findall(concat[1])
        ]
        return None if None in parts else "".join(map(str, parts))
    named = _PARAMETER.fullmatch(value)
    held = {name.lower(): held for name, held in given.items()}
    return held.get(named[1].lower()) if named else None
