# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every failure that is known, as data."""

from __future__ import annotations

from ._failure_entry import Entry, Example, Retry, Seen

CATALOGUE: tuple[Entry, ...] = (
    Entry(
        key="vss_writers_bad",
        codes=("VMRestorePointClientError",),
        words=r"VSS writers?\b.*bad state",
        words_suffice=True,
        cause="One or more VSS writers in the guest were not stable when the snapshot was asked for.",
        remedy="Restart the services that own the failed writers, then reboot the VM if they do not become stable.",
        retry=Retry.FIX_FIRST,
        docs="Troubleshoot restore point failures",
        seen=(Seen.RESTORE_POINT,),
        example=Example(
            "VMRestorePointClientError",
            "Restore Point creation failed due to VSS Writers in bad state. Restart VSS Writer services and reboot VM.",
            os="windows",
        ),
    ),
)
