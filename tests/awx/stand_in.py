# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A small stand-in for AWX's REST API on loopback, for the modules of awx.awx.

It keeps what is posted and refuses what a real AWX 24.6 was seen to refuse (see `rules`); a field that awx.awx does
not know is refused too, where AWX would drop it in silence.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.awx import rules

Json = dict[str, t.Any]
# Endpoint -> what awx.awx calls an object of it.
KINDS = {
    "organizations": "organization",
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "notification_templates": "notification_template",
    "schedules": "schedule",
    "workflow_approval_templates": "workflow_approval_template",
}
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
ASSOCIATIONS = re.compile(
    r"(credentials|labels|instance_groups|notification_templates_\w+|(success|failure|always)_nodes)"
)
# A named URL says what its object belongs to: awx.main.utils.named_url_graph, seen on a running AWX.
NAMED = re.compile(r"(?P<name>[^+]+)(\+\+(?P<type>[^+]+)\+(?P<kind>[^+]+))?\+\+(?P<organization>[^+]+)")
# Fields that awx.awx sends without having an option for them.
UNNAMED = {"type", "managed"}
USER, PASSWORD = "admin", "stand-in-password"
TOKEN = "stand-in-bearer-token"


class Refusal(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


class Awx:
    """What AWX holds. `writes` are the changing requests it got, without those for a token."""

    def __init__(self, playbooks: t.Collection[str]) -> None:
        self.playbooks = set(playbooks)
        self.objects: dict[str, dict[int, Json]] = {endpoint: {} for endpoint in KINDS}
        self.links: dict[str, list[int]] = {}
        self.surveys: dict[str, Json] = {}
        self.writes: list[str] = []
        self._last = 0
        self._add("organizations", {"name": "Default"})
        for name, kind in (
            ("Microsoft Azure Resource Manager", "cloud"),
            ("Machine", "ssh"),
            ("Source Control", "scm"),
        ):
            self._add("credential_types", {"name": name, "kind": kind, "managed": True})

    def named(self, endpoint: str, name: str) -> Json:
        return next(item for item in self.objects[endpoint].values() if item.get("name") == name)

    def add(self, endpoint: str, body: Json) -> Json:
        """Put an object there by hand, as an admin would."""
        return self._add(endpoint, body)

    def attach(self, item: Json, part: str, *others: Json) -> None:
        self.links.setdefault(f"{item['url']}{part}/", []).extend(other["id"] for other in others)

    def attached(self, item: Json, part: str) -> set[str]:
        target = _target(part)
        return {self.objects[target][number]["name"] for number in self.links.get(f"{item['url']}{part}/", [])}

    def _organization(self, item: Json) -> str:
        owner = self.objects["organizations"].get(item.get("organization") or 0)
        return str(owner["name"]) if owner else ""

    def _find(self, endpoint: str, word: str) -> Json | None:
        """Find an object by its number or its named URL."""
        if word.isdigit():
            return self.objects[endpoint].get(int(word))
        match = NAMED.fullmatch(unquote(word))
        for item in self.objects[endpoint].values() if match else ():
            kind = self.objects["credential_types"].get(item.get("credential_type") or 0, {})
            if match and (match["name"], match["organization"], match["type"], match["kind"]) == (
                item.get("name"),
                self._organization(item),
                kind.get("name"),
                kind.get("kind"),
            ):
                return item
        return None

    def _add(self, endpoint: str, body: Json) -> Json:
        self._last += 1
        number = self._last
        url = f"/api/v2/{endpoint}/{number}/"
        related = {"survey_spec": f"{url}survey_spec/"}
        base: Json = {"id": number, "url": url, "type": KINDS[endpoint], "related": related, "summary_fields": {}}
        if endpoint == "projects":
            base["scm_revision"] = "0" * 40
        if endpoint == "inventory_sources":
            # awx.main.models.inventory.InventorySource.save: it inherits the organization.
            base["organization"] = self.objects["inventories"][body["inventory"]]["organization"]
        self.objects[endpoint][number] = {
            **base,
            **body,
            **{key: base[key] for key in ("id", "url", "type", "related")},
        }
        return self.objects[endpoint][number]

    def handle(self, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Json]:
        parts = [part for part in path.removeprefix("/api/v2/").split("/") if part]
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if parts == ["unified_job_templates"]:
            found = [item for kind in UNIFIED for item in self.objects[kind].values()]
            return 200, self._page(found, query)
        if not parts or parts[0] not in KINDS:
            raise Refusal(404, {"detail": "Not found."})
        endpoint, *rest = parts
        if not rest:
            if method == "GET":
                return 200, self._page([self._shown(endpoint, item) for item in self.objects[endpoint].values()], query)
            return 201, self._shown(endpoint, self._add(endpoint, self._checked(endpoint, body, None)))
        item = self._find(endpoint, rest[0])
        if item is None:
            raise Refusal(404, {"detail": "Not found."})
        if len(rest) == 1:
            if method == "PATCH":
                item.update({key: value for key, value in self._checked(endpoint, body, item).items() if key != "type"})
            return 200, self._shown(endpoint, item)
        return self._below(method, item, rest[1], path, body)

    def _below(self, method: str, item: Json, part: str, path: str, body: Json) -> tuple[int, Json]:
        if part == "survey_spec":
            if method == "POST":
                _refuse(rules.survey_problems(body))
                self.surveys[path] = body
            elif method == "DELETE":
                self.surveys.pop(path, None)
            return 200, self.surveys.get(path, {})
        if part == "create_approval_template" and method == "POST":
            made = self._add("workflow_approval_templates", body)
            item["unified_job_template"] = made["id"]
            item["related"]["unified_job_template"] = made["url"]
            return 201, made
        if part == "workflow_nodes" and method == "GET":
            nodes = self.objects["workflow_job_template_nodes"].values()
            return 200, self._page([node for node in nodes if node["workflow_job_template"] == item["id"]], {})
        if not ASSOCIATIONS.fullmatch(part):
            raise Refusal(404, {"detail": "Not found."})
        links = self.links.setdefault(path, [])
        target = _target(part)
        if method == "GET":
            return 200, self._page([self._shown(target, self.objects[target][number]) for number in links], {})
        if body.get("disassociate"):
            links.remove(body["id"])
        elif body["id"] in self.objects[target]:
            if part == "credentials":
                types = [self.objects[target][number]["credential_type"] for number in (*links, body["id"])]
                _refuse([] if len(set(types)) == len(types) else ["Cannot assign multiple credentials of one type."])
            links.append(body["id"])
        else:
            raise Refusal(400, {"msg": "Related object not found."})
        return 204, {}

    def _page(self, items: list[Json], query: dict[str, str]) -> Json:
        wanted = query.get("organization__name")
        kept = [item for item in items if wanted is None or self._organization(item) == wanted]
        return _filtered(kept, {key: value for key, value in query.items() if key != "organization__name"})

    def _shown(self, endpoint: str, item: Json) -> Json:
        """Secrets are never shown again."""
        if organization := self._organization(item):
            item = {**item, "summary_fields": {"organization": {"name": organization}}}
        if endpoint != "credentials":
            return item
        inputs = {key: "$encrypted$" if key == "secret" and value else value for key, value in item["inputs"].items()}
        return {**item, "inputs": inputs}

    def _checked(self, endpoint: str, body: Json, existing: Json | None) -> Json:
        whole = {**(existing or {}), **body}
        unknown = set(body) - set(rules.options()[KINDS[endpoint]]) - UNNAMED
        _refuse([f"unknown field {name}" for name in sorted(unknown)])
        if endpoint == "execution_environments":
            others = [each for each in self.objects[endpoint].values() if each["name"] == whole["name"]]
            taken = [each for each in others if existing is None or each["id"] != existing["id"]]
            _refuse(["Execution environment with this Name already exists."] if taken else [])
        if endpoint == "credential_types":
            _refuse(rules.injector_problems(whole.get("injectors") or {}, whole.get("inputs") or {}))
        if endpoint == "job_templates":
            project = self.objects["projects"][whole["project"]]
            if whole["playbook"] not in self.playbooks and not project.get("allow_override"):
                raise Refusal(400, {"playbook": ["Playbook not found for project."]})
        if endpoint == "inventory_sources":
            sources = rules.options()["inventory_source"]["source"]["choices"]
            _refuse([] if whole["source"] in sources else [f'"{whole["source"]}" is not a valid choice.'])
        if endpoint == "schedules":
            _refuse(rules.rrule_problems(whole["rrule"]))
            self._check_prompts(whole["unified_job_template"], whole.get("extra_data") or {})
        if endpoint == "workflow_job_template_nodes" and whole.get("unified_job_template"):
            self._check_prompts(whole["unified_job_template"], whole.get("extra_data") or {})
        return body

    def _check_prompts(self, number: int, given: Json) -> None:
        template = next(items[number] for items in self.objects.values() if number in items)
        survey = self.surveys.get(f"{template['url']}survey_spec/", {}) if template.get("survey_enabled") else {}
        _refuse(rules.answer_problems(survey, given, bool(template.get("ask_variables_on_launch"))))


def _refuse(problems: t.Sequence[str]) -> None:
    if problems:
        raise Refusal(400, {"__all__": list(problems)})


def _target(part: str) -> str:
    """Which kind of object an association is to."""
    return "workflow_job_template_nodes" if part.endswith("_nodes") else re.sub("_(error|approvals)$", "", part)


def _filtered(items: list[Json], query: dict[str, str]) -> Json:
    either = {key.removeprefix("or__"): value for key, value in query.items() if key.startswith("or__")}
    every = {key: value for key, value in query.items() if not key.startswith(("or__", "page", "order"))}
    found = [
        item
        for item in items
        if all(str(item.get(key)) == value for key, value in every.items())
        and (not either or any(str(item.get(key)) == value for key, value in either.items()))
    ]
    return {"count": len(found), "next": None, "previous": None, "results": found}


class StandIn:
    """Use as a context manager."""

    def __init__(self, playbooks: t.Collection[str]) -> None:
        self.awx = Awx(playbooks)
        awx = self.awx

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
                """Say nothing."""

            def _answer(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                status, answer = _authorized(self.headers.get("Authorization") or "", self.command, url.path)
                if not status:
                    try:
                        status, answer = awx.handle(self.command, url.path, dict(parse_qsl(url.query)), body)
                    except Refusal as refusal:
                        status, answer = refusal.status, refusal.body
                data = b"" if status == 204 else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _authorized(header: str, method: str, path: str) -> tuple[int, Json]:
    """Return an answer about tokens or a refusal; status 0 lets the request through."""
    basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if path.startswith("/api/v2/tokens/") and header in (basic, f"Bearer {TOKEN}"):
        return (201, {"id": 1, "token": TOKEN}) if method == "POST" else (204, {})
    if header not in (basic, f"Bearer {TOKEN}"):
        return 401, {"detail": "Authentication credentials were not provided."}
    return 0, {}
