# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Confirms on one guest that every command of ours is understood there: those that read are run, all are parsed.

This is what takes the place of a test on Windows, which the development of this collection does not have.
"""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass

from ...module_utils._hostile_json import mapping
from .._vss.services import Services
from .._vss.survey import read_survey
from .._windows.answer import items, one_line
from .._windows.commands import COMMANDS, PARSE, READ_VALUES, READER, SNAPSHOT, SURVEY, Command
from .._windows.guest import GuestError, WindowsGuest
from .._windows.settings import PLACES, question, read_values
from .evidence import read_evidence, snapshot_question

_LIST_SECONDS: t.Final = 180
# Windows has well over a hundred services; fewer means that they were not really listed.
_FEW_SERVICES: t.Final = 20


@dataclass(frozen=True)
class Checked:
    """A command and how it fared. `how` is ran, parsed or neither."""

    command: str
    purpose: str
    changes: bool
    how: str
    seconds: float | None
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, t.Any]:
        """For a result."""
        return {
            "command": self.command,
            "purpose": self.purpose,
            "changes": self.changes,
            "how": self.how,
            "seconds": self.seconds,
            "ok": not self.problems,
            "problems": list(self.problems),
        }


def self_check(guest: WindowsGuest) -> tuple[list[Checked], dict[str, t.Any]]:
    """Return the outcome of each command, and what the guest says of itself."""
    parsed = _parsed(guest)
    about: dict[str, t.Any] = {}
    checked = []
    for command in COMMANDS.values():
        problems = list(parsed.get(command.name, ("it could not be parsed there, see the command parse",)))
        how, seconds = ("parsed" if command.name in parsed else "neither"), None
        if not command.changes and command is not PARSE:
            guest.tell(f"running {command.name}: {command.purpose}")
            begun = guest.clock.monotonic()
            try:
                problems += _ran(guest, command, about)
            except GuestError as error:
                problems.append(str(error))
            how, seconds = "ran", round(guest.clock.monotonic() - begun, 3)
        elif command is PARSE:
            how = "ran"
        checked.append(Checked(command.name, command.purpose, command.changes, how, seconds, tuple(problems)))
    return checked, about


def _parsed(guest: WindowsGuest) -> dict[str, tuple[str, ...]]:
    texts = {"reader": READER, **{command.name: command.text for command in COMMANDS.values()}}
    guest.tell(f"having {len(texts)} texts parsed, without running them")
    try:
        answer = guest.run(
            PARSE,
            texts=[
                {"name": name, "text": base64.b64encode(script.encode("ascii")).decode("ascii")}
                for name, script in texts.items()
            ],
        )
    except GuestError as error:
        return {PARSE.name: (str(error),)}
    told = {one_line(mapping(item).get("name")): mapping(item) for item in items(answer.get("texts"))}
    found: dict[str, tuple[str, ...]] = {}
    for name in texts:
        if name not in told:
            found[name] = ("the guest did not say whether it parses",)
            continue
        errors = [f"line {one_line(error)}" for error in items(told[name].get("errors"))]
        unknown = [f"there is no command {one_line(command)}" for command in items(told[name].get("unknown"))]
        found[name] = (*errors, *unknown)
    # Part of every long command's way in, not a command of its own.
    found[PARSE.name] = (*found.get(PARSE.name, ()), *(f"reader: {problem}" for problem in found.pop("reader")))
    return found


def _ran(guest: WindowsGuest, command: Command, about: dict[str, t.Any]) -> list[str]:
    """Run a reading command and say what is not as it should be on any Windows."""
    if command is SURVEY:
        return _survey_problems(guest.run(SURVEY, seconds=float(_LIST_SECONDS), list_timeout=_LIST_SECONDS), about)
    if command is READ_VALUES:
        values = read_values(PLACES, guest.run(READ_VALUES, places=question(PLACES)).get("registry"))
        installer = next(value for place, value in values.items() if place.name == "Start")
        return [] if installer and installer.kind == "DWord" else ["a value that every Windows has was not read"]
    if command is SNAPSHOT:
        evidence = read_evidence(guest.run(SNAPSHOT, **snapshot_question(2.0)))
        problems = [f"{name}: {problem}" for name, problem in sorted(evidence.problems.items())]
        if len(evidence.services) < _FEW_SERVICES:
            problems.append(f"only {len(evidence.services)} services were listed")
        if evidence.machine_keys is None:
            problems.append("the rights of the folder MachineKeys were not read")
        if evidence.memory_free is None or evidence.disk_free is None:
            problems.append("memory or disk were not read")
        return problems
    raise ValueError(f"{command.name} reads, and its answer is not checked")


def _survey_problems(answer: t.Mapping[str, t.Any], about: dict[str, t.Any]) -> list[str]:
    about.update({key: one_line(answer.get(key)) for key in ("powershell", "os", "culture", "product")})
    survey = read_survey(answer, Services())
    about["writers"] = len(survey.writers)
    about["elevated"] = survey.elevated
    problems = [f"{name}: {problem}" for name, problem in sorted(survey.problems.items())]
    if survey.elevated is not True:
        problems.append("the account has no administrator rights")
    if not survey.complete:
        problems.append(
            f"the list of writers is not whole ({len(survey.writers)} writers, exit code {survey.run.exit_code}): "
            + ("; ".join((*survey.listing.unread, *survey.listing.remarks)) or survey.run.errors or "no output")
        )
    unclear = sum(writer.health == "unclear" for writer in survey.writers)
    if unclear:
        problems.append(f"whether {unclear} writers had an error could not be told from their texts")
    if len(survey.services) < _FEW_SERVICES:
        problems.append(f"only {len(survey.services)} services were listed")
    if not survey.services.get("RpcSs") or not survey.services.running_dependents("RpcSs"):
        problems.append("the services that depend on RpcSs were not listed")
    if survey.providers is not None and not any(provider.from_microsoft for provider in survey.providers):
        problems.append("the provider of Windows was not listed")
    return problems
