# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The answer to the `survey` command as one record: what a Windows guest says of VSS at one moment."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ...module_utils._hostile_json import mapping
from ...module_utils._printable import printable
from .._windows.answer import data as data_of
from .._windows.answer import flag, items, number, one_line, whole
from .._windows.services import ServiceList, read_services
from .listing import Listing, console_text, read_listing
from .services import Services
from .writers import Writer, judged

# The provider that ships with Windows. The Azure extension's own is named nowhere public, so it is not looked for.
MICROSOFT_PROVIDER: t.Final = "b5946137-7b9f-4925-af80-51abd60b20d5"
# VSS_PROVIDER_TYPE of vss.h.
_PROVIDER_TYPES: t.Final = {1: "system", 2: "software", 3: "hardware", 4: "fileshare"}
# What the command cuts a listing at.
_LISTING_LIMIT: t.Final = 1024 * 1024


@dataclass(frozen=True)
class Provider:
    """A VSS provider."""

    id: str
    name: str
    type: str | None
    version: str

    @property
    def from_microsoft(self) -> bool:
        return self.id == MICROSOFT_PROVIDER

    def as_dict(self) -> dict[str, t.Any]:
        return {"id": self.id, "name": self.name, "type": self.type, "version": self.version}


@dataclass(frozen=True)
class Storage:
    """Where the shadow copies of a volume are kept; sizes in bytes, `maximum` None for unbounded."""

    volume: str
    on: str
    used: int | None
    allocated: int | None
    maximum: int | None

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "volume": self.volume,
            "on": self.on,
            "used_bytes": self.used,
            "allocated_bytes": self.allocated,
            "maximum_bytes": self.maximum,
        }


@dataclass(frozen=True)
class Volume:
    """A fixed volume."""

    id: str
    drive: str | None
    capacity: int | None
    free: int | None

    def as_dict(self) -> dict[str, t.Any]:
        return {"id": self.id, "drive": self.drive, "capacity_bytes": self.capacity, "free_bytes": self.free}


@dataclass(frozen=True)
class ListingRun:
    """How vssadmin itself fared."""

    exit_code: int | None
    timed_out: bool
    seconds: float | None
    cut: bool
    errors: str


@dataclass(frozen=True)
class VssSurvey:
    """What a Windows guest says of VSS at one moment."""

    elevated: bool | None
    listing: Listing
    run: ListingRun
    writers: tuple[Writer, ...]
    providers: tuple[Provider, ...] | None
    storage: tuple[Storage, ...] | None
    volumes: tuple[Volume, ...] | None
    services: ServiceList
    problems: dict[str, str]
    # The instances that are in a session which nobody will end, as far as more than one look can tell.
    abandoned: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether the list of writers is whole, so that a writer that is not on it is really not there."""
        listing, run = self.listing, self.run
        damaged = listing.unread or not listing.ended or run.timed_out or run.cut or run.exit_code not in (0, None)
        return bool(self.writers) and not damaged

    @property
    def busy(self) -> tuple[Writer, ...]:
        """The writers that are in the middle of a snapshot."""
        return tuple(
            writer
            for writer in self.writers
            if writer.health == "busy" and writer.listed.instance_id not in self.abandoned
        )

    @property
    def stuck(self) -> tuple[Writer, ...]:
        """The writers that wait for a backup which is over."""
        return tuple(
            writer for writer in self.writers if writer.health == "busy" and writer.listed.instance_id in self.abandoned
        )


def read_survey(data: t.Mapping[str, t.Any], services: Services) -> VssSurvey:
    """Return the record. What is missing or of another type than it should be is None, never an exception."""
    answer = mapping(data.get("listing"))
    output = data_of(answer.get("out"))
    code_page = whole(data.get("oem_code_page")) or 437
    listing = read_listing(console_text(output, code_page))
    length = whole(answer.get("bytes")) or 0
    return VssSurvey(
        elevated=flag(data.get("elevated")),
        listing=listing,
        run=ListingRun(
            exit_code=whole(answer.get("exit")),
            timed_out=answer.get("timed_out") is True,
            seconds=number(answer.get("seconds")),
            cut=length > max(len(output), _LISTING_LIMIT),
            errors=printable(console_text(data_of(answer.get("err")), code_page).strip()),
        ),
        writers=judged(listing.writers, services),
        providers=_records(data, "providers", _provider),
        storage=_records(data, "storage", _storage),
        volumes=_records(data, "volumes", _volume),
        services=read_services(data.get("services")),
        problems={str(key): one_line(value) for key, value in mapping(data.get("problems")).items()},
    )


_T = t.TypeVar("_T")


def _records(
    data: t.Mapping[str, t.Any], key: str, make: t.Callable[[t.Mapping[str, t.Any]], _T]
) -> tuple[_T, ...] | None:
    value = data.get(key)
    if value is None:
        return None
    return tuple(make(mapping(item)) for item in items(value, 200))


def _provider(item: t.Mapping[str, t.Any]) -> Provider:
    return Provider(
        id=one_line(item.get("id")).strip("{}").lower(),
        name=one_line(item.get("name")),
        type=_PROVIDER_TYPES.get(whole(item.get("type")) or 0),
        version=one_line(item.get("version")),
    )


def _storage(item: t.Mapping[str, t.Any]) -> Storage:
    maximum = whole(item.get("maximum"))
    return Storage(
        volume=one_line(item.get("volume")),
        on=one_line(item.get("on")),
        used=whole(item.get("used")),
        allocated=whole(item.get("allocated")),
        # Windows says "unbounded" as the largest 64-bit number, with or without a sign.
        maximum=None if maximum is None or not 0 <= maximum < 2**63 - 1 else maximum,
    )


def _volume(item: t.Mapping[str, t.Any]) -> Volume:
    return Volume(
        id=one_line(item.get("id")),
        drive=one_line(item.get("drive")) or None,
        capacity=whole(item.get("capacity")),
        free=whole(item.get("free")),
    )
