# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Can this machine get a point of the consistency that is asked for? Findings, not exceptions.

What is judged here stands in the machine's own description, so the fleet's preflight costs no request more. What lies
around a machine (locks, policies, other owners of points) is judged in `surroundings`.

Azure begins a restore point only when every extension of the machine is provisioned, so a failed extension of
somebody else is as much in the way as a stopped machine (azure-compute-docs,
virtual-machines-restore-points-vm-snapshot-extension.md).
"""

from __future__ import annotations

import re
import typing as t

from .._azure.machine import SNAPSHOT_PUBLISHER, Machine
from .._azure.obstacle import EXTENSION_PAGE, MATRIX, TROUBLESHOOTING, Obstacle
from .._restore_points.points import Consistency

# Disks that a crash-consistent point cannot take (azure-compute-docs, concepts-restore-points.md, support matrix).
NO_CRASH_KINDS = ("ultrassd_lrs", "premiumv2_lrs")
# Systems that the support matrix leaves out, by what the agent reports of the guest: a pattern and how to call it.
UNSUPPORTED_SYSTEMS = (
    (r"coreos|flatcar", "CoreOS and its successors are not supported"),
    (r"windows.*\b(2003|2008|vista|xp)\b|windows 7\b|windows 8", "this Windows is not supported any more"),
    (r"windows server 2025", "Windows Server 2025 is not in the support matrix yet"),
)
# Azure Boost sizes: Intel v6, AMD v7 and newer (azure-compute-docs, virtual-machines-create-restore-points.md).
_BOOST_SIZE = re.compile(r"_v([6-9]|\d\d)\b", re.IGNORECASE)
_CONFIDENTIAL_PREVIEW = re.compile(r"_v6\b", re.IGNORECASE)


def obstacles(machine: Machine, wanted: Consistency, exclude_disks: t.Sequence[str] = ()) -> tuple[Obstacle, ...]:
    """Return what stands in the way of a point, what blocks first."""
    excluded = {disk.lower() for disk in exclude_disks}
    found = [*_kind(machine), *_disks(machine, wanted, excluded)]
    if wanted is Consistency.ApplicationConsistent:
        found = [*_power(machine), *_agent(machine), *_extensions(machine), *_guest(machine), *found]
    else:
        found += _several_disks(machine, excluded)
    found += _changes(machine)
    return tuple(sorted(found, key=lambda finding: not finding.blocks))


def in_transition(machine: Machine) -> tuple[str, ...]:
    """Return the names of the extensions that Azure is still working on."""
    return tuple(extension.name for extension in machine.extensions if extension.in_transition)


def _power(machine: Machine) -> t.Iterator[Obstacle]:
    if machine.power != "running":
        yield Obstacle(
            "vm_not_running",
            True,
            f"The VM is {machine.power or 'in an unknown power state'}; only a running one can be made "
            "application-consistent",
            "Start the VM, or ask for a CrashConsistent point with consistency=CrashConsistent.",
            TROUBLESHOOTING,
        )


def _agent(machine: Machine) -> t.Iterator[Obstacle]:
    if machine.power == "running" and not machine.agent_ready:
        said = f" ({machine.agent_message.rstrip('. ')})" if machine.agent_message else ""
        yield Obstacle(
            "agent_not_ready",
            True,
            f"The guest agent is not ready{said}",
            "Restart or update the guest agent (walinuxagent, waagent or WindowsAzureGuestAgent) in the guest and "
            "see that 168.63.129.16 can be reached from there.",
            TROUBLESHOOTING,
        )


def _extensions(machine: Machine) -> t.Iterator[Obstacle]:
    for extension in machine.extensions:
        if extension.looks_like_it:
            yield Obstacle(
                "unknown_publisher",
                False,
                f"The extension {extension.name} is of the type {extension.publisher}.{extension.type}, which is not "
                f"the snapshot extension: that one's publisher is {SNAPSHOT_PUBLISHER}",
                f"Find out who installed {extension.name}, and remove it if nobody needs it; Azure installs its own.",
                EXTENSION_PAGE,
            )
        if extension.provisioned:
            continue
        if extension.in_transition:
            yield Obstacle(
                "extension_in_transition",
                True,
                f"Azure is still working on the extension {extension.name} ({extension.state})",
                "Wait until it is provisioned, then run this again; if it stays so, repair or remove it.",
                EXTENSION_PAGE,
            )
            continue
        said = f": {extension.message.rstrip('. ')}" if extension.message else ""
        if extension.takes_snapshots:
            yield Obstacle(
                "snapshot_extension_failed",
                True,
                f"The snapshot extension {extension.name} is {extension.state or 'in no state'}{said}",
                "Run snapshot_extension with state=repaired and a reason: it removes it and has Azure install it anew.",
                EXTENSION_PAGE,
            )
        else:
            yield Obstacle(
                "foreign_extension_failed",
                True,
                f"The extension {extension.name} ({extension.publisher}.{extension.type}) is "
                f"{extension.state or 'in no state'}{said}; Azure begins no restore point before every extension is "
                "provisioned",
                f"Repair or remove the extension {extension.name}, then run this again.",
                EXTENSION_PAGE,
            )


def _guest(machine: Machine) -> t.Iterator[Obstacle]:
    extension, handler = machine.snapshot_extension, machine.snapshot_handler
    if extension is not None and extension.provisioned and machine.agent_ready and machine.handlers is not None:
        if handler is None:
            yield Obstacle(
                "snapshot_handler_missing",
                False,
                f"Azure lists the extension {extension.name}, but the guest agent reports no handler for it: it was "
                "removed or disabled inside the guest",
                "Look at the guest with guest_snapshot_info, and run snapshot_extension with state=repaired if the "
                "handler's folder is gone.",
                EXTENSION_PAGE,
            )
        elif not handler.ready:
            said = f": {handler.message.rstrip('. ')}" if handler.message else ""
            yield Obstacle(
                "snapshot_handler_not_ready",
                False,
                f"The guest agent reports the handler of {extension.name} as not ready{said}",
                "Look at the guest with guest_snapshot_info, and run snapshot_extension with state=repaired if it "
                "stays so.",
                EXTENSION_PAGE,
            )
    if machine.reboot_pending:
        yield Obstacle(
            "reboot_pending",
            False,
            "Windows waits for a restart, during which VSS writers and the agent may not work",
            "Restart the VM.",
            TROUBLESHOOTING,
        )
    for pattern, words in UNSUPPORTED_SYSTEMS:
        if re.search(pattern, machine.os_name, re.IGNORECASE):
            yield Obstacle(
                "system_not_supported",
                False,
                f"The guest runs {machine.os_name} {machine.os_version}".rstrip() + f"; {words}",
                "Ask for CrashConsistent points, or move to a system of the support matrix.",
                MATRIX,
            )


def _kind(machine: Machine) -> t.Iterator[Obstacle]:
    if machine.security_type.lower() == "confidentialvm":
        preview = _CONFIDENTIAL_PREVIEW.search(machine.size) is not None
        yield Obstacle(
            "confidential_vm",
            not preview,
            "This is a confidential VM, which restore points do not support"
            + ("; for v6 sizes there is a preview in a few regions" if preview else ""),
            "Protect its data from within the guest, or keep it on another kind of VM.",
            MATRIX,
        )


def _changes(machine: Machine) -> t.Iterator[Obstacle]:
    state = machine.state.lower()
    if state in ("creating", "updating", "deleting", "migrating"):
        yield Obstacle(
            "vm_is_changing",
            False,
            f"Azure is working on the VM itself ({machine.state}); a restore point fails when the VM changes meanwhile",
            "Wait until the change is through.",
            TROUBLESHOOTING,
        )
    elif state == "failed":
        yield Obstacle(
            "vm_change_failed",
            False,
            "The last change to the VM failed",
            "Look at the VM's activity log, and repeat or undo the change.",
            TROUBLESHOOTING,
        )


def _disks(machine: Machine, wanted: Consistency, excluded: set[str]) -> t.Iterator[Obstacle]:
    for disk in machine.disks:
        if disk.id and disk.id.lower() in excluded:
            continue
        if disk.ephemeral:
            yield Obstacle(
                "ephemeral_os_disk",
                True,
                f"The disk {disk.name} is an ephemeral OS disk, which restore points do not support",
                "Keep the state of this VM elsewhere, or redeploy it with a managed OS disk.",
                MATRIX,
            )
        elif not disk.id:
            yield Obstacle(
                "unmanaged_disk",
                True,
                f"The disk {disk.name} is not a managed disk, which restore points do not support",
                "Convert the VM to managed disks.",
                MATRIX,
            )
        elif wanted is Consistency.CrashConsistent and (disk.kind.lower() in NO_CRASH_KINDS or disk.write_accelerator):
            kind = "write-accelerated" if disk.write_accelerator else disk.kind
            yield Obstacle(
                "disk_not_for_crash_consistent",
                True,
                f"The disk {disk.name} is {kind}, which a crash-consistent point cannot take",
                "Exclude it with exclude_disks, or ask for ApplicationConsistent.",
                MATRIX,
            )


def _several_disks(machine: Machine, excluded: set[str]) -> t.Iterator[Obstacle]:
    """Crash consistency across disks has exceptions that nobody sees in the result."""
    disks = [disk for disk in machine.disks if disk.id.lower() not in excluded]
    cached = [disk.name for disk in disks if disk.caching.lower() == "readwrite"]
    if len(disks) > 1 and (cached or (len(disks) > 2 and _BOOST_SIZE.search(machine.size))):
        why = f"{', '.join(cached)} with read/write host caching" if cached else f"the size {machine.size}"
        yield Obstacle(
            "crash_not_across_disks",
            False,
            f"A crash-consistent point of this VM is not consistent across its {len(disks)} disks, because of {why}",
            "Ask for ApplicationConsistent, or turn the host caching of its disks to ReadOnly or None.",
            MATRIX,
        )
