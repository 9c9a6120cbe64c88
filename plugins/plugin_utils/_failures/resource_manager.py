# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Azure Resource Manager answers for any resource: limits, names, wrong requests, conflicts, faults."""

from __future__ import annotations

from functools import partial

from .entry import Entry, Example, Retry, Seen

_entry = partial(Entry, seen=(Seen.ARM,), docs="Troubleshoot common Azure deployment errors")

_LATER = "Try again later; the request is safe to repeat."

ARM: tuple[Entry, ...] = (
    # Limits. A call before Retry-After is refused and starts the wait anew.
    _entry(
        key="throttled_by_arm",
        codes=("SubscriptionRequestsThrottled", "TenantRequestsThrottled", "ResourceRequestsThrottled"),
        cause="More requests were sent than Azure Resource Manager takes from this identity in this subscription.",
        remedy="Wait for the time that Azure named, then go on more slowly.",
        retry=Retry.LATER,
        docs="Understand how Azure Resource Manager throttles requests",
        example=Example(
            "SubscriptionRequestsThrottled",
            "Number of 'read' requests for subscription '00000000-0000-0000-0000-000000000001' actor "
            "'00000000-0000-0000-0000-000000000002' exceeded. Please try again after '10' seconds.",
            429,
        ),
    ),
    _entry(
        key="throttled_by_compute",
        codes=("TooManyRequests",),
        cause="More requests were sent than Azure Compute takes for this VM or in this subscription and region.",
        remedy="Wait for the time that Azure named, then go on more slowly.",
        retry=Retry.LATER,
        docs="Troubleshooting API throttling errors",
        example=Example(
            "TooManyRequests",
            '{"operationGroup":"HighCostGet","startTime":"2026-03-14T02:00:00+00:00",'
            '"endTime":"2026-03-14T02:20:00+00:00","allowedRequestCount":900,"measuredRequestCount":1238}',
            429,
        ),
    ),
    _entry(
        key="throttled_by_compute_outer",
        codes=("OperationNotAllowed",),
        statuses=(429,),
        cause="More requests were sent than Azure Compute takes for this VM or in this subscription and region.",
        remedy="Wait for the time that Azure named, then go on more slowly.",
        retry=Retry.LATER,
        docs="Troubleshooting API throttling errors",
        example=Example(
            "OperationNotAllowed",
            "The server rejected the request because too many requests have been received for this subscription.",
            429,
        ),
    ),
    _entry(
        key="throttled",
        statuses=(429,),
        cause="Azure asks to slow down.",
        remedy="Wait for the time that Azure named, then go on more slowly.",
        retry=Retry.LATER,
        docs="Understand how Azure Resource Manager throttles requests",
        example=Example("RateLimited", "Slow down.", 429),
    ),
    _entry(
        key="quota",
        codes=("QuotaExceeded", "ResourceQuotaExceeded"),
        cause="A quota of the subscription, the resource group or the region is used up.",
        remedy="Delete what is no longer needed, or ask Azure for a higher quota.",
        retry=Retry.FIX_FIRST,
        example=Example("QuotaExceeded", "Operation could not be completed as it results in exceeding approved quota."),
    ),
    # Names.
    _entry(
        key="subscription_unknown",
        codes=("SubscriptionNotFound", "InvalidSubscriptionId"),
        cause="The subscription does not exist in this cloud, or the identity cannot see it.",
        remedy="Check the subscription's id and the cloud environment, and that the identity has a role in it.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "SubscriptionNotFound", "The subscription '00000000-0000-0000-0000-000000000001' could not be found.", 404
        ),
    ),
    _entry(
        key="subscription_read_only",
        codes=("ReadOnlyDisabledSubscription",),
        cause="The subscription is disabled, so it can only be read.",
        remedy="Enable the subscription again.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ReadOnlyDisabledSubscription",
            "The subscription '00000000-0000-0000-0000-000000000001' is disabled and therefore marked as read only.",
            409,
        ),
    ),
    _entry(
        key="group_unknown",
        codes=("ResourceGroupNotFound",),
        cause="The resource group does not exist.",
        remedy="Create the resource group, or check its name and the subscription.",
        retry=Retry.FIX_FIRST,
        example=Example("ResourceGroupNotFound", "Resource group 'rg-backup' could not be found.", 404),
    ),
    _entry(
        key="group_being_deleted",
        codes=("ResourceGroupBeingDeleted",),
        cause="The resource group is being deleted.",
        remedy="Use another resource group, or wait until the deletion is finished and create it anew.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ResourceGroupBeingDeleted",
            "The resource group 'rg-backup' is in deprovisioning state and cannot perform this operation.",
            409,
        ),
    ),
    _entry(
        key="vm_unknown",
        codes=("ResourceNotFound", "VMNotFound", "NotFound"),
        words=r"Microsoft\.Compute/virtualMachines/[^/']{1,80}'|VMNotFound|virtual machine",
        cause="The VM does not exist, or no longer, or under another name.",
        remedy="Check the VM's resource id, and renew the inventory.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ResourceNotFound",
            "The Resource 'Microsoft.Compute/virtualMachines/web01' under resource group 'rg' was not found. For more "
            "details please go to https://aka.ms/ARMResourceNotFoundFix",
            404,
        ),
    ),
    _entry(
        key="parent_unknown",
        codes=("ParentResourceNotFound",),
        cause="What the resource belongs to does not exist: the collection of a restore point or the VM of an "
        "extension.",
        remedy="Check the name of the parent that the message names, and that it was not deleted meanwhile.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ParentResourceNotFound",
            "Failed to perform 'write' on resource(s) of type 'restorePointCollections/restorePoints', because the "
            "parent resource '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/restorePointCollections/c' "
            "could not be found.",
            404,
        ),
    ),
    _entry(
        key="resource_unknown_to_arm",
        codes=("ResourceNotFound", "NotFound"),
        cause="The resource does not exist, or was deleted meanwhile.",
        remedy="Check the resource id that the message names.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "ResourceNotFound",
            "The Resource 'Microsoft.Compute/restorePointCollections/web01' under resource group 'rg' was not found.",
            404,
        ),
    ),
    _entry(
        key="not_found",
        statuses=(404,),
        cause="There is nothing under this address.",
        remedy="Check the resource id and the cloud environment.",
        retry=Retry.FIX_FIRST,
        example=Example("HTTP404", "no message", 404),
    ),
    # Requests that cannot succeed.
    _entry(
        key="location_taken",
        codes=("InvalidResourceLocation",),
        cause="A resource of this name exists in another region, for a collection mostly because the VM was moved.",
        remedy="Choose another name, or delete the old resource when it is no longer needed.",
        retry=Retry.FIX_FIRST,
        example=Example(
            "InvalidResourceLocation",
            "The resource 'web01' already exists in location 'westeurope' in resource group 'rg'. A resource with the "
            "same name cannot be created in location 'northeurope'. Please select a new resource name.",
            409,
        ),
    ),
    _entry(
        key="property_fixed",
        codes=("PropertyChangeNotAllowed",),
        cause="The request would change something that is fixed at creation, such as the VM of a collection.",
        remedy="Choose another name for the new resource.",
        retry=Retry.NEVER,
        example=Example("PropertyChangeNotAllowed", "Changing property 'source.id' is not allowed.", 409),
    ),
    _entry(
        key="provider_not_registered",
        codes=("MissingSubscriptionRegistration", "InvalidSubscriptionRegistrationState"),
        cause="The subscription is not registered for the resource provider.",
        remedy="Register the provider that the message names with az provider register.",
        retry=Retry.FIX_FIRST,
        docs="Resolve errors for resource provider registration",
        example=Example(
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.Compute'.",
            409,
        ),
    ),
    _entry(
        key="api_version_unknown",
        codes=("NoRegisteredProviderFound", "InvalidApiVersionParameter", "InvalidResourceType"),
        cause="This cloud or region does not know the resource type in the API version that was asked for.",
        remedy="Choose an API version from those that the message names.",
        retry=Retry.NEVER,
        example=Example(
            "NoRegisteredProviderFound",
            "No registered resource provider found for location 'westeurope' and API version '2031-01-01' for type "
            "'restorePointCollections'. The supported api-versions are '2021-03-01, 2022-03-01'.",
            400,
        ),
    ),
    _entry(
        key="request_invalid",
        codes=("BadRequest", "InvalidParameter", "InvalidRequestContent", "InvalidRequestFormat", "LocationRequired"),
        cause="Azure finds the request itself wrong.",
        remedy="Correct the option that the message names.",
        retry=Retry.NEVER,
        example=Example("InvalidParameter", "The value of parameter excludeDisks is invalid.", 400),
    ),
    # Another one at work.
    _entry(
        key="preempted",
        codes=("OperationPreempted", "ConflictingRequest"),
        cause="A newer request on the same resource took over and ended this one.",
        remedy="Wait until the newer request is finished, then look at what it left before asking again.",
        retry=Retry.LATER,
        example=Example("OperationPreempted", "The operation was canceled by a more recent operation."),
    ),
    _entry(
        key="canceled",
        codes=("OperationCanceled", "Canceled"),
        cause="The operation was cancelled.",
        remedy="Look at the activity log for who cancelled it, then run again.",
        retry=Retry.LATER,
        example=Example("OperationCanceled", "The operation was canceled."),
    ),
    _entry(
        key="changed_meanwhile",
        statuses=(412,),
        cause="The resource was changed since it was read.",
        remedy="Run again, so that it is read anew.",
        retry=Retry.LATER,
        example=Example("PreconditionFailed", "The condition of the request is not met.", 412),
    ),
    _entry(
        key="conflict",
        codes=("Conflict",),
        cause="The resource is in a state in which Azure does not allow this.",
        remedy="Look at the state that the message names, wait for it to end or put it right, and run again.",
        retry=Retry.FIX_FIRST,
        example=Example("Conflict", "The resource is not in a state that allows the operation.", 409),
    ),
    # Azure's own trouble.
    _entry(
        key="azure_unavailable",
        codes=(
            "InternalServerError",
            "ServiceUnavailable",
            "ServerBusy",
            "ServerTimeout",
            "GatewayTimeout",
            "RequestTimeout",
            "OperationTimedOut",
        ),
        cause="Azure has a passing fault.",
        remedy=_LATER,
        retry=Retry.LATER,
        example=Example("InternalServerError", "Encountered internal server error."),
    ),
    _entry(
        key="server_fault",
        statuses=(408, 500, 502, 503, 504),
        cause="Azure has a passing fault.",
        remedy=_LATER,
        retry=Retry.LATER,
        example=Example("HTTP502", "no message", 502),
    ),
)
