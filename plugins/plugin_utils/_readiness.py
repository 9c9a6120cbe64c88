# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Can this machine get a point of the consistency that is asked for? Findings, not exceptions.

Azure begins a restore point only when every extension of the machine is provisioned, so a failed extension of
somebody else is as much in the way as a stopped machine (azure-compute-docs,
virtual-machines-restore-points-vm-snapshot-extension.md).
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ._json import Json
from ._machine import Machine
from ._restore_points import Consistency

# Disks that a crash-consistent point cannot take (azure-compute-docs, concepts-restore-points.md, support matrix).
NO_CRASH_KINDS = ("ultrassd_lrs", "premiumv2_lrs")


@dataclass(frozen=True)
class Finding:
    """One thing about a machine. `blocks` tells that no request makes sense before it is put right."""

    code: str
    blocks: bool
    message: str
    remedy: str

    def describe(self) -> Json:
        return {**asdict(self), "severity": "blocks" if self.blocks else "warns"}


def findings(machine: Machine, wanted: Consistency, exclude_disks: t.Sequence[str] = ()) -> tuple[Finding, ...]:
    """Return what stands in the way of a point, what blocks first."""
    found = [*_disks(machine, wanted, {disk.lower() for disk in exclude_disks})]
    if wanted is Consistency.ApplicationConsistent:
        found = [*_power(machine), *_agent(machine), *_extensions(machine), *found]
    return tuple(sorted(found, key=lambda finding: not finding.blocks))


def in_transition(machine: Machine) -> tuple[str, ...]:
    """Return the names of the extensions that Azure is still working on."""
    return tuple(extension.name for extension in machine.extensions if extension.in_transition)


def _power(machine: Machine) -> t.Iterator[Finding]:
    if machine.power != "running":
        yield Finding(
            "vm_not_running",
            True,
            f"The VM is {machine.power or 'in an unknown power state'}; only a running one can be made "
            "application-consistent",
            "Start the VM, or ask for a CrashConsistent point with consistency=CrashConsistent.",
        )


def _agent(machine: Machine) -> t.Iterator[Finding]:
    if machine.power == "running" and not machine.agent_ready:
        said = f" ({machine.agent_message.rstrip('. ')})" if machine.agent_message else ""
        yield Finding(
            "agent_not_ready",
            True,
            f"The guest agent is not ready{said}",
            "Restart or update the guest agent (walinuxagent, waagent or WindowsAzureGuestAgent) in the guest and "
            "see that 168.63.129.16 can be reached from there.",
        )


def _extensions(machine: Machine) -> t.Iterator[Finding]:
    for extension in machine.extensions:
        if extension.provisioned:
            continue
        if extension.in_transition:
            yield Finding(
                "extension_in_transition",
                True,
                f"Azure is still working on the extension {extension.name} ({extension.state})",
                "Wait until it is provisioned, then run this again; if it stays so, repair or remove it.",
            )
            continue
        said = f": {extension.message.rstrip('. ')}" if extension.message else ""
        if extension.takes_snapshots:
            yield Finding(
                "snapshot_extension_failed",
                True,
                f"The snapshot extension {extension.name} is {extension.state or 'in no state'}{said}",
                "Remove it with snapshot_extension state=absent and a reason, then run state=present: Azure installs "
                "it anew.",
            )
        else:
            yield Finding(
                "foreign_extension_failed",
                True,
                f"The extension {extension.name} ({extension.publisher}.{extension.type}) is "
                f"{extension.state or 'in no state'}{said}; Azure begins no restore point before every extension is "
                "provisioned",
                f"Repair or remove the extension {extension.name}, then run this again.",
            )


def _disks(machine: Machine, wanted: Consistency, excluded: set[str]) -> t.Iterator[Finding]:
    for disk in machine.disks:
        if disk.id.lower() in excluded:
            continue
        if disk.ephemeral:
            yield Finding(
                "ephemeral_os_disk",
                True,
                f"The disk {disk.name} is an ephemeral OS disk, which restore points do not support",
                "Keep the state of this VM elsewhere, or redeploy it with a managed OS disk.",
            )
        elif wanted is Consistency.CrashConsistent and (disk.kind.lower() in NO_CRASH_KINDS or disk.write_accelerator):
            kind = "write-accelerated" if disk.write_accelerator else disk.kind
            yield Finding(
                "disk_not_for_crash_consistent",
                True,
                f"The disk {disk.name} is {kind}, which a crash-consistent point cannot take",
                "Exclude it with exclude_disks, or ask for ApplicationConsistent.",
            )
