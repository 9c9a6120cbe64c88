# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The definitions in awx/, read as AWX gets to see them."""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

import jinja2
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "awx"
Json = dict[str, t.Any]


class Unsafe(str):
    """A text that Ansible must not take for a template."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """Knows Ansible's tag !unsafe."""


def _unsafe(_loader: yaml.SafeLoader, node: yaml.Node) -> Unsafe:
    return Unsafe(node.value)


_Loader.add_constructor("!unsafe", _unsafe)


def read(path: Path) -> Json:
    return dict(yaml.load(path.read_text(), _Loader))


@functools.cache
def settings() -> Json:
    """The few things that a user sets, with their defaults, and what is made of them."""
    found: Json = {}
    for name, value in read(FOLDER / "settings.yml").items():
        found[name] = rendered(value, found)
    return found


def rendered(value: t.Any, variables: Json | None = None) -> t.Any:
    """Return `value` with the user's settings filled in, as Ansible does it."""
    if isinstance(value, dict):
        return {key: rendered(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, variables) for item in value]
    if isinstance(value, str) and not isinstance(value, Unsafe) and "{{" in value:
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
        environment.globals["lookup"] = lambda _kind, name, **_options: f"value-of-{name}"
        environment.globals["omit"] = ""
        environment.filters["regex_replace"] = lambda text, pattern, by: re.sub(pattern, by, text)
        given = settings() if variables is None else variables
        if whole := re.fullmatch(r"\s*{{((?:(?!}}).)*)}}\s*", value, re.DOTALL):
            return environment.compile_expression(whole[1], undefined_to_none=False)(**given)
        return environment.from_string(value).render(**given)
    return value


def of(variable: str) -> list[Json]:
    """Return the definitions of a kind, rendered."""
    return list(rendered(read(FOLDER / f"{variable}.yml")[variable]))


def inject(credential_type: Json, inputs: Json, folder: Path) -> dict[str, str]:
    """Return the environment that AWX injects for a credential of this type (awx.main.models.credential).

    A field that is not filled in is undefined, which Jinja renders as nothing.
    """
    environment = jinja2.Environment(autoescape=False)
    names = {field["id"] for field in credential_type["inputs"]["fields"]}
    assert set(inputs) <= names
    tower: Json = {}
    template = credential_type["injectors"].get("file", {}).get("template")
    if template:
        path = folder / "injected"
        path.write_text(environment.from_string(template).render(**inputs))
        path.chmod(0o600)
        tower["filename"] = str(path)
    return {
        name: environment.from_string(text).render(tower=tower, **inputs)
        for name, text in credential_type["injectors"]["env"].items()
    }
