# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What AWX enforces, and what it drops in silence: seen on a running AWX 24.6.1, or read in its source.

Each function returns sentences about what is wrong, none when all is well.
"""

from __future__ import annotations

import functools
import json
import re
import typing as t
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Json = dict[str, t.Any]
OPTIONS = Path(__file__).parents[1] / "data" / "awx" / "awx.awx-24.6.1-options.json"

QUESTION_TYPES = {"text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"}
QUESTION_KEYS = {
    *("question_name", "question_description", "variable", "type", "required", "default", "min", "max", "choices"),
    "new_question",
}
# awx.main.fields.CredentialTypeInjectorField: names that no injector may set.
BARRED_VARIABLES = {
    *("PATH", "PYTHONPATH", "VIRTUAL_ENV", "JOB_ID", "INVENTORY_ID", "INVENTORY_HOSTVARS", "AWX_HOST"),
    *("MAX_EVENT_RES", "PROJECT_REVISION", "JOB_CALLBACK_DEBUG", "CALLBACK_QUEUE", "CALLBACK_CONNECTION"),
}
_RRULE = re.compile(r"DTSTART(?P<zone>;TZID=(?P<name>[^:]+))?:(?P<start>\d{8}T\d{6})(?P<utc>Z?) RRULE:(?P<rule>\S+)")


@functools.cache
def options() -> dict[str, dict[str, Json]]:
    """The options of the modules of awx.awx 24.6.1, recorded from their documentation."""
    return dict(json.loads(OPTIONS.read_text()))


def survey_problems(survey: Json) -> list[str]:
    return list(_survey_problems(survey))


def _survey_problems(survey: Json) -> Iterator[str]:
    missing = {"name", "description", "spec"} - set(survey)
    if missing:
        yield f"'{min(missing)}' missing from survey spec."
    variables: set[str] = set()
    for question in survey.get("spec", []):
        variable = str(question.get("variable"))
        yield from (f"{variable}: {problem}" for problem in _question_problems(question))
        if variable in variables:
            yield f"{variable}: asked twice, the variable has to be unique"
        variables.add(variable)


def _question_problems(question: Json) -> Iterator[str]:
    kind, default = question.get("type"), question.get("default")
    for key in sorted(set(question) - QUESTION_KEYS):
        yield f"unknown key {key}"
    for key in ("question_name", "variable", "required"):
        if question.get(key) in (None, ""):
            yield f"'{key}' missing"
    if not re.fullmatch(r"[A-Za-z_]\w*", str(question.get("variable"))):
        yield "not a name that Ansible accepts for a variable (AWX takes it all the same)"
    if not isinstance(question.get("required"), bool):
        yield "'required' must be true or false"
    if kind not in QUESTION_TYPES:
        yield f"'{kind}' is not a type of question"
    elif kind == "multiselect":
        yield "the default of a multiselect is dropped in silence when launched by the API"
    elif kind == "multiplechoice":
        choices = question.get("choices")
        choices = choices.splitlines() if isinstance(choices, str) else choices or []
        if not choices or not all(isinstance(choice, str) for choice in choices):
            yield "choices have to be texts (yes, no and numbers in quotes)"
        elif default is not None and default not in choices:
            yield f"the default {default!r} is none of the choices"
    elif kind in ("integer", "float"):
        if default is not None and (isinstance(default, bool) or not isinstance(default, int | float)):
            yield f"the default {default!r} is no number"
        elif default is not None and not _low(question) <= default <= _high(question):
            yield f"the default {default!r} is out of bounds"
    elif default is not None and not isinstance(default, str):
        yield f"the default {default!r} is no text"
    elif default is not None and not _low(question) <= len(default) <= _high(question):
        yield f"the default {default!r} is too short or too long and would be dropped in silence"


def _low(question: Json) -> float:
    return float("-inf") if question.get("min") is None else float(question["min"])


def _high(question: Json) -> float:
    return float("inf") if question.get("max") is None else float(question["max"])


def answer_problems(survey: Json, given: Json, ask_variables: bool) -> list[str]:
    """Return what is wrong with variables that a schedule or a workflow node gives to a template."""
    questions = {question["variable"]: question for question in survey.get("spec", [])}
    found = [f"{name}: is not asked for on launch" for name in given if name not in questions and not ask_variables]
    for name, question in questions.items():
        if name in given:
            answered = {**question, "default": given[name]}
            found += [f"{name}: {problem}" for problem in _question_problems(answered)]
        elif question["required"]:
            # The default does not help: AWX says so for every launch without a person.
            found.append(f"'{name}' value missing")
    return found


def injector_problems(injectors: Json, inputs: Json) -> list[str]:
    found = [f"unknown injector {kind}" for kind in injectors if kind not in ("env", "extra_vars", "file")]
    fields = {field["id"] for field in inputs.get("fields", [])}
    for name, text in injectors.get("env", {}).items():
        if name.startswith("ANSIBLE_") or name in BARRED_VARIABLES:
            found.append(f"{name}: environment variables of this name may not be set")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            found.append(f"{name}: is no name of an environment variable")
        used = set(re.findall(r"{{\s*([\w.]+)\s*}}", text))
        found += [f"{name}: '{field}' is undefined" for field in used - fields - {"tower.filename"}]
    found += [f"{field} is required but no field" for field in inputs.get("required", []) if field not in fields]
    return found


def rrule_problems(text: str) -> list[str]:
    """awx.api.serializers.SchedulePreviewSerializer.validate_rrule."""
    match = _RRULE.fullmatch(text)
    if not match:
        return ["a rule has one DTSTART (of a zone, or with Z) and one RRULE after a space"]
    found = []
    if bool(match["zone"]) == bool(match["utc"]):
        found.append("DTSTART is either of a zone (TZID) or ends in Z")
    try:
        ZoneInfo(match["name"] or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        found.append(f"{match['name']} is no time zone")
    parts = dict(part.split("=", 1) for part in match["rule"].split(";") if "=" in part)
    if "INTERVAL" not in parts:
        found.append("INTERVAL required in rrule")
    if parts.get("FREQ") == "SECONDLY" or "FREQ" not in parts:
        found.append("SECONDLY is not supported, and FREQ is required")
    if any("," in parts.get(name, "") for name in ("BYMONTHDAY", "BYMONTH")):
        found.append("Multiple BYMONTHDAYs or BYMONTHs not supported")
    if re.search(r"\d", parts.get("BYDAY", "")):
        found.append("BYDAY with numeric prefix not supported")
    if {"BYYEARDAY", "BYWEEKNO"} & set(parts):
        found.append("BYYEARDAY and BYWEEKNO not supported")
    if int(parts.get("COUNT", "1")) > 999 or {"COUNT", "UNTIL"} <= set(parts):
        found.append("COUNT > 999, or together with UNTIL, is unsupported")
    return found
