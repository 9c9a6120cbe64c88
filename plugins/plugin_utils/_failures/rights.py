# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the identity may not do: locks, policies, missing roles, refused tokens."""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

_entry = partial(Entry, seen=(Seen.ARM,), docs="Troubleshoot common Azure deployment errors")
_lock = partial(Entry, seen=(Seen.ARM,), docs="Lock your resources to protect your infrastructure")

RIGHTS: tuple[Entry, ...] = (
    # Locks.
    _lock(
        key="extension_locked",
        codes=("ScopeLocked",),
        words=r"virtualMachines/[^/'\s]{1,80}/extensions",
        cause="A management lock guards the extension, as this collection's guard does on purpose.",
        remedy="Run snapshot_extension with state=repaired, which lifts the guard and puts it back. For anything else, "
        "lift it for a while with snapshot_extension_guard state=lifted and a reason.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ScopeLocked",
            "The scope '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web01/extensions/"
            "VMSnapshotLinux' cannot perform delete operation because following scope(s) are locked: '...'. Please "
            "remove the lock and try again.",
            409,
        ),
    ),
    _lock(
        key="restore_points_locked",
        codes=("ScopeLocked",),
        words=r"restorePointCollections(?!.{0,300}cannot perform write)",
        cause="A management lock covers the restore points, so old ones cannot be deleted and the limit of 500 comes "
        "nearer.",
        remedy="Remove the lock from the group or subscription that holds the collections, or make the collections "
        "in a group without one.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ScopeLocked",
            "The scope '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/restorePointCollections/web01/"
            "restorePoints/p1' cannot perform delete operation because following scope(s) are locked: "
            "'/subscriptions/s/resourceGroups/g'. Please remove the lock and try again.",
            409,
        ),
    ),
    _lock(
        key="restore_points_read_only",
        codes=("ScopeLocked",),
        words=r"restorePointCollections/.{0,300}cannot perform write operation",
        cause="A management lock of the kind ReadOnly covers the restore points, so none can be made.",
        remedy="Remove the lock from the group or subscription that holds the collections, or make the collections "
        "in a group without one (collection_resource_group).",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ScopeLocked",
            "The scope '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/restorePointCollections/web01/"
            "restorePoints/p1' cannot perform write operation because following scope(s) are locked: "
            "'/subscriptions/s/resourceGroups/g'. Please remove the lock and try again.",
            409,
        ),
    ),
    _lock(
        key="locked",
        codes=("ScopeLocked",),
        cause="A management lock forbids this on the resource or on something above it.",
        remedy="Remove the lock that the message names, or leave the resource as it is.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ScopeLocked",
            "The scope '/subscriptions/s/resourceGroups/g' cannot perform write operation because following scope(s) "
            "are locked: '/subscriptions/s/resourceGroups/g'. Please remove the lock and try again.",
            409,
        ),
    ),
    # Policies.
    _entry(
        key="deletion_denied_by_policy",
        codes=("RequestDisallowedByPolicy",),
        words=r"delet(e|ing|ion)",
        cause="An Azure Policy with the effect denyAction forbids this deletion, as this collection's guard can.",
        remedy="Exempt the resource from the policy assignment for as long as it takes. For the snapshot extension, "
        "snapshot_extension_guard state=lifted does so, and snapshot_extension state=repaired with method=both.",
        retry=Retry.FIX_FIRST,
        docs="Azure Policy definitions denyAction effect",
        example=Example(
            "RequestDisallowedByPolicy",
            "Deletion of resource 'VMSnapshotLinux' was disallowed by policy. See error details for policy resource "
            "IDs.",
            403,
        ),
    ),
    _entry(
        key="denied_by_policy",
        codes=("RequestDisallowedByPolicy",),
        cause="An Azure Policy with the effect deny forbids this, for example for want of a tag or for its region.",
        remedy="Fulfil the policy that the message names, or exempt the resource from it. Restore point collections "
        "get tags, name and group from collection_tags, collection_name and collection_resource_group; of the snapshot "
        "extension, the types VMSnapshot and VMSnapshotLinux have to be allowed.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "RequestDisallowedByPolicy",
            "Resource 'web01' was disallowed by policy. Reasons: 'Resources need the tag costcenter.'. See error "
            "details for policy resource IDs.",
            403,
        ),
    ),
    # Rights.
    _entry(
        key="guard_rights_missing",
        codes=("AuthorizationFailed",),
        words=r"Microsoft\.Authorization/(locks|policy)",
        cause="The identity may not manage locks or policies, so the guard cannot be set or lifted.",
        remedy="Grant it Microsoft.Authorization/locks/* (for policies policyDefinitions/*, policyAssignments/* and "
        "policyExemptions/*), which Owner and User Access Administrator hold for locks.",
        retry=Retry.FIX_FIRST,
        docs="Troubleshoot Azure RBAC",
        example=Example(
            "AuthorizationFailed",
            "The client 'ansible' with object id '00000000-0000-0000-0000-000000000002' does not have authorization to "
            "perform action 'Microsoft.Authorization/locks/write' over scope '/subscriptions/s/resourceGroups/g' or "
            "the scope is invalid. If access was recently granted, please refresh your credentials.",
            403,
        ),
    ),
    _entry(
        key="rights_missing",
        codes=("AuthorizationFailed",),
        cause="The identity has no role that allows this action there.",
        remedy="Grant it the action at the scope that the message names; a new role takes some minutes to work.",
        retry=Retry.FIX_FIRST,
        docs="Troubleshoot Azure RBAC",
        example=Example(
            "AuthorizationFailed",
            "The client 'ansible' with object id '00000000-0000-0000-0000-000000000002' does not have authorization to "
            "perform action 'Microsoft.Compute/restorePointCollections/write' over scope "
            "'/subscriptions/s/resourceGroups/g' or the scope is invalid. If access was recently granted, please "
            "refresh your credentials.",
            403,
        ),
    ),
    _entry(
        key="linked_rights_missing",
        codes=("LinkedAuthorizationFailed",),
        cause="The identity may do this here, but not on a resource that it refers to, such as the VM, a disk or an "
        "encryption set.",
        remedy="Grant it the action at the linked scope that the message names, and check that both are in one tenant.",
        retry=Retry.FIX_FIRST,
        docs="Troubleshoot Azure RBAC",
        example=Example(
            "LinkedAuthorizationFailed",
            "The client 'a' has permission to perform action 'Microsoft.Compute/restorePointCollections/write' on "
            "scope '/subscriptions/s/resourceGroups/g'; however, it does not have permission to perform action 'read' "
            "on the linked scope(s) '/subscriptions/s/resourceGroups/h/providers/Microsoft.Compute/virtualMachines/w'.",
            403,
        ),
    ),
    _entry(
        key="forbidden",
        statuses=(403,),
        cause="Azure refuses this identity the request.",
        remedy="Check the identity's roles, deny assignments and policies at the scope of the request.",
        retry=Retry.FIX_FIRST,
        docs="Troubleshoot Azure RBAC",
        example=Example("Forbidden", "The request is not permitted.", 403),
    ),
    _entry(
        key="token_of_other_tenant",
        codes=("InvalidAuthenticationTokenTenant",),
        cause="The identity signed in to another tenant than that of the subscription.",
        remedy="Set the tenant of the subscription, and check subscription and identity.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "InvalidAuthenticationTokenTenant",
            "The access token is from the wrong issuer. It must match the tenant associated with this subscription.",
            401,
        ),
    ),
    _entry(
        key="token_expired",
        codes=("ExpiredAuthenticationToken",),
        cause="The access token had run out when it arrived.",
        remedy="Try again, and set this machine's clock if it comes back.",
        retry=Retry.LATER,
        example=Example("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.", 401),
    ),
    _entry(
        key="token_refused",
        codes=("InvalidAuthenticationToken", "AuthenticationFailed", "InvalidAuthenticationTokenAudience"),
        cause="Azure does not accept the access token.",
        remedy="Check the cloud environment and the endpoint, and sign in anew.",
        retry=Retry.FIX_FIRST,
        example=Example("InvalidAuthenticationToken", "The access token is invalid.", 401),
    ),
    _entry(
        key="unauthenticated",
        statuses=(401,),
        cause="Azure does not take this request as signed in.",
        remedy="Check the credentials, the tenant and the cloud environment.",
        retry=Retry.FIX_FIRST,
        example=Example("Unauthorized", "The request is not authenticated.", 401),
    ),
)
