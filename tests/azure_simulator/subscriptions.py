"""Tenants, subscriptions, resource groups, resource providers, locations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import regions
from .api_versions import TYPES, display_type
from .errors import ArmError
from .exchange import Call, Response, answer

if TYPE_CHECKING:
    from .world import Subscription, World


def _subscription(world: World, subscription: Subscription) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": world.tenant_id,
        "displayName": subscription.name,
        "state": subscription.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def tenants(world: World, _: Call) -> Response:
    tenant = {"id": f"/tenants/{world.tenant_id}", "tenantId": world.tenant_id, "displayName": "Simulated"}
    return answer(200, {"value": [tenant]})


def list_all(world: World, _: Call) -> Response:
    found = [_subscription(world, subscription) for subscription in world.subscriptions.values()]
    return answer(200, {"value": found, "count": {"type": "Total", "value": len(found)}})


def get(world: World, call: Call) -> Response:
    return answer(200, _subscription(world, world.subscriptions[call.target.key]))


def locations(_: World, call: Call) -> Response:
    found = [
        {
            "id": f"/subscriptions/{call.target.subscription}/locations/{name}",
            "name": name,
            "displayName": regions.display(name),
            "regionalDisplayName": regions.display(name),
        }
        for name in regions.LOCATIONS
    ]
    return answer(200, {"value": found})


def _provider(call: Call, namespace: str) -> dict[str, Any]:
    found = [
        {
            "resourceType": display_type(name).split("/", 1)[1],
            "locations": [regions.display(location) for location in regions.LOCATIONS],
            "apiVersions": sorted(versions, reverse=True),
            "capabilities": "None",
        }
        for name, versions in TYPES.items()
        if name.startswith(f"{namespace.lower()}/")
    ]
    if not found:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    shown = display_type(f"{namespace.lower()}/x").split("/", 1)[0]
    return {
        "id": f"/subscriptions/{call.target.subscription}/providers/{shown}",
        "namespace": shown,
        "resourceTypes": found,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    }


def get_provider(_: World, call: Call) -> Response:
    return answer(200, _provider(call, call.target.name))


def list_providers(_: World, call: Call) -> Response:
    namespaces = dict.fromkeys(name.split("/")[0] for name in TYPES if "." in name.split("/")[0])
    return answer(200, {"value": [_provider(call, namespace) for namespace in namespaces]})
