"""Azure Policy as far as a guard needs it: definitions, initiatives, assignments, exemptions; deny and denyAction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from . import bodies, pages
from .errors import ArmError, invalid_parameter
from .exchange import Call, Response, answer
from .paths import Target, ancestors, parse

if TYPE_CHECKING:
    from .world import World

KINDS = {
    "microsoft.authorization/policydefinitions": "Microsoft.Authorization/policyDefinitions",
    "microsoft.authorization/policysetdefinitions": "Microsoft.Authorization/policySetDefinitions",
    "microsoft.authorization/policyassignments": "Microsoft.Authorization/policyAssignments",
    "microsoft.authorization/policyexemptions": "Microsoft.Authorization/policyExemptions",
}
EXTENSION_ALIAS = "microsoft.compute/virtualmachines/extensions/"
EFFECTS = ("deny", "denyAction", "audit", "disabled")
# The one other expression: what the built-in policies about tags name their field by.
TAG_OF_PARAMETER = re.compile(r"^\[concat\('tags\[', parameters\('([^']+)'\), '\]'\)\]$")
# Types without tags and location, which a definition whose mode is Indexed does not look at.
NOT_INDEXED = ("microsoft.compute/restorepointcollections/restorepoints",)
PARAMETER = re.compile(r"^\[parameters\('([^']+)'\)\]$")
TAG_FIELD = re.compile(r"^tags(?:\.|\[')([^']+?)(?:'\])?$", re.IGNORECASE)
# Not blocked by denyAction, whatever a rule says.
EXEMPT_TYPES = ("microsoft.authorization/",)

BODIES: Mapping[str, Mapping[str, bodies.Shape]] = {
    "microsoft.authorization/policydefinitions": {
        **bodies.RESOURCE,
        "properties": {
            "displayName": str,
            "description": str,
            "policyType": ("Custom", "BuiltIn", "Static", "NotSpecified"),
            "mode": str,
            "metadata": dict,
            "parameters": dict,
            "policyRule": dict,
            "version": str,
            "versions": [str],
        },
    },
    "microsoft.authorization/policysetdefinitions": {
        **bodies.RESOURCE,
        "properties": {
            "displayName": str,
            "description": str,
            "policyType": ("Custom", "BuiltIn", "Static", "NotSpecified"),
            "metadata": dict,
            "parameters": dict,
            "policyDefinitions": [
                {
                    "policyDefinitionId": str,
                    "definitionVersion": str,
                    "parameters": dict,
                    "policyDefinitionReferenceId": str,
                    "groupNames": [str],
                }
            ],
            "policyDefinitionGroups": [
                {"name": str, "displayName": str, "category": str, "description": str, "additionalMetadataId": str}
            ],
            "version": str,
            "versions": [str],
        },
    },
    "microsoft.authorization/policyassignments": {
        **bodies.RESOURCE,
        "location": str,
        "identity": dict,
        "properties": {
            "displayName": str,
            "description": str,
            "policyDefinitionId": str,
            "definitionVersion": str,
            "scope": str,
            "notScopes": [str],
            "parameters": dict,
            "metadata": dict,
            "enforcementMode": ("Default", "DoNotEnforce"),
            "nonComplianceMessages": list,
        },
    },
    "microsoft.authorization/policyexemptions": {
        **bodies.RESOURCE,
        "properties": {
            "policyAssignmentId": str,
            "exemptionCategory": ("Waiver", "Mitigated"),
            "expiresOn": str,
            "displayName": str,
            "description": str,
            "metadata": dict,
            "policyDefinitionReferenceIds": [str],
            "assignmentScopeValidation": str,
        },
    },
}


@dataclass(frozen=True)
class Member:
    """A definition in force with the values of its parameters; `reference` is its name in an initiative."""

    definition: Mapping[str, Any]
    given: Mapping[str, Any]
    reference: str


def _key(target: Target) -> str:
    return f"{target.scope}/providers/{target.types}/{target.name.lower()}"


def get(world: World, call: Call) -> Response:
    found = world.policies.get(_key(call.target))
    if found is None:
        word = KINDS[call.target.types].rsplit("/", 1)[1]
        code = word[0].upper() + word[1:].removesuffix("s") + "NotFound"
        raise ArmError(404, code, f"The {word.removesuffix('s')} '{call.target.name}' is not found.")
    return answer(200, found)


def list_at_scope(world: World, call: Call) -> Response:
    """Those of this scope and the ones above it, and without a filter also what is assigned or exempted below."""
    here, asked = call.target.scope, call.query.get("$filter", "")
    if asked.lower() not in ("", "atscope()", "atexactscope()"):
        raise invalid_parameter(f"The filter '{asked}' is not supported by the simulator.", "$filter")
    scopes = {here} if asked.lower() == "atexactscope()" else set(ancestors(here))
    below = not asked and not call.target.types.endswith("definitions")
    found = {
        key: None
        for key in world.policies
        if parse(key).types == call.target.types
        and (parse(key).scope in scopes or (below and parse(key).scope.startswith(f"{here}/")))
    }
    keys, link = pages.cut(world, call, found)
    return pages.answer([world.policies[key] for key in keys], link)


def put(world: World, call: Call) -> Response:
    kind = call.target.types
    body = call.json()
    bodies.check(body, BODIES[kind], KINDS[kind].rsplit("/", 1)[1])
    properties = dict(body.get("properties") or {})
    if kind.endswith("policydefinitions"):
        _check_definition(properties)
    elif kind.endswith("policysetdefinitions"):
        _check_initiative(world, call.target.name, properties)
    elif kind.endswith("policyassignments"):
        definition = bodies.required(properties.get("policyDefinitionId"), "properties.policyDefinitionId")
        if parse(definition).key not in world.policies:
            raise ArmError(404, "PolicyDefinitionNotFound", f"The policy definition '{definition}' could not be found.")
        of = f"The policy assignment '{call.target.name}'"
        _check_values(of, properties.get("parameters") or {}, world.policies[parse(definition).key])
        properties |= {"scope": call.scope_path, "enforcementMode": properties.get("enforcementMode", "Default")}
    else:
        assignment = bodies.required(properties.get("policyAssignmentId"), "properties.policyAssignmentId")
        bodies.required(properties.get("exemptionCategory"), "properties.exemptionCategory")
        if properties.get("expiresOn") is not None:
            _time(properties["expiresOn"])
        if parse(assignment).key not in world.policies:
            raise ArmError(404, "PolicyAssignmentNotFound", f"The policy assignment '{assignment}' is not found.")
    key = _key(call.target)
    shown: dict[str, Any] = {
        "id": f"{call.scope_path}/providers/{KINDS[kind]}/{call.target.name}",
        "type": KINDS[kind],
        "name": call.target.name,
        "properties": properties,
    }
    for name in ("location", "identity"):
        if name in body:
            shown[name] = body[name]
    status = 200 if key in world.policies and kind.endswith("policyexemptions") else 201
    world.policies[key] = shown
    world.policies_since.setdefault(key, world.clock.now())
    return answer(status, shown)


def _check_definition(properties: dict[str, Any]) -> None:
    rule = bodies.required(properties.get("policyRule"), "properties.policyRule")
    properties.setdefault("policyType", "Custom")
    properties.setdefault("mode", "Indexed")
    then = rule.get("then")
    if not isinstance(rule.get("if"), dict) or not isinstance(then, dict) or not isinstance(then.get("effect"), str):
        raise ArmError(
            400, "InvalidPolicyRule", "The policy rule must have an 'if' condition and a 'then' with an 'effect'."
        )
    effect = then["effect"]
    if not PARAMETER.match(effect) and effect.lower() not in {known.lower() for known in EFFECTS}:
        raise invalid_parameter(f"The policy effect '{effect}' is not supported by the simulator.", "effect")
    if effect.lower() == "denyaction":
        actions = (then.get("details") or {}).get("actionNames")
        if actions != ["delete"]:
            raise ArmError(
                400, "InvalidPolicyRule", "The effect 'denyAction' needs details.actionNames, and only 'delete' exists."
            )


def _check_initiative(world: World, name: str, properties: dict[str, Any]) -> None:
    """Members must exist, be told apart, get what they need, and use what the initiative takes."""
    of, own = f"The policy set definition '{name}'", properties.get("parameters") or {}
    members = bodies.required(properties.get("policyDefinitions") or None, "properties.policyDefinitions")
    properties.setdefault("policyType", "Custom")
    used, references = set(), set()
    for position, member in enumerate(members):
        path = bodies.required(member.get("policyDefinitionId"), f"properties.policyDefinitions[{position}]")
        held = world.policies.get(parse(path).key)
        if held is None or not parse(path).types.endswith("policydefinitions"):
            raise ArmError(404, "PolicyDefinitionNotFound", f"The policy definition '{path}' could not be found.")
        values = member.get("parameters") or {}
        _check_values(of, values, held)
        # The service makes up a number where a client gives none.
        reference = member.setdefault("policyDefinitionReferenceId", str(10**18 + position))
        if reference.lower() in references:
            raise ArmError(
                400,
                "InvalidCreatePolicySetDefinitionRequest",
                f"{of} holds the policy definition reference id '{reference}' more than once.",
            )
        references.add(reference.lower())
        for value in values.values():
            used |= _named(value.get("value"))
    if used - set(own):
        names = ", ".join(sorted(used - set(own)))
        raise ArmError(400, "UndefinedPolicyParameter", f"{of} uses the parameter(s) '{names}' which are not defined.")
    if set(own) - used:
        names = ", ".join(sorted(set(own) - used))
        raise ArmError(400, "UnusedPolicyParameters", f"{of} has defined parameters '{names}' which are not used.")


def _check_values(of: str, values: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    specs, name = definition["properties"].get("parameters") or {}, definition["name"]
    for parameter, holder in values.items():
        if not isinstance(holder, dict) or set(holder) != {"value"}:
            raise invalid_parameter("A parameter is given as an object with a 'value'.", f"parameters.{parameter}")
    unknown = ", ".join(sorted(set(values) - set(specs)))
    if unknown:
        raise ArmError(
            400,
            "UndefinedPolicyParameter",
            f"{of} is attempting to assign the parameter(s) '{unknown}' which are not defined in the policy "
            f"definition '{name}'.",
        )
    missing = ", ".join(sorted({key for key, spec in specs.items() if "defaultValue" not in spec} - set(values)))
    if missing:
        raise ArmError(
            400,
            "MissingPolicyParameter",
            f"{of} is missing the parameter(s) '{missing}' as defined in the policy definition '{name}'.",
        )


def _named(value: Any) -> set[str]:
    """The parameters that a value names. No other expression is evaluated here, so none is taken."""
    if isinstance(value, list):
        return {name for item in value for name in _named(item)}
    found = PARAMETER.match(value) if isinstance(value, str) else None
    if found is None and isinstance(value, str) and value.startswith("[") and not value.startswith("[["):
        raise invalid_parameter(f"The expression '{value}' is not supported by the simulator.", "parameters")
    return {found[1]} if found is not None else set()


def delete(world: World, call: Call) -> Response:
    key = _key(call.target)
    if key not in world.policies:
        return Response(204)
    for held in world.policies.values():
        properties = held["properties"]
        if any(
            (user.get("policyDefinitionId") or "").lower() == key
            for user in (properties, *(properties.get("policyDefinitions") or ()))
        ):
            word = "policy set definition" if call.target.types.endswith("setdefinitions") else "policy definition"
            code = f"{word.title().replace(' ', '')}InUse"
            use = "part of an initiative" if "policyDefinitions" in properties else "assigned"
            raise ArmError(400, code, f"The {word} '{call.target.name}' is still {use}.")
    removed = world.policies.pop(key)
    del world.policies_since[key]
    return answer(200, removed)


def must_allow(world: World, call: Call) -> None:
    """403 when an assignment denies this delete, or this write of an extension."""
    method, target = call.incoming.method, call.target
    if not world.policies or method in ("GET", "HEAD", "POST") or target.types.startswith(EXEMPT_TYPES):
        return
    body = call.json() if method in ("PUT", "PATCH") and call.incoming.body.strip() else {}
    refuse(world, method, target.key, resource_fields(world, target, body), target.name)


def resource_fields(world: World, target: Target, body: Mapping[str, Any]) -> dict[str, Any]:
    """What conditions can ask about: the resource as it is, or as it would be."""
    fields: dict[str, Any] = {"type": target.types, "name": target.name}
    properties = body.get("properties") or {}
    location, tags = body.get("location"), body.get("tags")
    if target.types == "microsoft.compute/virtualmachines/extensions":
        held = world.extensions.get(target.parent, {}).get(target.name.lower())
        publisher = properties.get("publisher") or (held.publisher if held is not None else None)
        kind = properties.get("type") or (held.type if held is not None else None)
        fields |= {f"{EXTENSION_ALIAS}publisher": publisher, f"{EXTENSION_ALIAS}type": kind}
        location = location or (held.location if held is not None else None)
        tags = tags or (dict(held.tags) if held is not None else None)
    fields |= {"location": location, "tags": tags or {}}
    return fields


def refuse(world: World, method: str, key: str, fields: Mapping[str, Any], name: str) -> None:
    now = world.clock.now()
    for scope in ancestors(key):
        for place, held in world.policies.items():
            target = parse(place)
            if target.scope != scope or not target.types.endswith("policyassignments"):
                continue
            since = world.policies_since[place]
            if since + world.settings.durations.policy > now:
                continue
            for member in _members(world, held):
                if _denies(world, held, member, method, key, fields):
                    _raise(world, held, member, method, name)


def _members(world: World, assignment: Mapping[str, Any]) -> Iterator[Member]:
    """What an assignment puts into force, with the values of its parameters."""
    properties = assignment["properties"]
    assigned = world.policies.get(properties["policyDefinitionId"].lower())
    if assigned is None:
        return
    given = _given(assigned, properties.get("parameters"))
    if "policyDefinitions" not in assigned["properties"]:
        yield Member(assigned, given, "")
        return
    for member in assigned["properties"]["policyDefinitions"]:
        definition = world.policies[member["policyDefinitionId"].lower()]
        filled = {
            name: {"value": _value(holder["value"], given)} for name, holder in (member.get("parameters") or {}).items()
        }
        yield Member(definition, _given(definition, filled), member["policyDefinitionReferenceId"])


def _given(definition: Mapping[str, Any], parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {name: value.get("value") for name, value in (parameters or {}).items()}
    for name, spec in (definition["properties"].get("parameters") or {}).items():
        given.setdefault(name, spec.get("defaultValue"))
    return given


def _denies(
    world: World, assignment: Mapping[str, Any], member: Member, method: str, key: str, fields: Mapping[str, Any]
) -> bool:
    properties = assignment["properties"]
    if properties["enforcementMode"].lower() == "donotenforce" or _is_exempt(world, assignment, member, key):
        return False
    if any(key == scope.lower() or key.startswith(f"{scope.lower()}/") for scope in properties.get("notScopes") or []):
        return False
    if fields["type"] in NOT_INDEXED and member.definition["properties"]["mode"].lower() == "indexed":
        return False
    rule = member.definition["properties"]["policyRule"]
    effect = str(_value(rule["then"]["effect"], member.given)).lower()
    wanted = "denyaction" if method == "DELETE" else "deny"
    return effect == wanted and _holds(rule["if"], fields, member.given)


def _is_exempt(world: World, assignment: Mapping[str, Any], member: Member, key: str) -> bool:
    for place, held in world.policies.items():
        target = parse(place)
        if not target.types.endswith("policyexemptions") or target.scope not in ancestors(key):
            continue
        properties = held["properties"]
        expires, named = properties.get("expiresOn"), properties.get("policyDefinitionReferenceIds")
        valid = expires is None or _time(expires) > world.clock.wall()
        covered = not named or member.reference.lower() in [name.lower() for name in named]
        if valid and covered and properties["policyAssignmentId"].lower() == assignment["id"].lower():
            return True
    return False


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_parameter(f"'{text}' is no valid time.", "properties.expiresOn") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _value(value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_value(item, given) for item in value]
    found = PARAMETER.match(value) if isinstance(value, str) else None
    return given.get(found[1]) if found is not None else value


def _holds(condition: Mapping[str, Any], fields: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    if "allOf" in condition:
        return all(_holds(part, fields, given) for part in condition["allOf"])
    if "anyOf" in condition:
        return any(_holds(part, fields, given) for part in condition["anyOf"])
    if "not" in condition:
        return not _holds(condition["not"], fields, given)
    asked = str(condition.get("field", ""))
    if named := TAG_OF_PARAMETER.match(asked):
        asked = f"tags['{given.get(named[1])}']"
    tag = TAG_FIELD.match(asked)
    held = fields["tags"].get(tag[1]) if tag is not None else fields.get(asked.lower())
    text = "" if held is None else str(held).lower()
    for name, wanted in condition.items():
        if name == "field":
            continue
        if name not in _TESTS:
            raise ArmError(
                400, "InvalidPolicyRule", f"The policy condition '{name}' is not supported by the simulator."
            )
        return _TESTS[name](text, _value(wanted, given))
    return False


_TESTS: Mapping[str, Callable[[str, Any], bool]] = {
    "equals": lambda text, wanted: text == str(wanted).lower(),
    "notEquals": lambda text, wanted: text != str(wanted).lower(),
    "in": lambda text, wanted: text in [str(value).lower() for value in wanted],
    "notIn": lambda text, wanted: text not in [str(value).lower() for value in wanted],
    "like": lambda text, wanted: fnmatchcase(text, str(wanted).lower()),
    "notLike": lambda text, wanted: not fnmatchcase(text, str(wanted).lower()),
    "contains": lambda text, wanted: str(wanted).lower() in text,
    "exists": lambda text, wanted: bool(text) == (str(wanted).lower() == "true"),
}


def _raise(world: World, assignment: Mapping[str, Any], member: Member, method: str, name: str) -> None:
    assigned = world.policies[assignment["properties"]["policyDefinitionId"].lower()]
    parts = {"policyAssignment": assignment, "policyDefinition": member.definition}
    if member.reference:
        parts["policySetDefinition"] = assigned
    identifiers = ",".join(f'"{word}":{{"name":"{held["name"]}","id":"{held["id"]}"}}' for word, held in parts.items())
    what = "Deletion of resource" if method == "DELETE" else "Resource"
    raise ArmError(
        403,
        "RequestDisallowedByPolicy",
        f"{what} '{name}' was disallowed by policy. Policy identifiers: '[{{{identifiers}}}]'.",
        name,
    )
