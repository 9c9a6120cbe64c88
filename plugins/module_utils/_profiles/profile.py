# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a profile is: how to hold one kind of application, as a hook and the settings that the hook reads."""

import re
import shlex
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# No control characters: a setting is one line of a file that a shell reads, or one line of a file of words.
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*\Z")


class BadProfile(Exception):
    """A profile as the user wrote it cannot be used. The text names the option and what to do."""


class Option(NamedTuple):
    """One setting of a profile. Its type stands in the module's argument specification."""

    name: str
    default: Any = ""
    choices: Tuple[str, ...] = ()
    required: bool = False
    pattern: str = ""
    expects: str = ""  # what the pattern means, in words
    secret: bool = False


class Profile(NamedTuple):
    name: str
    title: str
    order: int
    options: Tuple[Option, ...]
    hook: str

    def option(self, name: str) -> Optional[Option]:
        for option in self.options:
            if option.name == name:
                return option
        return None


class Hook(NamedTuple):
    """A profile with its settings, ready to be written."""

    file_name: str  # 20-mariadb
    profile: str
    text: str
    settings: str
    shown_settings: str  # as above, secrets masked
    values: Dict[str, Any]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(str(word) for word in value)
    return str(value)


def _checked(where: str, profile: Profile, option: Option, value: Any) -> Any:
    words = value if isinstance(value, list) else [value]
    for word in words:
        if isinstance(value, list) and not str(word):
            raise BadProfile("{0}: {1} must not hold empty words.".format(where, option.name))
        if not _ONE_LINE.match(str(word)):
            raise BadProfile("{0}: {1} must not hold line breaks or control characters.".format(where, option.name))
    if option.choices and value not in option.choices:
        raise BadProfile(
            "{0}: {1} of profile {2} must be one of {3}, not '{4}'.".format(
                where, option.name, profile.name, ", ".join(option.choices), value
            )
        )
    if option.pattern:
        for word in words:
            if not re.match(r"(?:" + option.pattern + r")\Z", str(word)):
                raise BadProfile(
                    "{0}: {1} of profile {2} must be {3}, not '{4}'.".format(
                        where, option.name, profile.name, option.expects, "********" if option.secret else word
                    )
                )
    return value


def settings_text(values: Dict[str, Any], masked: Tuple[str, ...] = ()) -> str:
    """Assignments that sh reads. A list becomes one value with a line per word."""
    lines = ["# Deployed by appconsistent.azure.snapshot_scripts; local changes are overwritten."]
    for name in sorted(values):
        word = "********" if name in masked and values[name] else _word(values[name])
        lines.append("{0}={1}".format(name, shlex.quote(word)))
    return "\n".join(lines) + "\n"


def resolve(where: str, profile: Profile, name: str, order: Optional[int], given: Dict[str, Any]) -> Hook:
    """The hook of one entry of the user's list. ``given`` holds what the user wrote, nothing else."""
    unused = sorted(key for key in given if profile.option(key) is None)
    if unused:
        known = ", ".join(option.name for option in profile.options) or "none"
        raise BadProfile(
            "{0}: profile {1} does not use {2}; its options are: {3}.".format(
                where, profile.name, ", ".join(unused), known
            )
        )
    values: Dict[str, Any] = {}
    for option in profile.options:
        value = given.get(option.name)
        if option.required and value in (None, "", []):
            raise BadProfile("{0}: profile {1} needs the option {2}.".format(where, profile.name, option.name))
        value = option.default if value in (None, "", []) else _checked(where, profile, option, value)
        values[option.name] = value
    secrets = tuple(option.name for option in profile.options if option.secret)
    return Hook(
        file_name="{0:02d}-{1}".format(profile.order if order is None else order, name),
        profile=profile.name,
        text=profile.hook,
        settings=settings_text(dict(values, profile=profile.name)),
        shown_settings=settings_text(dict(values, profile=profile.name), secrets),
        values=values,
    )


def unique(hooks: List[Hook]) -> List[Hook]:
    """The hooks in the order in which they freeze; two of one name would overwrite each other."""
    seen: Dict[str, Hook] = {}
    for hook in hooks:
        if hook.file_name in seen:
            raise BadProfile(
                "profiles: two entries become the hook {0}; give one of them another label or order.".format(
                    hook.file_name
                )
            )
        seen[hook.file_name] = hook
    return [seen[name] for name in sorted(seen)]
