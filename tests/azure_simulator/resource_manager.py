"""What happens to a request before and after its handler: sign-in, rights, locks, limits, faults, headers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from . import api_versions, batch, entra, locks, metadata, odd_answers, policies
from .errors import ArmError
from .exchange import Call, Incoming, Response, answer, parse_query
from .faults import AFTER_KINDS, ANSWER_KINDS, Fault
from .paths import Target, parse
from .routes import ROUTES, Route
from .throttling import arm_throttled, compute_throttled
from .world import Seen

if TYPE_CHECKING:
    from .world import World

LOG = logging.getLogger(__name__)
BEFORE_KINDS = frozenset({"reset", "hang", "slow", "error", "throttle", "denied", "policy", "claims_challenge"})
ARM_ROOTS = frozenset({"subscriptions", "providers", "tenants"})
COMMON_HEADERS = (
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
    ("Expires", "-1"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("X-Content-Type-Options", "nosniff"),
)
KEPT_QUERY = 200


class Reply(NamedTuple):
    """A response, and what a fault does to it on the wire."""

    response: Response
    wire: str = "send"
    seconds: float = 0.0


def handle(world: World, tokens: entra.Tokens, incoming: Incoming) -> Reply:
    """Answers one request. Time has its effect on everything first."""
    world.advance()
    path, _, raw_query = incoming.raw_path.partition("?")
    target = parse(path)
    if target.key == "/batch":
        reply, principal = _batch(world, tokens, incoming, raw_query), ""
    elif target.key.split("/", 2)[1] in ARM_ROOTS:
        reply, principal = _resource_manager(world, tokens, incoming, target, raw_query)
    else:
        reply, principal = Reply(_other(world, tokens, incoming, path, parse_query(raw_query))), ""
    status = reply.response.status if reply.wire == "send" else 0
    # The signed part of an operation's URL is a secret, and large.
    shown = raw_query.split("&t=", 1)[0][:KEPT_QUERY]
    world.requests.append(Seen(incoming.method, path, shown, status, principal))
    world.request_counts[f"{incoming.method} {status}"] += 1
    return reply


def _batch(world: World, tokens: entra.Tokens, incoming: Incoming, raw_query: str) -> Reply:
    try:
        tokens.who(world, incoming)
        return Reply(batch.respond(incoming, parse_query(raw_query), lambda one: handle(world, tokens, one).response))
    except ArmError as error:
        return Reply(answer(error.status, error.body(), *error.headers))


def _other(world: World, tokens: entra.Tokens, incoming: Incoming, path: str, query: Mapping[str, str]) -> Response:
    segments = [segment for segment in path.split("/") if segment]
    lower = [segment.lower() for segment in segments]
    if incoming.method == "GET":
        if lower == ["metadata", "endpoints"]:
            return metadata.endpoints(incoming.base_url, world.tenant_id, query)
        if lower in (["metadata", "identity", "oauth2", "token"], ["msi", "token"]):
            return entra.managed_identity(world, tokens, incoming, query)
        if lower[1:] == ["v2.0", ".well-known", "openid-configuration"]:
            return entra.discovery(tokens, incoming, segments[0])
        if lower[1:] == ["discovery", "v2.0", "keys"]:
            return entra.keys(incoming)
    if incoming.method == "POST" and lower[1:] in (["oauth2", "v2.0", "token"], ["oauth2", "token"]):
        return entra.token(world, tokens, incoming, segments[0])
    return answer(404, {"error": {"code": "NotFound", "message": f"There is nothing at '{path[:200]}'."}})


def _resource_manager(
    world: World, tokens: entra.Tokens, incoming: Incoming, target: Target, raw_query: str
) -> tuple[Reply, str]:
    request_id = world.guid()
    correlation_id = incoming.headers.get("x-ms-correlation-request-id") or request_id
    headers: list[tuple[str, str]] = [
        *COMMON_HEADERS,
        ("Date", format_datetime(world.clock.wall().replace(microsecond=0), usegmt=True)),
        ("x-ms-request-id", request_id),
        ("x-ms-correlation-request-id", correlation_id),
        ("x-ms-routing-request-id", f"SIMULATED:{request_id}"),
    ]
    if incoming.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers.append(("x-ms-client-request-id", incoming.headers.get("x-ms-client-request-id", "")))
    remaining: list[str] = []
    principal = ""
    wire, seconds = "send", 0.0
    try:
        token = tokens.who(world, incoming)
        principal = token.principal.client_id
        query = parse_query(raw_query)
        api_version = query.get("api-version", "").lower()
        _check_subscription(world, target)
        limit = world.throttle.arm(incoming.method, target.subscription, token.principal.object_id)
        if limit is not None:
            headers.append(limit)
        api_versions.check(target, api_version, world.settings.rules.newest_api)
        route = ROUTES.get((incoming.method, target.types, target.is_item))
        if route is None:
            raise ArmError(
                405, "MethodNotAllowed", f"The method '{incoming.method}' is not supported at '{target.key[:300]}'."
            )
        call = Call(incoming, target, query, token.principal, api_version, route.action, correlation_id, remaining)
        facts = {}
        if world.faults:
            facts = _facts(world, call, route)
            wire, seconds = _before(world, call, facts)
        if wire == "send":
            response = _answer(world, call, route, token.denied)
            if world.faults:
                fault = world.faults.take(AFTER_KINDS, **facts)
                if fault is not None:
                    wire, response = _after(world, call, fault, response)
        else:
            response = Response(0)
    except ArmError as error:
        response = answer(error.status, error.body(), *error.headers)
    except Exception:
        # A mistake of the simulator's own: the client gets Azure's form, the log gets the traceback.
        LOG.exception("%s %s", incoming.method, target.key)
        response = answer(500, {"error": {"code": "SimulatorError", "message": "The simulator made a mistake."}})
    if remaining:
        headers.append(("x-ms-ratelimit-remaining-resource", ",".join(remaining)))
    return Reply(response._replace(headers=(*headers, *response.headers)), wire, seconds), principal


def _check_subscription(world: World, target: Target) -> None:
    if target.subscription and f"/subscriptions/{target.subscription.lower()}" not in world.subscriptions:
        parts = target.subscription.split("-")
        if [len(part) for part in parts] != [8, 4, 4, 4, 12]:
            raise ArmError(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{target.subscription}' is malformed or invalid.",
            )
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{target.subscription}' could not be found.")


def _answer(world: World, call: Call, route: Route, denied: tuple[str, ...]) -> Response:
    target = call.target
    if denied and any(fnmatchcase(route.action.lower(), pattern.lower()) for pattern in denied):
        raise unauthorized(call, route)
    makes_group = call.incoming.method == "PUT" and target.types == "subscriptions/resourcegroups"
    if target.group and call.incoming.method != "HEAD" and not makes_group:
        group = f"/subscriptions/{target.subscription.lower()}/resourcegroups/{target.group.lower()}"
        if group not in world.groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{target.group}' could not be found.")
    if not target.types.startswith("microsoft.authorization/"):
        locks.must_allow(world, call)
        policies.must_allow(world, call)
    if route.policies:
        resource, region = _place(world, target)
        world.throttle.compute(route.policies, resource, target.subscription.lower(), region, call.remaining)
    return route.handler(world, call)


def unauthorized(call: Call, route: Route) -> ArmError:
    who = call.principal
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{who.client_id}' with object id '{who.object_id}' does not have authorization to perform action "
        f"'{route.action}' over scope '{call.path}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.",
    )


def _place(world: World, target: Target) -> tuple[str, str]:
    """Whose bucket a request is counted in: a resource (the VM, the collection, the operation) and a region."""
    if target.types.startswith("microsoft.compute/locations/"):
        return target.name.lower(), target.names[0].lower()
    parts = target.key.split("/providers/microsoft.compute/", 1)
    if len(parts) == 2:
        words = parts[1].split("/")
        resource = f"{parts[0]}/providers/microsoft.compute/{words[0]}/{words[1] if len(words) > 1 else ''}"
        vm = world.vms.get(resource)
        if vm is not None:
            return resource, vm.location
        collection = world.collections.get(resource)
        if collection is not None:
            return resource, collection.location
        group = world.groups.get(parts[0])
        return resource, group.location if group is not None else ""
    return target.key, ""


def _facts(world: World, call: Call, route: Route) -> dict[str, str | None]:
    """What the conditions of a fault are held against."""
    return {
        "vm": vm_name(world, call.target),
        "method": call.incoming.method,
        "action": route.action,
        "client_id": call.principal.client_id,
    }


def vm_name(world: World, target: Target) -> str | None:
    """The VM that a request is about, also when it addresses a collection, a point or an operation."""
    if target.types.startswith("microsoft.compute/virtualmachines") and target.names:
        return target.names[0]
    if target.types.startswith("microsoft.compute/restorepointcollections") and target.names:
        key = f"{target.scope}/providers/microsoft.compute/restorepointcollections/{target.names[0].lower()}"
        collection = world.collections.get(key)
        return parse(collection.source_id).name if collection is not None else None
    if target.types.startswith("microsoft.compute/locations/") and target.is_item:
        operation = world.operations.get(target.name.lower())
        return vm_name(world, parse(operation.target)) if operation is not None else None
    if target.types == "microsoft.authorization/locks" and target.scope:
        return vm_name(world, parse(target.scope))
    return None


def _before(world: World, call: Call, facts: Mapping[str, str | None]) -> tuple[str, float]:
    fault = world.faults.take(BEFORE_KINDS, **facts)
    if fault is None:
        return "send", 0.0
    given = fault.parameters
    if fault.kind in ("reset", "hang"):
        return fault.kind, 0.0
    if fault.kind == "slow":
        return "send", float(given.get("seconds", 1))
    if fault.kind == "denied":
        raise unauthorized(call, ROUTES[call.incoming.method, call.target.types, call.target.is_item])
    if fault.kind == "policy":
        assignment = given.get("assignment", "simulated-policy")
        raise ArmError(
            403,
            "RequestDisallowedByPolicy",
            f"Resource '{call.target.name if call.target.names else ''}' was disallowed by policy. Policy identifiers: "
            f'\'[{{"policyAssignment":{{"name":"{assignment}"}}}}]\'.',
            call.target.name if call.target.names else None,
        )
    if fault.kind == "claims_challenge":
        raise entra.claims_challenge(call.incoming, world.tenant_id)
    if fault.kind == "throttle":
        raise _throttled(world, call, fault)
    raise _error(fault)


def _after(world: World, call: Call, fault: Fault, response: Response) -> tuple[str, Response]:
    if fault.kind == "lose_answer":
        return "reset", response
    if fault.kind == "truncate":
        return "truncate", response
    if fault.kind == "drip":
        return f"drip {fault.parameters.get('seconds', 1)}", response
    if fault.kind in ANSWER_KINDS:
        return "send", odd_answers.changed(response, fault, call)
    error = _throttled(world, call, fault) if fault.kind == "throttle_after_accept" else _error(fault)
    return "send", answer(error.status, error.body(), *error.headers)


def _throttled(world: World, call: Call, fault: Fault) -> ArmError:
    form = fault.parameters.get("form", "arm")
    seconds = fault.parameters.get("retry_after", 5)
    # A gateway may write anything there, also words.
    retry_after = seconds if seconds is None or isinstance(seconds, str) else int(seconds)
    if form == "arm":
        kind = {"GET": "reads", "DELETE": "deletes"}.get(call.incoming.method, "writes")
        return arm_throttled(call.target.subscription, call.principal.object_id, kind, retry_after)
    now = world.clock.now()
    policy = str(fault.parameters.get("policy", "PutRestorePointSubscriptionMaximum"))
    return compute_throttled(
        policy,
        world.clock.stamp(now - 60),
        world.clock.stamp(now),
        150,
        151,
        retry_after,
        wrapped=form != "compute_bare",
    )


def _error(fault: Fault) -> ArmError:
    given = fault.parameters
    return ArmError(
        int(given.get("status", 500)),
        str(given.get("code", "InternalServerError")),
        str(given.get("message", "Encountered internal server error. The tracking id is simulated.")),
        headers=(("Retry-After", str(given["retry_after"])),) if "retry_after" in given else (),
    )
