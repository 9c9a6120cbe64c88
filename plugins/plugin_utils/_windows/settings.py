# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The registry values of a Windows guest that Microsoft documents for the snapshot extension.

They are from Microsoft's page "Troubleshoot backup failures on Azure virtual machines". It is written for Azure Backup;
the restore point page sends its readers there, and the extension is the same one, but nothing says literally that
restore points honour each value.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ...module_utils._printable import printable
from .._errors import InvalidInput

_PERSISTENT: t.Final = r"SOFTWARE\Microsoft\BcdrAgentPersistentKeys"
_AGENT: t.Final = r"SOFTWARE\Microsoft\BcdrAgent"
_NET: t.Final = tuple(
    rf"SOFTWARE\{view}Microsoft\.NETFramework\{version}"
    for view in ("", "WOW6432Node\\")
    for version in ("v2.0.50727", "v4.0.30319")
)


@dataclass(frozen=True)
class RegistryPath:
    """Where a value is: a key below HKEY_LOCAL_MACHINE, and a name in it."""

    path: str
    name: str

    def __str__(self) -> str:
        return rf"HKLM\{self.path}\{self.name}"


@dataclass(frozen=True)
class Value:
    """What is there: the kind as .NET names it, and the data as text."""

    kind: str
    data: str


@dataclass(frozen=True)
class Setting:
    """An option and what it means in the registry.

    `states` maps the option's value to the data; None removes it, which is what "not set" means to the extension. The
    first state that fits what is there is the one that is reported.
    """

    option: str
    places: tuple[RegistryPath, ...]
    kind: t.Literal["String", "DWord"]
    states: t.Mapping[bool | str, str | int | None]

    def read(self, values: t.Mapping[RegistryPath, Value | None]) -> bool | str | None:
        """The state that the guest is in, None when what is there fits none."""
        for state in self.states:
            if all(self.fits(state, values[place]) for place in self.places):
                return state
        return None

    def fits(self, state: bool | str, value: Value | None) -> bool:
        """Whether what is there already means `state`."""
        wanted = self.states[state]
        if wanted is None:
            # The text False, in any case, says no more than the absence does.
            return value is None or (state is False and value.kind == "String" and value.data.casefold() == "false")
        if value is None or value.kind != self.kind:
            return False
        return value.data.casefold() == str(wanted).casefold()


def _switch(option: str, path: str, name: str, data: str = "True") -> Setting:
    return Setting(option, (RegistryPath(path, name),), "String", {True: data, False: None})


SNAPSHOT_METHODS: t.Final = ("default", "firstHostThenGuest")

SETTINGS: t.Final[tuple[Setting, ...]] = (
    _switch("snapshot_without_threads", _PERSISTENT, "SnapshotWithoutThreads"),
    Setting(
        "snapshot_method",
        (RegistryPath(_PERSISTENT, "SnapshotMethod"),),
        "String",
        {"default": None, "firstHostThenGuest": "firstHostThenGuest"},
    ),
    _switch("calculate_snapshot_time_from_host", _PERSISTENT, "CalculateSnapshotTimeFromHost"),
    _switch("use_vss_copy_backup", _AGENT, "USEVSSCOPYBACKUP", "TRUE"),
    _switch("use_vss_full_backup", _AGENT, "UseVssFullBackup"),
    Setting(
        "reinstall_provider",
        (RegistryPath(_PERSISTENT, "IsCommonProviderInstalled"), RegistryPath(_AGENT, "IsProviderInstalled")),
        "String",
        {True: "False"},
    ),
    Setting(
        "strong_crypto",
        tuple(RegistryPath(path, "SchUseStrongCrypto") for path in _NET),
        "DWord",
        {True: 1, False: None},
    ),
    Setting(
        "windows_installer_start",
        (RegistryPath(r"SYSTEM\CurrentControlSet\Services\msiserver", "Start"),),
        "DWord",
        {"manual": 3},
    ),
)

ARGUMENT_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "snapshot_without_threads": {"type": "bool"},
    "snapshot_method": {"type": "str", "choices": list(SNAPSHOT_METHODS)},
    "calculate_snapshot_time_from_host": {"type": "bool"},
    "use_vss_copy_backup": {"type": "bool"},
    "use_vss_full_backup": {"type": "bool"},
    "reinstall_provider": {"type": "bool"},
    "strong_crypto": {"type": "bool"},
    "windows_installer_start": {"type": "str", "choices": ["manual"]},
}

PLACES: t.Final = tuple(place for setting in SETTINGS for place in setting.places)

Values = dict[RegistryPath, Value | None]


def question(places: t.Iterable[RegistryPath]) -> list[dict[str, str]]:
    """The argument of the reading command."""
    return [{"path": place.path, "name": place.name} for place in places]


def read_values(places: t.Sequence[RegistryPath], answer: object) -> Values:
    """The answer of either command, by place."""
    lines = answer if isinstance(answer, list) else []
    values: Values = {}
    for place, line in itertools.zip_longest(places, lines[: len(places)]):
        kind, tab, data = line.partition("\t") if isinstance(line, str) else ("", "", "")
        values[place] = Value(printable(kind, 40), printable(data, 300)) if tab else None
    return values


@dataclass(frozen=True)
class Change:
    """A value to write, or to remove where `data` is None."""

    place: RegistryPath
    kind: str
    data: str | int | None

    def argument(self) -> dict[str, t.Any]:
        """For the writing command."""
        return {"path": self.place.path, "name": self.place.name, "kind": self.kind, "data": self.data}


def changes(options: t.Mapping[str, t.Any], values: Values) -> list[Change]:
    """What has to be written so that every option that is given holds. Refuses what contradicts itself."""
    wanted = [
        (setting, state)
        for setting in SETTINGS
        if (state := options.get(setting.option)) is not None and state in setting.states
    ]
    _refuse_contradictions({setting.option: state for setting, state in wanted}, values)
    return [
        Change(place, setting.kind, setting.states[state])
        for setting, state in wanted
        for place in setting.places
        if not setting.fits(state, values[place])
    ]


def states(values: Values) -> dict[str, bool | str | None]:
    """What every option would have to be for the guest to be as it is."""
    return {setting.option: setting.read(values) for setting in SETTINGS}


def shown(values: Values) -> dict[str, str | None]:
    """The values as they stand in the registry, for a diff and for diagnosis."""
    return {str(place): f"{value.kind}: {value.data}" if value else None for place, value in values.items()}


def oddities(values: Values) -> list[str]:
    """Values that are there and mean nothing to the extension, such as a number where it reads a text."""
    return [
        f"{place} is {value.kind} '{value.data}'"
        for setting in SETTINGS
        for place in setting.places
        if (value := values[place]) and not any(setting.fits(state, value) for state in setting.states)
        if setting.option not in ("reinstall_provider", "windows_installer_start")
    ]


def _refuse_contradictions(wanted: t.Mapping[str, t.Any], values: Values) -> None:
    now = states(values)

    def will_be(option: str) -> t.Any:
        return wanted.get(option, now[option])

    if {"use_vss_copy_backup", "use_vss_full_backup"} & wanted.keys() and (
        will_be("use_vss_copy_backup") is True and will_be("use_vss_full_backup") is True
    ):
        raise InvalidInput(
            "use_vss_copy_backup and use_vss_full_backup would both be set, and they ask for opposite backups.",
            advice="A copy backup leaves the log chain of SQL Server alone, a full one does not. Set one and"
            " give the other as false.",
        )
    pair = {"snapshot_method", "calculate_snapshot_time_from_host"}
    if pair & wanted.keys() and (
        will_be("calculate_snapshot_time_from_host") is True and will_be("snapshot_method") != "firstHostThenGuest"
    ):
        raise InvalidInput(
            "calculate_snapshot_time_from_host is documented only together with snapshot_method: firstHostThenGuest.",
            advice="Set both, or neither.",
        )
