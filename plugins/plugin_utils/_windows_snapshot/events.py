# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the events that people search for after a failed snapshot mean, and what to do about each.

The meanings are the events' own texts (vssevent.mc of the Windows SDK, the message tables of volsnap.sys, sqlwriter.exe
and crypt32.dll); the remedies are Microsoft's where there is a page, else what the text asks for.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# The sources that are told, and what the finding of each is called.
EVENT_LABELS: t.Final = {
    "VSS": "vss",
    "volsnap": "volsnap",
    "SQLWRITER": "sqlwriter",
    "SQLVDI": "sqlvdi",
    "Microsoft-Windows-CAPI2": "capi2",
}


@dataclass(frozen=True)
class Meaning:
    """Both in whole sentences."""

    says: str
    remedy: str


_PROVIDERS: t.Final = "Remove VSS providers of backup or storage products that are not in use any more."
_BUSY: t.Final = "Move the restore point to a quieter hour, or give the disks more throughput."
_STORAGE: t.Final = "Enlarge the shadow copy storage with vssadmin resize shadowstorage, or free space on the volume."
_VSS_ACCESS: t.Final = (
    "Look at the key SYSTEM\\CurrentControlSet\\Services\\VSS\\VssAccessControl: each account in it has to exist."
)

EVENTS: t.Final[dict[tuple[str, int], Meaning]] = {
    ("VSS", 8193): Meaning("8193: a call of Windows failed in VSS.", "Read its text: it names the call and its error."),
    ("VSS", 8194): Meaning(
        "8194: a writer's account may not call back into VSS, mostly the Network Service's.",
        "Give that account local access in dcomcnfg, My Computer, COM Security, Access Permissions, then restart VSS.",
    ),
    ("VSS", 8220): Meaning("8220: VSS ran out of time while it deleted files.", _BUSY),
    ("VSS", 8229): Meaning(
        "8229: a writer rejected a snapshot; the text names it.", "See what vss_writers_info says of that writer."
    ),
    ("VSS", 8230): Meaning("8230: an account that VSS is to trust cannot be found.", _VSS_ACCESS),
    ("VSS", 12289): Meaning("12289: a volume or its driver refused a call.", "Look for disk errors in the System log."),
    ("VSS", 12291): Meaning(
        "12291: the COM+ interface to the writers failed.", "See that EventSystem and COMSysApp run."
    ),
    ("VSS", 12292): Meaning("12292: a shadow copy provider could not be started.", _PROVIDERS),
    ("VSS", 12293): Meaning("12293: a call of a shadow copy provider failed.", _PROVIDERS),
    ("VSS", 12297): Meaning("12297: writes could not be flushed in time.", _BUSY),
    ("VSS", 12298): Meaning("12298: writes could not be held in time.", _BUSY),
    ("VSS", 12302): Meaning(
        "12302: VSS could not reach the writers.", "See that EventSystem runs, then restart the service VSS."
    ),
    ("VSS", 12305): Meaning("12305: a volume was not connected or not found.", "Look for a volume that has gone."),
    ("VSS", 12310): Meaning("12310: a shadow copy could not be committed in time.", _BUSY),
    ("volsnap", 14): Meaning("14: shadow copies were lost to an I/O error.", "Look for disk errors in the System log."),
    ("volsnap", 25): Meaning("25: shadow copies were deleted, for their storage did not grow in time.", _STORAGE),
    ("volsnap", 27): Meaning("27: shadow copies were lost while their space was being determined.", _BUSY),
    ("volsnap", 35): Meaning("35: shadow copies were lost, for their storage could not grow.", _STORAGE),
    ("volsnap", 36): Meaning("36: shadow copies were lost, for their storage has a limit.", _STORAGE),
    ("SQLWRITER", 24582): Meaning(
        "24582: the SQL writer was refused by an instance.", "Read its text, and give NT SERVICE\\SQLWriter sysadmin."
    ),
    ("SQLWRITER", 24583): Meaning(
        "24583: a statement of the SQL writer failed.",
        "Read its text: a database that is offline, suspect or called with a trailing blank is the usual cause.",
    ),
    ("SQLVDI", 1): Meaning(
        "1: SQL Server gave a snapshot up.", "Read SQL Server's own log of that minute, which says why."
    ),
    ("Microsoft-Windows-CAPI2", 513): Meaning(
        "513: the System Writer may not read a driver or a file that it has to list.",
        "Read its text: it names the object; give NT AUTHORITY\\SERVICE the right to read it (sc.exe sdset).",
    ),
}
