# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variables of one host, of which any may be a template that cannot be evaluated."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import InvalidInput


@dataclass(frozen=True)
class HostVariables:
    """Ansible evaluates a variable when it is read, and the templates in it are the user's."""

    host: str
    variables: t.Mapping[str, t.Any]

    def get(self, name: str) -> t.Any:
        """Return the value, None where there is none; raise InvalidInput that names host and variable."""
        try:
            value = _evaluated(self.variables.get(name))
        except Exception as error:  # whatever a template, a lookup or a filter in it raises
            raise InvalidInput(
                f"{self.host}: the variable {name} cannot be evaluated: {' '.join(str(error).split())}",
                advice="Correct the variable of this host.",
            ) from error
        # Before 2.19, ansible-core leaves a template as it is where something in it is not defined.
        if template := next(_templates(value), ""):
            raise InvalidInput(
                f"{self.host}: the variable {name} cannot be evaluated: something in {template!r} is not defined",
                advice="Correct the variable of this host.",
            )
        return value


def _evaluated(value: t.Any) -> t.Any:
    """Return the value with all that is in it: since 2.19, ansible-core evaluates a part when it is read."""
    if isinstance(value, t.Mapping):
        return {key: _evaluated(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_evaluated(part) for part in value]
    return value


def _templates(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str) and "{{" in value:
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _templates(part)
