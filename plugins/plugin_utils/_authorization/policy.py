# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Azure Policy: the guard's own definition, its assignment and exemptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .._azure.arm import Arm
from .._azure.machine import SNAPSHOT_PUBLISHER, SNAPSHOT_TYPES
from .._azure.resource_ids import same_id
from .._durations import words
from .._errors import AzureError, Conflict, NotFound
from .._json import Json, child, text

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
    """An assignment of a policy or an initiative. It does not hold at `not_scopes`, which are in lower case.

    `overridden` tells that it sets effects of its own, `selective` that it is for some resources only.
    """

    id: str
    name: str
    scope: str
    definition_id: str
    enforced: bool
    parameters: Json
    title: str
    not_scopes: tuple[str, ...] = ()
    overridden: bool = False
    selective: bool = False


def definition_path(subscription: str, name: str) -> str:
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/policyDefinitions/{name}"


def assignment_path(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/policyAssignments/{name}"


def exemption_path(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/policyExemptions/{name}"


async def read_assignment(arm: Arm, scope: str, name: str) -> Assignment | None:
    body = await _maybe(arm, assignment_path(scope, name), POLICY_API, f"read the policy assignment {name}")
    return assignment_of(body) if body else None


async def rule_of(arm: Arm, definition_id: str) -> Json:
    """Return the properties of a definition, of a policy or an initiative, empty when there is none."""
    return child(
        await _maybe(arm, definition_id, POLICY_API, "read the policy definition " + definition_id), "properties"
    )


def not_effective_yet(name: str, scope: str) -> str:
    """Say of a policy that was assigned, or an exemption that was ended, a moment ago that it is not in force yet."""
    return (
        f"The policy {name} at {scope} is not in force yet: Azure needs up to {words(SLOWEST_EFFECT)} until it refuses "
        "to delete the extension"
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
    return Exemption(name, expiry_of(properties), text(properties, "description"))


def expiry_of(properties: Json) -> datetime | None:
    """Return when an exemption ends, None when it does not or nobody can tell."""
    try:
        until = datetime.fromisoformat(text(properties, "expiresOn"))
    except ValueError:
        return None
    return until if until.tzinfo is not None else until.replace(tzinfo=timezone.utc)


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


def assignment_of(item: Json) -> Assignment:
    properties = child(item, "properties")
    identifier = text(item, "id")
    not_scopes = properties.get("notScopes")
    return Assignment(
        id=identifier,
        name=text(item, "name"),
        scope=text(properties, "scope") or identifier.lower().partition("/providers/microsoft.authorization/")[0],
        definition_id=text(properties, "policyDefinitionId"),
        enforced=text(properties, "enforcementMode").lower() != "donotenforce",
        parameters=child(properties, "parameters"),
        title=text(properties, "displayName"),
        not_scopes=tuple(str(scope).lower() for scope in not_scopes) if isinstance(not_scopes, list) else (),
        overridden=bool(properties.get("overrides")),
        selective=bool(properties.get("resourceSelectors")),
    )


async def _maybe(arm: Arm, path: str, api: str, doing: str) -> Json:
    try:
        return await arm.get(path, api, doing=doing)
    except NotFound:
        return {}
