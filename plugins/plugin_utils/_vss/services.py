# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which Windows service owns which VSS writer, and what a restart of it costs.

The ids of the writers that ship with Windows are from Microsoft's page "In-Box VSS Writers", SQL Server's from its page
"SQL Server Back up Applications - Volume Shadow Copy Service (VSS) and SQL Writer". There is no official table of their
services: these are the ones on which several published tables agree. The impact is this collection's judgement.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

# quiet: nobody notices. brief: a management function, or dependent services, are away for seconds.
# outage: the workload itself is away; only with the user's word. forbidden: never by a tool. none: nothing to restart.
Impact = t.Literal["quiet", "brief", "outage", "forbidden", "none"]
IMPACTS: t.Final = ("quiet", "brief", "outage")


@dataclass(frozen=True)
class WriterService:
    """A row. `listed`: the writer is there whenever its service runs, so that its absence is a finding.

    `needed_by`: while a service of such a name runs, this one has to run, or the writer takes no part in a snapshot
    that succeeds all the same. ALWAYS where Windows itself needs it. `{instance}` in a service's name is the group of
    that name in the pattern.
    """

    writer: str
    id: str
    service: str
    impact: Impact
    listed: bool = False
    person: str = ""
    needed_by: str = ""


ALWAYS: t.Final = "*"
_REBOOT = "Restart the VM in a maintenance window"

TABLE: t.Final[tuple[WriterService, ...]] = (
    WriterService(
        "System Writer", "e8132975-6f93-4464-a53e-1050253ae220", "CryptSvc", "quiet", listed=True, needed_by=ALWAYS
    ),
    WriterService("Registry Writer", "afbab4a2-367d-4d15-a586-71dbb18f8485", "VSS", "quiet", listed=True),
    WriterService("COM+ REGDB Writer", "542da469-d3e1-473c-9f4f-7847f01fc64f", "VSS", "quiet", listed=True),
    WriterService("ASR Writer", "be000cbe-11fe-4426-9c58-531aa6355fc4", "VSS", "quiet"),
    WriterService("Shadow Copy Optimization Writer", "4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f", "VSS", "quiet"),
    WriterService("BITS Writer", "4969d978-be47-48b0-b100-f328f07ac1e0", "BITS", "quiet"),
    WriterService(
        "SqlServerWriter",
        "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a",
        "SQLWriter",
        "quiet",
        listed=True,
        # MSSQL$NAME of a named instance; the internal database of Windows has a writer of its own.
        needed_by=r"MSSQLSERVER|MSSQL\$(?!MICROSOFT##).+",
    ),
    WriterService(
        "WIDWriter",
        "8d5194e1-e455-434a-b2e5-51296cce67df",
        "WIDWriter",
        "quiet",
        needed_by=r"MSSQL\$MICROSOFT##(WID|SSEE)",
    ),
    WriterService(
        "IIS Config Writer", "2a40fd15-dfca-4aa8-a654-1f8c654603f6", "AppHostSvc", "quiet", needed_by="W3SVC"
    ),
    # Oracle Database Platform Guide for Windows, "Performing Database Backup and Recovery with VSS": one service for
    # each instance, whose name is also in the writer's.
    WriterService(
        "Oracle VSS Writer",
        "",
        "OracleVssWriter{instance}",
        "quiet",
        needed_by=r"OracleService(?P<instance>[A-Za-z0-9_$]{1,30})",
    ),
    # The page prints ...c062; machines show ...c0b2.
    WriterService("MSSearch Service Writer", "cd3f2362-8bef-46c7-9181-d62844cdc0b2", "WSearch", "quiet"),
    WriterService("Dedup Writer", "41db4dbf-6046-470e-8ad5-d5081dfb1b70", "ddpvssvc", "quiet"),
    WriterService("SMS Writer", "", "SMS_SITE_VSS_WRITER", "quiet"),
    WriterService(
        "WMI Writer", "a6ad56c2-b509-4e6c-bb19-49d8f43532f0", "Winmgmt", "brief", listed=True, needed_by=ALWAYS
    ),
    WriterService("DFS Replication service writer", "2707761b-2324-473d-88eb-eb007a359533", "DFSR", "brief"),
    WriterService("FRS Writer", "d76f5a28-3092-4589-ba48-2958fb88ce29", "NtFrs", "brief"),
    WriterService("FSRM Writer", "12ce4370-5bb7-4c58-a76a-e5d5097e3674", "srmsvc", "brief"),
    WriterService("WDS VSS Writer", "82cb5521-68db-4626-83a4-7fc6f88853e9", "WDSServer", "brief"),
    WriterService("TermServLicensing", "5382579c-98df-47a7-ac6c-98a6d7106e09", "TermServLicensing", "brief"),
    WriterService("Microsoft Hyper-V VSS Writer", "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de", "vmms", "brief"),
    WriterService("Sync Share Service VSS writer", "d46bf321-fdba-4a35-8ec3-454df03bc86a", "SyncShareSvc", "brief"),
    # Since 2013 the writer lives in the replication service. MSExchangeIS dismounts every database: never that one.
    WriterService(
        "Microsoft Exchange Writer",
        "76fe1ac4-15f7-4bcd-987e-8e1acb462fb7",
        "MSExchangeRepl",
        "brief",
        needed_by="MSExchangeIS",
    ),
    WriterService("Microsoft Exchange Replica Writer", "", "MSExchangeRepl", "brief"),
    WriterService("SharePoint Services Writer", "", "SPWriter", "brief"),
    WriterService("OSearch VSS Writer", "", "OSearch", "brief"),
    WriterService("OSearch14 VSS Writer", "", "OSearch14", "brief"),
    WriterService("OSearch15 VSS Writer", "", "OSearch15", "brief"),
    WriterService("OSearch16 VSS Writer", "", "OSearch16", "brief"),
    WriterService("SPSearch VSS Writer", "", "SPSearch", "brief"),
    WriterService("SPSearch4 VSS Writer", "", "SPSearch4", "brief"),
    WriterService("Windows Server Storage VSS Writer", "", "WseStorageSvc", "brief"),
    WriterService("Dhcp Jet Writer", "be9ac81e-3619-421f-920f-4c6fea9e93ad", "DHCPServer", "outage"),
    WriterService("WINS Jet Writer", "f08c1483-8407-4a26-8c26-6c267a629741", "WINS", "outage"),
    WriterService("Certificate Authority", "6f5b15b5-da24-4d88-b737-63063e3a1f86", "CertSvc", "outage"),
    WriterService("IIS Metabase Writer", "59b1f0cf-90ef-465f-9609-6ca8b2938366", "IISADMIN", "outage"),
    WriterService("MSMQ Writer (MSMQ)", "7e47b561-971a-46e6-96b9-696eeaa53b2a", "MSMQ", "outage"),
    WriterService("TS Gateway Writer", "368753ec-572e-4fc7-b4b9-ccd9bdc624cb", "TSGateway", "outage"),
    WriterService("ADFS VSS Writer", "772c45f8-ae01-4f94-940c-94961864acad", "adfssrv", "outage"),
    WriterService("ADAM (instance) Writer", "dd846aaa-a1b6-42a8-aaf8-03dcb6114bfd", "", "outage"),
    WriterService(
        "AD RMS Writer",
        "886c43b1-d455-4428-a37f-4d6b9e43f50f",
        "",
        "forbidden",
        person=f"{_REBOOT}: no service of its own is known for this writer.",
    ),
    WriterService(
        "NPS VSS Writer",
        "35e81631-13e1-48db-97fc-d5bc721bb18a",
        "EventSystem",
        "forbidden",
        person=f"{_REBOOT}: its service EventSystem takes COM+ and all that depends on it down with it.",
    ),
    WriterService(
        "NTDS",
        "b2014c9e-8711-4c5c-a5a9-3cf384484757",
        "NTDS",
        "forbidden",
        listed=True,
        person="This is a domain controller: see that another one serves the domain, then restart the VM in a"
        " maintenance window. Its service must not be restarted by itself.",
    ),
    WriterService(
        "Cluster Database",
        "41e12264-35d8-479b-8e5c-9b23d1dad37e",
        "ClusSvc",
        "forbidden",
        person="Drain this cluster node (Suspend-ClusterNode -Drain), restart the VM, then resume the node: restarting"
        " ClusSvc in place fails its resources over.",
    ),
    WriterService(
        "Cluster Shared Volume VSS Writer",
        "1072ae1c-e5a7-4ea1-9e4a-6f7964656570",
        "ClusSvc",
        "forbidden",
        person="Drain this cluster node (Suspend-ClusterNode -Drain), restart the VM, then resume the node: restarting"
        " ClusSvc in place fails its resources over.",
    ),
    # Express writers: VSS itself speaks for them from a definition, and no service can be restarted for them.
    WriterService("Task Scheduler Writer", "d61d61c8-d73a-4eee-8cdd-f6f9786b7124", "", "none", person=f"{_REBOOT}."),
    WriterService(
        "VSS Metadata Store Writer", "75dfb225-e2e4-4d39-9ac9-ffaff65ddf06", "", "none", person=f"{_REBOOT}."
    ),
    WriterService(
        "Performance Counters Writer", "0bada1de-01a9-4625-8278-69e735f39dd2", "", "none", person=f"{_REBOOT}."
    ),
)

# Never restarted, also where a user's own row names them.
FORBIDDEN_SERVICES: t.Final = frozenset(
    name.casefold()
    for name in (
        "NTDS",
        "ClusSvc",
        "EventSystem",
        "MSExchangeIS",
        "RpcSs",
        "DcomLaunch",
        "RpcEptMapper",
        "LSM",
        "SamSs",
    )
)

# What a service may be called. PowerShell takes names as patterns, so none of * ? [ ] may be in one.
SERVICE_NAME: t.Final = re.compile(r"[A-Za-z0-9_.$ &()+:-]{1,256}")

_ADAM = re.compile(r"ADAM \((?P<instance>[A-Za-z0-9_.$-]{1,64})\) Writer")
_ORACLE = re.compile(r"Oracle VSS Writer - (?P<instance>[A-Za-z0-9_$]{1,30})", re.IGNORECASE)
_MSMQ = re.compile(r"MSMQ Writer \((?P<service>MSMQ(?:\$[A-Za-z0-9_.-]{1,64})?)\)")


class Services:
    """The table with the user's own rows before it: theirs win, by id or by name."""

    def __init__(self, own: t.Iterable[WriterService] = ()) -> None:
        self._tables = (tuple(own), TABLE)

    def find(self, writer_id: str, writer_name: str) -> WriterService | None:
        """Return the row of a writer, by its id first; some have their service's name inside their own."""
        for rows in self._tables:
            row = _first(rows, lambda row: bool(row.id) and row.id.lower() == writer_id.lower()) or _first(
                rows, lambda row: row.writer.casefold() == _without_instance(writer_name)
            )
            if row:
                return _of_instance(row, writer_name)
        return None

    def needed(self, running: t.Iterable[str]) -> t.Iterator[tuple[WriterService, str]]:
        """Yield the rows whose service has to run while these do, with the first of those that needs it.

        Of a product with a writer for each instance, a row for each that runs.
        """
        names = tuple(running)
        for row in (row for rows in self._tables for row in rows if row.needed_by):
            if row.needed_by == ALWAYS:
                yield row, ""
                continue
            matches = [match for name in names if (match := re.fullmatch(row.needed_by, name, re.IGNORECASE))]
            if "{instance}" in row.service:
                for match in matches:
                    instance = match["instance"]
                    yield (
                        replace(
                            row,
                            writer=f"{row.writer} - {instance}",
                            service=row.service.format(instance=instance),
                        ),
                        match[0],
                    )
            elif matches:
                yield row, matches[0][0]

    def always_listed(self) -> tuple[WriterService, ...]:
        """The writers whose absence says something while their service runs."""
        return tuple(row for rows in self._tables for row in rows if row.listed)


def _first(rows: t.Iterable[WriterService], fits: t.Callable[[WriterService], bool]) -> WriterService | None:
    return next((row for row in rows if fits(row)), None)


def _without_instance(writer_name: str) -> str:
    return "oracle vss writer" if _ORACLE.fullmatch(writer_name) else writer_name.casefold()


def _of_instance(row: WriterService, writer_name: str) -> WriterService:
    if match := _MSMQ.fullmatch(writer_name):
        return replace(row, service=match["service"])
    if match := _ORACLE.fullmatch(writer_name):
        return replace(row, service=row.service.format(instance=match["instance"]))
    if not row.service and (match := _ADAM.fullmatch(writer_name)):
        return replace(row, service=f"ADAM_{match['instance']}")
    return row
