"""Faults that a test or a demo switches on: on requests, on operations, on tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

# What each kind does, and which parameters it takes beside the conditions. Also the text of the README's table.
KINDS: Mapping[str, tuple[str, ...]] = {
    # Before the request is looked at.
    "reset": (),
    "hang": (),
    "slow": ("seconds",),
    "error": ("status", "code", "message", "retry_after"),
    "throttle": ("form", "retry_after", "policy"),
    "denied": (),
    "policy": ("assignment",),
    "claims_challenge": (),
    # After it took effect.
    "lose_answer": (),
    "throttle_after_accept": ("form", "retry_after", "policy"),
    "error_after_accept": ("status", "code", "message"),
    "truncate": (),
    "drip": ("seconds",),
    "page_of_a_proxy": ("status", "text"),
    "deep": ("depth",),
    "bomb": ("mebibytes",),
    "odd_links": ("form",),
    "location_only": (),
    # On a long-running operation.
    "operation_fails": ("code", "message"),
    "operation_canceled": ("status",),
    "operation_completes": (),
    "operation_hangs": (),
    # On the token endpoints.
    "token_down": (),
    "secret_expired": (),
}
OPERATION_KINDS = frozenset({"operation_fails", "operation_canceled", "operation_completes", "operation_hangs"})
TOKEN_KINDS = frozenset({"token_down", "secret_expired"})
# What becomes of an answer under way to the client.
ANSWER_KINDS = frozenset({"page_of_a_proxy", "deep", "bomb", "odd_links", "location_only"})
AFTER_KINDS = ANSWER_KINDS | {"lose_answer", "throttle_after_accept", "error_after_accept", "truncate", "drip"}
CONDITIONS = ("vm", "method", "action", "operation", "client_id")
FORMS = ("arm", "compute", "compute_bare")
# Forms of the links of an answer: nextLink, Azure-AsyncOperation, Location.
LINKS = ("blank", "non_ascii", "relative", "foreign", "user", "surrogate", "bracket", "itself", "endless")


class FaultError(ValueError):
    """A fault that makes no sense, in one sentence."""


class Ending(NamedTuple):
    """How an operation ends instead of as it should; InProgress: never. Without an error it did what it was for."""

    status: str
    error: Mapping[str, Any] | None


@dataclass(slots=True)
class Fault:
    """One switched-on fault. The conditions are shell patterns without regard to case; None matches all."""

    id: int
    kind: str
    conditions: Mapping[str, str]
    parameters: Mapping[str, Any]
    left: int | None = None
    skip: int = 0
    hits: int = 0

    def matches(self, **facts: str | None) -> bool:
        for name, pattern in self.conditions.items():
            value = facts.get(name)
            if value is None or not fnmatchcase(value.lower(), pattern.lower()):
                return False
        return True

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            **self.conditions,
            **self.parameters,
            "left": self.left,
            "skip": self.skip,
            "hits": self.hits,
        }


class Faults:
    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Switches one on: `{"kind": ..., conditions, parameters, "times": n, "skip": n}`."""
        kind = str(spec.get("kind"))
        if kind not in KINDS:
            raise FaultError(f"fault kind '{kind}' is not known; the kinds are {', '.join(KINDS)}")
        allowed = {"kind", "times", "skip", *CONDITIONS, *KINDS[kind]}
        unknown = sorted(set(spec) - allowed)
        if unknown:
            raise FaultError(
                f"fault {kind!r} does not take {', '.join(unknown)}; it takes {', '.join(sorted(allowed))}"
            )
        for name in ("times", "skip"):
            value = spec.get(name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise FaultError(f"fault {kind!r}: {name} must be a whole number, not {value!r}")
        forms = LINKS if kind == "odd_links" else FORMS
        if spec.get("form", forms[0]) not in forms:
            raise FaultError(f"fault {kind!r}: form must be one of {', '.join(forms)}")
        self._count += 1
        fault = Fault(
            id=self._count,
            kind=kind,
            conditions={name: str(spec[name]) for name in CONDITIONS if spec.get(name) is not None},
            parameters={name: spec[name] for name in KINDS[kind] if name in spec},
            left=spec.get("times"),
            skip=spec.get("skip") or 0,
        )
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: int) -> bool:
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._faults.clear()

    def describe(self) -> list[dict[str, Any]]:
        return [fault.describe() for fault in self._faults.values()]

    def take(self, kinds: frozenset[str], **facts: str | None) -> Fault | None:
        """The first fault that applies now. It counts as used; one with no uses left is gone."""
        for fault in self._faults.values():
            if fault.kind in kinds and fault.matches(**facts):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        del self._faults[fault.id]
                return fault
        return None

    def operation_ending(self, operation: str, vm: str | None) -> Ending | None:
        fault = self.take(OPERATION_KINDS, operation=operation, vm=vm) if self._faults else None
        if fault is None:
            return None
        if fault.kind == "operation_hangs":
            return Ending("InProgress", None)
        if fault.kind == "operation_completes":
            return Ending("Completed", None)
        if fault.kind == "operation_canceled":
            return Ending(
                str(fault.parameters.get("status", "Canceled")),
                {"code": "OperationPreempted", "message": "The operation was canceled by a more recent operation."},
            )
        return Ending(
            "Failed",
            {
                "code": str(fault.parameters.get("code", "InternalExecutionError")),
                "message": str(
                    fault.parameters.get("message", "An internal execution error occurred. Please retry later.")
                ),
            },
        )
