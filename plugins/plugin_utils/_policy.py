# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure Policy: the guard's own definition, its assignment and exemptions, and policies that keep the extension out."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from ._arm import Arm
from ._errors import AzureError, Conflict, NotFound
from ._json import Json, child, text
from ._machine import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES
from ._resource_ids import same_id

# azure-mgmt-resource-policy knows both as stable; exemptions have had no stable version for long.
POLICY_API = "2023-04-01"
EXEMPTION_API = "2022-07-01-preview"
EXTENSION_TYPE = "Microsoft.Compute/virtualMachines/extensions"
# How long an assignment or exemption may need until it is in force: "minutes", up to half an hour
# (azure-docs, governance/policy, "Tutorial: create and manage policies" and the page on denyAction).
SLOWEST_EFFECT = timedelta(minutes=30)

# Only the two snapshot extensions of that one publisher, so nothing else is kept from being removed. Removing a whole
# resource group stays possible: cascadeBehaviors would forbid it by default.
RULE: Json = {
    "if": {
        "allOf": [
            {"field": "type", "equals": EXTENSION_TYPE},
            {"field": f"{EXTENSION_TYPE}/publisher", "equals": SNAPSHOT_PUBLISHER},
            {"field": f"{EXTENSION_TYPE}/type", "in": sorted(SNAPSHOT_TYPES.values())},
        ]
    },
    "then": {
        "effect": "denyAction",
        "details": {"actionNames": ["delete"], "cascadeBehaviors": {"resourceGroup": "allow"}},
    },
}
TITLE = "The snapshot extension must not be deleted (appconsistent.azure)"
WHY = "Application-consistent restore points need the VMSnapshot extension. Removing a VM or its group stays possible."


@dataclass(frozen=True)
class Assignment:
    """A policy assignment. `ours` tells that it assigns the guard's rule."""

    id: str
    name: str
    scope: str
    definition_id: str
    enforced: bool
    parameters: Json
    title: str


def definition_path(subscription: str, name: str) -> str:
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/policyDefinitions/{name}"


def assignment_path(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/policyAssignments/{name}"


def exemption_path(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/policyExemptions/{name}"


async def read_assignment(arm: Arm, scope: str, name: str) -> Assignment | None:
    body = await _maybe(arm, assignment_path(scope, name), POLICY_API, f"read the policy assignment {name}")
    return _assignment(body) if body else None


async def assignments_at(arm: Arm, scope: str) -> list[Assignment]:
    """Return the assignments that hold at a scope, those from above included."""
    items = await arm.pages(
        f"{scope}/providers/Microsoft.Authorization/policyAssignments",
        POLICY_API,
        doing=f"read the policy assignments of {scope}",
        query={"$filter": "atScope()"},
    )
    return [_assignment(item) for item in items]


async def rule_of(arm: Arm, definition_id: str) -> Json:
    """Return the properties of a policy definition, empty when there is none."""
    return child(
        await _maybe(arm, definition_id, POLICY_API, "read the policy definition " + definition_id), "properties"
    )


async def ensure_assigned(
    arm: Arm, subscription: str, scope: str, name: str, *, check: bool
) -> tuple[bool, Assignment]:
    """See that the guard's rule is defined in the subscription and assigned at `scope`; tell whether that was new."""
    path = definition_path(subscription, name)
    held = await rule_of(arm, path)
    if held and not _is_ours(held):
        raise Conflict(
            f"guard {scope} with a policy",
            code="ForeignPolicyDefinition",
            message=f"the policy definition {name} of the subscription is somebody else's",
            advice="Choose another policy_name.",
        )
    assigned = await read_assignment(arm, scope, name)
    if assigned is not None and not same_id(assigned.definition_id, path):
        raise Conflict(
            f"guard {scope} with a policy",
            code="ForeignPolicyAssignment",
            message=f"the policy assignment {name} assigns another definition, {assigned.definition_id}",
            advice="Choose another policy_name.",
        )
    as_wanted = held.get("policyRule") == RULE
    if as_wanted and assigned is not None and assigned.enforced:
        return False, assigned
    planned = Assignment(assignment_path(scope, name), name, scope, path, True, {}, TITLE)
    if check:
        return True, planned
    if not as_wanted:
        await arm.request("PUT", path, POLICY_API, doing=f"define the policy {name}", body=_definition_body())
    if assigned is None or not assigned.enforced:
        body = {
            "properties": {
                "displayName": TITLE,
                "description": WHY,
                "policyDefinitionId": path,
                "enforcementMode": "Default",
                "metadata": {"source": "appconsistent.azure"},
            }
        }
        doing = f"assign the policy {name} at {scope}"
        await arm.request("PUT", assignment_path(scope, name), POLICY_API, doing=doing, body=body)
    return True, planned


async def ensure_unassigned(arm: Arm, subscription: str, scope: str, name: str, *, check: bool) -> bool:
    """Take the guard's assignment away, and its definition when nobody uses it any more."""
    path = definition_path(subscription, name)
    assigned = await read_assignment(arm, scope, name)
    if assigned is None or not same_id(assigned.definition_id, path):
        return False
    if not check:
        doing = f"remove the policy assignment {name} at {scope}"
        await arm.request("DELETE", assigned.id, POLICY_API, doing=doing)
        try:
            await arm.request("DELETE", path, POLICY_API, doing=f"remove the policy definition {name}")
        except AzureError as error:
            # Still assigned elsewhere: the definition alone does nothing, so it stays.
            if error.status not in (400, 409):
                raise
    return True


@dataclass(frozen=True)
class Exemption:
    """A machine's exemption from the guard's policy. Azure ends it by itself at `until`."""

    name: str
    until: datetime | None
    reason: str


async def read_exemption(arm: Arm, scope: str, name: str) -> Exemption | None:
    body = await _maybe(arm, exemption_path(scope, name), EXEMPTION_API, f"read the policy exemption {name}")
    if not body:
        return None
    properties = child(body, "properties")
    try:
        until = datetime.fromisoformat(text(properties, "expiresOn"))
    except ValueError:
        until = None
    return Exemption(name, until, text(properties, "description"))


async def exempt(arm: Arm, scope: str, name: str, assignment_id: str, until: datetime, reason: str) -> None:
    """Exempt what lies at `scope` from the guard's policy until a moment that Azure sees to itself."""
    body = {
        "properties": {
            "policyAssignmentId": assignment_id,
            "exemptionCategory": "Waiver",
            "expiresOn": until.isoformat(),
            "displayName": "Break-glass (appconsistent.azure)",
            "description": reason,
        }
    }
    doing = f"exempt {scope.rpartition('/')[2]} from the policy {name}"
    await arm.request("PUT", exemption_path(scope, name), EXEMPTION_API, doing=doing, body=body)


async def end_exemption(arm: Arm, scope: str, name: str) -> None:
    try:
        doing = f"end the exemption of {scope.rpartition('/')[2]} from the policy {name}"
        await arm.request("DELETE", exemption_path(scope, name), EXEMPTION_API, doing=doing)
    except NotFound:
        return


def keeps_extension_out(rule: Json, parameters: Json, os: str) -> bool | None:
    """Tell whether a policy forbids that Azure installs the snapshot extension; None when that cannot be told.

    `rule` are the properties of the definition, `parameters` those of the assignment.
    """
    given = {
        **{
            name: spec.get("defaultValue") for name, spec in child(rule, "parameters").items() if isinstance(spec, dict)
        },
        **{name: value.get("value") for name, value in parameters.items() if isinstance(value, dict)},
    }
    then = child(child(rule, "policyRule"), "then")
    if str(_value(then.get("effect"), given)).lower() != "deny":
        return False
    fields = {
        "type": EXTENSION_TYPE.lower(),
        "name": SNAPSHOT_TYPES.get(os, "").lower(),
        f"{EXTENSION_TYPE}/publisher".lower(): SNAPSHOT_PUBLISHER.lower(),
        f"{EXTENSION_TYPE}/type".lower(): SNAPSHOT_TYPES.get(os, "").lower(),
    }
    return _holds(child(child(rule, "policyRule"), "if"), fields, given)


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
}


def _holds(condition: t.Any, fields: t.Mapping[str, str], given: Json) -> bool | None:
    """Evaluate a condition with three values: what asks about anything else than `fields` is None, unknown."""
    if not isinstance(condition, dict):
        return None
    words = {str(word).lower(): value for word, value in condition.items()}
    for gate, deciding in (("allof", False), ("anyof", True)):
        if isinstance(words.get(gate), list):
            parts = [_holds(part, fields, given) for part in words[gate]]
            if deciding in parts:
                return deciding
            return None if None in parts else not deciding
    if "not" in words:
        inner = _holds(words["not"], fields, given)
        return None if inner is None else not inner
    held = fields.get(str(words.get("field")).lower())
    if held is None:
        return None
    for word, value in words.items():
        wanted = _value(value, given)
        if word in _TESTS and (isinstance(wanted, list) if word in ("in", "notin") else isinstance(wanted, str)):
            return _TESTS[word](held, wanted)
    return None


def _lower(value: t.Any) -> str:
    return str(value).lower()


def _value(value: t.Any, given: Json) -> t.Any:
    named = _PARAMETER.fullmatch(value) if isinstance(value, str) else None
    return given.get(named[1]) if named else value


def _is_ours(properties: Json) -> bool:
    return child(properties, "metadata").get("source") == "appconsistent.azure"


def _definition_body() -> Json:
    return {
        "properties": {
            "displayName": TITLE,
            "description": WHY,
            "policyType": "Custom",
            "mode": "Indexed",
            "metadata": {"category": "Backup", "source": "appconsistent.azure", "version": "1.0.0"},
            "policyRule": RULE,
        }
    }


def _assignment(item: Json) -> Assignment:
    properties = child(item, "properties")
    identifier = text(item, "id")
    return Assignment(
        id=identifier,
        name=text(item, "name"),
        scope=text(properties, "scope") or identifier.lower().partition("/providers/microsoft.authorization/")[0],
        definition_id=text(properties, "policyDefinitionId"),
        enforced=text(properties, "enforcementMode").lower() != "donotenforce",
        parameters=child(properties, "parameters"),
        title=text(properties, "displayName"),
    )


async def _maybe(arm: Arm, path: str, api: str, doing: str) -> Json:
    try:
        return await arm.get(path, api, doing=doing)
    except NotFound:
        return {}
