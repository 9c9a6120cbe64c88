"""Holds every answer of the simulator against the published API shapes, with closed objects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

SHAPES = Path(__file__).resolve().parents[4] / "shared" / "azure-openapi"
EXAMPLES = SHAPES / "examples"

# Paths that the Compute extract does not hold, and the model in the other extract that their answers have.
OTHER_MODELS = (
    (re.compile(r"/providers/microsoft\.authorization/locks$"), "locks", "ManagementLockListResult"),
    (re.compile(r"/providers/microsoft\.authorization/locks/[^/]+$"), "locks", "ManagementLockObject"),
    (re.compile(r"^/providers/microsoft\.resourcegraph/resources$"), "resourceGraph", "QueryResponse"),
    (
        re.compile(r"/providers/microsoft\.insights/eventtypes/management/values$"),
        "activityLogs",
        "EventDataCollection",
    ),
)
# Members that Azure is documented or recorded to send although the SDK's models do not hold them.
EXTRA_MEMBERS = {"EventData": {"channels"}}


class SchemaCheck:
    """Counts what it checked, so that a test can prove that it was not idle."""

    def __init__(self) -> None:
        self.checked = 0
        self._validators: dict[str, Any] = {}

    @cached_property
    def _compute(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((SHAPES / "compute-2026-04-01.derived.json").read_text())
        for definition in document["definitions"].values():
            _close(definition)
        return document

    @cached_property
    def _others(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((SHAPES / "locks-graph-activitylog.derived.json").read_text())
        return found

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
        routes = []
        for template, operations in self._compute["paths"].items():
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template.lower()))
            routes.append((re.compile(f"^{pattern}$"), operations))
        return routes

    def check(self, method: str, path: str, status: int, body: bytes) -> None:
        """Raises AssertionError when the answer is not of the published form."""
        key = "/" + "/".join(segment for segment in path.replace("%2F", "/").lower().split("/") if segment)
        if method == "HEAD":
            return
        if status >= 400:
            self._check_error(json.loads(body))
            return
        for pattern, operations in self._routes:
            if pattern.match(key) and method.lower() in operations:
                responses = operations[method.lower()]["responses"]
                assert str(status) in responses, f"{method} {path}: status {status} is not among {sorted(responses)}"
                schema = responses[str(status)].get("schema")
                if schema is not None:
                    self._validate(f"{method} {pattern.pattern} {status}", schema, _without_bare_ids(json.loads(body)))
                self.checked += 1
                return
        for pattern, document, model in OTHER_MODELS:
            if pattern.search(key) and body:
                _check_model(self._others[document]["models"], model, json.loads(body), model)
                self.checked += 1
                return

    def _check_error(self, body: Any) -> None:
        """`{"error": {"code", "message", ...}}` and nothing beside it."""
        assert set(body) == {"error"}, f"error body with {sorted(body)}"
        error = body["error"]
        assert isinstance(error["code"], str)
        assert error["code"]
        assert isinstance(error["message"], str)
        assert error["message"]
        self._validate("error", {"$ref": "#/definitions/CloudError"}, body)
        self.checked += 1

    def _validate(self, name: str, schema: Mapping[str, Any], body: Any) -> None:
        validator = self._validators.get(name)
        if validator is None:
            closed = _close({"definitions": self._compute["definitions"], **schema})
            validator = self._validators[name] = Draft4Validator(closed)
        problems = [f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in validator.iter_errors(body)]
        assert not problems, f"{name}: {problems[:3]}"


def _without_bare_ids(body: Any) -> Any:
    """VM lists hold `resources` of bare ids although the published shape requires more of an extension."""
    for held in body.get("value", []) if isinstance(body, dict) else []:
        if all(set(resource) == {"id"} for resource in held.get("resources", [])):
            held.pop("resources", None)
    return body


def _close(schema: dict[str, Any]) -> dict[str, Any]:
    if "properties" in schema and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    return schema


def _check_model(models: Mapping[str, Any], model: str, value: Any, place: str) -> None:
    """The extract writes members as `properties.level` and types as `str`, `[Model]`, `Model`, `{str}`."""
    members = models[model]
    known: dict[str, str] = {}
    for name, spec in members.items():
        known[name] = spec["type"]
    top = {name.split(".")[0] for name in known} | EXTRA_MEMBERS.get(model, set())
    unknown = set(value) - top
    assert not unknown, f"{place}: {sorted(unknown)} not in {model}"
    for name, kind in known.items():
        outer, _, inner = name.partition(".")
        held = value.get(outer)
        if inner and isinstance(held, Mapping):
            held = held.get(inner)
        elif inner:
            held = None
        if held is None:
            assert not members[name].get("required"), f"{place}.{name} is required"
            continue
        if kind.startswith("[") and kind[1:-1] in models:
            for item in held:
                _check_model(models, kind[1:-1], item, f"{place}.{name}")
        elif kind in models:
            _check_model(models, kind, held, f"{place}.{name}")
        elif kind == "str":
            assert isinstance(held, str), f"{place}.{name} is no text: {held!r}"
        elif kind == "int":
            assert isinstance(held, int), f"{place}.{name} is no whole number: {held!r}"
