# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is wrong with a Windows guest's agent, its extension and what they need, by Microsoft's documented steps."""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import datetime, timedelta

from ...module_utils._finding import ERROR, INFO, WARNING, Finding
from .._failures.explain import explain
from .._vss.findings import vss_service_findings
from .._windows.answer import utc_text
from .._windows.settings import PLACES, oddities, states
from .events import EVENT_LABELS, EVENTS
from .evidence import (
    AGENT_DOTNET,
    AGENT_VERSION,
    DOTNET_RELEASE,
    NEEDED_FILES,
    VC_INSTALLER,
    Evidence,
    older,
)
from .machine_keys import machine_keys_problem
from .snapshot import AGENT_SERVICES, Snapshot, agent_state

# The least that Microsoft's VM assist script supports. It moves on; below it is a warning and no error.
_LEAST_AGENT: t.Final = "2.7.41491.1010"
# .NET Framework 4.5, which the agent needs; values of Release are from Microsoft's page on detecting the version.
_DOTNET_45: t.Final = 378389
_SILENT_AFTER: t.Final = timedelta(minutes=15)
_CLOCK_OFF: t.Final = timedelta(minutes=5)
_LOW_DISK: t.Final = 1024**3
_LOW_MEMORY: t.Final = 256 * 1024**2
_DISM: t.Final = "repair Windows with DISM /Online /Cleanup-Image /RestoreHealth"
_ASK_FOR_POINT: t.Final = (
    "Azure installs it with the first application-consistent restore point: see snapshot_extension."
)


def snapshot_findings(snapshot: Snapshot, now: datetime) -> list[Finding]:
    """Everything that is worth a sentence. `now` is the controller's time."""
    evidence = snapshot.evidence
    return [
        *_about_guest(evidence, now),
        *_about_agent(snapshot),
        *_about_extension(snapshot),
        *_about_run(snapshot),
        *_about_com(evidence),
        *_about_needs(snapshot),
        *_about_settings(evidence),
        *_about_events(evidence),
    ]


def _about_guest(evidence: Evidence, now: datetime) -> t.Iterator[Finding]:
    if evidence.elevated is False:
        yield Finding(
            "guest.not_elevated",
            ERROR,
            "The account of this connection has no administrator rights on the guest, so much of this is not known.",
            "Connect as a member of the local Administrators group, with an elevated token.",
        )
    if evidence.time and abs(evidence.time - now) > _CLOCK_OFF:
        yield Finding(
            "guest.clock_off",
            WARNING,
            f"The guest's clock says {utc_text(evidence.time)}, this machine's {utc_text(now)}.",
            "Set the one that is wrong: a wrong guest clock makes the extension fail.",
        )
    if evidence.disk_free is not None and evidence.disk_free < _LOW_DISK:
        yield Finding(
            "guest.disk_low",
            WARNING,
            f"The system drive has {evidence.disk_free // 1024**2} MiB left.",
            "Free some space: writers and the extension fail without it.",
        )
    if evidence.memory_free is not None and evidence.memory_free < _LOW_MEMORY:
        yield Finding(
            "guest.memory_low",
            WARNING,
            f"The guest has {evidence.memory_free // 1024**2} MiB of free memory.",
            "Find out what takes it, or give the VM a larger size.",
        )
    if evidence.locked:
        yield Finding(
            "guest.drive_locked",
            ERROR,
            f"BitLocker keeps {', '.join(evidence.locked)} locked, and a locked drive cannot be in a snapshot.",
            "Unlock it, or have it unlocked when Windows starts.",
        )
    for name in ("system", "machine_keys"):
        if name in evidence.problems:
            yield Finding(
                "guest.part_unreadable",
                WARNING,
                f"The guest could not tell about its {name.replace('_', ' ')}.",
                "Look at the service Winmgmt, and at the rights of the account.",
                evidence.problems[name],
            )


def _about_agent(snapshot: Snapshot) -> t.Iterator[Finding]:
    evidence, report = snapshot.evidence, snapshot.report
    state = agent_state(evidence)
    if state == "missing":
        yield Finding(
            "agent.missing",
            ERROR,
            "The Azure VM agent is not installed.",
            "Install the newest Azure Windows VM Agent (an MSI), then restart the VM.",
        )
        return
    for name in AGENT_SERVICES:
        service = evidence.services.get(name)
        if state == "stopped" and (service is None or not service.running):
            yield Finding(
                "agent.stopped",
                ERROR,
                f"The agent's service {name} {'does not run' if service else 'does not exist'}.",
                f"Start it: sc.exe start {name}." if service else "Install the newest Azure Windows VM Agent.",
                service.status if service else None,
            )
        elif service and service.start not in ("automatic", None):
            yield Finding(
                "agent.not_automatic",
                WARNING,
                f"The agent's service {name} does not start with Windows ({service.start}).",
                f"sc.exe config {name} start= auto",
            )
    version = report.agent_version or evidence.value(AGENT_VERSION)
    if version and older(version, _LEAST_AGENT):
        yield Finding(
            "agent.outdated",
            WARNING,
            f"The agent's version {version} is below {_LEAST_AGENT}, the least that Microsoft's checks accept.",
            "Install the newest Azure Windows VM Agent.",
        )
    if report.problem:
        yield Finding(
            "agent.status_unreadable",
            WARNING,
            f"The agent's own report on itself and its extensions cannot be read: {report.problem}.",
            "Run this again: the file is replaced all the time. If it stays so, restart WindowsAzureGuestAgent.",
            evidence.aggregate.path if evidence.aggregate else None,
        )
    elif report.agent_status and report.agent_status != "Ready":
        yield Finding(
            "agent.not_ready",
            ERROR,
            f"The agent says of itself: {report.agent_status}.",
            "Read C:\\WindowsAzure\\Logs\\WaAppAgent.log; restart WindowsAzureGuestAgent.",
        )
    if report.agent_seen and evidence.time and evidence.time - report.agent_seen > _SILENT_AFTER:
        minutes = int((evidence.time - report.agent_seen).total_seconds() // 60)
        yield Finding(
            "agent.silent",
            WARNING if state == "running" else ERROR,
            f"The agent has left no sign of life for {minutes} minutes.",
            "Restart WindowsAzureGuestAgent; read C:\\WindowsAzure\\Logs\\WaAppAgent.log if it stays silent.",
        )
    if evidence.value(AGENT_DOTNET) == "0":
        yield Finding(
            "agent.dotnet_missing",
            ERROR,
            "The agent says that the .NET Framework it needs is missing.",
            "Install .NET Framework 4.8, then restart the VM.",
        )
    for port, answer in sorted(evidence.wire.items()):
        if answer != "open":
            yield Finding(
                "agent.wire_server_closed",
                ERROR,
                f"Azure's host service 168.63.129.16 cannot be reached on port {port} ({answer}).",
                "Open outgoing TCP 80 and 32526 to 168.63.129.16 in firewalls and routes, and use no proxy for it.",
            )


def _about_extension(snapshot: Snapshot) -> t.Iterator[Finding]:
    current, report = snapshot.current, snapshot.report
    if current is None:
        yield Finding("extension.missing", ERROR, "The snapshot extension is not installed.", _ASK_FOR_POINT)
        return
    if current.state and current.state != "Enabled":
        yield Finding(
            "extension.not_enabled",
            ERROR,
            f"The snapshot extension {current.version} is in the state {current.state}.",
            "Have it provisioned anew: see snapshot_extension with state: repaired. Do not delete its folder by hand.",
        )
    if report.handler_status and report.handler_status != "Ready":
        yield Finding(
            "extension.not_ready",
            ERROR,
            f"The agent reports the snapshot extension as {report.handler_status}.",
            "Read WaAppAgent.log and the extension's own log; the ends of both are in this result.",
            report.handler_message,
        )
    gone = [name for name in NEEDED_FILES if name not in current.files]
    if gone:
        yield Finding(
            "extension.files_missing",
            ERROR,
            f"The snapshot extension {current.version} lacks {', '.join(gone)}, mostly the work of a virus scanner.",
            "Exclude C:\\Packages\\Plugins\\Microsoft.Azure.RecoveryServices.VMSnapshot and its folder below"
            " C:\\WindowsAzure\\Logs\\Plugins from scanning, then have the extension provisioned anew.",
        )


def _about_run(snapshot: Snapshot) -> t.Iterator[Finding]:
    run = snapshot.run
    if run is None:
        if snapshot.current:
            yield Finding(
                "run.none",
                INFO,
                "The extension left no trace of any run.",
                "Nothing to do, if no restore point was taken yet.",
            )
        return
    if run.problem:
        yield Finding(
            "run.status_unreadable",
            WARNING,
            f"{run.path} cannot be used: {run.problem}.",
            "Run this again; take a restore point if it stays so.",
        )
    elif snapshot.run_state == "running":
        yield Finding("run.running", INFO, "A snapshot is being taken right now.", "Ask again when it has ended.")
    elif snapshot.run_state == "stuck":
        yield Finding(
            "run.stuck",
            ERROR,
            f"The last run has been under way since {utc_text(run.started or run.reported)}.",
            "Read the extension's log, whose end is in this result; restart WindowsAzureGuestAgent, then the VM.",
        )
    elif run.status == "error":
        why = explain("" if run.code is None else str(run.code), run.message or "", os="windows")
        yield Finding(
            "run.failed",
            ERROR,
            f"The last run failed with code {run.code}: {run.message or 'no message'}",
            why.remedy,
            None if why.key == "unknown" else why.cause,
        )


def _about_com(evidence: Evidence) -> t.Iterator[Finding]:
    if not len(evidence.services):
        return
    comsysapp = evidence.services.get("COMSysApp")
    if comsysapp is None or comsysapp.disabled:
        yield Finding(
            "com.system_application",
            ERROR,
            f"The service COMSysApp (COM+ System Application) {'is disabled' if comsysapp else 'does not exist'}.",
            "sc.exe config COMSysApp start= demand, then sc.exe start COMSysApp."
            if comsysapp
            else f"Windows is damaged: {_DISM}.",
        )
    events = evidence.services.get("EventSystem")
    if events is None or not events.running:
        yield Finding(
            "com.event_system",
            ERROR,
            "The service EventSystem (COM+ Event System) does not run, and VSS cannot talk to its writers without it.",
            "sc.exe config EventSystem start= auto, then sc.exe start EventSystem.",
        )
    msdtc = evidence.services.get("MSDTC")
    reinstall = "net stop MSDTC, msdtc -uninstall, msdtc -install, net start MSDTC, then start COMSysApp."
    if msdtc is None:
        yield Finding("com.msdtc", ERROR, "The service MSDTC does not exist.", f"msdtc -install, then: {reinstall}")
    elif msdtc.disabled:
        yield Finding(
            "com.msdtc", ERROR, "The service MSDTC is disabled.", "sc.exe config MSDTC start= auto, then start it."
        )
    elif msdtc.account and not _is_network_service(msdtc.account, evidence.network_service):
        yield Finding(
            "com.msdtc_account",
            ERROR,
            f"The service MSDTC logs on as {msdtc.account} instead of the Network Service.",
            f'sc.exe config MSDTC obj= "NT AUTHORITY\\NetworkService", and restart it. If it does not: {reinstall}',
        )
    elif not msdtc.running:
        yield Finding(
            "com.msdtc",
            WARNING,
            "The service MSDTC does not run.",
            f"sc.exe start MSDTC. If it does not start: {reinstall}",
        )


def _is_network_service(account: str, local_name: str) -> bool:
    """By its English name, or by the one that this Windows gives it."""
    plain = account.replace(" ", "").casefold()
    return "networkservice" in plain or (bool(local_name) and plain == local_name.replace(" ", "").casefold())


def _about_needs(snapshot: Snapshot) -> t.Iterator[Finding]:
    evidence, current = snapshot.evidence, snapshot.current
    yield from vss_service_findings(evidence.services)
    installer = evidence.services.get("msiserver")
    if current and not evidence.vc_runtime:
        yield Finding(
            "extension.vc_runtime_missing",
            ERROR,
            "The Visual C++ 2013 runtime (x64), which the extension's provider needs, is not installed.",
            (
                "Set windows_installer_start: manual in windows_snapshot_settings and restart the VM, then run "
                if installer and installer.disabled
                else "Run "
            )
            + f"{VC_INSTALLER} in the extension's folder.",
        )
    elif installer and installer.disabled:
        yield Finding(
            "extension.installer_disabled",
            WARNING,
            "The Windows Installer is disabled, so the extension could not install its runtime.",
            "Set windows_installer_start: manual in windows_snapshot_settings, and restart the VM.",
        )
    release = evidence.value(DOTNET_RELEASE)
    if release is not None and release.isdecimal() and int(release[:9]) < _DOTNET_45:
        yield Finding(
            "guest.dotnet_old",
            ERROR,
            ".NET Framework is older than 4.5, which the agent and the extension need.",
            "Install .NET Framework 4.8, then restart the VM.",
        )
    problem = machine_keys_problem(evidence.machine_keys)
    if problem:
        yield Finding(
            "extension.machine_keys",
            WARNING,
            f"The rights of the folder MachineKeys were changed: {problem}.",
            "Give Everyone read and write and Administrators full control on the folder itself (not on the files in"
            " it), delete the certificates issued to 'Windows Azure CRP Certificate Generator', and try again.",
            evidence.machine_keys,
        )


def _about_settings(evidence: Evidence) -> t.Iterator[Finding]:
    settings = {place: evidence.values[place] for place in PLACES}
    now = states(settings)
    if now["use_vss_copy_backup"] is True and now["use_vss_full_backup"] is True:
        yield Finding(
            "settings.contradiction",
            WARNING,
            "USEVSSCOPYBACKUP and UseVssFullBackup are both set, and they ask for opposite backups.",
            "Set one of use_vss_copy_backup and use_vss_full_backup to false with windows_snapshot_settings.",
        )
    odd = oddities(settings)
    if odd:
        yield Finding(
            "settings.odd_value",
            WARNING,
            f"{len(odd)} registry value(s) of the extension are not of the documented kind, so they have no effect.",
            "Set them with windows_snapshot_settings.",
            "; ".join(odd)[:400],
        )


def _about_events(evidence: Evidence) -> t.Iterator[Finding]:
    crashes = [event for event in evidence.events if "IaaSBcdrExtension.exe" in event.message]
    if crashes:
        yield Finding(
            "extension.crashed",
            ERROR,
            f"The extension's program crashed {len(crashes)} time(s) in the last day.",
            "Look for a virus scanner or AppLocker that gets in its way, and exclude its folder there.",
            crashes[0].message,
        )
    for source, label in EVENT_LABELS.items():
        found = [event for event in evidence.events if event.source == source]
        if found:
            numbers = Counter(event.id for event in found)
            known = [meaning for number in numbers if (meaning := EVENTS.get((source, number or 0)))]
            told = ", ".join(f"{number} ({count} times)" for number, count in numbers.most_common(8))
            yield Finding(
                f"events.{label}",
                WARNING,
                f"The event log has {len(found)} warning(s) or error(s) of {source} from the last day: {told}."
                + "".join(f" {meaning.says}" for meaning in known),
                " ".join(dict.fromkeys(meaning.remedy for meaning in known))
                or "Read them: the newest is the evidence here, the others are below configuration.windows.events.",
                found[0].message,
            )
