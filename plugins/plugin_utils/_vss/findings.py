# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a survey of VSS means: one finding for each thing that stands between this guest and an application-consistent
restore point."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ...module_utils._finding import ERROR, INFO, WARNING, Finding
from ...module_utils._printable import printable
from .._windows.services import ServiceList
from .services import Services, WriterService
from .survey import VssSurvey
from .writers import Writer, advice

# Below this much free space on a volume a shadow copy's difference area may not find room. A judgement, not a limit.
LOW_SPACE_BYTES: t.Final = 512 * 1024 * 1024
# From so many bad writers on, "more than half" says something.
_MANY: t.Final = 3

REPAIR: t.Final = "Run appconsistent.azure.vss_writers on this host"


def bad(writers: t.Iterable[Writer]) -> tuple[Writer, ...]:
    """Those that failed. Busy ones are at work and not bad."""
    return tuple(writer for writer in writers if writer.health == "failed")


def many_failed(survey: VssSurvey, services: Services) -> bool:
    """More than half of the writers: then it is VSS itself, a provider or a driver, and not the single services."""
    away = len(missing(survey, services))
    failed = len(bad(survey.writers)) + away
    return failed >= _MANY and 2 * failed > len(survey.writers) + away


def missing(survey: VssSurvey, services: Services) -> tuple[tuple[str, str], ...]:
    """The writers that are not listed although their service runs, with that service."""
    if not survey.complete:
        return ()
    ids = {writer.listed.id for writer in survey.writers}
    names = {writer.name.casefold() for writer in survey.writers}
    found = []
    for row in services.always_listed():
        # VSS starts by itself when it is asked, so its own writers are there whether it runs now or not.
        runs = survey.services.running(row.service) or row.service == "VSS"
        if runs and row.id.lower() not in ids and row.writer.casefold() not in names:
            found.append((row.writer, row.service))
    return tuple(found)


@dataclass(frozen=True)
class IdleService:
    """A writer's service that has to run and does not. `needed_by` is a service that runs, empty for Windows itself."""

    row: WriterService
    needed_by: str

    @property
    def because(self) -> str:
        return f"{self.needed_by} does" if self.needed_by else "Windows needs it"


def idle_services(survey: VssSurvey, services: Services) -> tuple[IdleService, ...]:
    """The services that do not run, so that an application that does run is in no snapshot, and nobody is told."""
    if not len(survey.services):
        return ()
    ids = {writer.listed.id for writer in survey.writers}
    names = {writer.name.casefold() for writer in survey.writers}
    found = []
    for row, needed_by in services.needed(survey.services.all_running()):
        service = survey.services.get(row.service)
        listed = (row.id and row.id.lower() in ids) or row.writer.casefold() in names
        if not listed and (service is None or service.status in ("Stopped", "Paused")):
            found.append(IdleService(row, needed_by))
    return tuple(found)


def findings(survey: VssSurvey, services: Services) -> list[Finding]:
    """Everything that is worth a sentence, in no particular order of weight."""
    return [
        *_about_asking(survey),
        *vss_service_findings(survey.services),
        *_about_writers(survey, services),
        *_about_storage(survey),
    ]


def _about_asking(survey: VssSurvey) -> t.Iterator[Finding]:
    listing, run = survey.listing, survey.run
    if survey.elevated is False:
        yield Finding(
            "guest.not_elevated",
            ERROR,
            "The account of this connection has no administrator rights on the guest, so VSS cannot be read.",
            "Connect as a member of the local Administrators group, with an elevated token (a local account other than"
            " the built-in Administrator needs LocalAccountTokenFilterPolicy = 1 over WinRM).",
        )
    if run.timed_out:
        yield Finding(
            "vss.listing_timed_out",
            ERROR,
            f"vssadmin list writers did not end in {run.seconds or 0:.0f} seconds and was stopped"
            + (f"; {len(listing.writers)} writers were listed by then." if listing.writers else "."),
            "A writer hangs. Raise list_timeout once to see which; otherwise restart the VM in a maintenance window.",
        )
    if not listing.writers and not run.timed_out:
        said = "; ".join((*(listing.remarks[2:] or listing.remarks), *listing.unread)) or run.errors
        said = said or survey.problems.get("listing", "")
        yield Finding(
            "vss.no_writer_listed",
            ERROR,
            f"vssadmin listed no writer at all (exit code {run.exit_code}).",
            "That is not a healthy guest: "
            + (
                "connect with administrator rights first."
                if survey.elevated is False
                else "look at the Application event log, source VSS, then restart the VM in a maintenance window."
            ),
            said or None,
        )
    elif listing.writers and not survey.complete and not run.timed_out:
        yield Finding(
            "vss.listing_unreadable",
            ERROR,
            "The list of writers is longer than is read; the rest of it is not known."
            if run.cut
            else f"The list of writers is cut short or damaged (exit code {run.exit_code}), so some are not known.",
            "Run the check again; if it stays so, run vssadmin list writers on the guest and report its output.",
            "; ".join(listing.unread) or None,
        )
    for name in ("providers", "storage", "volumes"):
        problem = survey.problems.get(name)
        if problem is None:
            continue
        yield Finding(
            f"vss.{name}_unreadable",
            WARNING,
            f"The guest could not list its {name}.",
            "WMI does not answer there: look at the service Winmgmt.",
            problem,
        )


def vss_service_findings(services: ServiceList) -> t.Iterator[Finding]:
    """What is wrong with the services of VSS itself. That they are stopped is not: they stop when idle."""
    for name, role in (("VSS", "Volume Shadow Copy"), ("swprv", "Microsoft Software Shadow Copy Provider")):
        service = services.get(name)
        if service is None:
            if len(services):
                yield Finding(
                    "vss.service_missing",
                    ERROR,
                    f"The service {name} ({role}) does not exist on the guest.",
                    "Windows is damaged: run DISM /Online /Cleanup-Image /RestoreHealth and sfc /scannow on the guest.",
                )
        elif service.disabled:
            yield Finding(
                "vss.service_disabled",
                ERROR,
                f"The service {name} ({role}) is disabled, so no application-consistent snapshot can be taken.",
                f"Set its start type to manual: sc.exe config {name} start= demand.",
            )


def _about_writers(survey: VssSurvey, services: Services) -> t.Iterator[Finding]:
    failed = bad(survey.writers)
    away = missing(survey, services)
    if many_failed(survey, services):
        yield Finding(
            "vss.many_failed",
            ERROR,
            f"{len(failed) + len(away)} of {len(survey.writers) + len(away)} writers failed or went missing at once,"
            " which points to VSS itself, a provider or a storage driver rather than to individual services.",
            "Restart the service VSS, then the VM; look for another backup product, and for volsnap and disk errors in"
            " the System event log.",
            ", ".join([*(writer.name for writer in failed), *(name for name, _service in away)]),
        )
    for writer in failed:
        yield _failed(writer)
    for writer in survey.writers:
        if writer.health == "last_error":
            yield Finding(
                "vss.writer_last_error",
                WARNING,
                f"{writer.name} is stable, but the last snapshot left an error with it: {writer.listed.error_text}.",
                advice(writer.error, restartable=_restartable(writer.row)) or _LAST_ERROR,
                _evidence(writer),
            )
    unclear = [writer for writer in survey.writers if writer.health == "unclear"]
    if unclear:
        yield Finding(
            "vss.writer_error_unclear",
            WARNING,
            f"Whether {len(unclear)} stable writer(s) had an error cannot be told: the guest's language"
            " is not known, and too few writers agree.",
            "Read the texts in last_error. They mean an error unless they say that there was none.",
            "; ".join(sorted({writer.listed.error_text for writer in unclear})),
        )
    busy = survey.busy
    if busy:
        yield Finding(
            "vss.writer_busy",
            WARNING,
            f"{len(busy)} writer(s) are in the middle of a snapshot: {', '.join(writer.name for writer in busy)}.",
            "Wait for the backup that is running to end. If none runs, look again after five minutes without any other"
            " look at the writers: then it can be told.",
            "; ".join(_evidence(writer) for writer in busy),
        )
    if survey.stuck:
        yield Finding(
            "vss.writer_stuck",
            ERROR,
            f"{len(survey.stuck)} writer(s) wait for a backup that is over: "
            f"{', '.join(writer.name for writer in survey.stuck)}.",
            "Run appconsistent.azure.vss_writers with restart_stuck on this host, which restarts their services.",
            "; ".join(_evidence(writer) for writer in survey.stuck),
        )
    for name, service in away:
        yield Finding(
            "vss.writer_missing",
            ERROR,
            f"{name} is not listed although its service {service} runs.",
            f"{REPAIR}, which restarts {service}; if it stays away, look at the Application event log, source VSS"
            " (events 8193 and 8194).",
        )

    for idle in idle_services(survey, services):
        yield _idle(idle, survey)


def _idle(idle: IdleService, survey: VssSurvey) -> Finding:
    name, writer = idle.row.service, idle.row.writer
    service = survey.services.get(name)
    if service is None:
        said, remedy = "does not exist", "Install it with the setup of the product that it belongs to."
    elif service.disabled:
        said = "is disabled"
        remedy = f"If it is to run: sc.exe config {service.name} start= demand, then sc.exe start {service.name}."
    else:
        said, remedy = "does not run", f"{REPAIR}, which starts it."
    return Finding(
        "vss.writer_service_stopped",
        ERROR,
        f"The service {service.name if service else name} {said} although {idle.because}, so {writer} takes no part in"
        " a snapshot, which is not application-consistent without it.",
        remedy,
        f"{service.name}: {service.status}, start {service.start}" if service else None,
    )


_LAST_ERROR: t.Final = "Take a restore point and look again; see a person about the writer if the error stays."


def _restartable(row: WriterService | None) -> bool:
    """Whether vss_writers restarts its service without being told to."""
    return row is not None and row.impact in ("quiet", "brief")


def _failed(writer: Writer) -> Finding:
    row = writer.row
    if row is None:
        remedy = (
            "No service is known for this writer. Find out which product it belongs to, restart that product's service,"
            " and name the pair in writer_services."
        )
    elif row.person:
        remedy = row.person
    elif row.impact == "outage":
        remedy = (
            f"Restart {row.service or 'its service'} when its users can do without it, or name it in allow_outage of"
            " appconsistent.azure.vss_writers."
        )
    else:
        remedy = f"{REPAIR}, which restarts {row.service}."
    then = advice(writer.error, restartable=_restartable(row))
    return Finding(
        "vss.writer_failed",
        ERROR,
        f"{writer.name} failed ({writer.state}"
        + (f", {writer.listed.error_text}" if writer.listed.error_text else "")
        + ").",
        f"{remedy} {then}".strip(),
        _evidence(writer),
    )


def _about_storage(survey: VssSurvey) -> t.Iterator[Finding]:
    if survey.providers is not None:
        if not any(provider.from_microsoft for provider in survey.providers):
            yield Finding(
                "vss.provider_missing",
                ERROR,
                "The shadow copy provider that ships with Windows is not registered.",
                "Restart the services VSS and swprv; if it stays away, repair Windows with DISM and sfc.",
                ", ".join(provider.name for provider in survey.providers) or None,
            )
        others = [provider.name for provider in survey.providers if not provider.from_microsoft]
        if others:
            yield Finding(
                "vss.provider_foreign",
                INFO,
                f"{len(others)} provider(s) beside the one of Windows are registered: {', '.join(others)}.",
                "The Azure extension registers one of its own. Any other belongs to another backup or storage product;"
                " two of them at once make writers fail.",
            )
    for volume in survey.volumes or ():
        # A volume without a drive letter is a recovery or boot partition, small by design.
        if volume.drive and volume.free is not None and volume.free < LOW_SPACE_BYTES:
            yield Finding(
                "vss.volume_full",
                WARNING,
                f"Volume {volume.drive} has {volume.free // 1024**2} MiB left; a shadow copy may need more.",
                "Free some space on it.",
            )


def _evidence(writer: Writer) -> str:
    listed = writer.listed
    return printable(f"{writer.name}: [{listed.state}] {listed.state_text}, {listed.error_text}")
